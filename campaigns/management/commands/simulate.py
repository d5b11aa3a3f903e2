"""`manage.py simulate FLOW|--all [--days 90] [--draft] [--store SLUG] [--json]`: what flows would have done."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from campaigns.models import Flow
from campaigns.simulation import kept, running, telling
from campaigns.simulation.report import Report
from campaigns.simulation.running import Asked
from postpurchase.errors import BusinessError
from stores.management.commands.backfill import pick_store


class Command(BaseCommand):
    help = (
        "Takes flows through the store's own history of the last days: who would have entered, what would have been sent "
        "when, what not and why. Writes nothing but the result that the flow's page shows, and sends nothing. Exit code 0 "
        "done, 1 a flow cannot be run (the others were), 2 wrong use."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("flow", nargs="?", help="the flow's short name, as in its address")
        parser.add_argument("--all", action="store_true", help="all flows of the store, each by itself")
        parser.add_argument("--days", type=int, default=running.DAYS)
        parser.add_argument("--draft", action="store_true", help="the draft instead of the live version")
        parser.add_argument("--store", help="slug; may be left out where there is one store")
        parser.add_argument("--json", action="store_true", help="one JSON object: flow to numbers")

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["flow"]) == options["all"]:
            raise CommandError("Name one flow, or say --all.", returncode=2)
        if not 1 <= options["days"] <= kept.MOST_DAYS:
            raise CommandError(f"--days lies between 1 and {kept.MOST_DAYS}. Nothing was run.", returncode=2)
        store = pick_store(options["store"])
        flows = store.flows.select_related("live", "store").order_by("slug")
        if options["flow"]:
            flows = flows.filter(slug=options["flow"])
            if not flows:
                known = ", ".join(store.flows.order_by("slug").values_list("slug", flat=True)) or "none"
                raise CommandError(f"There is no flow {options['flow']}. Known are: {known}.", returncode=2)
        told: dict[str, Any] = {}
        failed: list[str] = []
        for flow in flows:
            try:
                asked = kept.asked_of(flow, draft=options["draft"], days=options["days"])
                report = running.dry_run(asked)
                kept.keep(flow, report, draft=options["draft"], days=options["days"])
            except BusinessError as refusal:
                failed.append(flow.slug)
                told[flow.slug] = {"error": refusal.code, "detail": refusal.message}
                if not options["json"]:
                    self.stderr.write(f"{flow.slug}: {refusal.message}")
                continue
            told[flow.slug] = report.as_json()
            if not options["json"]:
                self._show(flow, report, asked)
        if options["json"]:
            self.stdout.write(json.dumps(told, indent=2, sort_keys=True))
        if failed:
            raise CommandError(f"Not run: {', '.join(failed)}. The others were.", returncode=1)

    def _show(self, flow: Flow, report: Report, asked: Asked) -> None:
        shown = telling.told(report, asked.definition)
        say = self.stdout.write
        say(f"{flow.slug}: {report.days} days, {report.since:%Y-%m-%d} to {report.until:%Y-%m-%d}")
        for part in shown.entered:
            say(f"  {part.words:<24} {part.n:>9,} of {part.of:,}  {part.share}")
        for title, parts in (("did not enter", shown.not_entered), ("ended", shown.ends), ("not sent", shown.not_sent)):
            if parts:
                say(f"  {title}")
            for part in parts:
                say(f"    {part.n:>9,} of {part.of:,}  {part.share:>6}  {part.words}")
        for step in shown.steps:
            facts = ", ".join(f"{part.words} {part.n:,} of {part.of:,}" for part in step.facts)
            say(f"  {step.number:<4} {step.words}: {facts or 'nobody came here'}")
        if report.sent:
            say("  messages by week: " + ", ".join(f"{week} {total:,}" for week, _each, total in shown.weeks.rows))
        say(f"  {shown.baseline}")
        for note in shown.notes:
            say(f"  - {note}")
