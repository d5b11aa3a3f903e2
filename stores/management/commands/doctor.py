"""Says what is well and what is not, with the fix."""

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from stores import doctor


class Command(BaseCommand):
    help = "Check the installation and each store. Exit code 1 when something is wrong; warnings do not count."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        report = doctor.report()
        if options["json"]:
            self.stdout.write(json.dumps(report, indent=2, ensure_ascii=False, default=str))
        else:
            self._lines("Installation", report["installation"])
            for store in report["stores"]:
                self._lines(f"Store {store['store']}", store["checks"])
            self.stdout.write("All well." if report["ok"] else "Something needs you.")
        if not report["ok"]:
            sys.exit(1)

    def _lines(self, title: str, checks: list[dict[str, Any]]) -> None:
        self.stdout.write(title)
        for check in checks:
            word = "ok  " if check["ok"] else "warn" if check["level"] == "warn" else "BAD "
            self.stdout.write(f"  {word}  {check['name']}: {check['sentence']}")
            if not check["ok"] and check["fix"]:
                self.stdout.write(f"        {check['fix']}")
