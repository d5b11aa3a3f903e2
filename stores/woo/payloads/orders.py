"""Orders and refunds."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from stores.woo.payloads.values import (
    FORGOTTEN,
    Body,
    Unreadable,
    as_object,
    cost,
    email_key,
    gmt,
    linked_id,
    meta,
    money,
    name,
    rows,
    section,
    text,
    web_address,
    woo_id,
)

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class LinePayload:
    """A product line; amounts for the whole quantity, without tax. `product_id` 0 is a product the shop lost."""

    woo_id: int
    product_id: int
    variation_id: int
    name: str
    sku: str
    quantity: Decimal
    subtotal: Decimal
    total: Decimal
    tax: Decimal
    image_url: str
    cost: Decimal | None = None


@dataclass(frozen=True, slots=True)
class CouponLinePayload:
    """A coupon as it was used on the order; `discount` without tax."""

    code: str
    discount: Decimal


@dataclass(frozen=True, slots=True)
class FeePayload:
    """A fee, negative where a plugin gives a discount that way; without tax."""

    name: str
    total: Decimal


@dataclass(frozen=True, slots=True)
class ShippingPayload:
    """A shipping line; `total` without tax."""

    method_id: str
    title: str
    total: Decimal


@dataclass(frozen=True, slots=True)
class RefundSummary:
    """A refund as its order mentions it; `amount` is positive, with tax."""

    woo_id: int
    amount: Decimal
    reason: str


@dataclass(frozen=True, slots=True)
class OrderPayload:
    """An order as the shop holds it now. `total` is with tax and shipping, and not reduced by refunds.

    `forgotten`: the shop has erased the person, and says so in place of the address. `renewal`: a subscription made it.
    `email` is as typed and `email_key` its identity ("" for none); `notices` says what had to be cut.
    """

    woo_id: int
    number: str
    status: str
    currency: str
    total: Decimal
    tax: Decimal
    shipping: Decimal
    discount: Decimal
    customer_id: int
    email: str
    email_key: str
    first_name: str
    last_name: str
    phone: str
    country: str
    region: str
    city: str
    payment_method: str
    payment_title: str
    created_via: str
    created: datetime
    modified: datetime
    paid: datetime | None
    completed: datetime | None
    lines: tuple[LinePayload, ...]
    coupon_lines: tuple[CouponLinePayload, ...]
    fees: tuple[FeePayload, ...]
    shipping_lines: tuple[ShippingPayload, ...]
    refunds: tuple[RefundSummary, ...]
    fulfilments: tuple[Body, ...]
    needs_processing: bool
    meta: dict[str, Any]
    notices: tuple[str, ...]
    forgotten: bool = False
    renewal: bool = False

    @property
    def refunded(self) -> Decimal:
        """The sum of the refunds, positive, with tax."""
        return sum((refund.amount for refund in self.refunds), ZERO)


@dataclass(frozen=True, slots=True)
class RefundLinePayload:
    """What of a line went back: positive amounts, without tax; `line_id` is the order's line, 0 if it is not told."""

    line_id: int
    product_id: int
    quantity: Decimal
    total: Decimal


@dataclass(frozen=True, slots=True)
class RefundPayload:
    """A refund with its lines; `amount` is positive, with tax."""

    woo_id: int
    order_woo_id: int
    amount: Decimal
    reason: str
    created: datetime | None
    lines: tuple[RefundLinePayload, ...]


def parse_order(raw: object) -> OrderPayload:
    """Read an order; Unreadable without id, currency, creation time, or with money that is no money."""
    body = as_object(raw, "order")
    notices: list[str] = []
    number = woo_id(body.get("id"), "order")
    billing, delivery = section(body, "billing"), section(body, "shipping")
    modified = gmt(body.get("date_modified_gmt"))
    created = gmt(body.get("date_created_gmt")) or modified
    if created is None:
        raise Unreadable("The order has no creation time in GMT.")
    status = text(body.get("status"), 40)
    if not status:
        raise Unreadable("The order has no status.")
    currency = text(body.get("currency"), 3)
    if len(currency) != 3:
        raise Unreadable(f"The order's currency is not known ({body.get('currency')!r}).")
    key = email_key(billing.get("email"))
    fulfilments, marks = body.get("fulfillments"), meta(body)
    forgotten = text(billing.get("email"), 254).lower() == FORGOTTEN
    return OrderPayload(
        woo_id=number,
        number=text(body.get("number"), 60, notices, "number") or str(number),
        status=status.removeprefix("wc-"),
        currency=currency.upper(),
        total=money(body.get("total"), "total"),
        tax=money(body.get("total_tax", "0"), "total_tax"),
        shipping=money(body.get("shipping_total", "0"), "shipping_total"),
        discount=money(body.get("discount_total", "0"), "discount_total"),
        customer_id=linked_id(body.get("customer_id")),
        email=text(billing.get("email"), 254) if key else "",
        email_key=key,
        # In the place of each name stands "[deleted]", in the shop's language.
        first_name="" if forgotten else text(billing.get("first_name"), 120, notices, "first name"),
        last_name="" if forgotten else text(billing.get("last_name"), 120, notices, "last name"),
        phone="" if forgotten else text(billing.get("phone"), 40),
        country=_country(delivery.get("country")) or _country(billing.get("country")),
        region="" if forgotten else text(billing.get("state"), 60),
        city="" if forgotten else text(billing.get("city"), 120),
        payment_method=text(body.get("payment_method"), 60),
        payment_title=name(body.get("payment_method_title"), 200),
        created_via=text(body.get("created_via"), 40),
        created=created,
        modified=modified or created,
        paid=gmt(body.get("date_paid_gmt")),
        completed=gmt(body.get("date_completed_gmt")),
        lines=tuple([_line(row, notices) for row in rows(body, "line_items")]),
        coupon_lines=tuple(
            [
                CouponLinePayload(name(row.get("code"), 100).lower(), money(row.get("discount", "0"), "discount"))
                for row in rows(body, "coupon_lines")
                if row.get("code")
            ]
        ),
        fees=tuple(
            [FeePayload(name(row.get("name"), 200), money(row.get("total"), "fee")) for row in rows(body, "fee_lines")]
        ),
        shipping_lines=tuple(
            [
                ShippingPayload(
                    text(row.get("method_id"), 60),
                    name(row.get("method_title"), 200),
                    money(row.get("total"), "shipping"),
                )
                for row in rows(body, "shipping_lines")
            ]
        ),
        refunds=tuple(
            [
                RefundSummary(
                    woo_id(row.get("id"), "refund"),
                    _refund_amount(row.get("total")),
                    text(row.get("reason"), 2000),
                )
                for row in rows(body, "refunds")
            ]
        ),
        fulfilments=tuple(row for row in fulfilments if isinstance(row, dict)) if isinstance(fulfilments, list) else (),
        needs_processing=body.get("needs_processing") is not False,
        forgotten=forgotten,
        renewal=bool(linked_id(marks.get("_subscription_renewal"))),
        meta=marks,
        notices=tuple(notices),
    )


def _country(raw: object) -> str:
    code = text(raw, 8).upper()
    return code if len(code) == 2 and code.isalpha() else ""


def _refund_amount(raw: object) -> Decimal:
    # A refund made without an amount is printed as an empty text: the one place where that means nothing was paid.
    return ZERO if raw == "" else abs(money(raw, "refund"))


def _line(row: Body, notices: list[str]) -> LinePayload:
    image = row.get("image")
    return LinePayload(
        woo_id=woo_id(row.get("id"), "order line"),
        product_id=linked_id(row.get("product_id")),
        variation_id=linked_id(row.get("variation_id")),
        name=name(row.get("name"), 300, notices, "line name"),
        sku=text(row.get("sku"), 120),
        quantity=money(row.get("quantity"), "quantity"),
        subtotal=money(row.get("subtotal", row.get("total")), "line subtotal"),
        total=money(row.get("total"), "line total"),
        tax=money(row.get("total_tax") or "0", "line tax"),
        cost=cost(row),
        image_url=web_address(image.get("src")) if isinstance(image, dict) else "",
    )


def parse_refund(raw: object) -> RefundPayload:
    """Read a refund of the list of one order or of all. Its order is `parent_id`, or the address of its parent."""
    body = as_object(raw, "refund")
    number = woo_id(body.get("id"), "refund")
    order = linked_id(body.get("parent_id")) or linked_id(body.get("order_id")) or _parent(body)
    if not order:
        raise Unreadable("The refund does not say which order it belongs to.")
    return RefundPayload(
        woo_id=number,
        order_woo_id=order,
        amount=_refund_amount(body.get("amount")),
        reason=text(body.get("reason"), 2000),
        created=gmt(body.get("date_created_gmt")),
        lines=tuple(
            RefundLinePayload(
                line_id=linked_id(meta(row).get("_refunded_item_id")),
                product_id=linked_id(row.get("product_id")),
                quantity=abs(money(row.get("quantity"), "quantity")),
                total=abs(money(row.get("total"), "refunded line")),
            )
            for row in rows(body, "line_items")
        ),
    )


def _parent(body: Body) -> int:
    up = section(body, "_links").get("up")
    href = up[0].get("href") if isinstance(up, list) and up and isinstance(up[0], dict) else ""
    return linked_id(str(href).rstrip("/").rpartition("/")[2])
