"""The one door into the mirror: webhook, poll, backfill and nightly check all end here.

Each call says "here is the present body of these objects". Rows, and the facts that follow from the difference, are
written in one transaction; a body that cannot be read is put aside with its reason, and the rest goes on.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F

from postpurchase import clock
from stores import events
from stores.models import Category, Coupon, Customer, Order, Product, Quarantined, Refund, Store, StoreReview
from stores.sync import catalog, coupon_uses, coupons, orders, people, refunds, rows, tasks
from stores.sync.facts import DRAFTS, GONE
from stores.woo.payloads import (
    Unreadable,
    parse_category,
    parse_coupon,
    parse_customer,
    parse_order,
    parse_product,
    parse_refund,
    parse_review,
    parse_variation,
    storable,
)
from stores.woo.payloads.values import linked_id

# When an object that was put aside is asked for again; the last one repeats.
RETRIES = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24), timedelta(days=7))
ENTITIES = ("order", "product", "variation", "category", "customer", "coupon", "review", "refund")
_MIRRORS: dict[str, type[Any]] = {
    "product": Product,
    "variation": Product,
    "category": Category,
    "review": StoreReview,
}


@dataclass(frozen=True)
class ApplyResult:
    """How many objects changed, were known as they are (or newer), and could not be read."""

    changed: int
    unchanged: int
    quarantined: int


def apply(
    store: Store, entity: str, bodies: Iterable[Any], *, fetched_at: datetime, historic: bool = False
) -> ApplyResult:
    """Take the present bodies of objects of one entity into the mirror.

    `fetched_at` is when the request began that brought them: of two bodies of the same second the later asked wins.
    `historic` marks all facts as past; without it a fact is past when its own time is before `store.live_from`.
    Of an object that is twice in `bodies` the last counts. A refund needs its order's id (`parent_id`).
    """
    if entity not in ENTITIES:
        raise ValueError(f"unknown entity {entity!r}")
    read: dict[int, Any] = {}
    unread: list[tuple[Any, str]] = []
    reader = _READERS[entity]
    for body in bodies:
        try:
            woo_id, one = reader(body)
            read[woo_id] = one
        except Unreadable as problem:
            unread.append((body, problem.reason))
    with transaction.atomic():
        rows.lock(store)
        changed = _WRITERS[entity](store, list(read.values()), fetched_at, historic) if read else 0
        _quarantine(store, entity, unread)
        if read:
            solved(store, entity, read)
    return ApplyResult(changed, len(read) - changed, len(unread))


def _read_product(body: Any) -> tuple[int, catalog.Read]:
    found = parse_variation(body) if _is_variation(body) else parse_product(body)
    return found.woo_id, catalog.read(found, body)


def _is_variation(body: Any) -> bool:
    return isinstance(body, Mapping) and (body.get("type") == "variation" or bool(linked_id(body.get("parent_id"))))


def _reader(parse: Callable[[Any], Any], keep: Callable[[Any, Any], Any]) -> Callable[[Any], tuple[int, Any]]:
    def read(body: Any) -> tuple[int, Any]:
        found = parse(body)
        return found.woo_id, keep(found, body)

    return read


def _with_text(found: Any, body: Any) -> tuple[Any, str]:
    return found, storable(body)


_READERS: dict[str, Callable[[Any], tuple[int, Any]]] = {
    "order": _reader(parse_order, orders.read),
    "product": _read_product,
    "variation": _read_product,
    "category": _reader(parse_category, catalog.read),
    "customer": _reader(parse_customer, _with_text),
    "coupon": _reader(parse_coupon, _with_text),
    "review": _reader(parse_review, catalog.read),
    "refund": _reader(parse_refund, lambda found, body: found),
}

_WRITERS: dict[str, Callable[[Store, Any, datetime, bool], int]] = {
    "order": lambda store, page, at, past: orders.apply_orders(store, page, fetched_at=at, historic=past),
    "product": lambda store, page, at, past: catalog.apply_products(store, page, fetched_at=at),
    "variation": lambda store, page, at, past: catalog.apply_products(store, page, fetched_at=at),
    "category": lambda store, page, at, past: catalog.apply_categories(store, page, fetched_at=at),
    "customer": lambda store, page, at, past: people.apply_accounts(store, page, historic=past),
    "coupon": lambda store, page, at, past: coupons.apply_coupons(store, page, fetched_at=at),
    "review": lambda store, page, at, past: catalog.apply_reviews(store, page, fetched_at=at),
    "refund": lambda store, page, at, past: refunds.apply_refunds(store, page),
}


def quarantine(store: Store, entity: str, woo_id: int | None, reason: str, raw: dict[str, Any] | None) -> None:
    """Put an object aside with its reason. `raw` None: the shop itself fails on it."""
    now = clock.now()
    held = Quarantined.objects.filter(store=store, entity=entity, woo_id=woo_id)
    if woo_id is None:
        held = held.filter(reason=reason)
    retry = now + RETRIES[0] if woo_id else None
    # What was solved and is broken again begins anew.
    held.filter(solved_at__isnull=False).update(solved_at=None, retries=0, retry_at=retry)
    told = {"reason": reason, "last_at": now, "by_shop": raw is None, **({} if raw is None else {"raw": raw})}
    if not held.update(**told, times=F("times") + 1):
        Quarantined.objects.create(store=store, entity=entity, woo_id=woo_id, first_at=now, retry_at=retry, **told)


def _quarantine(store: Store, entity: str, unread: Sequence[tuple[Any, str]]) -> None:
    for body, reason in unread:
        woo_id = linked_id(body.get("id")) or None if isinstance(body, Mapping) else None
        quarantine(store, entity, woo_id, reason, storable_object(body))


def storable_object(body: Any) -> dict[str, Any]:
    """Any body as an object that every database takes."""
    found: dict[str, Any] = json.loads(storable(body if isinstance(body, Mapping) else {"body": body}))
    return found


def solved(store: Store, entity: str, ids: Iterable[int]) -> None:
    """These objects could be read, or are not in the shop any more: nothing of them is put aside."""
    held = Quarantined.objects.filter(store=store, entity=entity, solved_at__isnull=True)
    if held.exists():
        held.filter(woo_id__in=list(ids)).update(solved_at=clock.now())


def mark_missing(store: Store, entity: str, woo_id: int, *, historic: bool = False) -> bool:
    """The shop answers 404 for this object: keep it as a tombstone, with what follows. False when it changes nothing.

    An object that answers again is taken up by `apply` as if it had never gone.
    """
    if entity not in ENTITIES:
        raise ValueError(f"unknown entity {entity!r}")
    now = clock.now()
    with transaction.atomic():
        rows.lock(store)
        if entity == "order":
            return _order_gone(store, woo_id, now, historic)
        if entity == "customer":
            # The account is gone; the person and what they bought stay, as a guest.
            return bool(Customer.objects.filter(store=store, woo_id=woo_id).update(woo_id=None, raw={}))
        if entity == "coupon":
            return bool(
                Coupon.objects.filter(store=store, woo_id=woo_id)
                .exclude(state=Coupon.State.GONE)
                .update(state=Coupon.State.GONE, reason="It was deleted in the store.")
            )
        if entity == "refund":
            return _refund_gone(store, woo_id)
        return bool(
            _MIRRORS[entity].objects.filter(store=store, woo_id=woo_id, deleted_at__isnull=True).update(deleted_at=now)
        )


def _order_gone(store: Store, woo_id: int, now: datetime, historic: bool) -> bool:
    order = Order.objects.filter(store=store, woo_id=woo_id, deleted_at__isnull=True).first()
    if order is None:
        return False
    was = order.status
    order.deleted_at, order.counted = now, False
    order.save(update_fields=["deleted_at", "counted"])
    order.shipments.update(expected_at=None)
    facts = []
    for coupon in Coupon.objects.filter(store=store, ours=True, used_order=order):
        facts += coupon_uses.release(coupon, order.pk, order.customer_id, now, historic)
    if was not in {"cancelled", *GONE, *DRAFTS}:
        facts.append(
            events.Fact(
                events.ORDER_CANCELLED,
                order.pk,
                now,
                now.isoformat(),
                order.pk,
                order.customer_id,
                not people.live(store, now, historic=historic),
                {"status": "deleted"},
            )
        )
    if order.customer_id:
        people.refresh(store, [order.customer_id])
    events.record_many(store, facts)
    return True


def _refund_gone(store: Store, woo_id: int) -> bool:
    refund = Refund.objects.filter(store=store, woo_id=woo_id, deleted_at__isnull=True).first()
    if refund is None:
        return False
    # Its order tells the rest: it no longer mentions the refund when it is fetched next.
    tasks.arm(store, [("order", refund.order.woo_id)])
    return True
