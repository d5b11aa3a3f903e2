"""Orders and refunds with their lines; totals are worked out from the lines."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from html import escape
from typing import Any

from stores.sandbox.documents.values import (
    HUNDRED,
    ZERO,
    Address,
    Body,
    Site,
    TaxRate,
    amount_text,
    gmt_text,
    item_meta,
    links,
    local_text,
    plain_number,
)

EDITABLE = ("pending", "on-hold", "auto-draft")
UNPAID = ("pending", "failed")


def _taxes(net: Decimal, rates: Sequence[TaxRate], site: Site) -> tuple[list[str], str]:
    each = [amount_text(net * rate.percent / HUNDRED, site=site) for rate in rates]
    if len(each) == 1:
        return each, each[0]
    return each, amount_text(sum(map(Decimal, each), ZERO), site=site)


def line_item(
    *,
    site: Site,
    id: int,
    name: str,
    product_id: int,
    quantity: int,
    subtotal: Decimal,
    total: Decimal | None = None,
    rates: Sequence[TaxRate] = (),
    variation_id: int = 0,
    sku: str | None = "",
    parent_name: str | None = None,
    image_id: int | None = None,
    image_src: str = "",
    meta_data: Iterable[Body] = (),
) -> Body:
    """A line of products.

    `subtotal` is before and `total` after discounts, both for the whole quantity and without tax; they may carry more
    decimals than the currency, so that a price that includes tax splits into parts that add up. `parent_name` is the
    variable product's name, for a variation.
    """
    after = subtotal if total is None else total
    taxes_before, tax_before = _taxes(subtotal, rates, site)
    taxes_after, tax_after = (taxes_before, tax_before) if total is None else _taxes(after, rates, site)
    total_text = amount_text(after, site=site)
    # WooCommerce prints a picture's id as text for a product and as a number for a variation.
    no_picture: int | str = 0 if variation_id or product_id == 0 else ""
    picture: int | str = (
        no_picture if image_id is None else (image_id if variation_id or product_id == 0 else str(image_id))
    )
    return {
        "id": id,
        "name": name,
        "product_id": product_id,
        "variation_id": variation_id,
        "quantity": quantity,
        "tax_class": "",
        "subtotal": amount_text(subtotal, site=site),
        "subtotal_tax": tax_before,
        "total": total_text,
        "total_tax": tax_after,
        "taxes": [
            {"id": rate.id, "total": one_after, "subtotal": one_before}
            for rate, one_after, one_before in zip(rates, taxes_after, taxes_before, strict=True)
        ],
        "meta_data": list(meta_data),
        "sku": sku,
        "global_unique_id": "",
        "price": plain_number(Decimal(total_text) / quantity) if quantity else 0,
        "image": {"id": picture, "src": image_src},
        "parent_name": parent_name,
    }


def shipping_line(
    *,
    site: Site,
    id: int,
    total: Decimal,
    rates: Sequence[TaxRate] = (),
    method_title: str = "Flat rate",
    method_id: str = "flat_rate",
    instance_id: str = "",
    meta_data: Iterable[Body] = (),
) -> Body:
    """A shipping line; `total` is without tax."""
    each, tax = _taxes(total, rates, site)
    return {
        "id": id,
        "method_title": method_title,
        "method_id": method_id,
        "instance_id": instance_id,
        "total": amount_text(total, site=site),
        "total_tax": tax,
        "taxes": [{"id": rate.id, "total": one, "subtotal": ""} for rate, one in zip(rates, each, strict=True)],
        "tax_status": "taxable",
        "meta_data": list(meta_data),
    }


def fee_line(
    *,
    site: Site,
    id: int,
    name: str,
    total: Decimal,
    rates: Sequence[TaxRate] = (),
    meta_data: Iterable[Body] = (),
) -> Body:
    """A fee, or a discount of a plugin where `total` is negative; without tax."""
    each, tax = _taxes(total, rates, site)
    return {
        "id": id,
        "name": name,
        "tax_class": "",
        "tax_status": "taxable",
        "amount": "",
        "total": amount_text(total, site=site),
        "total_tax": tax,
        "taxes": [{"id": rate.id, "total": one, "subtotal": ""} for rate, one in zip(rates, each, strict=True)],
        "meta_data": list(meta_data),
    }


def coupon_line(
    *,
    site: Site,
    id: int,
    meta_id: int,
    coupon_id: int,
    code: str,
    discount: Decimal,
    discount_tax: Decimal,
    discount_type: str,
    amount: Decimal,
    free_shipping: bool = False,
) -> Body:
    """The use of a coupon: `amount` is the coupon's own, `discount` what it took off this order, without tax."""
    nominal = plain_number(amount)
    kind = "null" if discount_type == "fixed_cart" else f'"{discount_type}"'
    code = escape(code.lower(), quote=False)
    return {
        "id": id,
        "code": code,
        "discount": _trimmed(discount, site),
        "discount_tax": _trimmed(discount_tax, site),
        "meta_data": [item_meta(id=meta_id, key="coupon_info", value=f'[{coupon_id},"{code}",{kind},{nominal}]')],
        "discount_type": discount_type,
        "nominal_amount": nominal,
        "free_shipping": free_shipping,
    }


def _trimmed(amount: Decimal, site: Site) -> str:
    text = amount_text(amount, site=site)
    return text.rstrip("0").rstrip(".") if "." in text else text


def order_refund(*, site: Site, id: int, amount: Decimal, reason: str = "") -> Body:
    """A refund as its order mentions it; `amount` is positive, with tax."""
    return {
        "id": id,
        "reason": reason,
        "total": amount_text(-amount, site=site),
        "total_tax": amount_text(ZERO, site=site),
    }


@dataclass
class _Sums:
    subtotal: Decimal = ZERO
    subtotal_tax: Decimal = ZERO
    total: Decimal = ZERO
    tax: Decimal = ZERO

    def add(self, line: Mapping[str, Any]) -> None:
        total, tax = Decimal(line["total"]), Decimal(line["total_tax"])
        self.total += total
        self.tax += tax
        self.subtotal += Decimal(line["subtotal"]) if "subtotal" in line else total
        self.subtotal_tax += Decimal(line["subtotal_tax"]) if "subtotal_tax" in line else tax


def _sums(lines: Iterable[Mapping[str, Any]]) -> _Sums:
    sums = _Sums()
    for line in lines:
        sums.add(line)
    return sums


def _by_rate(lines: Iterable[Mapping[str, Any]], rate_id: int) -> Decimal:
    return sum((Decimal(tax["total"]) for line in lines for tax in line["taxes"] if tax["id"] == rate_id), ZERO)


def _tax_lines(
    taxed: Sequence[Body], shipping_lines: Sequence[Body], rates: Sequence[TaxRate], first_id: int, site: Site
) -> list[Body]:
    return [
        {
            "id": first_id + place,
            "rate_code": rate.code,
            "rate_id": rate.id,
            "label": rate.label,
            "compound": False,
            "tax_total": amount_text(_by_rate(taxed, rate.id), site=site),
            "shipping_tax_total": amount_text(_by_rate(shipping_lines, rate.id), site=site),
            "rate_percent": plain_number(rate.percent),
            "meta_data": [],
        }
        for place, rate in enumerate(rates)
    ]


def order(
    *,
    site: Site,
    id: int,
    status: str,
    order_key: str,
    created: datetime,
    modified: datetime,
    lines: Sequence[Body],
    shipping_lines: Sequence[Body] = (),
    fee_lines: Sequence[Body] = (),
    coupon_lines: Sequence[Body] = (),
    rates: Sequence[TaxRate] = (),
    first_tax_line_id: int = 0,
    billing: Address | None = None,
    shipping: Address | None = None,
    customer_id: int = 0,
    paid: datetime | None = None,
    completed: datetime | None = None,
    payment_method: str = "",
    payment_method_title: str = "",
    transaction_id: str = "",
    created_via: str = "checkout",
    customer_ip_address: str = "",
    customer_user_agent: str = "",
    customer_note: str = "",
    cart_hash: str = "",
    number: str | None = None,
    needs_processing: bool = True,
    meta_data: Iterable[Body] = (),
    refunds: Iterable[Body] = (),
    parent_id: int = 0,
) -> Body:
    """An order; `customer_id` 0 is a guest, `number` is the id where a plugin gives no other.

    One tax line per rate of `rates`, numbered from `first_tax_line_id`. The total is not reduced by refunds, as in
    WooCommerce. Without `shipping`, goods go to the billing address.
    """
    goods, posts, fees = _sums(lines), _sums(shipping_lines), _sums(fee_lines)
    cart_tax = goods.tax + fees.tax
    total_tax = cart_tax + posts.tax
    total = goods.total + fees.total + posts.total + total_tax
    home = billing or Address()
    target = shipping or home
    collection = f"{site.api}/orders"
    url = f"{collection}/{id}"
    relations: Body = links(url, collection=collection)
    relations["email_templates"] = [{"embeddable": True, "href": f"{url}/actions/email_templates"}]
    if customer_id:
        relations["customer"] = [{"href": f"{site.api}/customers/{customer_id}"}]
    return {
        "id": id,
        "parent_id": parent_id,
        "status": status,
        "currency": site.currency,
        "version": site.version,
        "prices_include_tax": site.prices_include_tax,
        "date_created": local_text(created, site=site),
        "date_modified": local_text(modified, site=site),
        "discount_total": amount_text(goods.subtotal - goods.total, site=site),
        "discount_tax": amount_text(goods.subtotal_tax - goods.tax, site=site),
        "shipping_total": amount_text(posts.total, site=site),
        "shipping_tax": amount_text(posts.tax, site=site),
        "cart_tax": amount_text(cart_tax, site=site),
        "total": amount_text(total, site=site),
        "total_tax": amount_text(total_tax, site=site),
        "customer_id": customer_id,
        "order_key": order_key,
        "billing": {**_address(home), "email": home.email, "phone": home.phone},
        "shipping": {**_address(target), "phone": shipping.phone if shipping else ""},
        "payment_method": payment_method,
        "payment_method_title": payment_method_title,
        "transaction_id": transaction_id,
        "customer_ip_address": customer_ip_address,
        "customer_user_agent": customer_user_agent,
        "created_via": created_via,
        "customer_note": customer_note,
        "date_completed": local_text(completed, site=site),
        "date_paid": local_text(paid, site=site),
        "cart_hash": cart_hash,
        "number": str(id) if number is None else number,
        "meta_data": list(meta_data),
        "line_items": list(lines),
        "tax_lines": _tax_lines([*lines, *fee_lines], shipping_lines, rates, first_tax_line_id, site),
        "shipping_lines": list(shipping_lines),
        "fee_lines": list(fee_lines),
        "coupon_lines": list(coupon_lines),
        "refunds": list(refunds),
        "payment_url": f"{site.base_url}/checkout/order-pay/{id}/?pay_for_order=true&key={order_key}",
        "is_editable": status in EDITABLE,
        "needs_payment": status in UNPAID and total > 0,
        "needs_processing": needs_processing,
        "date_created_gmt": gmt_text(created),
        "date_modified_gmt": gmt_text(modified),
        "date_completed_gmt": gmt_text(completed),
        "date_paid_gmt": gmt_text(paid),
        "currency_symbol": site.symbol,
        "_links": relations,
    }


def _address(address: Address) -> Body:
    return {
        "first_name": address.first_name,
        "last_name": address.last_name,
        "company": address.company,
        "address_1": address.address_1,
        "address_2": address.address_2,
        "city": address.city,
        "state": address.state,
        "postcode": address.postcode,
        "country": address.country,
    }


def refund_line(*, site: Site, id: int, meta_id: int, line: Body, quantity: int) -> Body:
    """The part of an order's `line` that goes back: `quantity` items at the price that was paid for them."""
    share = Decimal(quantity) / Decimal(line["quantity"])
    total = amount_text(-Decimal(line["total"]) * share, site=site)
    tax = amount_text(-Decimal(line["total_tax"]) * share, site=site)
    return {
        **line,
        "id": id,
        "quantity": -quantity,
        "subtotal": total,
        "subtotal_tax": tax,
        "total": total,
        "total_tax": tax,
        "taxes": [
            {"id": one["id"], "total": part, "subtotal": part}
            for one in line["taxes"]
            for part in [amount_text(-Decimal(one["total"]) * share, site=site)]
        ],
        "meta_data": [item_meta(id=meta_id, key="_refunded_item_id", value=str(line["id"]))],
    }


def refund(
    *,
    site: Site,
    id: int,
    order_id: int,
    created: datetime,
    amount: Decimal | None,
    reason: str = "",
    refunded_by: int = 1,
    refunded_payment: bool = False,
    lines: Sequence[Body] = (),
    shipping_lines: Sequence[Body] = (),
    fee_lines: Sequence[Body] = (),
    rates: Sequence[TaxRate] = (),
    first_tax_line_id: int = 0,
    meta_data: Iterable[Body] = (),
) -> Body:
    """A refund; `amount` is positive, with tax, and None prints the empty text of a refund made without an amount.

    One tax line per rate of `rates`, as in `order`.
    """
    parent = f"{site.api}/orders/{order_id}"
    return {
        "id": id,
        "date_created": local_text(created, site=site),
        "date_created_gmt": gmt_text(created),
        "amount": "" if amount is None else amount_text(amount, site=site),
        "reason": reason,
        "refunded_by": refunded_by,
        "refunded_payment": refunded_payment,
        "meta_data": list(meta_data),
        "line_items": list(lines),
        "shipping_lines": list(shipping_lines),
        "tax_lines": _tax_lines([*lines, *fee_lines], shipping_lines, rates, first_tax_line_id, site),
        "fee_lines": list(fee_lines),
        "_links": links(f"{parent}/refunds/{id}", collection=f"{parent}/refunds", read_only=True, up=parent),
    }
