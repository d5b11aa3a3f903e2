"""Flows: the list, one flow as sentences with its numbers, switching, and pausing all sending."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from campaigns import definitions, flows, triggers, words
from campaigns.definitions import Placed
from campaigns.models import Enrolment, Flow, Message, StepRun
from campaigns.steps import kinds
from postpurchase import clock, listing
from postpurchase.errors import BusinessError
from postpurchase.listing import Cell, Column, Empty, Filter, Listing, RowAction
from stores import conditions
from stores.access import FLOWS_PUBLISH, ORDERS_VIEW, StoreRequest, store_view
from stores.models import Store

DAYS = 30
SENT = (Message.Status.ACCEPTED,)
LEFT_OUT = (Message.Status.SKIPPED, Message.Status.EXPIRED, Message.Status.CANCELLED)
PROBLEMS = (Message.Status.FAILED, Message.Status.UNKNOWN)


def _number(queryset: QuerySet[Any]) -> Coalesce:
    """A count of rows of each flow as a column, without joining them."""
    counted = queryset.filter(flow=OuterRef("pk")).order_by().values("flow").annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


def rows(store: Store) -> QuerySet[Flow]:
    """The store's flows with what the list shows of them."""
    since = clock.now() - timedelta(days=DAYS)
    return (
        store.flows.select_related("live", "store")
        .annotate(
            active=_number(Enrolment.objects.filter(status=Enrolment.Status.ACTIVE)),
            sent=_number(Message.objects.filter(status__in=SENT, accepted_at__gte=since)),
            problems=_number(Message.objects.filter(status__in=PROBLEMS, planned_for__gte=since)),
        )
        .defer("store__consumer_key", "store__consumer_secret")
    )


def who_enters(flow: Flow) -> str:
    """When and for whom the flow starts, in words."""
    if flow.live is None:
        return _("Nobody yet: not published")
    start, _faults = triggers.build(flow.live.definition["trigger"])
    return start.sentence() if start else _("Nobody: its trigger is not known here")


def _name(flow: Flow) -> Cell:
    return Cell(flow.name, url=reverse("flow", args=[flow.store.slug, flow.slug]), meta=who_enters(flow))


def _problems(flow: Any) -> Cell | int:
    if not flow.problems:
        return 0
    return Cell(
        badge=("bad", f"{flow.problems}", "bad"),
        meta=_("failed or unclear"),
    )


def _switch(flow: Flow) -> RowAction | None:
    if flow.live_id is None:
        return None
    state, label = (Flow.State.OFF, _("Pause")) if flow.state != Flow.State.OFF else (Flow.State.ON, _("Turn on"))
    return RowAction(label, reverse("flow_state", args=[flow.store.slug, flow.slug, state]), post=True, about=flow.name)


LISTING = Listing(
    name="flows",
    title=gettext_lazy("Flows"),
    lede=gettext_lazy("What is written to your customers after they buy, and when."),
    rows=rows,
    columns=[
        Column("name", gettext_lazy("Flow"), _name, sort="name", export=lambda flow: flow.name),
        Column("state", gettext_lazy("State"), lambda flow: Cell(badge=words.flow_state(flow)), sort="state"),
        Column("active", gettext_lazy("In progress"), lambda flow: flow.active, sort="active", number=True),
        Column("sent", gettext_lazy("Sent, 30 days"), lambda flow: flow.sent, sort="sent", number=True),
        Column("problems", gettext_lazy("Problems"), _problems, sort="problems", number=True),
        Column(
            "edited",
            gettext_lazy("Last edited"),
            lambda flow: Cell(at=flow.edited_at),
            sort="edited_at",
            number=True,
            phone=False,
        ),
    ],
    counted=lambda n, shown: ngettext("%(n)s flow", "%(n)s flows", n) % {"n": shown},
    sort="name",
    search=("name__icontains",),
    search_hint=gettext_lazy("Name of a flow"),
    filters=[Filter("state", gettext_lazy("Any state"), Flow.State.choices, "state")],
    row_action=_switch,
    head="campaigns/flows_head.html",
    before="campaigns/paused.html",
    empty=Empty(
        gettext_lazy("No flows yet"),
        gettext_lazy("A flow thanks, asks and reminds by itself, each customer in their own language."),
        icon="flow",
    ),
)


@store_view(ORDERS_VIEW)
def flow_list(request: StoreRequest) -> HttpResponse:
    """All flows of the store."""
    return listing.answer(request, LISTING)


@dataclass
class ShownStep:
    """One step as the page shows it: its sentence, its numbers, and the steps of its sides."""

    placed: Placed
    label: str
    icon: str
    sentence: str
    when: str
    stats: list[tuple[str, int, str]] = field(default_factory=list)
    skipped: list[tuple[str, int]] = field(default_factory=list)
    yes: list["ShownStep"] = field(default_factory=list)
    no: list["ShownStep"] = field(default_factory=list)


@dataclass
class _Numbers:
    """What happened at each step in the last days."""

    waiting: dict[str, int]
    runs: dict[str, dict[str, int]]
    messages: dict[str, dict[str, int]]
    clicked: dict[str, int]
    reasons: dict[str, list[tuple[str, int]]]


def _numbers(flow: Flow) -> _Numbers:
    since = clock.now() - timedelta(days=DAYS)
    waiting = Enrolment.objects.filter(flow=flow, status=Enrolment.Status.ACTIVE, waiting=True)
    runs: dict[str, dict[str, int]] = defaultdict(dict)
    for step, outcome, n in (
        StepRun.objects.filter(enrolment__flow=flow, at__gte=since)
        .values_list("step", "outcome")
        .annotate(n=Count("pk"))
        .order_by()
    ):
        runs[step][outcome] = n
    sent: dict[str, dict[str, int]] = defaultdict(dict)
    clicked: dict[str, int] = defaultdict(int)
    recent = Message.objects.filter(flow=flow, planned_for__gte=since)
    for step, status, n, clicks in (
        recent.values_list("step", "status")
        .annotate(n=Count("pk"), clicks=Count("pk", filter=Q(clicked_at__isnull=False)))
        .order_by()
    ):
        sent[step][status] = n
        clicked[step] += clicks
    reasons: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for step, reason, n in (
        recent.filter(status__in=LEFT_OUT).values_list("step", "reason").annotate(n=Count("pk")).order_by("-n")[:40]
    ):
        reasons[step].append((reason, n))
    counted = waiting.values_list("step").annotate(n=Count("pk")).order_by()
    return _Numbers(dict(counted), runs, sent, clicked, reasons)


def _show(steps: list[dict[str, Any]], placed: dict[str, Placed], numbers: _Numbers) -> list[ShownStep]:
    shown = []
    for raw in steps:
        each = placed[raw["uid"]]
        kind = kinds()[each.kind]
        step = ShownStep(
            each,
            label=_(kind.label),
            icon=kind.icon,
            sentence=each.step.sentence(),
            when=conditions.describe(each.when) if each.when else "",
            yes=_show(raw.get("then") or [], placed, numbers),
            no=_show(raw.get("else") or [], placed, numbers),
        )
        _count(step, numbers)
        shown.append(step)
    return shown


def _count(step: ShownStep, numbers: _Numbers) -> None:
    uid, runs = step.placed.uid, numbers.runs.get(step.placed.uid, {})
    if step.placed.kind == "wait":
        passed = runs.get(StepRun.Outcome.DONE, 0)
        step.stats = [(_("waiting now"), numbers.waiting.get(uid, 0), ""), (_("passed"), passed, "")]
    elif step.placed.kind == "send_email":
        by_status = numbers.messages.get(uid, {})
        sent = sum(by_status.get(status, 0) for status in SENT)
        left_out = sum(by_status.get(status, 0) for status in LEFT_OUT)
        failed = sum(by_status.get(status, 0) for status in PROBLEMS)
        share = f"{numbers.clicked[uid] * 100 / sent:.1f}%" if sent and numbers.clicked[uid] else ""
        step.stats = [
            (_("waiting"), sum(by_status.values()) - sent - left_out - failed, ""),
            (_("sent"), sent, ""),
            (_("not sent"), left_out, ""),
            (_("clicked"), numbers.clicked[uid], share),
        ]
        if failed:
            step.stats.append((_("problems"), failed, ""))
        step.skipped = numbers.reasons.get(uid, [])
    elif step.placed.kind == "branch":
        yes, no = runs.get(StepRun.Outcome.YES, 0), runs.get(StepRun.Outcome.NO, 0)
        step.stats = [(_("yes"), yes, ""), (_("otherwise"), no, "")]
    else:
        step.stats = [(_("done"), runs.get(StepRun.Outcome.DONE, 0), "")]
        if skipped := runs.get(StepRun.Outcome.SKIPPED, 0):
            step.stats.append((_("skipped"), skipped, ""))


@store_view(ORDERS_VIEW)
def flow(request: StoreRequest, flow: str) -> HttpResponse:
    """One flow: who enters, each step as a sentence with its numbers of the last 30 days, who leaves."""
    found = get_object_or_404(request.store.flows.select_related("live"), slug=flow)
    context: dict[str, Any] = {"flow": found, "badge": words.flow_state(found), "days": DAYS}
    if found.live:
        definition = definitions.parse(found.live.definition)
        since = clock.now() - timedelta(days=DAYS)
        counts = Enrolment.objects.filter(flow=found).aggregate(
            entered=Count("pk", filter=Q(entered_at__gte=since)),
            left=Count("pk", filter=Q(status=Enrolment.Status.LEFT, finished_at__gte=since)),
            active=Count("pk", filter=Q(status=Enrolment.Status.ACTIVE)),
        )
        steps = _show(found.live.definition["steps"], dict(definition.steps), _numbers(found))
        context |= {
            "steps": steps,
            "start": who_enters(found),
            "where": conditions.parts(definition.where),
            "again": definition.reentry.sentence(),
            "exits": [conditions.describe(condition) for condition in definition.exit_when],
            "counts": counts,
            "skipped": _all_reasons(steps),
            "went_out": found.messages.filter(accepted_at__gte=since).exists(),
        }
    return render(request, "campaigns/flow.html", context)


def _all_reasons(steps: list[ShownStep]) -> list[tuple[str, int]]:
    """Why messages were not sent, over all steps, the commonest first."""
    sums: dict[str, int] = defaultdict(int)

    def add(below: list[ShownStep]) -> None:
        for step in below:
            for reason, n in step.skipped:
                sums[reason] += n
            add(step.yes)
            add(step.no)

    add(steps)
    return sorted(sums.items(), key=lambda pair: -pair[1])


@require_POST
@store_view(FLOWS_PUBLISH)
def flow_state(request: StoreRequest, flow: str, state: str) -> HttpResponse:
    """Switch a flow off, to review first, or on."""
    found = get_object_or_404(request.store.flows, slug=flow)
    try:
        flows.set_state(found, state, actor=request.user)
    except BusinessError as refusal:
        messages.error(request, refusal.message)
    else:
        said = {
            Flow.State.OFF: _("%(name)s is off. People on their way stay where they are."),
            Flow.State.REVIEW: _("%(name)s asks you before each message."),
            Flow.State.ON: _("%(name)s is on."),
        }
        messages.success(request, said[Flow.State(state)] % {"name": found.name})
    return HttpResponseRedirect(back(request, reverse("flows", args=[request.store.slug])))


def back(request: StoreRequest, usual: str) -> str:
    """Where the form stood, if that is a page of this store."""
    wanted = request.POST.get("next", "")
    return wanted if wanted.startswith(f"/app/{request.store.slug}/") else usual


@store_view(ORDERS_VIEW)
def flow_file(request: StoreRequest, flow: str) -> HttpResponse:
    """The live version as a flow file."""
    found = get_object_or_404(request.store.flows.select_related("live"), slug=flow, live__isnull=False)
    return HttpResponse(
        flows.export_file(found),
        content_type="application/yaml; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{found.slug}.yaml"'},
    )


@store_view(FLOWS_PUBLISH)
def flow_import(request: StoreRequest) -> HttpResponse:
    """Publish a flow file as a flow of this store: a new one is off, one of the same name gets its next version."""
    text = request.POST.get("file", "")
    if request.method == "POST":
        try:
            published = flows.import_file(request.store, text, actor=request.user)
        except BusinessError as refusal:
            messages.error(request, refusal.message)
        else:
            messages.success(request, _("%(name)s is published.") % {"name": published.name})
            return redirect("flow", store=request.store.slug, flow=published.slug)
    return render(request, "campaigns/flow_import.html", {"text": text})


@store_view(FLOWS_PUBLISH)
def sending(request: StoreRequest) -> HttpResponse:
    """Ask, then pause or resume all sending of the store."""
    if request.method != "POST":
        return render(request, "campaigns/sending.html", {"store": request.store})
    if request.store.sending_paused:
        flows.resume_sending(request.store, actor=request.user)
        messages.success(request, _("Messages go out again, those that waited first."))
    else:
        flows.pause_sending(request.store, actor=request.user)
        messages.success(request, _("All sending is paused. What becomes due waits; nothing is lost."))
    return redirect("outbox", store=request.store.slug)
