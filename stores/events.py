"""The event log: the only way in which a lower app tells a higher one that something happened.

A fact is recorded in the transaction of the change itself, once (its key is unique in the store). Whoever subscribed in
its `AppConfig.ready()` gets it later, each in a transaction of its own, at least once until its handler returned.
"""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from postpurchase import clock, due, queue
from postpurchase.due import TRANSACTIONAL
from stores.models import Customer, Event, EventDelivery, Order, Store
from stores.sync import rows

log = logging.getLogger(__name__)

ORDER_PLACED = "order.placed"
ORDER_PAID = "order.paid"
ORDER_STATUS_CHANGED = "order.status_changed"  # {from, to}
ORDER_CANCELLED = "order.cancelled"
ORDER_REFUNDED = "order.refunded"  # {full}
ORDER_EDITED = "order.edited"
ORDER_DELIVERED = "order.delivered"  # {estimated}
ORDER_LATE = "order.late"
REFUND_CREATED = "refund.created"  # {amount}
REFUND_DELETED = "refund.deleted"
SHIPMENT_CREATED = "shipment.created"
SHIPMENT_MOVED = "shipment.moved"  # {state}
CUSTOMER_CREATED = "customer.created"
CUSTOMER_MERGED = "customer.merged"
CUSTOMER_ERASED = "customer.erased"
CONSENT_CHANGED = "consent.changed"
SEGMENT_ENTERED = "segment.entered"  # {segment}
SEGMENT_LEFT = "segment.left"  # {segment}
COUPON_ISSUED = "coupon.issued"
COUPON_FAILED = "coupon.failed"  # {coupon, source, reason}
COUPON_USED = "coupon.used"
COUPON_RELEASED = "coupon.released"
POINTS_EARNED = "points.earned"
POINTS_USABLE = "points.usable"
POINTS_TAKEN_BACK = "points.taken_back"
REWARD_REDEEMED = "reward.redeemed"
REVIEW_ASKED = "review.asked"
REVIEW_SUBMITTED = "review.submitted"
REVIEW_PUBLISHED = "review.published"
REVIEW_HIDDEN = "review.hidden"
CASE_OPENED = "case.opened"
CASE_RESOLVED = "case.resolved"
CASE_CONFIRMED = "case.confirmed_solved"
MESSAGE_REQUESTED = "message.requested"
MESSAGE_ACCEPTED = "message.accepted"
STORE_CONNECTED = "store.connected"
STORE_REFUSED = "store.refused"
STORE_UNREACHABLE = "store.unreachable"
STORE_RECOVERED = "store.recovered"
# What the merchant's own systems report over the API: `custom.<name>`, a family of events.
CUSTOM = "custom."

NAMES = frozenset(
    value for name, value in list(vars().items()) if name.isupper() and isinstance(value, str) and name != "CUSTOM"
)

Handler = Callable[[Event], None]

LEASE = timedelta(seconds=120)
_EVENT = ("store_id", "name", "key", "at", "recorded_at", "historic", "order_id", "customer_id", "payload")
_DELIVERY = (
    "store_id",
    "event_id",
    "subscriber",
    "key",
    "state",
    "due_at",
    "priority",
    "attempts",
    "error_code",
    "error",
)


@dataclass(frozen=True)
class Fact:
    """One thing that happened. Key in the log: `<name>:<subject>[:<fact>]`."""

    name: str
    subject: int | str
    at: datetime
    fact: str = ""
    order_id: int | None = None
    customer_id: int | None = None
    historic: bool = False
    payload: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{self.name}:{self.subject}:{self.fact}" if self.fact else f"{self.name}:{self.subject}"


@dataclass(frozen=True)
class _Subscriber:
    label: str
    handler: Handler
    historic: bool


_subscribers: dict[str, list[_Subscriber]] = {}
_by_label: dict[str, _Subscriber] = {}


def subscribe(name: str, label: str, handler: Handler, *, historic: bool = False) -> None:
    """Have `handler(event)` called for each recorded event of this name; "*" for all, "custom." for all of that family.

    Called from `AppConfig.ready()`.

    `label` ("loyalty.order_paid") is stable across releases: waiting deliveries carry it. The handler runs in a
    transaction, must not touch the network, and may be called again after a failure. Historic facts only on request.
    """
    if name not in {"*", CUSTOM} and name not in NAMES:
        raise ValueError(f"unknown event {name!r}")
    subscriber = _Subscriber(label, handler, historic)
    _subscribers.setdefault(name, []).append(subscriber)
    _by_label[label] = subscriber


def record(
    store: Store,
    name: str,
    *,
    subject: int | str,
    at: datetime,
    fact: str = "",
    order: Order | None = None,
    customer: Customer | None = None,
    historic: bool = False,
    payload: dict[str, Any] | None = None,
) -> bool:
    """Record one fact in the present transaction. False when the store already has it."""
    return bool(
        record_many(
            store,
            [
                Fact(
                    name,
                    subject,
                    at,
                    fact,
                    order.pk if order else None,
                    customer.pk if customer else (order.customer_id if order else None),
                    historic,
                    payload or {},
                )
            ],
        )
    )


def record_many(store: Store, facts: Sequence[Fact]) -> int:
    """Record facts in the present transaction, with a delivery for each subscriber; how many were new."""
    by_key = {fact.key: fact for fact in facts}
    if not by_key:
        return 0
    with transaction.atomic():
        known = {key for (key,) in rows.find(Event, ("key",), "key", by_key, store=store)}
        fresh = {key: fact for key, fact in by_key.items() if key not in known}
        if not fresh:
            return 0
        now = clock.now()
        rows.upsert(
            Event,
            _EVENT,
            [
                (
                    store.pk,
                    fact.name,
                    key,
                    fact.at,
                    now,
                    fact.historic,
                    fact.order_id,
                    fact.customer_id,
                    json.dumps(fact.payload) if fact.payload else "{}",
                )
                for key, fact in fresh.items()
            ],
            key=("store_id", "key"),
            keep=_EVENT,
        )
        wanted = {key: fact for key, fact in fresh.items() if _listeners(fact.name, historic=fact.historic)}
        if wanted:
            ids = dict(rows.find(Event, ("key", "id"), "key", wanted, store=store))
            rows.upsert(
                EventDelivery,
                _DELIVERY,
                [
                    (
                        store.pk,
                        ids[key],
                        subscriber.label,
                        f"{ids[key]}:{subscriber.label}",
                        due.State.DUE,
                        now,
                        TRANSACTIONAL,
                        0,
                        "",
                        "",
                    )
                    for key, fact in wanted.items()
                    for subscriber in _listeners(fact.name, historic=fact.historic)
                ],
                key=("store_id", "key"),
                keep=_DELIVERY,
            )
            queue.wake()
    return len(fresh)


def _listeners(name: str, *, historic: bool) -> list[_Subscriber]:
    found = _subscribers.get(name, []) + _subscribers.get("*", [])
    if name.startswith(CUSTOM):
        found += _subscribers.get(CUSTOM, [])
    return [subscriber for subscriber in found if subscriber.historic or not historic]


def dispatch(*, limit: int = 100) -> int:
    """Hand one batch of waiting events to their subscribers; how many were taken."""
    taken = due.claim(EventDelivery, limit=limit, lease=LEASE)
    events = Event.objects.select_related("store", "order", "customer").in_bulk([row.event_id for row in taken])
    for row in taken:
        subscriber = _by_label.get(row.subscriber)
        if subscriber is None:
            due.give_up(row, f"Nobody listens under {row.subscriber!r} any more.", code="no_subscriber")
            continue
        try:
            with transaction.atomic():
                subscriber.handler(events[row.event_id])
                if not due.finish(row):
                    raise _LeaseLost
        except _LeaseLost:
            log.warning("lease of event delivery %s was lost; its effects were rolled back", row.pk)
        except Exception as error:
            log.exception("subscriber %s failed on event %s", row.subscriber, row.event_id)
            due.retry(row, clock.now() + due.backoff(row.attempts), f"{type(error).__name__}: {error}", code="handler")
    return len(taken)


class _LeaseLost(Exception):
    pass
