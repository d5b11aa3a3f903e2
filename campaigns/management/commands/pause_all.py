"""`manage.py pause_all [--store SLUG]`: the kill switch."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from campaigns import flows, guards
from stores.management.commands.backfill import pick_store

ACTOR = "command line"


class Command(BaseCommand):
    help = "No message leaves any more, from no store (or the one named), until resume_all. What becomes due waits."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--store", help="slug; without it all stores")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["store"]:
            store = pick_store(options["store"])
            flows.pause_sending(store, actor=ACTOR)
            self.stdout.write(
                f"{store.slug}: sending is paused. Nothing is lost; resume_all --store {store.slug} ends it."
            )
        elif guards.pause_all(actor=ACTOR):
            self.stdout.write("All sending is paused, for all stores. Nothing is lost; resume_all ends it.")
        else:
            self.stdout.write("All sending was paused already.")
