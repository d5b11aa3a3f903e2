"""`manage.py jobs [pause|resume|cancel|errors ID]`: what long work there is, and the same actions as in the dashboard."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from postpurchase.errors import BusinessError
from stores import jobs
from stores.models import Job


class Command(BaseCommand):
    help = (
        "Without arguments lists unfinished jobs and the last ten others. Exit code 0 done, 1 refused (nothing was "
        "changed), 2 wrong use."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", nargs="?", choices=["list", *jobs.ACTIONS, "errors"], default="list")
        parser.add_argument("id", nargs="?", type=int, help="the job's number")
        parser.add_argument("--store", help="slug: list the jobs of this store only")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "list":
            found = Job.objects.select_related("store").order_by("-pk")
            if options["store"]:
                found = found.filter(store__slug=options["store"])
            for one in [*found.filter(status__in=jobs.OPEN), *found.exclude(status__in=jobs.OPEN)[:10]]:
                self.stdout.write(f"{one.pk:>5}  {one.store.slug}  {one.kind}  {one.status}  {jobs.line(one)}")
            return
        job = Job.objects.filter(pk=options["id"]).first()
        if job is None:
            raise CommandError(f"There is no job {options['id']}. Nothing was changed.", returncode=2)
        if options["action"] == "errors":
            self.stdout.write(jobs.error_csv(job), ending="")
            return
        try:
            jobs.ACTIONS[options["action"]](job)
        except BusinessError as refused:
            raise CommandError(refused.message, returncode=1) from None
        self.stdout.write(f"Job {job.pk} ({job.kind}) is {job.status}.")
