"""`manage.py poll [--store SLUG]`: ask shops now what changed."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from postpurchase.due import State
from stores.management.commands.backfill import pick_store
from stores.models import Store
from stores.sync import tasks


class Command(BaseCommand):
    help = (
        "Asks one store, or all connected ones, what changed. Exit code 0 all asked, 1 one did not answer, 2 wrong use."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--store", help="slug; without it all connected stores")

    def handle(self, *args: Any, **options: Any) -> None:
        stores = (
            [pick_store(options["store"])] if options["store"] else list(Store.objects.exclude(state=Store.State.NEW))
        )
        if not stores:
            raise CommandError("No store is connected.", returncode=2)
        failed = False
        for store in stores:
            for task in tasks.poll_now(store):
                good = task.state in {State.DUE, State.DONE} and not task.error
                failed = failed or not good
                self.stdout.write(f"{store.slug} {task.entity}: {'ok' if good else task.error or task.state}")
        if failed:
            raise CommandError("Not everything could be asked; it is tried again by the worker.", returncode=1)
