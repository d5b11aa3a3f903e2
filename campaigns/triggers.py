"""From a recorded fact to people in flows."""

import hashlib
from collections.abc import Iterable

from campaigns import definitions
from campaigns.definitions import Definition
from campaigns.models import Enrolment, Flow
from postpurchase import clock
from postpurchase.due import MARKETING, TRANSACTIONAL
from stores import conditions, events
from stores.conditions import Subject
from stores.models import Event

HOLDBACK = "in hold-back group"


def subscribe() -> None:
    """Listen to every event that may start a flow; called once at start."""
    for name in definitions.TRIGGERS:
        events.subscribe(name, f"campaigns.triggers.{name}", enrol)


def enrol(event: Event) -> None:
    """Enter the person of this event into every flow that it starts.

    The same fact again, or a second fact for which the flow says once, enters nobody. Historic facts never do.
    """
    if event.historic or event.customer is None or event.customer.erased_at:
        return
    for flow in _started_by(event):
        _enter(flow, event)


def _started_by(event: Event) -> Iterable[Flow]:
    flows = Flow.objects.filter(store_id=event.store_id, live__isnull=False).exclude(state=Flow.State.OFF)
    return [
        flow
        for flow in flows.select_related("live")
        if flow.live and event.name in definitions.names_of(flow.live.definition["trigger"])
    ]


def _enter(flow: Flow, event: Event) -> None:
    assert flow.live is not None
    assert event.customer is not None
    definition = definitions.parse(flow.live.definition)
    started = {"name": event.name, **event.payload}
    if definition.where and not conditions.matches(
        definition.where, Subject(event.store, event.customer, event.order, started)
    ):
        return
    held_back = _is_held_back(flow, definition, event.customer.pk)
    Enrolment.objects.get_or_create(
        store_id=event.store_id,
        key=f"{flow.pk}:{_scope(definition, event)}",
        defaults={
            "flow": flow,
            "version": flow.live,
            "customer": event.customer,
            "order": event.order,
            "step": "" if held_back else definition.first,
            "status": Enrolment.Status.LEFT if held_back else Enrolment.Status.ACTIVE,
            "state": "done" if held_back else "due",
            "reason": HOLDBACK if held_back else "",
            "finished_at": clock.now() if held_back else None,
            "context": {"event": event.name, "event_key": event.key, "at": event.at.isoformat(), "payload": started},
            "entered_at": clock.now(),
            # When the first step should have run: a fact that reached us late makes a late message for the outbox to judge.
            "due_at": min(event.at, clock.now()),
            "priority": TRANSACTIONAL if flow.klass == "T" else MARKETING,
        },
    )


def _scope(definition: Definition, event: Event) -> str:
    """For what a person enters only once."""
    if definition.reentry == "once":
        return f"customer:{event.customer_id}"
    if definition.reentry == "once_per_order" and event.order_id:
        return f"order:{event.order_id}"
    if definition.reentry == "once_per_order_and_event" and event.order_id:
        return f"order:{event.order_id}:{event.name}"
    return event.key


def _is_held_back(flow: Flow, definition: Definition, customer_id: int) -> bool:
    """Whether the person belongs to the part that gets nothing, so that the effect can be measured. Always the same."""
    digest = hashlib.sha256(f"{flow.pk}:{customer_id}".encode()).digest()
    return int.from_bytes(digest[:4]) % 100 < definition.holdback
