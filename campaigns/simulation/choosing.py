"""Whom to look at in a preview: the newest who would enter, the newest whom one condition keeps out, one that is searched."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Q

from campaigns.simulation import explaining
from campaigns.simulation.explaining import Told
from campaigns.simulation.running import Asked
from campaigns.triggers import Occurrence
from postpurchase import clock
from stores.models import Customer, Order, Store

MATCHING, NEARLY = 10, 5
# The last days are looked at in steps, each before the other, until there are enough.
_STEPS = (1, 3, 10, 30, 90)
# So many occurrences are looked at, at most: a page must not wait for a rare one.
_MOST = 2_000
_CHUNK = 100


def newest(asked: Asked) -> Iterator[Occurrence]:
    """What the trigger found, the newest first."""
    end = asked.until
    for days in _STEPS:
        start = max(asked.until - timedelta(days=days), asked.since)
        if start >= end:
            return
        found = list(asked.definition.start.history(asked.store, start, end))
        yield from reversed(found)
        end = start


def candidates(asked: Asked) -> tuple[list[Told], list[Told]]:
    """The newest people who match and the newest who nearly match, each person once."""
    match: list[Told] = []
    near: list[Told] = []
    seen: set[int] = set()
    chunk: list[Occurrence] = []
    looked = 0
    for one in newest(asked):
        if one.customer_id in seen:
            continue
        seen.add(one.customer_id)
        chunk.append(one)
        looked += 1
        if len(chunk) == _CHUNK or looked == _MOST:
            _sort(asked, chunk, match, near)
            chunk = []
        if (len(match) >= MATCHING and len(near) >= NEARLY) or looked == _MOST:
            break
        # Where nothing keeps anybody out, nobody nearly matches.
        if len(match) >= MATCHING and not asked.definition.where:
            break
    _sort(asked, chunk, match, near)
    return match[:MATCHING], near[:NEARLY]


def _sort(asked: Asked, chunk: list[Occurrence], match: list[Told], near: list[Told]) -> None:
    for told in explaining.person(asked, chunk, to_the_end=False):
        if told.enters:
            match.append(told)
        elif told.nearly:
            near.append(told)


def exactly(asked: Asked, at: datetime, key: str) -> Occurrence | None:
    """The occurrence of this moment and key."""
    found = asked.definition.start.history(asked.store, at, at + timedelta(microseconds=1))
    return next((one for one in found if one.key == key), None)


def of_customer(asked: Asked, customer: Customer, *, order: Order | None = None) -> list[Occurrence]:
    """What the trigger found about this person in the span, the newest first."""
    found = [
        one
        for one in asked.definition.start.history(asked.store, asked.since, asked.until)
        if one.customer_id == customer.pk and (order is None or one.order_id in {None, order.pk})
    ]
    return found[::-1]


def as_if(asked: Asked, customer: Customer, order: Order | None) -> Occurrence:
    """It has not happened to this person: as if it did now."""
    name = asked.definition.events[0]
    order = order or customer.orders.filter(deleted_at=None, trashed_at=None).order_by("-created_gmt", "-pk").first()
    about = f"order:{order.pk}" if order else f"customer:{customer.pk}"
    return Occurrence(clock.now(), f"preview:{about}", customer.pk, order.pk if order else None, None, {}, name)


def search(store: Store, text: str) -> list[tuple[Customer, Order | None]]:
    """People and orders for what was typed: an order number, an address, a name."""
    text = text.strip().removeprefix("#")
    if not text:
        return []
    orders = store.orders.filter(number=text, customer__isnull=False).select_related("customer").defer("raw")[:3]
    found: list[tuple[Customer, Order | None]] = [(order.customer, order) for order in orders if order.customer]
    first, _space, last = text.partition(" ")
    names = Q(email_key__startswith=text.lower())
    names |= Q(first_name__istartswith=first, last_name__istartswith=last) if last else Q(first_name__istartswith=text)
    names |= Q(last_name__istartswith=text)
    people = store.customers.filter(names, erased_at=None).defer("raw").order_by("-last_order_at", "pk")[:8]
    return found + [(person, None) for person in people]
