"""`manage.py sandbox`: the sandbox store until Ctrl-C. Prints its address and keys."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from stores.sandbox.__main__ import add_arguments, run


class Command(BaseCommand):
    help = "Runs a small WooCommerce-compatible store on this machine, filled with a generated history."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        code = run(options)
        if code:
            raise SystemExit(code)
