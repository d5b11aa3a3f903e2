"""`manage.py import_points FILE --store SLUG`: give points from a CSV file."""

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tablib import Dataset

from loyalty.resources import PointsImport
from stores.models import Store


class Command(BaseCommand):
    help = (
        "Give points from a CSV file with the columns email, points, reason, reference. A repeat gives nothing twice."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--store", required=True, help="slug of the store")
        parser.add_argument("--dry-run", action="store_true", help="say what would happen and write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        store = Store.objects.filter(slug=options["store"]).first()
        if store is None:
            raise CommandError(f"There is no store {options['store']!r}. Nothing was changed.", returncode=2)
        try:
            rows = Dataset().load(options["file"].read_text("utf-8-sig"), format="csv")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"The file cannot be read: {error}. Nothing was changed.", returncode=2) from error
        missing = {"email", "points", "reference"} - set(rows.headers or [])
        if missing:
            raise CommandError(
                f"The file lacks the columns {', '.join(sorted(missing))}. Nothing was changed.", returncode=2
            )
        result = PointsImport(store=store).import_data(rows, dry_run=options["dry_run"])
        for number, errors in result.row_errors():
            for refusal in errors:
                self.stdout.write(f"row {number}: {refusal.error}")
        done = "would be given" if options["dry_run"] else "given"
        failed = len(result.row_errors())
        self.stdout.write(f"{result.totals['new']} {done}, {result.totals['skip']} known already, {failed} refused")
        if failed:
            raise CommandError("Because of the refused rows nothing was given; mend them and import the file again.")
