"""The last result of a flow, kept small; long runs as a job; the reach of the library, counted again each day."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns import definitions, library
from campaigns.models import DryRun, Flow, FlowVersion
from campaigns.simulation import running
from campaigns.simulation.report import Report
from campaigns.simulation.running import DAYS, Asked
from postpurchase import clock
from postpurchase.errors import BusinessError
from stores import jobs
from stores.jobs import JobProgress
from stores.models import Job, Store, User

KIND = "dry_run"
REACH = "library_reach"
# A store with more orders than this in the span is run as a job.
LONG = 10_000
MOST_DAYS = 730
REACH_FOR = timedelta(hours=24)


@dataclass(frozen=True)
class Result:
    """A dry run that is done, or the job that makes it."""

    row: DryRun | None = None
    job: Job | None = None

    @property
    def report(self) -> Report:
        assert self.row is not None
        return Report.from_json(self.row.result)


def digest(data: Mapping[str, Any]) -> str:
    """The same for the same flow file."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()


def data_of(flow: Flow, *, draft: bool = False) -> dict[str, Any]:
    """The flow file of the live version or of the draft. BusinessError `flow_empty` when there is none."""
    found = flow.draft if draft else flow.live.definition if flow.live else None
    if not found:
        words = (
            _("This flow has no draft, so there is nothing to run.")
            if draft
            else _("This flow has no published version yet. Run its draft, or publish it first. Nothing was run.")
        )
        raise BusinessError(words, "flow_empty")
    return dict(found)


def asked_of(flow: Flow, *, draft: bool = False, days: int = DAYS, until: datetime | None = None) -> Asked:
    """What to run for a flow. BusinessError `flow_empty`, `flow_faults` or `dry_run_days`: nothing was run."""
    if not 1 <= days <= MOST_DAYS:
        raise BusinessError(
            _("A dry run looks at 1 to %(most)s days. Nothing was run.") % {"most": MOST_DAYS}, "dry_run_days"
        )
    data = data_of(flow, draft=draft)
    definition = definitions.parse(data)
    version = flow.live if not draft else None
    shown = as_file_says(flow, definition) if draft else flow
    return Asked.last(flow.store, shown, definition, days=days, until=until, version=version)


def as_file_says(flow: Flow, definition: definitions.Definition) -> Flow:
    """The flow with the class that its draft has; never saved."""
    twin = Flow(pk=flow.pk, slug=flow.slug, recipe=flow.recipe, state=flow.state, name=definition.name)
    twin.store, twin.klass = flow.store, definition.klass
    return twin


def is_long(store: Store, days: int) -> bool:
    """Whether a page should not wait for it."""
    recent = store.orders.filter(created_gmt__gte=clock.now() - timedelta(days=days))
    return recent.order_by()[: LONG + 1].count() > LONG


def start(flow: Flow, *, draft: bool = False, days: int = DAYS, user: User | None = None) -> Result:
    """Run now, or as a job where the store is large. The result replaces the last one."""
    asked = asked_of(flow, draft=draft, days=days)
    if is_long(flow.store, days):
        params = {"flow": flow.pk, "draft": draft, "days": days, "digest": digest(data_of(flow, draft=draft))}
        return Result(job=jobs.start(flow.store, KIND, params=params, user=user))
    return Result(row=keep(flow, running.dry_run(asked), draft=draft, days=days))


def keep(flow: Flow, report: Report, *, draft: bool, days: int) -> DryRun:
    """Write the result down instead of the last one."""
    row, _new = DryRun.objects.update_or_create(
        flow=flow,
        draft=draft,
        defaults={
            "store": flow.store,
            "digest": digest(data_of(flow, draft=draft)),
            "days": days,
            "result": report.as_json(),
            "made_at": clock.now(),
        },
    )
    return row


def last(flow: Flow, *, draft: bool = False) -> DryRun | None:
    """The last result."""
    return DryRun.objects.filter(flow=flow, draft=draft).first()


def sentence(report: Report) -> str:
    """The result in one sentence."""
    return _(
        "%(entered)s of %(found)s would have entered, and %(sent)s messages would have gone out in %(days)s days."
    ) % {
        "entered": f"{report.entered:,}",
        "found": f"{report.found:,}",
        "sent": f"{report.sent:,}",
        "days": report.days,
    }


def run_slice(job: Job, budget_seconds: float) -> JobProgress:
    """A part of a long run: person after person by id; the cursor holds the last one and what was added up."""
    params, cursor = job.params, job.cursor
    flow = Flow.objects.select_related("store", "live").get(store=job.store, pk=params["flow"])
    until = datetime.fromisoformat(cursor["until"]) if cursor else clock.now()
    asked = asked_of(flow, draft=params["draft"], days=params["days"], until=until)
    if digest(data_of(flow, draft=params["draft"])) != params["digest"]:
        raise BusinessError(_("The flow was changed meanwhile. Start the dry run again."), "dry_run_stale")
    ends = clock.monotonic() + budget_seconds
    report = Report.from_json(cursor["report"]) if cursor else running.begin(asked)
    done = job.done
    with running.spooled(asked) as spool:
        total = spool.count()
        for world, courses in running.run(asked, spool.people(after=cursor.get("after", 0))):
            running.add(report, asked, world, courses)
            done += len(courses)
            with transaction.atomic():
                jobs.save(
                    job,
                    cursor={"until": until.isoformat(), "after": max(courses), "report": report.as_json()},
                    done=done,
                    total=total,
                    phase=_("people"),
                )
            if clock.monotonic() >= ends or not jobs.wanted(job):
                if done < total:
                    return JobProgress(False, _("people"), done, total)
                break
    row = keep(flow, report, draft=params["draft"], days=params["days"])
    result = {"sentence": sentence(report), "dry_run": row.pk, "flow": flow.slug}
    return JobProgress(True, _("done"), done, done, result=result)


def count_reach(job: Job, budget_seconds: float) -> JobProgress:
    """Run the recipes of the library over the store's history, one after the other, for the library page."""
    done: list[str] = list(job.cursor.get("done", []))
    waiting = [each for each in library.recipes() if each.id not in done]
    ends = clock.monotonic() + budget_seconds
    for recipe in waiting:
        reach(job.store, recipe.id)
        done.append(recipe.id)
        with transaction.atomic():
            jobs.save(job, cursor={"done": done}, done=len(done), total=len(library.FILES), last_item=recipe.id)
        if clock.monotonic() >= ends and len(done) < len(library.FILES):
            return JobProgress(False, _("recipes"), len(done), len(library.FILES), last_item=recipe.id)
    return JobProgress(True, _("recipes"), len(done), len(done))


def start_reach(store: Store, *, user: User | None = None) -> Job:
    """Count the library's reach now."""
    return jobs.start(store, REACH, user=user)


def reach(store: Store, recipe_id: str) -> DryRun:
    """Whom a recipe would have reached in the last days; kept for its card."""
    recipe = library.recipe(recipe_id)
    data = dict(recipe.flow)
    definition = definitions.parse(data)
    flow = Flow(store=store, slug=recipe.slug, name=definition.name, klass=definition.klass, recipe=recipe.id)
    version = FlowVersion(flow=flow, number=0, definition=data)
    report = running.dry_run(Asked.last(store, flow, definition, version=version))
    row, _new = DryRun.objects.update_or_create(
        store=store,
        recipe=recipe.id,
        defaults={"digest": digest(data), "days": DAYS, "result": report.as_json(), "made_at": clock.now()},
    )
    return row


def count_reach_when_old() -> int:
    """Each minute: one store whose library was not counted for a day is counted; how many were begun."""
    fresh = DryRun.objects.exclude(recipe="").filter(made_at__gt=clock.now() - REACH_FOR)
    stores = Store.objects.filter(state=Store.State.CONNECTED, backfilled_at__isnull=False)
    running_now = Job.objects.filter(kind=REACH, status__in=jobs.OPEN).values("store")
    store = stores.exclude(pk__in=fresh.values("store")).exclude(pk__in=running_now).order_by("pk").first()
    if store is None:
        return 0
    jobs.start(store, REACH)
    return 1
