"""`manage.py flow_past FLOW --days N [--start]`: whom a flow would take in out of the past, and taking them in."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from campaigns.models import Flow
from campaigns.triggers import past
from postpurchase.errors import BusinessError
from stores.management.commands.backfill import pick_store


class Command(BaseCommand):
    help = (
        "Shows whom a flow would take in out of the last days, and why not the others. With --start it takes them in, as a "
        "job that `manage.py jobs` shows, pauses and cancels. Exit code 0 done, 1 refused, 2 wrong use."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("flow", help="the flow's short name, as in its address")
        parser.add_argument("--store", help="slug; not needed with a single store")
        parser.add_argument("--days", type=int, required=True, help=f"1 to {past.MAX_DAYS}")
        parser.add_argument("--start", action="store_true", help="take them in; the flow must be on")
        parser.add_argument("--per-hour", type=int, default=past.PER_HOUR, help="people an hour at most")
        parser.add_argument("--no-warm-up", action="store_true", help="that many from the first hour on")

    def handle(self, *args: Any, **options: Any) -> None:
        store = pick_store(options["store"])
        flow = Flow.objects.select_related("store", "live").filter(store=store, slug=options["flow"]).first()
        if flow is None:
            raise CommandError(f"{store.slug} has no flow {options['flow']!r}.", returncode=2)
        try:
            found = past.preview(flow, days=options["days"])
            self.stdout.write(found.sentence())
            for reason, number in sorted(found.reasons.items(), key=lambda each: -each[1]):
                self.stdout.write(f"  {number:>6}  {reason}")
            for one in found.shown:
                # By number: names and addresses do not belong on a terminal.
                what = one.reason or "would enter"
                about = f"customer {one.moment.customer_id}"
                about += f", order {one.moment.order_id}" if one.moment.order_id else ""
                self.stdout.write(f"  {one.moment.at.astimezone(store.tz):%Y-%m-%d %H:%M}  {about}: {what}")
            if options["start"]:
                job = past.start(
                    flow,
                    days=options["days"],
                    actor="command line",
                    per_hour=options["per_hour"],
                    warm_up=not options["no_warm_up"],
                )
                self.stdout.write(
                    f"Job {job.pk} takes them in, at most {past.allowed(job, job.created_at)} an hour now."
                )
        except BusinessError as refused:
            raise CommandError(refused.message, returncode=1) from refused
