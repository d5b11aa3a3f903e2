"""Bodies of WooCommerce's REST answers (wc/v3, WooCommerce 11.0.1), as pure functions.

Every builder returns a new dict with the keys, key order and JSON types that a running store gives. Money comes in as
Decimal in units of the store's currency and goes out as text with the currency's decimals; dates come in aware and go
out twice, in the store's zone and in GMT, both naive, as WooCommerce prints them.
"""

from stores.sandbox.documents.goods import attribute, category, image, price_html, product, variation
from stores.sandbox.documents.orders import (
    coupon_line,
    fee_line,
    line_item,
    order,
    order_refund,
    refund,
    refund_line,
    shipping_line,
)
from stores.sandbox.documents.people import coupon, customer, review
from stores.sandbox.documents.values import (
    Address,
    Body,
    Site,
    TaxRate,
    amount_text,
    gmt_text,
    item_meta,
    local_text,
    meta,
)

__all__ = [
    "Address",
    "Body",
    "Site",
    "TaxRate",
    "amount_text",
    "attribute",
    "category",
    "coupon",
    "coupon_line",
    "customer",
    "fee_line",
    "gmt_text",
    "image",
    "item_meta",
    "line_item",
    "local_text",
    "meta",
    "order",
    "order_refund",
    "price_html",
    "product",
    "refund",
    "refund_line",
    "review",
    "shipping_line",
    "variation",
]
