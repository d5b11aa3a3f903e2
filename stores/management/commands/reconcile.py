"""`manage.py reconcile [--store SLUG] [--deep]`: hold the mirror against the shop here and now."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from postpurchase import clock
from postpurchase.due import State
from postpurchase.errors import BusinessError
from stores import jobs
from stores.management.commands.backfill import pick_store
from stores.models import Job, Reconciliation, Store
from stores.sync import reconcile

_SLICE_SECONDS = 5.0


class Command(BaseCommand):
    help = (
        "Compares the mirror with the shop and takes over what differs. Exit code 0 finished, 1 the shop failed in the "
        "middle (the place is kept) or a person has to decide, 2 wrong use."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--store", help="slug; without it all connected stores")
        parser.add_argument("--deep", action="store_true", help="read every order in full, not its date and state only")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["store"]:
            stores = [pick_store(options["store"])]
        else:
            stores = list(Store.objects.exclude(state=Store.State.NEW).order_by("slug"))
        if not stores:
            raise CommandError("No store is connected.", returncode=2)
        failed = 0
        for store in stores:
            try:
                self._run(store, deep=options["deep"])
            except (BusinessError, CommandError) as error:
                failed += 1
                self.stderr.write(f"{store.slug}: {getattr(error, 'message', error)}")
        if failed:
            raise CommandError("Not every store could be compared to the end; see above.", returncode=1)

    def _run(self, store: Store, *, deep: bool) -> None:
        job = reconcile.start(store, deep=deep)
        if job.status in {Job.Status.PAUSED, Job.Status.FAILED}:
            jobs.resume(job)
        Job.objects.filter(pk=job.pk, state=State.DUE).update(due_at=clock.now())
        while job.status not in {Job.Status.DONE, Job.Status.CANCELLED}:
            if not jobs.run_one(job.pk, _SLICE_SECONDS):
                raise CommandError("A worker is at this job already, or it waits for the shop. " + job.error)
            job.refresh_from_db()
            self.stdout.write(f"{store.slug}: {job.phase:<12} {job.done:,}")
        self.stdout.write(f"{store.slug}: {job.result.get('sentence', '')}")
        if store.reconciliations.filter(status=Reconciliation.Status.ASKS).exists():
            raise CommandError("A person has to decide, on the System page.")
