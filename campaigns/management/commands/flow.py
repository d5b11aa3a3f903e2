"""`manage.py flow export SLUG`, `flow import FILE`, `flow state SLUG on|review|off`."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from campaigns import flows
from campaigns.models import Flow
from postpurchase.errors import BusinessError
from stores.management.commands.backfill import pick_store
from stores.models import Store

ACTOR = "command line"


class Command(BaseCommand):
    help = "Flows as files: the same after export and import. A new flow is off until it is switched on."

    def add_arguments(self, parser: CommandParser) -> None:
        # Before and after the word: as people type it.
        parser.add_argument("--store", help="slug; needed when there are several")
        below = parser.add_subparsers(dest="do", required=True)
        out = below.add_parser("export", help="write the live version as YAML")
        out.add_argument("slug")
        out.add_argument("--file", help="where to; by default to the terminal")
        into = below.add_parser("import", help="publish a YAML file")
        into.add_argument("file", help="the file, or - for the standard input")
        into.add_argument("--slug", default="", help="the flow that gets the version; by default from the file's name")
        state = below.add_parser("state", help="switch a flow on, off, or to review first")
        state.add_argument("slug")
        state.add_argument("state", choices=Flow.State.values)

    def handle(self, *args: Any, **options: Any) -> None:
        store = pick_store(options["store"])
        try:
            if options["do"] == "export":
                self._export(_flow(store, options["slug"]), options["file"])
            elif options["do"] == "import":
                self._import(store, options["file"], options["slug"])
            else:
                flow = _flow(store, options["slug"])
                flows.set_state(flow, options["state"], actor=ACTOR)
                self.stdout.write(f"{flow.slug} is {flow.get_state_display().lower()}.")
        except BusinessError as refusal:
            raise CommandError(refusal.message) from refusal

    def _export(self, flow: Flow, file: str | None) -> None:
        text = flows.export_file(flow)
        if file:
            Path(file).write_text(text, "utf-8")
            self.stdout.write(f"{flow.slug}, version {flow.live.number if flow.live else 0}, is in {file}.")
        else:
            self.stdout.write(text, ending="")

    def _import(self, store: Store, file: str, slug: str) -> None:
        try:
            text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{file} cannot be read: {error}. Nothing was changed.", returncode=2) from error
        flow = flows.import_file(store, text, actor=ACTOR, slug=slug)
        self.stdout.write(f"{flow.slug} has version {flow.live.number if flow.live else 0} and is {flow.state}.")


def _flow(store: Store, slug: str) -> Flow:
    found = Flow.objects.filter(store=store, slug=slug).select_related("live").first()
    if found is None:
        known = ", ".join(store.flows.order_by("slug").values_list("slug", flat=True)) or "none"
        raise CommandError(f"There is no flow {slug!r} in {store.slug}. There are: {known}.", returncode=2)
    return found
