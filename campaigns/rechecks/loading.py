"""Loads for a batch of messages what the rules must know, with a number of queries that does not grow with it."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from campaigns import breaker, definitions, guards, overlap, permission, priority, triggers, troubles, wishes, zones
from campaigns.definitions import Definition
from campaigns.models import Flow, Message, SendingRules, SentLedger
from campaigns.pace import Pace, is_late
from campaigns.rechecks.judging import judge_one
from campaigns.rechecks.known import (
    ASKING,
    SEND,
    Known,
    Limits,
    Past,
    Rival,
    Verdict,
    asks,
    effective_klass,
    takes_slot,
)
from campaigns.steps.send_email import send_condition
from postpurchase.due import State
from stores import conditions
from stores.conditions import Condition, Subject

Status = Message.Status
# How long back sent messages may count: the longest gap that can be set, and the week of the caps.
LOOK_BACK = timedelta(days=30)
IN_HAND = (Status.CLAIMED, Status.HANDING, Status.UNKNOWN)
_OPEN = (Status.PLANNED, Status.HELD, Status.RETRY)


def judge(messages: Sequence[Message], *, now: datetime) -> list[Verdict]:
    """A verdict for each message; its store, flow, enrolment, customer and order are loaded already.

    Those of one person are judged in the order of their rank, and what is let go counts for the next.
    """
    known = load(messages, now=now)
    paces = _paces(messages, now)
    order = sorted(
        range(len(messages)),
        key=lambda n: (priority.rank(known[n].topic), messages[n].planned_for, messages[n].pk or 0),
    )
    verdicts: dict[int, Verdict] = {}
    for n in order:
        message = messages[n]
        pace = paces.get(message.store_id)
        if pace and is_late(message, now=now):
            known[n].turn = pace.turn()
        verdicts[n] = judge_one(message, known[n], now=now)
        if verdicts[n].action == SEND:
            title = message.flow.name if message.flow else ""
            known[n].past.append(Past(now, effective_klass(message), message.purpose, title, pk=message.pk))
        if pace and verdicts[n].action == SEND:
            pace.took()
        elif pace and verdicts[n].code == "turn":
            pace.queue()
    return [verdicts[n] for n in range(len(messages))]


def _paces(messages: Sequence[Message], now: datetime) -> dict[int, Pace]:
    """For each store with something late in the batch, how it may catch up."""
    late = {each.store_id for each in messages if is_late(each, now=now)}
    rules = {row.store_id: row for row in SendingRules.objects.filter(store_id__in=late)} if late else {}
    return {store: Pace(store, rules.get(store), now=now) for store in late}


def load(messages: Sequence[Message], *, now: datetime) -> list[Known]:
    """What is known about each message, at `now`, in their order."""
    if not messages:
        return []
    for each in messages:
        each.customer.store = each.store
    parsed = _definitions(messages)
    values = _values(messages, parsed)
    standings = permission.load(each.customer for each in messages)
    people = {each.customer_id for each in messages if each.klass != "T"}
    wrong = troubles.of_people(people, since=now)
    slots = {each.customer_id for each in messages if takes_slot(each) or asks(each)}
    past, rivals = _past(slots, now), _rivals(slots, now)
    keys = [each.key for each in messages]
    marks = {guards.mark(each.store_id, each.key): each.key for each in messages}
    sent = {
        (store, marks.get(key, key)): "sure" if sure else "unclear"
        for store, key, sure in SentLedger.objects.filter(
            store_id__in={each.store_id for each in messages}, key__in=[*keys, *marks]
        ).values_list("store_id", "key", "sure")
    }
    coupons = wishes.coupons_of(messages)
    stores = {each.store_id for each in messages}
    rules = {row.store_id: row for row in SendingRules.objects.filter(store_id__in=stores)}
    stopped, guarded = guards.reasons(stores)
    refused = breaker.closed_until(stores, now=now)
    found = []
    for n, each in enumerate(messages):
        version = each.enrolment.version_id if each.enrolment else None
        definition = parsed.get(version) if version else None
        limits = Limits.of(rules.get(each.store_id))
        found.append(
            Known(
                sent=sent.get((each.store_id, each.key), ""),
                flow_state=each.flow.state if each.flow else "",
                flow_name=each.flow.name if each.flow else "",
                flow_gone=each.flow is None and bool(each.enrolment_id or each.step),
                version=each.enrolment.version.number if each.enrolment else 0,
                definition=definition,
                send_if=_send_if(each, definition),
                values=values[n],
                order_status=conditions.present_status(each.order) if each.order else "",
                standing=standings[each.customer_id],
                coupon=coupons.get(each.pk),
                troubles=wrong.get(each.customer_id, ()),
                past=past[each.customer_id],
                rivals=[rival for rival in rivals.get(each.customer_id, ()) if rival.pk != each.pk],
                topic=priority.topic_of(
                    recipe=each.flow.recipe if each.flow else "",
                    starts=definition.events if definition else (),
                    purpose=each.purpose,
                ),
                zones=recipient_zones(each),
                limits=limits,
                left=overlap.left_to_shop(each),
                test_mode=each.store.test_mode,
                stopped="all sending is paused" if each.store.sending_paused else stopped.get(each.store_id, ""),
                guarded=guarded.get(each.store_id, ""),
                refused_until=refused.get(each.store_id),
            )
        )
    return found


def recipient_zones(message: Message) -> tuple[zones.ZoneInfo, ...]:
    """Where the person's clocks may stand: by the order's country and state, else the phone, else the shop."""
    customer, order = message.customer, message.order
    country = (order.country if order else "") or customer.country
    state = customer.region if country == customer.country else ""
    return zones.of_recipient(message.store.tz, country=country, state=state, phone=customer.phone)


def _definitions(messages: Sequence[Message]) -> dict[int, Definition]:
    versions = {each.enrolment.version_id: each.enrolment.version for each in messages if each.enrolment}
    return {pk: definitions.parse(version.definition) for pk, version in versions.items()}


def _send_if(message: Message, definition: Definition | None) -> Condition | None:
    place = definition.steps.get(message.step) if definition else None
    return send_condition(place.step) if place else None


def _values(messages: Sequence[Message], parsed: dict[int, Definition]) -> list[dict[str, Any]]:
    """What exit conditions and conditions to send ask about, loaded once for all messages of a version."""
    groups: dict[int, list[int]] = defaultdict(list)
    for n, each in enumerate(messages):
        if each.enrolment:
            groups[each.enrolment.version_id].append(n)
    values: list[dict[str, Any]] = [{} for _ in messages]
    for version, members in groups.items():
        definition = parsed[version]
        own = [tree for n in members if (tree := _send_if(messages[n], definition))]
        names = conditions.fields_of([*definition.exit_when, *own])
        loaded = conditions.load(names, [_subject(messages[n]) for n in members])
        for n, seen in zip(members, loaded, strict=True):
            values[n] = seen
    return values


def _subject(message: Message) -> Subject:
    way = message.enrolment
    payload = way.context.get("payload", {}) if way else {}
    return Subject(message.store, message.customer, message.order, payload, way.line if way else None)


def _past(people: set[int], now: datetime) -> dict[int, list[Past]]:
    """What went to these people, from the ledger, and what is in the hands of a worker."""
    found: dict[int, list[Past]] = defaultdict(list)
    if not people:
        return found
    for person, at, klass, purpose, title in SentLedger.objects.filter(
        customer_id__in=people, at__gt=now - LOOK_BACK, at__lte=now
    ).values_list("customer_id", "at", "klass", "purpose", "flow__name"):
        if person:
            found[person].append(Past(at, klass, purpose, title or ""))
    in_hand = Message.objects.filter(customer_id__in=people, status__in=IN_HAND, request=None).exclude(klass="T")
    for each in in_hand.select_related("customer", "flow").only(
        "klass", "purpose", "handed_at", "customer__country", "flow__name", "request_id"
    ):
        # An unclear one stands in the ledger as well.
        if each.status != Status.UNKNOWN:
            title = each.flow.name if each.flow else ""
            klass = effective_klass(each)
            found[each.customer_id].append(Past(each.handed_at or now, klass, each.purpose, title, pk=each.pk))
    return found


def _rivals(people: set[int], now: datetime) -> dict[int, list[Rival]]:
    """What else is due for these people and has not gone yet. What waits for longer than a day wants no slot now."""
    if not people:
        return {}
    waiting = (
        Message.objects.filter(customer_id__in=people, status__in=_OPEN, planned_for__lte=now, request=None)
        .filter(due_at__lte=now + timedelta(days=1))
        .exclude(klass="T")
        .exclude(flow__state=Flow.State.OFF)
        .exclude(state=State.RUNNING, status=Status.CLAIMED)
        .select_related("customer", "flow__live")
        .defer("html", "text", "trace", "customer__raw")
    )
    found: dict[int, list[Rival]] = defaultdict(list)
    for each in waiting:
        trigger = each.flow.live.definition.get("trigger", {}) if each.flow and each.flow.live else {}
        topic = priority.topic_of(
            recipe=each.flow.recipe if each.flow else "",
            starts=triggers.names_of(trigger) if trigger else (),
            purpose=each.purpose,
        )
        found[each.customer_id].append(
            Rival(
                klass=effective_klass(each),
                purpose=each.purpose,
                topic=topic,
                planned_for=each.planned_for,
                due_at=each.due_at,
                title=each.flow.name if each.flow else each.template,
                pk=each.pk,
            )
        )
    return found


__all__ = ["ASKING", "judge", "load", "recipient_zones"]
