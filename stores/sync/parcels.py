"""The parcels of a page of orders into rows, and what happened to them as facts."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING

from stores import events, shipments
from stores.events import Fact
from stores.models import Order, Shipment, Store
from stores.shipments import OFF, Parcel, Source, State, Transit
from stores.sync import rows
from stores.sync.people import live

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


def from_orders(store: Store, taken: Sequence["Taken"], *, now: datetime, historic: bool) -> list[Fact]:
    """Write the parcels of these orders and the orders' deliveries; the facts of it."""
    told = {one.pk: shipments.shipments_from(one.order) for one in taken}
    old = _old([one.pk for one in taken if one.known])
    transit = shipments.transit_times(store) if any(told.values()) else {}
    facts: list[Fact] = []
    written: list[tuple[object, ...]] = []
    deliveries: list[tuple[datetime, bool, int]] = []
    for one in taken:
        before = old.get(one.pk, {})
        if one.order.status in OFF:
            if any(row.expected_at for row in before.values()):
                Shipment.objects.filter(order_id=one.pk).update(expected_at=None)
            continue
        settled = one.known is not None and one.known.delivered_at is not None
        window = shipments.promised_window(store, one.order, transit)
        merged = [
            _merged(store, one, parcel, before.get(parcel.parcel), transit, window, settled=settled)
            for parcel in told[one.pk]
        ]
        shown = {row.parcel for row in merged}
        if surplus := [n for n, row in before.items() if n not in shown and row.source not in _BETTER]:
            Shipment.objects.filter(order_id=one.pk, parcel__in=surplus).delete()
        merged += [row for n, row in before.items() if n not in shown and row.source in _BETTER]
        found = _arrival(one, merged, now)
        facts += _facts(store, one, merged, before, historic)
        if found is not None and not (settled and (found.estimated or not _was_estimate(one))):
            deliveries.append((found.at, found.estimated, one.pk))
            facts.append(shipments.delivered_fact(store, one.pk, one.customer_id, found, historic=historic))
        written += [_row(row, now) for row in merged]
    rows.upsert(Shipment, _COLUMNS, written, key=("order_id", "parcel"), keep=("created_at", "store_id"))
    rows.update(Order, ("delivered_at", "delivered_estimated"), deliveries)
    return facts


def _old(orders: list[int]) -> dict[int, dict[int, Shipment]]:
    found: dict[int, dict[int, Shipment]] = {}
    if orders:
        for row in Shipment.objects.filter(order_id__in=orders):
            found.setdefault(row.order_id, {})[row.parcel] = row
    return found


def _was_estimate(one: "Taken") -> bool:
    return one.known is not None and one.known.delivered_estimated


def _arrival(one: "Taken", merged: list[Shipment], now: datetime) -> shipments.Arrival | None:
    if not merged:
        # Nothing to ship (a course, a licence): it is there when it is completed.
        digital = not one.order.needs_processing and not one.order.shipping_lines
        return shipments.Arrival(one.order.completed, estimated=False) if digital and one.order.completed else None
    found = shipments.arrival([(row.state, row.delivered_at, row.expected_at) for row in merged], now)
    if found is not None:
        for row in merged:
            shipments.settle_estimate(row)
    return found


def _merged(
    store: Store,
    one: "Taken",
    parcel: Parcel,
    before: Shipment | None,
    transit: Mapping[str, Transit],
    window: tuple[date, date] | None,
    *,
    settled: bool,
) -> Shipment:
    row = Shipment(
        store_id=store.pk,
        order_id=one.pk,
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
        expected_at=None if settled else shipments.expected_at(store, one.order, parcel, transit),
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


def _facts(
    store: Store, one: "Taken", merged: list[Shipment], before: Mapping[int, Shipment], historic: bool
) -> list[Fact]:
    facts: list[Fact] = []
    for row in merged:
        old = before.get(row.parcel)
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


def _row(row: Shipment, now: datetime) -> tuple[object, ...]:
    return (
        row.store_id,
        row.order_id,
        row.parcel,
        json.dumps(row.items),
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
