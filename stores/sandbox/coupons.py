"""WooCommerce's coupon rules: who may use one, on what, for how much, and how uses are counted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_DOWN, Decimal
from fnmatch import fnmatchcase
from html import escape
from typing import Any

from .documents import Body
from .store import Store

# Orders in these states hold their coupon's use; in those it is given back.
HOLDING = ("pending", "processing", "on-hold", "completed")
RELEASING = ("cancelled", "failed", "trash")


class CouponRefused(Exception):
    """The coupon does not apply; the message is WooCommerce's, escaped."""


@dataclass
class CartLine:
    """A line while a cart is priced; `total` shrinks as coupons are applied. Money without tax, whole quantity."""

    product_id: int
    variation_id: int
    quantity: int
    subtotal: Decimal
    total: Decimal
    categories: frozenset[int] = frozenset()
    on_sale: bool = False


def stored_code(code: str) -> str:
    """A code as WooCommerce keeps it: no tags, lower case, escaped."""
    return escape(re.sub(r"<[^>]*>", "", code).strip(), quote=False).lower()


def find(store: Store, code: str) -> Body | None:
    """The live coupon of a code, in any letter case."""
    found = store.storage.bodies(
        "kind = 'coupon' AND code = ? AND status = 'publish'", (stored_code(code),), order="id DESC", limit=1
    )
    return found[0] if found else None


def _eligible(coupon: Body, line: CartLine) -> bool:
    ids = {line.product_id, line.variation_id} - {0}
    if coupon["product_ids"] and not ids & set(coupon["product_ids"]):
        return False
    if coupon["product_categories"] and not line.categories & set(coupon["product_categories"]):
        return False
    if ids & set(coupon["excluded_product_ids"]) or line.categories & set(coupon["excluded_product_categories"]):
        return False
    return not (coupon["exclude_sale_items"] and line.on_sale)


def check(store: Store, code: str, lines: list[CartLine], *, email: str, customer_id: int, others: list[str]) -> Body:
    """The coupon, if this cart and person may use it now. Raises CouponRefused."""
    coupon = find(store, code)
    name = f"&quot;{stored_code(code)}&quot;"
    if coupon is None:
        raise CouponRefused(f"Coupon {name} cannot be applied because it does not exist.")
    if coupon["usage_limit"] and coupon["usage_count"] >= coupon["usage_limit"]:
        raise CouponRefused(f"Usage limit for coupon {name} has been reached.")
    person = {str(customer_id) if customer_id else "", email.lower()} - {""}
    account = store.storage.get("customer", customer_id) if customer_id else None
    if account:
        person.add(account["email"].lower())
    limit = coupon["usage_limit_per_user"]
    if limit and sum(str(one).lower() in person for one in coupon["used_by"]) >= limit:
        raise CouponRefused(f"Usage limit for coupon {name} has been reached.")
    if coupon["date_expires_gmt"] and store.clock.gmt() > coupon["date_expires_gmt"]:
        raise CouponRefused(f"Coupon {name} has expired.")
    spent = sum((line.subtotal for line in lines), Decimal())
    least, most = Decimal(coupon["minimum_amount"]), Decimal(coupon["maximum_amount"])
    if least and spent < least:
        raise CouponRefused(f"The minimum spend for coupon {name} is {least}.")
    if most and spent > most:
        raise CouponRefused(f"The maximum spend for coupon {name} is {most}.")
    if not any(_eligible(coupon, line) for line in lines):
        raise CouponRefused(f"Sorry, coupon {name} is not applicable to selected products.")
    rules = [rule.lower() for rule in coupon["email_restrictions"]]
    if rules and not any(fnmatchcase(one, rule) for one in person for rule in rules):
        raise CouponRefused(f"Please enter a valid email at checkout to use coupon code {name}.")
    for other in others:
        if other == coupon["code"]:
            raise CouponRefused(f"Coupon code {name} already applied!")
        standing = find(store, other)
        if coupon["individual_use"] or (standing and standing["individual_use"]):
            blocking = f"&quot;{other}&quot;" if standing and standing["individual_use"] else name
            raise CouponRefused(
                f"Sorry, coupon {blocking} has already been applied and cannot be used in conjunction with other"
                " coupons."
            )
    return coupon


def apply(store: Store, coupon: Body, lines: list[CartLine]) -> Decimal:
    """Takes the coupon off the lines' totals; returns what it took in all."""
    quantum = store.site.quantum
    amount = Decimal(coupon["amount"])
    chosen = [line for line in lines if _eligible(coupon, line)]
    left = coupon["limit_usage_to_x_items"]
    taken = Decimal()
    if coupon["discount_type"] == "fixed_cart":
        base = sum((line.total for line in chosen), Decimal())
        rest = min(amount, base)
        parts = [(line.total / base * rest).quantize(quantum, ROUND_DOWN) if base else Decimal() for line in chosen]
        cents = rest - sum(parts, Decimal())
        for place, line in enumerate(chosen):
            extra = min(cents, line.total - parts[place])
            cents -= extra
            line.total -= parts[place] + extra
            taken += parts[place] + extra
        return taken
    for line in chosen:
        quantity = line.quantity if not left else min(line.quantity, left)
        if coupon["limit_usage_to_x_items"]:
            if not left:
                break
            left -= quantity
        if coupon["discount_type"] == "percent":
            share = line.total * quantity / line.quantity
            off = (share * amount / 100).quantize(quantum, ROUND_HALF_DOWN)
        else:
            off = amount * quantity
        off = min(off, line.total)
        line.total -= off
        taken += off
    return taken


def count_uses(store: Store, order: Body) -> None:
    """Counts or gives back the uses of the order's coupons, by the order's state; harmless when repeated."""
    if not order["coupon_lines"]:
        return
    counted = bool(store.storage.flags("order", order["id"]).get("coupons_counted"))
    wanted = order["status"] in HOLDING if not counted else order["status"] not in RELEASING
    if wanted == counted:
        return
    user = str(order["customer_id"]) if order["customer_id"] else order["billing"]["email"].lower()
    for line in order["coupon_lines"]:
        coupon = find(store, line["code"])
        if coupon is not None:
            _change_use(coupon, user, add=wanted)
            # Being used does not move the coupon's date_modified and sends no webhook.
            store.save("coupon", coupon, touch=False)
    store.storage.set_flags("order", order["id"], coupons_counted=wanted)


def _change_use(coupon: dict[str, Any], user: str, *, add: bool) -> None:
    if add:
        coupon["usage_count"] += 1
        coupon["used_by"].append(user)
        return
    coupon["usage_count"] = max(0, coupon["usage_count"] - 1)
    if user in coupon["used_by"]:
        coupon["used_by"].remove(user)
