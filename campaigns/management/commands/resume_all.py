"""`manage.py resume_all [--store SLUG] [--held]`: end the pause, and let go what a guard holds."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from campaigns import flows, guards
from campaigns.models import SendingHold
from stores.management.commands.backfill import pick_store

ACTOR = "command line"


class Command(BaseCommand):
    help = "Messages that waited leave, unless something has made them wrong or too late meanwhile."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--store", help="slug; without it all stores")
        parser.add_argument("--held", action="store_true", help="release what the guards hold, too; look at it first")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["store"]:
            store = pick_store(options["store"])
            flows.resume_sending(store, actor=ACTOR)
            self.stdout.write(f"{store.slug}: not paused any more.")
            held = [each for each in guards.active(store) if each.store_id]
        else:
            said = "is ended" if guards.resume_all(actor=ACTOR) else "was not on"
            self.stdout.write(f"The pause of all stores {said}. A store that paused itself stays so (--store SLUG).")
            held = list(SendingHold.objects.filter(released_at=None).select_related("store"))
        for each in held:
            where = each.store.slug if each.store else "all stores"
            if options["held"]:
                guards.release(each, actor=ACTOR)
                self.stdout.write(f"{where}: released, {each.get_kind_display()}.")
            else:
                self.stdout.write(
                    f"{where}: held since {each.since:%Y-%m-%d %H:%M} UTC, {each.get_kind_display()}. --held"
                )
