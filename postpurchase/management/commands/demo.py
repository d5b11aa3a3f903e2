"""`manage.py demo`: fill this installation from the sandbox store; `demo --check`: prove the whole main job."""

import argparse
import os
import tempfile
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from postpurchase.demo import load
from postpurchase.demo.check import Check, Station
from postpurchase.errors import BusinessError


class Command(BaseCommand):
    help = "Connect this installation to a running sandbox store, or check the whole main job against a fresh one."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="run all stations on a database of their own")
        parser.add_argument("--url", default="http://127.0.0.1:8001", help="address of the sandbox store")
        parser.add_argument("--key", default=os.environ.get("SANDBOX_KEY", ""), help="its consumer key")
        parser.add_argument("--secret", default=os.environ.get("SANDBOX_SECRET", ""), help="its consumer secret")
        parser.add_argument("--email", default="owner@example.com", help="the owner who signs in")
        parser.add_argument("--password", default=os.environ.get("DEMO_PASSWORD", ""), help="for a new owner")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["check"]:
            self.check_all()
            return
        if not options["password"] or not options["key"] or not options["secret"]:
            raise CommandError("demo needs --key, --secret and --password. Nothing was changed.", returncode=2)
        user = load.owner(options["email"], options["password"])
        try:
            store = load.open_store(options["url"], key=options["key"], secret=options["secret"], user=user)
        except BusinessError as refusal:
            raise CommandError(refusal.message) from refusal
        self.stdout.write(f"{store.name} is connected; its history arrives while the worker runs.")

    def check_all(self) -> None:
        """The stations, on a database that is made for them and removed afterwards."""
        real = str(connection.settings_dict["NAME"])
        with tempfile.TemporaryDirectory(prefix="demo-check-") as folder:
            # A file on SQLite, as in production: the in-memory one is shared between threads and locks differently.
            name = f"{folder}/check.sqlite3" if connection.vendor == "sqlite" else f"postpurchase_check_{os.getpid()}"
            connection.settings_dict["TEST"]["NAME"] = name
            connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
            try:
                ok = Check(self.told).run()
            finally:
                connection.creation.destroy_test_db(real, verbosity=0)
        if not ok:
            raise CommandError("The main job falls short at the last station above.")
        self.stdout.write("The main job holds from the purchase to the numbers.")

    def told(self, station: Station) -> None:
        mark = "ok  " if station.ok else "FAIL"
        self.stdout.write(f"{mark} {station.name}: {station.saw}")
