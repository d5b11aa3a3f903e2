"""`manage.py import_orders FILE --store SLUG --channel NAME [--dry-run]`: orders of another sales channel from a CSV file."""

from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from postpurchase import clock
from postpurchase.due import State
from postpurchase.errors import BusinessError
from stores import jobs
from stores.elsewhere import channels, files, importing
from stores.management.commands.backfill import pick_store
from stores.models import Job, Order

_SLICE_SECONDS = 5.0


class Command(BaseCommand):
    help = (
        "Imports orders of another sales channel; the same file again changes nothing. Exit code 0 all taken, "
        "1 some rows were refused or it broke off (run it again), 2 wrong use or a file that cannot be read."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--store", help="slug; not needed with a single store")
        parser.add_argument("--channel", required=True, help="such as market or till")
        parser.add_argument(
            "--contact",
            choices=Order.Contact.values,
            help="what its buyers may be written to about; kept from before, order_only for a new channel",
        )
        parser.add_argument(
            "--map", action="append", default=[], metavar="FIELD=COLUMN", help="where the guess is wrong; repeatable"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would be, and change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        store = pick_store(options["store"])
        path: Path = options["file"]
        try:
            channel = channels.open_channel(store, options["channel"], contact=options["contact"])
            with path.open("rb") as handle:
                source = files.keep(store, channel, path.name, iter(lambda: handle.read(1 << 16), b""))
            for told in options["map"]:
                name, _, column = told.partition("=")
                source.mapping["columns"][name] = column
            job = importing.start(source, dry=options["dry_run"])
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}.", returncode=2) from error
        except ValidationError as error:
            raise CommandError(" ".join(error.messages), returncode=2) from error
        except BusinessError as error:
            raise CommandError(error.message, returncode=2) from error
        Job.objects.filter(pk=job.pk, state=State.DUE).update(due_at=clock.now())
        while job.status in {Job.Status.QUEUED, Job.Status.RUNNING}:
            if not jobs.run_one(job.pk, _SLICE_SECONDS):
                raise CommandError(
                    f"The job stopped. {job.error} Run this again; nothing is taken twice.", returncode=1
                )
            job.refresh_from_db()
            self.stdout.write(f"{job.phase} {job.done:,}/{job.total:,}  refused {job.errors_count:,}")
        if job.status == Job.Status.FAILED:
            raise CommandError(f"The job stopped. {job.error}", returncode=1)
        for one in importing.refused(source, job):
            self.stdout.write(f"row {one['row']}  {one['id']}  {one['what']}")
        self.stdout.write(str(job.result.get("sentence", "")))
        if options["dry_run"]:
            importing.forget(source)
        if job.errors_count:
            raise CommandError(f"{job.errors_count} refused; all of them: {job.error_file.path}", returncode=1)
