"""What shoppers and the merchant do at the till and in the back office: order, pay, ship, complete, cancel, refund."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from . import checkout, orders
from .clock import ISO
from .documents import Address, Body
from .history import CARRIERS, PAYMENTS, SHIPPING
from .rest import customers
from .store import Store

DELIVERED_KEY = "_delivered_at"
OPT_IN_KEY = "_marketing_opt_in"
LANGUAGE_KEY = "wpml_language"


class NotFound(LookupError):
    """No such order, product or account; the message names it."""


def moment(value: str | datetime | None, *, default: datetime) -> datetime:
    """An aware moment from ISO text (naive is UTC). ValueError when it is none."""
    if value is None or value == "":
        return default
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _order(store: Store, id: int) -> Body:
    body = store.storage.get("order", id)
    if body is None:
        raise NotFound(f"There is no order {id}.")
    return body


def _items(store: Store, given: Sequence[Mapping[str, Any]] | None) -> list[checkout.Item]:
    if not given:
        rows = store.storage.bodies(
            "kind = 'product' AND status = 'publish' AND json_extract(body, '$.type') = 'simple'", order="id", limit=1
        )
        if not rows:
            raise NotFound("The store has no simple product to order.")
        return [checkout.Item(product_id=rows[0]["id"])]
    found = []
    for row in given:
        id, variation_id = int(row.get("product_id") or 0), int(row.get("variation_id") or 0)
        if row.get("sku"):
            clause = "kind IN ('product', 'variation') AND code = ?"
            rows = store.storage.bodies(clause, (str(row["sku"]).lower(),), limit=1)
            id = rows[0]["id"] if rows else 0
        item = checkout.Item(product_id=id, variation_id=variation_id, quantity=int(row.get("quantity") or 1))
        if checkout.catalogue_entry(store, item)[0] is None:
            raise NotFound(f"There is no product {row.get('sku') or id}.")
        found.append(item)
    return found


def place_order(
    store: Store,
    *,
    items: Sequence[Mapping[str, Any]] | None = None,
    email: str = "shopper@example.com",
    coupon: str | Sequence[str] | None = None,
    customer_id: int = 0,
    account: bool = False,
    billing: Mapping[str, Any] | None = None,
    shipping: Mapping[str, Any] | None = None,
    payment_method: str = "stripe",
    paid: bool = True,
    status: str | None = None,
    shipping_total: str | Decimal | None = None,
    note: str = "",
    opt_in: bool = False,
    language: str = "",
    meta: Mapping[str, Any] | None = None,
) -> Body:
    """An order through the checkout.

    `items` are {product_id | sku, variation_id, quantity}; without them one simple product. `account` finds or makes
    the account of `email`; otherwise `customer_id` 0 is a guest. `paid` leads to processing, else pending; `status`
    overrides.
    `shipping_total` is what the shopper pays for shipping, by default the store's table. Raises CouponRefused with
    WooCommerce's words, NotFound for an unknown product.
    """
    wanted = _items(store, items)
    home = checkout.address({"country": "RO", "first_name": "Ana", "last_name": "Pop", **(billing or {})})
    home = checkout.address({"email": email}, home)
    if account and not customer_id:
        rows = store.storage.select("kind = 'customer' AND email = ?", (email.lower(),), limit=1)
        names = {"first_name": home.first_name, "last_name": home.last_name}
        customer_id = (
            rows[0][0] if rows else customers.register(store, {"email": email, **names, "billing": asdict(home)})["id"]
        )
    elif customer_id and store.storage.text("customer", customer_id) is None:
        raise NotFound(f"There is no customer {customer_id}.")
    facts = dict(meta or {})
    if opt_in:
        facts[OPT_IN_KEY] = "yes"
    if language:
        facts[LANGUAGE_KEY] = language
    if status is None:
        status = "processing" if paid else "pending"
    body = checkout.build(
        store,
        items=wanted,
        billing=home,
        shipping=checkout.address(shipping, home) if shipping else home,
        customer_id=customer_id,
        coupon_codes=[coupon] if isinstance(coupon, str) else list(coupon or ()),
        shipping_lines=_shipping(store, home, shipping_total, wanted),
        status=status,
        payment_method=payment_method,
        payment_method_title=PAYMENTS.get(payment_method, payment_method.title()),
        created_via="store-api",
        customer_note=note,
        meta_data=[{"key": key, "value": value} for key, value in facts.items()],
    )
    return orders.place(store, body, storefront=True)


def _shipping(store: Store, home: Address, given: str | Decimal | None, items: Sequence[checkout.Item]) -> list[Body]:
    """The shipping line, without tax: what was given, else the store's price for the country."""
    divisor = 1 + sum((rate.percent for rate in store.rates(home.country)), Decimal()) / 100
    if given is not None:
        return [{"method_title": "Courier", "total": Decimal(given) / divisor}]
    if not store.site.prices_include_tax or home.country not in SHIPPING:
        return []
    price, free_from = SHIPPING[home.country]
    worth = Decimal()
    for item in items:
        product, variation = checkout.catalogue_entry(store, item)
        worth += Decimal((variation or product or {}).get("price") or 0) * item.quantity
    if worth >= free_from:
        return [{"method_id": "free_shipping", "method_title": "Free shipping", "total": "0"}]
    return [{"method_title": "Courier", "total": Decimal(price) / divisor}]


def register(store: Store, *, email: str, role: str = "customer", **given: Any) -> Body:
    """An account made outside the API. Of people who are no customers, only the making is told. Raises RestError."""
    return customers.register(store, {"email": email, **given}, role=role)


def pay(store: Store, id: int, *, transaction_id: str = "") -> Body:
    """The money has come: the order is in processing, with a date paid."""
    body = _order(store, id)
    if not body["date_paid"]:
        store.stamp(body, "date_paid")
    body["transaction_id"] = transaction_id or body["transaction_id"] or f"ch_{id}"
    orders.set_status(store, body, "processing")
    return orders.save(store, body)


def ship(
    store: Store,
    id: int,
    *,
    carrier: str = "",
    number: str = "",
    link: str = "",
    shipped_at: str | datetime | None = None,
    delivered: bool | str | datetime | None = None,
    complete: bool = True,
) -> Body:
    """A parcel leaves: tracking meta is written and, by default, the order completed, as shops do.

    `delivered` is the moment of delivery, or True for now; it may come in a later call, which then adds no parcel.
    """
    body = _order(store, id)
    has_parcel = any(entry["key"] == "_wc_shipment_tracking_items" for entry in body["meta_data"])
    if not (has_parcel and delivered and not number):
        country = body["shipping"]["country"] or body["billing"]["country"]
        carrier = carrier or CARRIERS.get(country, ("Courier",))[0]
        number = number or f"{country or 'XX'}{id:011d}"
        orders.tracking(
            store,
            body,
            provider=carrier,
            number=number,
            link=link or f"https://track.example.com/{number}",
            shipped=moment(shipped_at, default=store.now),
        )
    if delivered:
        when = store.now if delivered is True else moment(delivered, default=store.now)
        orders.set_meta(store, body, DELIVERED_KEY, when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    if complete:
        orders.set_status(store, body, "completed")
    return orders.save(store, body)


def deliver(store: Store, id: int, *, at: str | datetime | None = None) -> Body:
    """The carrier says that the parcel arrived."""
    body = _order(store, id)
    when = moment(at, default=store.now).astimezone(UTC)
    orders.set_meta(store, body, DELIVERED_KEY, when.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return orders.save(store, body)


def move(store: Store, id: int, status: str) -> Body:
    """Changes the order's state: complete, cancel and the rest."""
    body = _order(store, id)
    orders.set_status(store, body, status)
    return orders.save(store, body)


def trash(store: Store, id: int) -> Body:
    """The merchant throws the order away."""
    orders.trash(store, _order(store, id))
    return _order(store, id)


def untrash(store: Store, id: int) -> Body:
    """The merchant takes it out of the trash again, which, unlike a write over the API, is told."""
    body = _order(store, id)
    status = next((one["value"] for one in body["meta_data"] if one["key"] == "_wp_trash_meta_status"), "wc-pending")
    store.unmark_trashed(body)
    body["status"] = str(status).removeprefix("wc-")
    orders.save(store, body, news=False)
    store.emit("order.restored", id)
    return body


def refund(
    store: Store,
    id: int,
    *,
    amount: str | Decimal | None = None,
    reason: str = "",
    items: Sequence[Mapping[str, Any]] | None = None,
) -> Body:
    """Refunds the amount, or all that is left. ValueError when it is more. Returns the refund."""
    body = _order(store, id)
    left = Decimal(body["total"]) - orders.refunded(body)
    wanted = left if amount is None else Decimal(amount)
    return orders.refund(store, body, amount=wanted, reason=reason, items=[dict(one) for one in items or ()])


def live_step(store: Store, chance: random.Random) -> Body:
    """A minute of a busy shop: somebody orders, the oldest waiting parcel leaves, the oldest parcel arrives.

    Returns the new order.
    """
    body = random_order(store, chance)
    since = (store.now - timedelta(days=30)).strftime(ISO)
    rows = "kind = 'order' AND status = ? AND created > ? AND created < ?"
    yesterday = (store.now - timedelta(days=1)).strftime(ISO)
    for waiting in store.storage.bodies(rows, ("processing", since, yesterday), order="created", limit=1):
        ship(store, waiting["id"])
    earlier = (store.now - timedelta(days=3)).strftime(ISO)
    on_the_way = f"{rows} AND body LIKE '%_wc_shipment_tracking_items%' AND body NOT LIKE '%{DELIVERED_KEY}%'"
    for arriving in store.storage.bodies(on_the_way, ("completed", since, earlier), order="created", limit=1):
        deliver(store, arriving["id"])
    return body


def random_order(store: Store, chance: random.Random) -> Body:
    """One order of the trickle: somebody known, a product or two."""
    picks = store.storage.bodies(
        "kind = 'product' AND status = 'publish' AND json_extract(body, '$.type') = 'simple'", order="id"
    )
    last = store.storage.execute("SELECT max(id) FROM objects WHERE kind = 'customer'").fetchone()[0] or 0
    people = store.storage.bodies("kind = 'customer' AND id >= ?", (chance.randint(0, last),), limit=1)
    account = people[0] if people else None
    items = [
        {"product_id": one["id"], "quantity": chance.choice((1, 1, 1, 2))}
        for one in chance.sample(picks, k=min(len(picks), chance.choice((1, 1, 2, 3))))
    ]
    home = account["billing"] if account else {"country": "RO"}
    return place_order(
        store,
        items=items,
        email=account["email"] if account else "shopper@example.com",
        customer_id=account["id"] if account else 0,
        billing=home,
        opt_in=chance.random() < 0.4,
    )
