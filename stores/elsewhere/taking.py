"""The one door for orders from elsewhere: files and the API end here. What is the same changes nothing."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from django.db import transaction

from postpurchase import clock
from stores import events, shipments
from stores.elsewhere.fields import Fault, Read, Style, phone_identity, read
from stores.events import Fact
from stores.models import Channel, Customer, Order, OrderLine, Product, Refund, Shipment, Store
from stores.models.people import PHONE_DIGITS
from stores.sync import people, rows
from stores.sync.facts import Known, is_counted, order_facts

# What happened longer ago when we are told of it is past: it builds numbers and starts no message.
NEWS = timedelta(hours=48)


@dataclass(frozen=True)
class Refusal:
    """A row that was not taken: its place as the caller numbers it, and why."""

    row: int
    external_id: str
    faults: list[Fault]


@dataclass
class TakenIn:
    """What became of the rows; `orders` are the primary keys of those that are in, by external id."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: list[Refusal] = field(default_factory=list)
    orders: dict[str, int] = field(default_factory=dict)


def take_in(
    store: Store,
    given: Sequence[tuple[int, Mapping[str, Any]]],
    *,
    channel: Channel,
    style: Style | None = None,
    dry: bool = False,
) -> TakenIn:
    """Take the present state of orders (row number, values by field) into the store; `dry` only says what would be.

    An order is told by its channel and external id: known as it is it stays untouched, otherwise it is updated and what
    follows is recorded. Rows that cannot be read are refused with a sentence for each field; the others go on.
    """
    style = style or Style()
    done = TakenIn()
    good: dict[str, Read] = {}
    for row, raw in given:
        found = read(store, raw, style)
        name = str(raw.get("external_id") or "")[:120]
        if isinstance(found, list):
            done.refused.append(Refusal(row, name, found))
        elif found.external_id in good:
            told = Fault("external_id", "twice", f"The order {found.external_id} was told before, in another row.")
            done.refused.append(Refusal(row, name, [told]))
        else:
            good[found.external_id] = found
    if not good:
        return done
    hashes = {name: _hash(one) for name, one in good.items()}
    with transaction.atomic():
        if not dry:
            rows.lock(store)
        known = {
            order.external_id: order
            for order in Order.objects.filter(
                store=store, channel=channel.name, external_id__in=good, woo_id__isnull=True
            ).select_related("customer")
        }
        news = [one for name, one in good.items() if name not in known or known[name].content_hash != hashes[name]]
        done.new = sum(one.external_id not in known for one in news)
        done.changed, done.unchanged = len(news) - done.new, len(good) - len(news)
        done.orders = {name: order.pk for name, order in known.items()}
        if news and not dry:
            done.orders |= _write(store, channel, news, known, hashes)
    return done


def _hash(one: Read) -> str:
    order = one.order
    # Amounts as numbers, so that 12.5 and 12.50 are the same.
    said = [str(getattr(order, name)) for name in _SAID] + [_exact(getattr(order, name)) for name in _AMOUNTS]
    lines = [[line.sku, line.name, _exact(line.quantity), _exact(line.total)] for line in order.lines]
    more = [str(one.delivered), one.shipping_method, one.language]
    return blake2b(json.dumps([said, lines, more]).encode(), digest_size=20).hexdigest()


def _exact(amount: Decimal) -> str:
    return str(amount.normalize())


_AMOUNTS = ("total", "tax", "shipping", "discount", "refunded")
_SAID = (
    "number",
    "status",
    "currency",
    "email",
    "first_name",
    "last_name",
    "phone",
    "country",
    "region",
    "city",
    "payment_title",
    "created",
    "paid",
)


def _write(
    store: Store, channel: Channel, news: Sequence[Read], known: dict[str, Order], hashes: dict[str, str]
) -> dict[str, int]:
    now = clock.now()
    wanted = _identities(store, news)
    by_place = {-place: one for place, one in enumerate(news, 1)}
    payloads = {place: replace(wanted[one.external_id], woo_id=place) for place, one in by_place.items()}
    found = people.customers_of(
        store, [(payloads[place], one.language) for place, one in by_place.items()], historic=False
    )
    facts: list[Fact] = [_aged(fact, now, historic=False) for fact in found.facts]
    touched: set[int] = set()
    ids: dict[str, int] = {}
    skus = {line.sku for one in news for line in one.order.lines if line.sku}
    products = {product.sku: product for product in Product.objects.filter(store=store, sku__in=skus)}
    for place, one in by_place.items():
        order, before = payloads[place], known.get(one.external_id)
        was = _known(before) if before else None
        if before is None:
            row = Order(
                store=store, channel=channel.name, external_id=one.external_id, historic=order.created < now - NEWS
            )
            row.historic = row.historic or store.live_from is None or order.created < store.live_from
            customer_id, erased = found.by_order[place], place in found.erased
        else:
            row, order = before, replace(order, modified=now)
            erased = place in found.erased or bool(before.customer and before.customer.erased_at)
            customer_id = before.customer_id if erased else found.by_order[place]
            touched |= {before.customer_id} if before.customer_id else set()
        _fill(row, one, order, channel, customer_id, erased=erased, now=now, content_hash=hashes[one.external_id])
        row.save()
        ids[one.external_id] = row.pk
        touched |= {customer_id} if customer_id else set()
        edited = _lines(row, order, products, new=was is None) or bool(was and was.total != order.total)
        _refund(row, order, now)
        told = list(
            order_facts(store, order, pk=row.pk, customer_id=customer_id, known=was, edited=edited, historic=False)
        )
        if one.delivered and (was is None or was.delivered_at != one.delivered):
            _deliver(row, one.delivered)
            arrival = shipments.Arrival(one.delivered, estimated=False)
            told.append(shipments.delivered_fact(store, row.pk, customer_id, arrival, historic=False))
        facts += [_aged(fact, now, historic=row.historic) for fact in told]
    people.refresh(store, touched)
    events.record_many(store, facts)
    return ids


def _aged(fact: Fact, now: datetime, *, historic: bool) -> Fact:
    return replace(fact, historic=fact.historic or historic or fact.at < now - NEWS)


def _known(order: Order) -> Known:
    return Known(
        order.pk,
        0,
        order.status,
        order.total,
        order.refunded,
        order.paid_gmt,
        order.customer_id,
        order.delivered_at,
        order.delivered_estimated,
        order.counted,
        order.historic,
        order.ref,
        order.modified_gmt,
        order.content_hash,
        order.fetched_at,
        order.deleted_at,
    )


def _fill(
    row: Order,
    one: Read,
    order: Any,
    channel: Channel,
    customer_id: int | None,
    *,
    erased: bool,
    now: datetime,
    content_hash: str,
) -> None:
    row.contact, row.customer_id = channel.contact, customer_id
    for name in ("number", "status", "currency", "total", "tax", "shipping", "discount", "refunded", "country"):
        setattr(row, name, getattr(order, name))
    row.email = "" if erased else order.email
    row.billing_name = "" if erased else f"{order.first_name} {order.last_name}".strip()[:200]
    row.language, row.payment_title, row.shipping_method = one.language, order.payment_title, one.shipping_method
    row.created_via = "elsewhere"
    row.created_gmt, row.paid_gmt = order.created, order.paid
    row.completed_gmt = row.completed_gmt or (order.modified if order.status == "completed" else None)
    if one.delivered:
        row.delivered_at, row.delivered_estimated = one.delivered, False
    row.counted = is_counted(order)
    row.modified_gmt, row.fetched_at, row.content_hash = order.modified, now, content_hash


def _lines(row: Order, order: Any, products: dict[str, Product], *, new: bool) -> bool:
    """Write the lines; whether those of a known order are others than before."""
    had = (
        set()
        if new
        else set(OrderLine.objects.filter(order=row).values_list("woo_id", "sku", "name", "quantity", "total"))
    )
    has = {(line.woo_id, line.sku, line.name, line.quantity, line.total) for line in order.lines}
    if had == has:
        return False
    # Updated in place, because reviews and points of a line point at its row.
    OrderLine.objects.filter(order=row, woo_id__gt=len(order.lines)).delete()
    for line in order.lines:
        product = products.get(line.sku) if line.sku else None
        parent = product.parent if product is not None and product.parent_id else product
        OrderLine.objects.update_or_create(
            order=row,
            woo_id=line.woo_id,
            defaults={
                "product": parent,
                "product_woo_id": parent.woo_id if parent else 0,
                "variation_woo_id": product.woo_id if product and product is not parent else 0,
                "name": line.name,
                "sku": line.sku,
                "quantity": line.quantity,
                "subtotal": line.subtotal,
                "total": line.total,
                "image_url": product.image_url if product else "",
            },
        )
    return not new


def _refund(row: Order, order: Any, now: datetime) -> None:
    """One row holds the sum, because elsewhere tells no more."""
    if order.refunded:
        Refund.objects.update_or_create(
            store=row.store,
            order=row,
            woo_id=None,
            defaults={"amount": order.refunded, "lines": [], "deleted_at": None},
            create_defaults={"amount": order.refunded, "lines": [], "created_gmt": now},
        )
    elif row.pk:
        Refund.objects.filter(store=row.store, order=row, deleted_at=None).update(deleted_at=now)


def _deliver(row: Order, at: datetime) -> None:
    Shipment.objects.update_or_create(
        order=row,
        parcel=1,
        defaults={
            "store": row.store,
            "source": Shipment.Source.MERCHANT,
            "state": Shipment.State.DELIVERED,
            "delivered_at": at,
        },
    )


def _identities(store: Store, news: Iterable[Read]) -> dict[str, Any]:
    """Each order with the key of its person: the address, else that of the one customer with this phone number."""
    phones = {
        one.external_id: phone_identity(one.order.phone, one.order.country or store.country)
        for one in news
        if one.order.phone
    }
    ends = {phone[-PHONE_DIGITS:] for phone in phones.values()}
    owners: dict[str, list[Customer]] = {}
    for customer in Customer.objects.filter(store=store, phone_key__in=ends, erased_at=None).exclude(
        email_key__startswith="merged:"
    ):
        owners.setdefault(phone_identity(customer.phone, customer.country or store.country), []).append(customer)
    found = {}
    for one in news:
        order = one.order
        holders = owners.get(phones.get(one.external_id, ""), [])
        if order.email_key:
            _now_with_address(store, order, holders)
        else:
            # Of several people with one number it is not known who ordered: then the number stands for itself.
            key = holders[0].email_key if len(holders) == 1 else f"phone:{phones[one.external_id]}"
            order = replace(order, email_key=key)
        found[one.external_id] = order
    return found


def _now_with_address(store: Store, order: Any, holders: list[Customer]) -> None:
    """Who was known only by this number has an address from now on, unless the address is somebody's already."""
    only = [one for one in holders if one.email_key.startswith("phone:")]
    if only and not Customer.objects.filter(store=store, email_key=order.email_key).exists():
        only[0].email, only[0].email_key = order.email, order.email_key
        only[0].save(update_fields=["email", "email_key"])


def set_contact(channel: Channel, contact: str) -> int:
    """Change whom of a channel flows may write to, for its orders so far too; how many orders that were."""
    with transaction.atomic():
        channel.contact = contact
        channel.save(update_fields=["contact"])
        orders = Order.objects.filter(store=channel.store, channel=channel.name, woo_id__isnull=True)
        return orders.exclude(contact=contact).update(contact=contact)
