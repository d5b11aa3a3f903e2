"""Who ordered: guests and accounts are one person by e-mail address."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, Max, Min, Q, Sum, Value
from django.db.models.fields import DecimalField
from django.db.models.functions import Greatest

from postpurchase import clock
from stores import events, registries
from stores.events import Fact
from stores.models import Coupon, Customer, Order, Store, StoreReview
from stores.privacy import erased_keys
from stores.sync import rows
from stores.woo.payloads import CustomerPayload, OrderPayload
from stores.woo.payloads.values import FORGOTTEN

_NEW = (
    "store_id",
    "email_key",
    "email",
    "woo_id",
    "first_name",
    "last_name",
    "phone",
    "country",
    "region",
    "city",
    "language",
    "link_version",
    "first_seen_at",
    "orders_count",
    "spent",
    "raw",
)
_DETAILS = ("first_name", "last_name", "phone", "country", "region", "city", "language")
_FOUND = ("id", "email_key", "woo_id", "erased_at", "last_order_at", *_DETAILS)
_CENTS = Decimal("0.0001")


@dataclass
class People:
    """The persons behind a page: the customer of each order (None for a draft or without an address), and news."""

    by_order: dict[int, int | None] = field(default_factory=dict)
    erased: set[int] = field(default_factory=set)
    facts: list[Fact] = field(default_factory=list)


def live(store: Store, at: datetime, *, historic: bool) -> bool:
    """Whether a fact of this time may start messages."""
    return not historic and store.live_from is not None and at >= store.live_from


def customers_of(store: Store, orders: Sequence[tuple[OrderPayload, str]], *, historic: bool) -> People:
    """Find or make the customer of each order (payload, language)."""
    found = People()
    keys = {order.email_key for order, _ in orders if order.email_key}
    accounts = {order.customer_id for order, _ in orders if order.customer_id}
    tombs = {tomb: key for key in keys for tomb in erased_keys(key)}
    by_pk = {row[0]: row for row in rows.find(Customer, _FOUND, "email_key", [*keys, *tombs], store=store)}
    by_pk |= {row[0]: row for row in rows.find(Customer, _FOUND, "woo_id", accounts, store=store)}
    known = list(by_pk.values())
    forgotten = [order.woo_id for order, _ in orders if order.forgotten]
    whose = dict(rows.find(Order, ("woo_id", "customer_id"), "woo_id", forgotten, store=store))
    by_key = {row[1]: row for row in known}
    by_account = {row[2]: row for row in known if row[2]}
    erased = {tombs[row[1]]: row for row in known if row[1] in tombs}
    fresh: dict[str, tuple[OrderPayload, str]] = {}
    wanted: dict[int, str] = {}
    newest: dict[int, tuple[OrderPayload, str]] = {}
    for order, language in orders:
        gone = erased.get(order.email_key)
        if gone is not None and order.created <= gone[3]:
            found.by_order[order.woo_id] = gone[0]
            found.erased.add(order.woo_id)
            continue
        row = by_account.get(order.customer_id) or by_key.get(order.email_key)
        if order.forgotten:
            # The shop has blacked the person out; whose order it was is known here, or nowhere.
            found.by_order[order.woo_id] = whose.get(order.woo_id) or (row[0] if row else None)
            continue
        if row is not None:
            found.by_order[order.woo_id] = row[0]
            if row[4] is None or order.created >= row[4]:
                before = newest.get(row[0])
                if before is None or order.created >= before[0].created:
                    newest[row[0]] = (order, language)
        elif order.email_key:
            wanted[order.woo_id] = order.email_key
            before = fresh.get(order.email_key)
            if before is None or order.created < before[0].created:
                fresh[order.email_key] = (order, language)
        else:
            found.by_order[order.woo_id] = None
    _freshen(newest, by_pk)
    if fresh:
        _insert(
            store,
            [
                (order.email_key, order.email, None, order.created, _details(order, language), "{}")
                for order, language in fresh.values()
            ],
        )
        made = dict(rows.find(Customer, ("email_key", "id"), "email_key", fresh, store=store))
        for order_id, key in wanted.items():
            found.by_order[order_id] = made[key]
        found.facts = [_created(store, made[key], order.created, historic) for key, (order, _) in fresh.items()]
    return found


def _details(order: OrderPayload | CustomerPayload, language: str) -> tuple[str, ...]:
    return (order.first_name, order.last_name, order.phone, order.country, order.region, order.city, language)


def _freshen(newest: dict[int, tuple[OrderPayload, str]], known: dict[int, Any]) -> None:
    """Take over what the newest order of a person says; an account's own names stay."""
    changed = []
    for pk, (order, language) in newest.items():
        row = known[pk]
        old = row[5:]
        told = _details(order, language)
        if row[2]:
            new = tuple(
                now or before if name == "language" else before or now
                for name, before, now in zip(_DETAILS, old, told, strict=True)
            )
        else:
            new = tuple(now or before for before, now in zip(old, told, strict=True))
        if new != old:
            changed.append((*new, pk))
    rows.update(Customer, _DETAILS, changed)


def _insert(store: Store, people: Iterable[tuple[str, str, int | None, datetime, tuple[str, ...], str]]) -> None:
    rows.upsert(
        Customer,
        _NEW,
        [
            (store.pk, key, email, account, *details, 1, seen, 0, Decimal(0), raw)
            for key, email, account, seen, details, raw in people
        ],
        key=("store_id", "email_key"),
        keep=_NEW,
    )


def _created(store: Store, pk: int, at: datetime, historic: bool) -> Fact:
    return Fact(events.CUSTOMER_CREATED, pk, at, customer_id=pk, historic=not live(store, at, historic=historic))


def refresh(store: Store, customers: Iterable[int]) -> None:
    """Work out the order counters of these customers again, over their counted orders. Two statements.

    `spent` is the net of the orders in the store's currency.
    """
    ids = set(customers)
    if not ids:
        return
    zero = Value(Decimal(0), output_field=DecimalField())
    net = Greatest(F("total") - F("refunded") - F("tax") - F("shipping"), zero, output_field=DecimalField())
    sums = {
        pk: (count, first, last, spent)
        for pk, count, first, last, spent in Order.objects.filter(
            store=store, customer_id__in=rows.among(ids), counted=True
        )
        .order_by()
        .values_list("customer_id")
        .annotate(
            count=Count("pk"),
            first=Min("created_gmt"),
            last=Max("created_gmt"),
            brought=Sum(net, filter=Q(currency=store.currency), output_field=DecimalField()),
        )
    }
    none = (0, None, None, None)
    rows.update(
        Customer,
        ("orders_count", "first_order_at", "last_order_at", "spent"),
        [
            (count, first, last, (spent or Decimal(0)).quantize(_CENTS), pk)
            for pk in ids
            for count, first, last, spent in [sums.get(pk, none)]
        ],
    )


def apply_accounts(store: Store, read: Sequence[tuple[CustomerPayload, str]], *, historic: bool) -> int:
    """Take over accounts (payload, body as JSON text); how many customers changed.

    An account takes over the guest of its address. When its address changes to that of another person, the two are
    one from then on: the other's orders move, and `customer.merged` tells those above to follow.
    """
    keys = {account.email_key for account, _ in read}
    tombs = {tomb: key for key in keys for tomb in erased_keys(key)}
    known = list(
        Customer.objects.filter(store=store).filter(
            Q(email_key__in=[*keys, *tombs]) | Q(woo_id__in=[account.woo_id for account, _ in read])
        )
    )
    by_key = {row.email_key: row for row in known}
    by_account = {row.woo_id: row for row in known if row.woo_id}
    erased = {tombs[row.email_key]: row for row in known if row.email_key in tombs}
    fresh: dict[str, tuple[CustomerPayload, str]] = {}
    facts: list[Fact] = []
    merged: list[int] = []
    changed = 0
    for account, body in read:
        gone = erased.get(account.email_key)
        if gone and gone.erased_at and (account.created is None or account.created <= gone.erased_at):
            continue
        other = by_key.get(account.email_key)
        row = by_account.get(account.woo_id) or other
        if row is None:
            fresh[account.email_key] = (account, body)
            continue
        if row.raw and _older_or_same(row, account, body):
            continue
        if other is not None and other.pk != row.pk:
            facts.append(_merge(store, other, row, account, historic))
            merged += [row.pk, other.pk]
        _take_over(row, account, json.loads(body))
        by_key[row.email_key] = by_account[account.woo_id] = row
        changed += 1
    if fresh:
        _insert(
            store,
            [
                (key, account.email, account.woo_id, account.created or clock.now(), _details(account, ""), body)
                for key, (account, body) in fresh.items()
            ],
        )
        made = dict(rows.find(Customer, ("email_key", "id"), "email_key", fresh, store=store))
        facts += [
            _created(store, made[key], account.created or clock.now(), historic) for key, (account, _) in fresh.items()
        ]
    refresh(store, merged)
    events.record_many(store, facts)
    return changed + len(fresh)


def forget(store: Store, customers: Iterable[int]) -> None:
    """The shop has erased orders of these persons: whoever has no other order is erased here, too."""
    for person in Customer.objects.filter(store=store, pk__in=customers, erased_at=None):
        told = Order.objects.filter(store=store, customer=person).values_list("raw__billing__email", flat=True)
        if all(address == FORGOTTEN for address in told):
            registries.erase(person)


def _older_or_same(row: Customer, account: CustomerPayload, body: str) -> bool:
    if row.woo_id == account.woo_id and row.raw == json.loads(body):
        return True
    seen = row.raw.get("date_modified_gmt")
    told = account.modified.replace(tzinfo=None).isoformat() if account.modified else None
    return bool(row.woo_id == account.woo_id and seen and told and told < seen)


def _take_over(row: Customer, account: CustomerPayload, body: dict[str, Any]) -> None:
    Customer.objects.filter(store_id=row.store_id, woo_id=account.woo_id).exclude(pk=row.pk).update(woo_id=None)
    row.woo_id, row.raw = account.woo_id, body
    row.email, row.email_key = account.email, account.email_key
    for name in _DETAILS[:-1]:
        setattr(row, name, getattr(account, name) or getattr(row, name))
    row.save(update_fields=["woo_id", "raw", "email", "email_key", *_DETAILS[:-1]])


def _merge(store: Store, other: Customer, row: Customer, account: CustomerPayload, historic: bool) -> Fact:
    Order.objects.filter(store=store, customer=other).update(customer=row)
    Coupon.objects.filter(store=store, customer=other).update(customer=row)
    StoreReview.objects.filter(store=store, customer=other).update(customer=row)
    # The other's row stays, without an address: rows of the apps above still point at it until they have followed.
    other.email_key, other.email, other.woo_id = f"merged:{row.pk}:{other.pk}", "", None
    other.save(update_fields=["email_key", "email", "woo_id"])
    at = account.modified or clock.now()
    return Fact(
        events.CUSTOMER_MERGED,
        other.pk,
        at,
        customer_id=row.pk,
        historic=not live(store, at, historic=historic),
        payload={"from": other.pk, "into": row.pk},
    )
