"""`manage.py backfill [--store SLUG]`: read a shop's whole history here and now, with progress."""

import sys
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from postpurchase import clock
from postpurchase.due import State
from stores import jobs
from stores.models import Job, Store
from stores.sync import backfill, tasks

_SLICE_SECONDS = 5.0


class Command(BaseCommand):
    help = (
        "Reads the whole history of a store, or goes on with the one under way. Exit code 0 finished, "
        "1 the shop failed in the middle (the place is kept), 2 wrong use."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--store", help="slug; not needed with a single store")
        speed = parser.add_mutually_exclusive_group()
        speed.add_argument("--gentle", action="store_true", help="one request at a time and a pause after each, kept")
        speed.add_argument("--brisk", action="store_true", help="as fast as the store bears, kept")

    def handle(self, *args: Any, **options: Any) -> None:
        store = pick_store(options["store"])
        if options["gentle"] or options["brisk"]:
            backfill.set_gentle(store, options["gentle"])
        if store.state != Store.State.CONNECTED:
            # Somebody asks for it here and now: whether the shop answers again is looked at first.
            tasks.poll_now(store)
        job = backfill.start(store)
        if job.status in {Job.Status.PAUSED, Job.Status.FAILED}:
            jobs.resume(job)
        Job.objects.filter(pk=job.pk, state=State.DUE).update(due_at=clock.now())
        line = ""
        while True:
            if not jobs.run_one(job.pk, _SLICE_SECONDS):
                raise CommandError("A worker is at this job already; see its page in the dashboard.", returncode=1)
            job.refresh_from_db()
            line = jobs.line(job)
            self._show(line)
            if job.status == Job.Status.DONE:
                break
            if job.status not in {Job.Status.QUEUED, Job.Status.RUNNING} or job.due_at > clock.now() + timedelta(
                seconds=1
            ):
                self._end()
                raise CommandError(f"{job.error} The place is kept; run this again to go on.", returncode=1)
        self._end()
        self.stdout.write(str(job.result.get("sentence", "")))

    def _show(self, line: str) -> None:
        if sys.stdout.isatty():
            self.stdout.write(f"\r\x1b[K{line}", ending="")
            self.stdout.flush()
        else:
            self.stdout.write(line)

    def _end(self) -> None:
        if sys.stdout.isatty():
            self.stdout.write("")


def pick_store(slug: str | None) -> Store:
    """The named store, or the only one. CommandError (2) when there is none or a choice."""
    stores = list(Store.objects.filter(slug=slug) if slug else Store.objects.exclude(state=Store.State.NEW)[:2])
    if len(stores) == 1:
        return stores[0]
    if slug:
        raise CommandError(f"There is no store {slug!r}.", returncode=2)
    raise CommandError("Say which store, with --store SLUG." if stores else "No store is connected.", returncode=2)
