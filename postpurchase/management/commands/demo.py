"""`manage.py demo`: fill this installation from the sandbox store; `demo --check`: prove the whole main job."""

import argparse
import os
import tempfile
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from postpurchase.demo import load, real_shop
from postpurchase.demo.check import Check, Station
from postpurchase.errors import BusinessError

SANDBOX = "http://127.0.0.1:8001"


class Command(BaseCommand):
    help = "Connect this installation to a running sandbox store, or check the whole main job against a fresh one."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="run all stations on a database of their own")
        parser.add_argument("--url", default="", help="address of the store; with --check, of a real shop")
        parser.add_argument("--key", default=os.environ.get("SANDBOX_KEY", ""), help="its consumer key")
        parser.add_argument("--secret", default=os.environ.get("SANDBOX_SECRET", ""), help="its consumer secret")
        parser.add_argument("--ca", default="", help="file of certificates to trust, with --check --url")
        parser.add_argument(
            "--write", metavar="HOST", default="", help="with --check --url: the shop's host, typed again"
        )
        parser.add_argument("--address", default="", help="with --write: e-mail address that the order is for")
        parser.add_argument("--email", default="owner@example.com", help="the owner who signs in")
        parser.add_argument("--password", default=os.environ.get("DEMO_PASSWORD", ""), help="for a new owner")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["check"]:
            self.prove(options)
            return
        if not options["password"] or not options["key"] or not options["secret"]:
            raise CommandError("demo needs --key, --secret and --password. Nothing was changed.", returncode=2)
        user = load.owner(options["email"], options["password"])
        try:
            store = load.open_store(options["url"] or SANDBOX, key=options["key"], secret=options["secret"], user=user)
        except BusinessError as refusal:
            raise CommandError(refusal.message) from refusal
        self.stdout.write(f"{store.name} is connected; its history arrives while the worker runs.")

    def prove(self, options: dict[str, Any]) -> None:
        """The stations, on a database that is made for them and removed afterwards."""
        run: Callable[[], bool] = Check(self.told).run
        if options["url"]:
            try:
                more = real_shop.arguments(options)
            except BusinessError as refusal:
                raise CommandError(refusal.message, returncode=2) from refusal
            keys = {name: options[name] for name in ("url", "key", "secret", "ca")}
            run = real_shop.RealShop(self.told, **keys, **more).run
        real = str(connection.settings_dict["NAME"])
        with tempfile.TemporaryDirectory(prefix="demo-check-") as folder:
            # A file on SQLite, as in production: the in-memory one is shared between threads and locks differently.
            name = f"{folder}/check.sqlite3" if connection.vendor == "sqlite" else f"postpurchase_check_{os.getpid()}"
            connection.settings_dict["TEST"]["NAME"] = name
            connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
            try:
                ok = run()
            finally:
                connection.creation.destroy_test_db(real, verbosity=0)
        if not ok:
            raise CommandError("It falls short at the station marked FAIL above.")
        self.stdout.write("All stations hold.")

    def told(self, station: Station) -> None:
        mark = "ok  " if station.ok else "FAIL"
        self.stdout.write(f"{mark} {station.name}: {station.saw}")
