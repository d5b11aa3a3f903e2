"""Re-encrypts the secrets of all stores with the newest key."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from postpurchase import rotation
from postpurchase.progress import Progress


class Command(BaseCommand):
    help = (
        "Re-encrypt all stored secrets with the first key of FIELD_KEYS. Put the new key in front, restart, run this, "
        "then remove the old key. May be stopped and run again. Exit code 1 when a secret fits none of the keys."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only count what would be written")

    def handle(self, *args: Any, **options: Any) -> None:
        dry_run = options["dry_run"]
        unreadable = 0
        for model, field in rotation.encrypted_columns():
            what = f"{model._meta.label}.{field.name}"
            with Progress(self.stdout, what, total=rotation.count(model, field)) as progress:  # type: ignore[arg-type]
                done = rotation.rotate(model, field, dry_run=dry_run, told=progress.to)
            unreadable += done.unreadable
            self.stdout.write(
                f"{what}: {done.moved} {'would be moved' if dry_run else 'moved'}, "
                f"{done.seen - done.moved - done.unreadable} already there"
                + (f", {done.unreadable} unreadable" if done.unreadable else "")
            )
        if unreadable:
            self.stderr.write(
                f"{unreadable} secrets fit none of the present FIELD_KEYS and were left as they are. "
                "Put the key they were written with behind the new one and run this again."
            )
            sys.exit(1)
