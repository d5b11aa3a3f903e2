"""`manage.py replay [--store SLUG] [--failed] [--id N]`: read webhook deliveries once more."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from postpurchase.due import State
from stores import inbox
from stores.management.commands.backfill import pick_store


class Command(BaseCommand):
    help = "Reads deliveries of a store again: one, those that failed, or all that are kept. Exit code 2 for wrong use."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--store", help="slug; may be left out where there is one store")
        parser.add_argument("--failed", action="store_true", help="only those that were given up")
        parser.add_argument("--id", type=int, help="only this one")

    def handle(self, *args: Any, **options: Any) -> None:
        store = pick_store(options["store"])
        rows = store.deliveries.all()
        if options["id"] is not None:
            rows = rows.filter(pk=options["id"])
            if not rows.exists():
                raise CommandError(
                    f"{store.slug} has no delivery {options['id']}; they are kept for {inbox.KEPT.days} days. "
                    "Nothing was changed.",
                    returncode=2,
                )
        if options["failed"]:
            rows = rows.filter(state=State.DEAD)
        self.stdout.write(f"{store.slug}: {inbox.replay(rows)} deliveries are read again.")
