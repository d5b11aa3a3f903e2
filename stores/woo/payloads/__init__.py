"""WooCommerce's JSON as frozen dataclasses. Pure: no database, no network, no clock.

`parse_<entity>(body)` raises Unreadable where taking the body would mean guessing (no id, money that is none, a shape
that is not known). All else is read tolerantly: unknown statuses are kept, missing lists are empty, names are decoded
from HTML exactly once, times are taken from the `*_gmt` fields alone.
"""

from stores.woo.payloads.catalog import (
    CategoryPayload,
    ProductPayload,
    VariationPayload,
    parse_category,
    parse_product,
    parse_variation,
)
from stores.woo.payloads.orders import (
    CouponLinePayload,
    FeePayload,
    LinePayload,
    OrderPayload,
    RefundLinePayload,
    RefundPayload,
    RefundSummary,
    ShippingPayload,
    parse_order,
    parse_refund,
)
from stores.woo.payloads.people import (
    CouponPayload,
    CustomerPayload,
    ReviewPayload,
    parse_coupon,
    parse_customer,
    parse_review,
)
from stores.woo.payloads.values import Unreadable, email_key, storable, web_address

__all__ = [
    "CategoryPayload",
    "CouponLinePayload",
    "CouponPayload",
    "CustomerPayload",
    "FeePayload",
    "LinePayload",
    "OrderPayload",
    "ProductPayload",
    "RefundLinePayload",
    "RefundPayload",
    "RefundSummary",
    "ReviewPayload",
    "ShippingPayload",
    "Unreadable",
    "VariationPayload",
    "email_key",
    "parse_category",
    "parse_coupon",
    "parse_customer",
    "parse_order",
    "parse_product",
    "parse_refund",
    "parse_review",
    "parse_variation",
    "storable",
    "web_address",
]
