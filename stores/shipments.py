"""Parcels: what the order's body tells about them, what was promised, and when delivery is to be taken as happened.

Sources, best first: WooCommerce's fulfilments, the meta data of tracking plugins, an estimate. Their shapes are read
tolerantly, because they come from plugins and vary.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import transaction

from postpurchase import clock
from postpurchase.errors import BusinessError
from stores import audit, events
from stores.events import Fact
from stores.models import Order, Shipment, Store, User
from stores.sync import rows
from stores.woo.payloads import OrderPayload, web_address
from stores.woo.payloads.values import gmt, number, text

State, Source = Shipment.State, Shipment.Source

DEFAULT_WORKING_DAYS = 5  # when neither this store's own history nor its table says how long a parcel travels
ENOUGH_SCANS = 30
RECENT_SCANS = 400
OFF = frozenset({"cancelled", "failed", "trash", "refunded", "checkout-draft", "auto-draft", "draft", "new"})
_WORDS = {
    "delivered": State.DELIVERED,
    "in_transit": State.IN_TRANSIT,
    "in transit": State.IN_TRANSIT,
    "on_the_way": State.IN_TRANSIT,
    "out_for_delivery": State.OUT_FOR_DELIVERY,
    "available_for_pickup": State.PICKUP_READY,
    "pickup_ready": State.PICKUP_READY,
    "delivery_attempted": State.ATTEMPTED,
    "attempted": State.ATTEMPTED,
    "failure": State.EXCEPTION,
    "exception": State.EXCEPTION,
    "return_to_sender": State.RETURNED,
    "returned": State.RETURNED,
}


@dataclass(frozen=True, slots=True)
class Parcel:
    """One parcel as the order's body tells it. `items` empty means the whole order."""

    parcel: int
    source: str
    state: str
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    carrier: str = ""
    number: str = ""
    url: str = ""
    items: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Transit:
    """How many days parcels to one country travelled: median, 80th and 90th percentile of recent scans."""

    p50: float
    p80: float
    p90: float


def shipments_from(order: OrderPayload) -> list[Parcel]:
    """The parcels of an order that is paid or being worked on; none for one that is off or has nothing to ship."""
    if order.status in OFF or not (order.needs_processing or order.shipping_lines):
        return []
    delivered = _moment(order.meta.get("_delivered_at")) or _moment(order.meta.get("_date_delivered"))
    found = _fulfilments(order) or _tracking(order)
    if found:
        return [replace(p, state=State.DELIVERED, delivered_at=delivered) for p in found] if delivered else found
    if delivered:
        return [Parcel(1, Source.TRACKING_META, State.DELIVERED, order.completed, delivered)]
    if order.status == "completed" or order.completed:
        return [Parcel(1, Source.ESTIMATE, State.SHIPPED, order.completed or order.modified)]
    if order.paid or order.status == "processing":
        return [Parcel(1, Source.ESTIMATE, State.PENDING)]
    return []


def _fulfilments(order: OrderPayload) -> list[Parcel]:
    found: list[Parcel] = []
    for row in order.fulfilments:
        if row.get("date_deleted") or not (row.get("is_fulfilled") or row.get("status") == "fulfilled"):
            continue
        told = {str(m.get("key")): m.get("value") for m in _list(row.get("meta_data")) if isinstance(m, Mapping)}
        items = tuple(
            (line, str(number(item.get("qty", item.get("quantity"))) or 1))
            for item in _list(told.get("_items"))
            if isinstance(item, Mapping) and (line := number(item.get("item_id")))
        )
        found.append(
            _parcel(
                len(found) + 1,
                Source.FULFILMENT,
                told.get("_shipment_status"),
                shipped=told.get("_date_fulfilled") or row.get("date_fulfilled") or row.get("date_updated"),
                delivered=told.get("_date_delivered"),
                carrier=told.get("_shipment_provider") or told.get("_shipping_provider"),
                tracking=told.get("_tracking_number"),
                url=told.get("_tracking_url"),
                items=items,
            )
        )
    return found


def _tracking(order: OrderPayload) -> list[Parcel]:
    raw = order.meta.get("_wc_shipment_tracking_items")
    if isinstance(raw, str):
        try:
            raw = json.loads(raw)
        except ValueError:
            return []
    scans = _list(order.meta.get("shipment_status"))
    found: list[Parcel] = []
    for place, row in enumerate(_list(raw)):
        if not isinstance(row, Mapping):
            continue
        scan = scans[place] if place < len(scans) and isinstance(scans[place], Mapping) else {}
        status = row.get("shipment_status") or row.get("status") or scan.get("status")
        items = tuple(
            (line, str(number(item.get("qty")) or 1))
            for item in _list(row.get("products_list"))
            if isinstance(item, Mapping) and (line := number(item.get("item_id")))
        )
        found.append(
            _parcel(
                len(found) + 1,
                Source.TRACKING_META,
                status,
                shipped=row.get("date_shipped") or order.completed,
                delivered=row.get("date_delivered")
                or row.get("delivered_at")
                or (scan.get("last_event_time") if status == "delivered" else None),
                carrier=row.get("custom_tracking_provider") or row.get("tracking_provider"),
                tracking=row.get("tracking_number"),
                url=row.get("custom_tracking_link") or row.get("tracking_link"),
                items=items,
            )
        )
    return found


def _parcel(
    place: int,
    source: str,
    status: object,
    *,
    shipped: object,
    delivered: object,
    carrier: object,
    tracking: object,
    url: object,
    items: tuple[tuple[int, str], ...],
) -> Parcel:
    arrived = _moment(delivered)
    state = State.DELIVERED if arrived else _WORDS.get(str(status).lower(), State.SHIPPED)
    if state == State.DELIVERED and arrived is None:
        # A plugin that says "delivered" without a time: better on its way until a time is known than a wrong time.
        state = State.OUT_FOR_DELIVERY
    return Parcel(
        place,
        source,
        state,
        _moment(shipped),
        arrived,
        text(carrier, 80),
        text(tracking, 80),
        web_address(url),
        items,
    )


def _list(raw: object) -> list[Any]:
    return list(raw.values()) if isinstance(raw, Mapping) else raw if isinstance(raw, list) else []


def _moment(raw: object) -> datetime | None:
    """A time as plugins write it: ISO, "2026-11-20", or Unix seconds as a number or text."""
    if isinstance(raw, datetime):
        return raw
    seconds = number(raw)
    if seconds is not None and 946_684_800 < seconds < 4_102_444_800:
        return datetime.fromtimestamp(seconds, UTC)
    return gmt(raw)


def transit_times(store: Store) -> dict[str, Transit]:
    """Travel times by country from the store's recent scans, for countries with at least 30 of them. One query."""
    spans: dict[str, list[float]] = {}
    scans = (
        Shipment.objects.filter(store=store, delivered_at__isnull=False, shipped_at__isnull=False)
        .exclude(source=Source.ESTIMATE)
        .order_by("-pk")
        .values_list("order__country", "shipped_at", "delivered_at")[:RECENT_SCANS]
    )
    for country, shipped, delivered in scans:
        if shipped is not None and delivered is not None and delivered > shipped:
            spans.setdefault(country, []).append((delivered - shipped) / timedelta(days=1))
    return {
        country: Transit(_rank(days, 50), _rank(days, 80), _rank(days, 90))
        for country, days in spans.items()
        if len(days) >= ENOUGH_SCANS
    }


def _rank(days: list[float], percent: int) -> float:
    ordered = sorted(days)
    return ordered[max(-(-len(ordered) * percent // 100) - 1, 0)]


def add_working_days(start: date, days: int) -> date:
    """The day that lies `days` Mondays to Fridays after `start`."""
    while days > 0:
        start += timedelta(days=1)
        if start.weekday() < 5:
            days -= 1
    return start


def _table(store: Store, order: OrderPayload) -> tuple[int, int] | None:
    if not store.delivery_days:
        return None
    for line in order.shipping_lines:
        row = store.delivery_days.get(line.title) or store.delivery_days.get(line.method_id)
        if isinstance(row, dict) and (most := number(row.get("max"))) is not None:
            return number(row.get("min")) or 0, most
    return None


def promised_window(store: Store, order: OrderPayload, transit: Mapping[str, Transit]) -> tuple[date, date] | None:
    """First and last day promised at purchase, in the store's zone: the merchant's table, else P50 to P90 of the
    store's own scans for the country, else None. Both begin after the handling days."""
    table, known = _table(store, order), transit.get(order.country)
    if table is None and known is None:
        return None
    leaves = add_working_days(order.created.astimezone(store.tz).date(), store.handling_days)
    if table is not None:
        return add_working_days(leaves, table[0]), add_working_days(leaves, table[1])
    assert known is not None
    return leaves + timedelta(days=round(known.p50)), leaves + timedelta(days=round(known.p90))


def expected_at(store: Store, order: OrderPayload, parcel: Parcel, transit: Mapping[str, Transit]) -> datetime | None:
    """When the parcel should have arrived; None when nothing was shipped or paid yet, or it has arrived.

    From the time it was shipped (else completed, else paid and handled): the P80 of the store's own scans for the
    country, else the longest time of the merchant's table, else 5 working days.
    """
    if parcel.state in (State.DELIVERED, State.RETURNED, State.EXCEPTION):
        return None
    start = parcel.shipped_at or order.completed
    if start is None:
        paid = order.paid or order.created
        start = _later(paid, store.handling_days)
    if known := transit.get(order.country):
        return start + timedelta(days=known.p80)
    table = _table(store, order)
    return _later(start, table[1] if table else DEFAULT_WORKING_DAYS)


def _later(start: datetime, working_days: int) -> datetime:
    return start + (add_working_days(start.date(), working_days) - start.date())


@dataclass(frozen=True, slots=True)
class Arrival:
    """When an order has arrived, and whether that is only an estimate."""

    at: datetime
    estimated: bool


def arrival(parcels: Iterable[tuple[str, datetime | None, datetime | None]], now: datetime) -> Arrival | None:
    """When all parcels (state, delivered at, expected at) are there or should be; None while one is on its way."""
    latest: datetime | None = None
    estimated = False
    for state, delivered, expected in parcels:
        if state == State.DELIVERED and delivered:
            moment = delivered
        elif expected is not None and expected <= now:
            moment, estimated = expected, True
        else:
            return None
        latest = max(latest, moment) if latest else moment
    return Arrival(latest, estimated) if latest else None


def delivered_fact(store: Store, order_id: int, customer_id: int | None, found: Arrival, *, historic: bool) -> Fact:
    """The fact that an order arrived."""
    return Fact(
        events.ORDER_DELIVERED,
        order_id,
        found.at,
        order_id=order_id,
        customer_id=customer_id,
        historic=historic or store.live_from is None or found.at < store.live_from,
        payload={"estimated": found.estimated},
    )


def tick_estimates(now: datetime, *, limit: int = 500) -> int:
    """Record deliveries that should have happened by `now` and of which nothing better is known; how many orders.

    Works in batches of one store each, so that a large number of them does not hold a transaction for long.
    """
    done = 0
    due = Shipment.objects.filter(expected_at__lte=now)
    for store in Store.objects.filter(pk__in=due.values("store")).order_by("pk"):
        while batch := _estimate_batch(store, now, limit):
            done += batch[1]
            if batch[0] < limit:
                break
    return done


def _estimate_batch(store: Store, now: datetime, limit: int) -> tuple[int, int]:
    """(parcels settled, orders delivered) of one batch."""
    with transaction.atomic():
        rows.lock(store)
        due = list(
            Shipment.objects.filter(store=store, expected_at__lte=now)
            .exclude(state__in=[State.DELIVERED])
            .order_by("expected_at")
            .values_list("order_id", flat=True)[:limit]
        )
        orders = {
            order.pk: order
            for order in Order.objects.filter(store=store, pk__in=due).only(
                "pk", "store_id", "customer_id", "status", "delivered_at", "historic", "deleted_at"
            )
        }
        parcels: dict[int, list[Shipment]] = {}
        for parcel in Shipment.objects.filter(store=store, order_id__in=orders):
            parcels.setdefault(parcel.order_id, []).append(parcel)
        facts: list[Fact] = []
        for order_id, order in orders.items():
            found = arrival([(p.state, p.delivered_at, p.expected_at) for p in parcels[order_id]], now)
            if found is None:
                # Another parcel is still on its way: the last of them speaks for all.
                latest = max((p.expected_at for p in parcels[order_id] if p.expected_at), default=None)
                for parcel in parcels[order_id]:
                    if parcel.expected_at and parcel.expected_at <= now:
                        parcel.expected_at = latest if latest and latest > now else None
                continue
            for parcel in parcels[order_id]:
                settle_estimate(parcel)
            if order.delivered_at is None and order.status not in OFF and order.deleted_at is None:
                order.delivered_at, order.delivered_estimated = found.at, found.estimated
                facts.append(delivered_fact(store, order_id, order.customer_id, found, historic=False))
        touched = [parcel for found_parcels in parcels.values() for parcel in found_parcels]
        rows.update(
            Shipment,
            ("state", "delivered_at", "expected_at"),
            [(p.state, p.delivered_at, p.expected_at, p.pk) for p in touched],
        )
        rows.update(
            Order,
            ("delivered_at", "delivered_estimated"),
            [(o.delivered_at, o.delivered_estimated, o.pk) for o in orders.values() if o.delivered_at],
        )
        events.record_many(store, facts)
    return len(due), len(facts)


def settle_estimate(parcel: Shipment) -> None:
    """Take an overdue parcel as arrived. One that a carrier scans keeps its own state: only scans say "delivered"."""
    if parcel.source == Source.ESTIMATE and parcel.state != State.DELIVERED and parcel.expected_at:
        parcel.state, parcel.delivered_at = State.DELIVERED, parcel.expected_at
    parcel.expected_at = None


def mark_delivered(order: Order, *, at: datetime, by: User) -> Order:
    """The merchant says that the order has arrived. Repeating it changes nothing but the time.

    Raises BusinessError `not_shippable` for an order that is cancelled, refunded or deleted, `in_future` for a time to come.
    """
    if at > clock.now():
        raise BusinessError("This time is still to come. Nothing was changed. Give the time of arrival.", "in_future")
    with transaction.atomic():
        rows.lock(order.store)
        order.refresh_from_db()
        if order.status in OFF or order.deleted_at:
            raise BusinessError(
                f"Order {order} is {order.status}, so it cannot arrive. Nothing was changed.", "not_shippable"
            )
        Shipment.objects.get_or_create(
            order=order, parcel=1, defaults={"store": order.store, "source": Source.MERCHANT}
        )
        Shipment.objects.filter(order=order).exclude(state=State.DELIVERED, source__in=_SCANNED).update(
            state=State.DELIVERED, delivered_at=at, expected_at=None, source=Source.MERCHANT
        )
        order.delivered_at, order.delivered_estimated = at, False
        order.save(update_fields=["delivered_at", "delivered_estimated"])
        events.record_many(
            order.store,
            [delivered_fact(order.store, order.pk, order.customer_id, Arrival(at, estimated=False), historic=False)],
        )
        audit.record(order.store, "order.mark_delivered", actor=by, target=str(order), diff={"at": at.isoformat()})
    return order


_SCANNED: Sequence[str] = (Source.FULFILMENT, Source.TRACKING_META, Source.TRACKING_API)
