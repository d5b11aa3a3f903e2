"""The one way into a flow: an occurrence, the flow's condition, its re-entry rule, the hold-back group, an enrolment.

Recorded events, time planners, people chosen by hand and past data all come through `enter`; previews ask `judge`, which
gives the same answer and writes nothing.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.utils.translation import gettext as _

from campaigns import bulk, definitions, waking
from campaigns.definitions import Definition
from campaigns.models import Enrolment, Flow, FlowVersion
from campaigns.triggers import plain
from campaigns.triggers.base import Occurrence
from campaigns.triggers.reentry import Entry
from postpurchase import clock, queue
from postpurchase.due import MARKETING, TRANSACTIONAL
from stores import conditions, events
from stores.conditions import Subject
from stores.models import Customer, Event, Order, OrderLine

HOLDBACK = "in hold-back group"


@dataclass(frozen=True)
class Judged:
    """What becomes of one occurrence. `reason` says in words why nobody enters; the held back enter and leave at once."""

    moment: Occurrence
    scope: str = ""
    reason: str = ""
    held_back: bool = False
    subject: Subject | None = None

    @property
    def enters(self) -> bool:
        return not self.reason


@dataclass(frozen=True)
class Entering:
    """How people come in, where they do not come with the event itself: kept with the enrolment."""

    # "past" {"days"} or "by_hand" {"by"}: what is told with the enrolment.
    note: Mapping[str, Any] = field(default_factory=dict)
    # From when the first step is due; None: from the moment itself, so that lateness is seen.
    due_at: datetime | None = None


def subscribe() -> None:
    """Listen to every event that may start a flow, and register what else brings people in; called once at start."""
    # They stand on this module.
    from campaigns.triggers import past, planning
    from campaigns.views import by_hand

    past.register()
    planning.register()
    by_hand.register()
    for name in plain.NAMES:
        events.subscribe(name, f"campaigns.triggers.{name}", enrol)
    events.subscribe(events.CUSTOM, "campaigns.triggers.custom", enrol)


def enrol(event: Event) -> None:
    """Enter the person of this event into every flow that it starts.

    The same fact again, or a second fact for which the flow says once, enters nobody. Historic facts never do.
    """
    if event.historic or event.customer is None or event.customer.erased_at:
        return
    waking.wake(event)
    live = Flow.objects.filter(store_id=event.store_id, live__isnull=False).exclude(state=Flow.State.OFF)
    for flow in live.select_related("live"):
        assert flow.live is not None
        definition = parsed(flow.live)
        if event.name in definition.start.hears:
            flow.store = event.store
            enter(flow, definition.start.occurrences(event.store, [event]))


def enter(flow: Flow, moments: Sequence[Occurrence], *, how: Entering | None = None) -> int:
    """Enter the people of these occurrences, if the flow lets them; how many came in, the held back counted.

    The unique key of the enrolment decides: repeats and a second worker change nothing. A flow that is off, or has no
    published version, takes nobody.
    """
    if flow.live is None or flow.state == Flow.State.OFF or not moments:
        return 0
    how = how or Entering()
    rows = [_row(flow, flow.live, one, how) for one in judge(flow, moments) if one.enters]
    bulk.insert(Enrolment, rows)
    if rows:
        queue.wake()
    return len(rows)


def judge(flow: Flow, moments: Sequence[Occurrence], *, version: FlowVersion | None = None) -> list[Judged]:
    """What would become of each occurrence now, in their order. Writes nothing; a handful of queries for all."""
    version = version or flow.live
    if version is None:
        return []
    definition = parsed(version)
    subjects = _subjects(flow, moments)
    missing = [position for position, subject in enumerate(subjects) if subject is None]
    there = [subject for subject in subjects if subject is not None]
    passed = iter(_pass(definition, there))
    earlier = _earlier(flow, definition, moments)
    found: list[Judged] = []
    for position, (moment, subject) in enumerate(zip(moments, subjects, strict=True)):
        if position in missing or subject is None:
            found.append(Judged(moment, reason=_("the person is not known any more")))
            continue
        if not next(passed):
            found.append(Judged(moment, reason=_("the flow's condition does not hold"), subject=subject))
            continue
        before = earlier[moment.customer_id]
        scope = definition.reentry.scope(moment, before)
        if scope is None:
            rule = definition.reentry.sentence()
            reason = _("is in the flow already (%(rule)s)") % {"rule": rule}
            found.append(Judged(moment, reason=reason, subject=subject))
            continue
        before.append(Entry(scope, moment.at))
        held = is_held_back(flow, definition, moment.customer_id)
        found.append(Judged(moment, scope, held_back=held, subject=subject))
    return found


def is_held_back(flow: Flow, definition: Definition, customer_id: int) -> bool:
    """Whether the person belongs to the part that gets nothing, so that the effect can be measured. Always the same."""
    digest = hashlib.sha256(f"{flow.pk}:{customer_id}".encode()).digest()
    return int.from_bytes(digest[:4]) % 100 < definition.holdback


def parsed(version: FlowVersion) -> Definition:
    """The version's flow file, laid out."""
    return _parsed(json.dumps(version.definition, sort_keys=True))


@lru_cache(maxsize=256)
def _parsed(text: str) -> Definition:
    # Each event asks about every live flow, and a file says the same each time. By its text, which is what it depends on.
    return definitions.parse(json.loads(text))


def _subjects(flow: Flow, moments: Sequence[Occurrence]) -> list[Subject | None]:
    """About whom each occurrence is; None for who is unknown in this store or erased."""
    people = (
        Customer.objects.filter(store_id=flow.store_id, erased_at__isnull=True)
        .defer("raw")
        .in_bulk({one.customer_id for one in moments})
    )
    orders = (
        Order.objects.filter(store_id=flow.store_id)
        .defer("raw")
        .in_bulk({one.order_id for one in moments if one.order_id})
    )
    ids = {one.line_id for one in moments if one.line_id}
    lines = OrderLine.objects.filter(order__store_id=flow.store_id).in_bulk(ids) if ids else {}
    found: list[Subject | None] = []
    for one in moments:
        order = orders.get(one.order_id) if one.order_id else None
        if one.customer_id not in people or (one.order_id and order is None):
            found.append(None)
            continue
        line = lines.get(one.line_id) if one.line_id else None
        found.append(Subject(flow.store, people[one.customer_id], order, one.told(), line))
    return found


def _pass(definition: Definition, subjects: Sequence[Subject]) -> list[bool]:
    if not definition.where:
        return [True] * len(subjects)
    values = conditions.load(conditions.fields_of([definition.where]), subjects)
    return [conditions.holds(definition.where, row) for row in values]


def _earlier(flow: Flow, definition: Definition, moments: Iterable[Occurrence]) -> dict[int, list[Entry]]:
    """The earlier entries that the rule has to know of, by person."""
    found: dict[int, list[Entry]] = defaultdict(list)
    prefix = f"{flow.pk}:"
    entries = Enrolment.objects.filter(store_id=flow.store_id)
    if definition.reentry.looks_back:
        entries = entries.filter(flow=flow, customer_id__in={one.customer_id for one in moments})
    else:
        wanted = {f"{prefix}{scope}" for one in moments if (scope := definition.reentry.scope(one))}
        entries = entries.filter(key__in=wanted)
    for customer_id, key, context, entered in entries.values_list("customer_id", "key", "context", "entered_at"):
        at = datetime.fromisoformat(context["at"]) if "at" in context else entered
        found[customer_id].append(Entry(key.removeprefix(prefix), at))
    return found


def _row(flow: Flow, version: FlowVersion, one: Judged, how: Entering) -> Enrolment:
    now, moment = clock.now(), one.moment
    return Enrolment(
        store_id=flow.store_id,
        flow=flow,
        version=version,
        key=f"{flow.pk}:{one.scope}",
        customer_id=moment.customer_id,
        order_id=moment.order_id,
        line_id=moment.line_id if one.subject and one.subject.line else None,
        step="" if one.held_back else parsed(version).first,
        status=Enrolment.Status.LEFT if one.held_back else Enrolment.Status.ACTIVE,
        state="done" if one.held_back else "due",
        reason=HOLDBACK if one.held_back else "",
        finished_at=now if one.held_back else None,
        context={
            "event": moment.name,
            "event_key": moment.key,
            "at": moment.at.isoformat(),
            "payload": moment.told(),
            **how.note,
        },
        entered_at=now,
        # When the first step should have run: a fact that reached us late makes a late message for the outbox to judge.
        due_at=how.due_at or min(moment.at, now),
        priority=TRANSACTIONAL if flow.klass == "T" else MARKETING,
    )
