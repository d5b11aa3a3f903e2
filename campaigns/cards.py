"""Steps as cards: sentence, numbers of the last 30 days, faults. The flow's page and the editor show the same ones.

The number of queries does not depend on the number of steps or people.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from campaigns import editing, flow_words
from campaigns.editing import Spot
from campaigns.models import Enrolment, Flow, Message, StepRun
from campaigns.steps import kinds
from postpurchase import clock
from stores.models import Order

DAYS = 30
# An order counts for a message when it is placed this soon after a click in it.
ORDER_WITHIN = timedelta(days=14)
SENT = (Message.Status.ACCEPTED,)
LEFT_OUT = (Message.Status.SKIPPED, Message.Status.EXPIRED, Message.Status.CANCELLED)
PROBLEMS = (Message.Status.FAILED, Message.Status.UNKNOWN)
_ABOUT = re.compile(r"Step (\w+)[:,] *")


@dataclass
class Lane:
    """One way out of a step that parts: its key in the flow file, its heading, its cards."""

    key: str
    name: str
    is_yes: bool
    cards: "list[Card]" = field(default_factory=list)


@dataclass
class Card:
    """One step as the page shows it: its sentence, its numbers, its faults, and the cards of its sides."""

    uid: str
    kind: str
    number: str
    label: str
    icon: str
    sentence: str
    when: str
    is_first: bool
    is_last: bool
    lane: str
    stats: list[tuple[str, int, str]] = field(default_factory=list)
    skipped: list[tuple[str, int]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    lanes: list[Lane] = field(default_factory=list)


@dataclass
class Numbers:
    """What happened at each step in the last days."""

    waiting: dict[str, int]
    runs: dict[str, dict[str, int]]
    messages: dict[str, dict[str, int]]
    clicked: dict[str, int]
    ordered: dict[str, int]
    reasons: dict[str, list[tuple[str, int]]]


def numbers_of(flow: Flow) -> Numbers:
    """Five queries, each counted by the database."""
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
    led = led_to_order(flow.store_id, since).filter(flow=flow).values_list("step").annotate(n=Count("pk"))
    reasons: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for step, reason, n in (
        recent.filter(status__in=LEFT_OUT).values_list("step", "reason").annotate(n=Count("pk")).order_by("-n")[:40]
    ):
        reasons[step].append((reason, n))
    counted = waiting.values_list("step").annotate(n=Count("pk")).order_by()
    return Numbers(dict(counted), runs, sent, clicked, dict(led.order_by()), reasons)


def led_to_order(store_id: int, since: datetime) -> QuerySet[Message]:
    """Messages since then that were clicked and whose reader then ordered soon; one order may count for two messages."""
    after_click = Order.objects.filter(
        store_id=store_id,
        customer=OuterRef("customer"),
        counted=True,
        created_gmt__gt=OuterRef("clicked_at"),
        created_gmt__lte=OuterRef("clicked_at") + ORDER_WITHIN,
    )
    return Message.objects.filter(
        Exists(after_click), store_id=store_id, clicked_at__isnull=False, planned_for__gte=since
    )


def of(data: Mapping[str, Any], numbers: Numbers, faults: Iterable[str] = ()) -> list[Card]:
    """The cards of a flow file, those in branches within their branch's."""
    about = faults_by_number(faults)
    top: list[Card] = []
    lanes: dict[str, list[Card]] = {"": top}
    for spot in editing.spots(data):
        card = _card(spot, about.get(spot.number, []))
        for key, name, _steps in editing.lanes(spot.step):
            said = {"then": _("If yes"), "else": _("Otherwise")}.get(key, name)
            card.lanes.append(Lane(f"{card.uid}:{key}", said, key == "then"))
            lanes[f"{card.uid}:{key}"] = card.lanes[-1].cards
        lanes[spot.lane].append(card)
        _count(card, numbers)
    return top


def faults_by_number(faults: Iterable[str]) -> dict[str, list[str]]:
    """The faults of each step by its number, without the number in front; those of the whole flow under ""."""
    about: dict[str, list[str]] = defaultdict(list)
    for fault in faults:
        found = _ABOUT.match(fault)
        about[found[1] if found else ""].append(fault[found.end() :] if found else fault)
    return about


def _card(spot: Spot, faults: list[str]) -> Card:
    step, kind = spot.step, str(spot.step.get("kind"))
    return Card(
        uid=str(step.get("uid")),
        kind=kind,
        number=spot.number,
        label=flow_words.label(kind),
        icon=kinds()[kind].icon if kind in kinds() else "help",
        sentence=flow_words.step(step),
        when=flow_words.condition(step.get("when")),
        is_first=spot.is_first,
        is_last=spot.is_last,
        lane=spot.lane,
        faults=faults,
    )


def _count(card: Card, numbers: Numbers) -> None:
    uid, runs = card.uid, numbers.runs.get(card.uid, {})
    waiting, done = numbers.waiting.get(uid, 0), runs.get(StepRun.Outcome.DONE, 0)
    if by_status := numbers.messages.get(uid, {}):
        sent = sum(by_status.get(status, 0) for status in SENT)
        left_out = sum(by_status.get(status, 0) for status in LEFT_OUT)
        failed = sum(by_status.get(status, 0) for status in PROBLEMS)
        card.stats = [
            (_("waiting"), sum(by_status.values()) - sent - left_out - failed, ""),
            (_("sent"), sent, ""),
            (_("not sent"), left_out, ""),
            (_("clicked"), numbers.clicked[uid], _share(numbers.clicked[uid], sent)),
            (_("led to an order"), numbers.ordered.get(uid, 0), _share(numbers.ordered.get(uid, 0), sent)),
        ]
        if failed:
            card.stats.append((_("problems"), failed, ""))
        card.skipped = numbers.reasons.get(uid, [])
    elif card.kind == "branch":
        yes, no = runs.get(StepRun.Outcome.YES, 0), runs.get(StepRun.Outcome.NO, 0)
        card.stats = [(_("yes"), yes, ""), (_("otherwise"), no, "")]
    elif card.kind == "send_email":
        card.stats = [(_("sent"), 0, "")]
    elif waiting or "wait" in card.kind:
        card.stats = [(_("waiting now"), waiting, ""), (_("passed"), done, "")]
    else:
        card.stats = [(_("done"), done, "")]
    skipped = runs.get(StepRun.Outcome.SKIPPED, 0)
    if skipped:
        card.stats.append((_("skipped"), skipped, ""))


def _share(part: int, whole: int) -> str:
    return f"{part * 100 / whole:.1f}%" if part and whole else ""


def every(cards: Iterable[Card]) -> Iterable[Card]:
    """All cards, those in branches after their branch."""
    for card in cards:
        yield card
        for lane in card.lanes:
            yield from every(lane.cards)


def all_reasons(cards: Iterable[Card]) -> list[tuple[str, int]]:
    """Why messages were not sent, over all steps, the commonest first."""
    sums: dict[str, int] = defaultdict(int)
    for card in every(cards):
        for reason, n in card.skipped:
            sums[reason] += n
    return sorted(sums.items(), key=lambda pair: -pair[1])


def entered(flow: Flow) -> dict[str, int]:
    """How many entered and left early in the last days, and how many are in it now; one query."""
    since = clock.now() - timedelta(days=DAYS)
    return Enrolment.objects.filter(flow=flow).aggregate(
        entered=Count("pk", filter=Q(entered_at__gte=since)),
        left=Count("pk", filter=Q(status=Enrolment.Status.LEFT, finished_at__gte=since)),
        active=Count("pk", filter=Q(status=Enrolment.Status.ACTIVE)),
    )
