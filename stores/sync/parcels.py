"""The parcels of a page of orders into rows, and what happened to them as facts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from stores import events, shipments
from stores.events import Fact
from stores.models import Shipment, Store
from stores.shipments import OFF, Arrival, Parcel, Source, State, Transit
from stores.sync import rows
from stores.sync.facts import Known
from stores.sync.people import live
from stores.woo.payloads import OrderPayload

if TYPE_CHECKING:
    from stores.sync.orders import Taken

_COLUMNS = (
    "store_id",
    "order_id",
    "parcel",
    "items",
    "carrier",
    "number",
    "url",
    "state",
    "promised_from",
    "promised_to",
    "shipped_at",
    "delivered_at",
    "expected_at",
    "source",
    "created_at",
)
# What a person or a carrier told us is better than what the order's body says.
_BETTER = frozenset({Source.MERCHANT, Source.TRACKING_API})


@dataclass(frozen=True, slots=True)
class Look:
    """The parcels of one order as they are to be written, those known before by number, and the order's arrival, if new."""

    merged: list[Shipment]
    before: Mapping[int, Shipment]
    surplus: list[int]
    arrival: Arrival | None


def look(store: Store, news: Sequence[tuple[OrderPayload, Known | None]], *, now: datetime) -> dict[int, Look]:
    """What the bodies tell of parcels and deliveries, by the order's id in the shop. Reads, and writes nothing.

    An order that is off is left out: its parcels stay as they are.
    """
    told = {order.woo_id: shipments.shipments_from(order) for order, _ in news}
    old = _old([known.pk for _, known in news if known])
    transit = shipments.transit_times(store) if any(told.values()) else {}
    found: dict[int, Look] = {}
    for order, known in news:
        if order.status in OFF:
            continue
        before = old.get(known.pk, {}) if known else {}
        settled = known is not None and known.delivered_at is not None
        window = shipments.promised_window(store, order, transit)
        merged = [
            _merged(store, order, parcel, before.get(parcel.parcel), transit, window, settled=settled)
            for parcel in told[order.woo_id]
        ]
        shown = {row.parcel for row in merged}
        surplus = [n for n, row in before.items() if n not in shown and row.source not in _BETTER]
        merged += [row for n, row in before.items() if n not in shown and row.source in _BETTER]
        arrived = _arrival(order, merged, now)
        if settled and arrived and known and (arrived.estimated or not known.delivered_estimated):
            arrived = None
        found[order.woo_id] = Look(merged, before, surplus, arrived)
    return found


def from_orders(
    store: Store, taken: Sequence["Taken"], seen: Mapping[int, Look], *, now: datetime, historic: bool
) -> list[Fact]:
    """Write the parcels of these orders, which are written with their arrivals; the facts of it."""
    facts: list[Fact] = []
    written: list[tuple[object, ...]] = []
    for one in taken:
        here = seen.get(one.order.woo_id)
        if here is None:
            if one.known:
                Shipment.objects.filter(order_id=one.pk, expected_at__isnull=False).update(expected_at=None)
            continue
        if here.surplus:
            Shipment.objects.filter(order_id=one.pk, parcel__in=here.surplus).delete()
        facts += _facts(store, one, here, historic)
        if here.arrival:
            facts.append(shipments.delivered_fact(store, one.pk, one.customer_id, here.arrival, historic=historic))
        written += [_row(row, one.pk, now) for row in here.merged]
    rows.upsert(Shipment, _COLUMNS, written, key=("order_id", "parcel"), keep=("created_at", "store_id"))
    return facts


def _old(orders: list[int]) -> dict[int, dict[int, Shipment]]:
    found: dict[int, dict[int, Shipment]] = {}
    if orders:
        for row in Shipment.objects.filter(order_id__in=orders):
            found.setdefault(row.order_id, {})[row.parcel] = row
    return found


def _arrival(order: OrderPayload, merged: list[Shipment], now: datetime) -> Arrival | None:
    if not merged:
        # Nothing to ship (a course, a licence): it is there when it is completed.
        digital = not order.needs_processing and not order.shipping_lines
        return Arrival(order.completed, estimated=False) if digital and order.completed else None
    found = shipments.arrival([(row.state, row.delivered_at, row.expected_at) for row in merged], now)
    if found is not None:
        for row in merged:
            shipments.settle_estimate(row)
    return found


def _merged(
    store: Store,
    order: OrderPayload,
    parcel: Parcel,
    before: Shipment | None,
    transit: Mapping[str, Transit],
    window: tuple[date, date] | None,
    *,
    settled: bool,
) -> Shipment:
    row = Shipment(
        store_id=store.pk,
        parcel=parcel.parcel,
        items=[{"line": line, "quantity": quantity} for line, quantity in parcel.items],
        carrier=parcel.carrier,
        number=parcel.number,
        url=parcel.url,
        state=parcel.state,
        promised_from=window[0] if window else None,
        promised_to=window[1] if window else None,
        shipped_at=parcel.shipped_at,
        delivered_at=parcel.delivered_at,
        expected_at=None if settled else shipments.expected_at(store, order, parcel, transit),
        source=parcel.source,
    )
    if before is None:
        return row
    # The promise was made at purchase; it does not move.
    row.promised_from, row.promised_to = (
        before.promised_from or row.promised_from,
        before.promised_to or row.promised_to,
    )
    if before.source in _BETTER or (before.state == State.DELIVERED and row.state != State.DELIVERED):
        row.state, row.source = before.state, before.source
        row.delivered_at, row.expected_at = before.delivered_at, before.expected_at
    elif row.state == State.PENDING:
        row.state = before.state
    return row


def _facts(store: Store, one: "Taken", here: Look, historic: bool) -> list[Fact]:
    facts: list[Fact] = []
    for row in here.merged:
        old = here.before.get(row.parcel)
        if row.state == State.PENDING:
            continue
        was_out = old is not None and old.state != State.PENDING
        payload = {"parcel": row.parcel, "state": row.state, "estimated": row.source == Source.ESTIMATE}
        at = row.shipped_at or one.order.modified
        if not was_out:
            facts.append(_fact(store, one, events.SHIPMENT_CREATED, at, f"{row.parcel}", payload, historic))
        if old is not None and was_out and old.state != row.state:
            at = row.delivered_at or one.order.modified
            fact = f"{row.parcel}:{row.state}"
            facts.append(_fact(store, one, events.SHIPMENT_MOVED, at, fact, payload, historic))
    return facts


def _fact(
    store: Store, one: "Taken", name: str, at: datetime, fact: str, payload: dict[str, object], historic: bool
) -> Fact:
    return Fact(name, one.pk, at, fact, one.pk, one.customer_id, not live(store, at, historic=historic), payload)


def _row(row: Shipment, order_id: int, now: datetime) -> tuple[object, ...]:
    return (
        row.store_id,
        order_id,
        row.parcel,
        json.dumps(row.items) if row.items else "[]",
        row.carrier,
        row.number,
        row.url,
        row.state,
        row.promised_from,
        row.promised_to,
        row.shipped_at,
        row.delivered_at,
        row.expected_at,
        row.source,
        now,
    )
