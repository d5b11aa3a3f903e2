"""Turning a basket into an order document: lines from the catalogue, coupons, shipping, totals."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from . import coupons, documents
from .documents import Address, Body
from .store import Store


@dataclass(frozen=True)
class Item:
    """One wanted line. Money, where given, overrides the catalogue's price; for the whole quantity, without tax."""

    product_id: int = 0
    variation_id: int = 0
    quantity: int = 1
    name: str = ""
    subtotal: Decimal | None = None
    total: Decimal | None = None
    meta_data: Sequence[Body] = field(default_factory=tuple)


def decimal(value: Any) -> Decimal | None:
    """A number of a request, or None when it is none."""
    if value in (None, "") or isinstance(value, bool):
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def address(given: Any, base: Address | None = None) -> Address:
    """A billing or shipping address from a request, over what was there."""
    present = vars(base or Address())
    known = {name: str(value) for name, value in given.items() if name in present} if isinstance(given, dict) else {}
    return Address(**{**present, **known})


def catalogue_entry(store: Store, item: Item) -> tuple[Body | None, Body | None]:
    """(product, variation) of an item; a variation's id may also stand in `product_id`, as WooCommerce accepts."""
    variation = store.storage.get("variation", item.variation_id or item.product_id)
    product = store.storage.get("product", variation["parent_id"] if variation else item.product_id)
    return product, variation


def _line(store: Store, item: Item, divisor: Decimal) -> tuple[Body, coupons.CartLine]:
    """The line's words, and its money as the cart counts it: as the shop shows prices, with tax where they hold it."""
    product, variation = catalogue_entry(store, item)
    priced = variation or product
    price = decimal(priced["price"]) if priced else None
    given = item.subtotal if item.subtotal is not None else item.total
    subtotal = (price or Decimal()) * item.quantity if given is None else given * divisor
    subtotal = subtotal.quantize(store.site.quantum)
    name = item.name or (product["name"] if product else "")
    meta = [
        documents.item_meta(id=store.meta_id(), key=str(m.get("key")), value=m.get("value", "")) for m in item.meta_data
    ]
    if variation:
        name = item.name or f"{name} - {variation['name']}"
        for one in variation["attributes"]:
            value = one["option"].lower().replace(" ", "-")
            meta.append(
                documents.item_meta(
                    id=store.meta_id(),
                    key=one["slug"],
                    value=value,
                    display_key=one["name"],
                    display_value=one["option"],
                )
            )
    cart = coupons.CartLine(
        product_id=product["id"] if product else 0,
        variation_id=variation["id"] if variation else 0,
        quantity=item.quantity,
        subtotal=subtotal,
        total=subtotal if item.total is None else (item.total * divisor).quantize(store.site.quantum),
        categories=frozenset(c["id"] for c in product["categories"]) if product else frozenset(),
        on_sale=bool(priced and priced["on_sale"]),
    )
    picture = (product["images"] or [None])[0] if product else None
    details: Body = {
        "name": name,
        "sku": priced["sku"] if priced else None,
        "parent_name": product["name"] if product and variation else None,
        "image_id": picture["id"] if picture else None,
        "image_src": picture["src"] if picture else "",
        "meta_data": meta,
    }
    return details, cart


def build(
    store: Store,
    *,
    items: Iterable[Item],
    billing: Address,
    shipping: Address | None = None,
    customer_id: int = 0,
    coupon_codes: Sequence[str] = (),
    shipping_lines: Sequence[Body] = (),
    fee_lines: Sequence[Body] = (),
    status: str = "pending",
    payment_method: str = "",
    payment_method_title: str = "",
    created_via: str = "rest-api",
    customer_note: str = "",
    transaction_id: str = "",
    meta_data: Sequence[Body] = (),
    reserve_id: int | None = None,
) -> Body:
    """The order document, not stored yet. Money of shipping and fees is without tax. Raises CouponRefused."""
    rates = store.rates(billing.country)
    divisor = 1 + sum((rate.percent for rate in rates), Decimal()) / 100
    pairs = [_line(store, item, divisor) for item in items]
    carts = [cart for _, cart in pairs]
    used: list[tuple[Body, Decimal]] = []
    for code in coupon_codes:
        others = [coupon["code"] for coupon, _ in used]
        coupon = coupons.check(store, code, carts, email=billing.email, customer_id=customer_id, others=others)
        used.append((coupon, coupons.apply(store, coupon, carts)))
    id = reserve_id or store.new_id("order")
    lines = [
        documents.line_item(
            site=store.site,
            id=store.item_id(),
            product_id=cart.product_id,
            variation_id=cart.variation_id,
            quantity=cart.quantity,
            subtotal=cart.subtotal / divisor,
            total=None if cart.total == cart.subtotal else cart.total / divisor,
            rates=rates,
            **details,
        )
        for details, cart in pairs
    ]
    frees = any(coupon["free_shipping"] for coupon, _ in used)
    for line in lines:
        if not line["product_id"]:
            line["global_unique_id"] = None
    posts = [
        documents.shipping_line(
            site=store.site,
            id=store.item_id(),
            total=Decimal() if frees else decimal(line.get("total")) or Decimal(),
            rates=() if frees else rates,
            method_title=str(line.get("method_title") or "Flat rate"),
            method_id=str(line.get("method_id") or "flat_rate"),
        )
        for line in shipping_lines
    ]
    fees = [
        documents.fee_line(
            site=store.site,
            id=store.item_id(),
            name=str(line.get("name") or "Fee"),
            total=decimal(line.get("total")) or Decimal(),
            rates=rates,
        )
        for line in fee_lines
    ]
    now = store.now
    return documents.order(
        site=store.site,
        id=id,
        status=status,
        order_key=f"wc_order_{secrets.token_hex(7)[:13]}",
        created=now,
        modified=now,
        lines=lines,
        shipping_lines=posts,
        fee_lines=fees,
        rates=rates,
        first_tax_line_id=store.item_id() if rates else 0,
        coupon_lines=[
            documents.coupon_line(
                site=store.site,
                id=store.item_id(),
                meta_id=store.meta_id(),
                coupon_id=coupon["id"],
                code=coupon["code"],
                discount=taken / divisor,
                discount_tax=taken - taken / divisor,
                discount_type=coupon["discount_type"],
                amount=Decimal(coupon["amount"]),
                free_shipping=coupon["free_shipping"],
            )
            for coupon, taken in used
        ],
        billing=billing,
        shipping=shipping or Address(),
        customer_id=customer_id,
        payment_method=payment_method,
        payment_method_title=payment_method_title,
        created_via=created_via,
        customer_note=customer_note,
        transaction_id=transaction_id,
        meta_data=store.merge_meta([], list(meta_data)),
    )
