from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from stores.woo.payloads import (
    Unreadable,
    parse_category,
    parse_coupon,
    parse_customer,
    parse_order,
    parse_product,
    parse_refund,
    parse_review,
    parse_variation,
    storable,
)
from tests.bodies import order, recorded


def test_an_order_is_read_as_the_shop_printed_it():
    found = parse_order(recorded("order_storefront_with_coupon"))
    assert (found.woo_id, found.number, found.status, found.currency) == (2847, "2847", "processing", "USD")
    assert (found.total, found.tax, found.shipping, found.discount) == (
        Decimal("26.83"),
        Decimal("1.83"),
        Decimal("7.90"),
        Decimal("1.90"),
    )
    assert (found.email, found.email_key) == ("Guest.Real@example.com", "guest.real@example.com")
    assert found.created == datetime(2026, 11, 21, 23, 23, 12, tzinfo=UTC)
    assert (found.paid, found.customer_id, found.country) == (None, 0, "US")
    assert [(line.name, line.product_id, line.quantity, line.total) for line in found.lines] == [
        ("Genmaicha", 20, Decimal(2), Decimal("17.10"))
    ]
    assert [(line.code, line.discount) for line in found.coupon_lines] == [("chk1795303391", Decimal("1.9"))]
    assert [(line.method_id, line.title) for line in found.shipping_lines] == [("flat_rate", "Flat rate")]


ORDERS = [
    "order_cancelled",
    "order_coupon",
    "order_failed",
    "order_fee",
    "order_guest",
    "order_multi_tax",
    "order_no_shipping",
    "order_on_hold",
    "order_pending",
    "order_processing",
    "order_refunded_full",
    "order_refunded_partial",
    "order_registered",
    "order_storefront_checkout",
    "order_trashed_get",
    "order_variation_lines",
    "order_with_missing_product",
    "order_with_note",
    "text_order_special",
]


@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.parametrize("generation", ["11.0", "8.6"])
def test_every_recorded_order_is_read_whole(name, generation):
    body = recorded(name)
    if generation == "8.6":
        # The older store answered the same keys, but for this one in its lines.
        body["line_items"] = [{k: v for k, v in row.items() if k != "global_unique_id"} for row in body["line_items"]]
    found = parse_order(body)
    assert (found.woo_id, found.status, str(found.total)) == (body["id"], body["status"], body["total"])
    assert len(found.lines) == len(body["line_items"])
    assert found.refunded == sum((-Decimal(refund["total"]) for refund in body["refunds"]), Decimal(0))
    assert found.notices == ()


@pytest.mark.parametrize("name", ["orders_list_p1", "orders_list_p2", "orders_list_p3"])
def test_every_order_of_a_recorded_page_is_read(name):
    page = recorded(name)
    assert [parse_order(body).woo_id for body in page] == [body["id"] for body in page]


def test_a_line_of_a_lost_product_is_kept_without_one():
    line = parse_order(recorded("order_with_missing_product")).lines[0]
    assert (line.name, line.product_id, line.sku, line.total) == ("Ghost", 0, "", Decimal("5.00"))


def test_names_of_people_are_kept_as_typed_and_names_of_goods_decoded_once():
    assert parse_order(recorded("text_order_special")).first_name == "A & <b>B</b>"
    assert parse_product(recorded("text_product_special")).name == 'Fish & <b>Chips</b> "x" 🎁 – Zoë'
    assert parse_category(recorded("text_category_special")).name == "Tea & Cakes"
    assert parse_product({"id": 1, "name": "A &amp;amp; B"}).name == "A &amp; B"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Ana\x00 Pop", "Ana Pop"),
        ("Ana\ud83c", "Ana"),
        ("\u202eevil", "evil"),
        ("Ann\u00e9 🎁", "Ann\u00e9 🎁"),
        (None, ""),
        (["x"], ""),
        (7, "7"),
    ],
)
def test_a_name_loses_only_what_cannot_stand_in_a_page(typed, kept):
    body = order()
    body["billing"]["first_name"] = typed
    assert parse_order(body).first_name == kept


def test_an_overlong_name_is_cut_and_noted():
    body = order()
    body["billing"]["last_name"] = "x" * 500
    found = parse_order(body)
    assert (found.last_name, found.notices) == ("x" * 120, ("last name was longer than 120 characters and was cut",))


@pytest.mark.parametrize("total", ["", None, "1,50", "NaN", "Infinity", "abc", True, [], "1e99"])
def test_money_that_is_no_money_is_never_taken_as_zero(total):
    with pytest.raises(Unreadable, match="total is no amount of money"):
        parse_order(order(total=total))


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"id": None}, "has no id"),
        ({"id": -4}, "has no id"),
        ({"id": "abc"}, "has no id"),
        ({"id": 2**63}, "has no id"),
        ({"status": None}, "has no status"),
        ({"currency": ""}, "currency is not known"),
        ({"date_created_gmt": None, "date_modified_gmt": "0000-00-00T00:00:00"}, "no creation time"),
        ({"line_items": "none"}, "line_items is no list"),
        ({"line_items": [7]}, "line_items is no list"),
        ({"billing": "none"}, "billing has a shape"),
        ({"refunds": [{"id": 1, "total": None}]}, "refund is no amount"),
    ],
)
def test_a_body_that_would_need_guessing_is_refused(fields: dict[str, Any], reason):
    with pytest.raises(Unreadable, match=reason):
        parse_order(order() | fields)


@pytest.mark.parametrize("body", [None, [], "text", 7, {}])
def test_what_is_no_object_is_refused_by_every_reader(body):
    for parse in (
        parse_order,
        parse_product,
        parse_variation,
        parse_category,
        parse_customer,
        parse_coupon,
        parse_review,
        parse_refund,
    ):
        with pytest.raises(Unreadable):
            parse(body)


@pytest.mark.parametrize(
    ("email", "key"),
    [("", ""), (None, ""), ("no-address", ""), ("@example.com", ""), (" Ana@Example.COM ", "ana@example.com")],
)
def test_an_order_without_a_usable_address_is_still_an_order(email, key):
    body = order()
    body["billing"]["email"] = email
    assert parse_order(body).email_key == key


@pytest.mark.parametrize(("currency", "total"), [("JPY", "1500"), ("KWD", "12.345"), ("IDR", "150000.00")])
def test_amounts_keep_the_decimals_of_their_currency(currency, total):
    found = parse_order(order(currency=currency, total=total))
    assert (found.currency, str(found.total)) == (currency, total)


def test_a_float_price_and_a_negative_fee_do_no_harm():
    body = order(fee_lines=[{"id": 1, "name": "Gift", "total": "-3.00"}])
    body["line_items"][0]["price"] = 3.3333333
    found = parse_order(body)
    assert [(fee.name, fee.total) for fee in found.fees] == [("Gift", Decimal("-3.00"))]


def test_statuses_nobody_knows_are_kept():
    assert parse_order(order(status="wc-awaiting-shipment")).status == "awaiting-shipment"


def test_a_refund_is_positive_and_knows_its_lines():
    found = parse_refund(recorded("order_refunded_partial_refunds")[0])
    assert (found.woo_id, found.order_woo_id, found.amount) == (2238, 1736, Decimal("52.65"))
    assert [(line.line_id, line.product_id, line.quantity, line.total) for line in found.lines] == [
        (6643, 64, Decimal(1), Decimal("52.65"))
    ]
    assert {parse_refund(body).order_woo_id for body in recorded("refunds_all")} == {
        body["parent_id"] for body in recorded("refunds_all")
    }


def test_a_product_and_its_variation_are_read():
    simple = parse_product(recorded("product_simple"))
    assert (simple.woo_id, simple.price, simple.stock_quantity, simple.virtual) == (53, Decimal("59.00"), None, True)
    assert (simple.average_rating, simple.rating_count, simple.category_ids) == (Decimal("4.50"), 2, (43,))
    assert parse_product(recorded("product_variable")).kind == "variable"
    one = parse_variation(recorded("product_variation_one"))
    assert (one.woo_id, one.parent_woo_id, one.name, one.price) == (154, 69, "Sage", Decimal("32.30"))
    assert parse_variation(recorded("product_by_variation_id")).name == "Kettle cosy - Sage"


def test_a_price_that_is_not_set_is_none_and_one_that_is_nonsense_refused():
    assert parse_product({"id": 1, "name": "x", "price": ""}).price is None
    with pytest.raises(Unreadable):
        parse_product({"id": 1, "name": "x", "price": "free"})


def test_an_address_that_is_no_web_address_is_not_taken():
    assert parse_product({"id": 1, "name": "x", "permalink": "javascript:alert(1)"}).permalink == ""


def test_an_account_is_read_with_the_names_it_was_given():
    found = parse_customer(recorded("customer_one"))
    assert (found.woo_id, found.email_key, found.first_name, found.country) == (4, "zo.brown0@example.net", "Zoë", "US")
    assert parse_customer(recorded("text_customer_special")).first_name == "A & B"
    with pytest.raises(Unreadable, match="no usable e-mail"):
        parse_customer(recorded("customer_one") | {"email": ""})


def test_a_coupon_is_read_with_its_last_day_in_the_shops_zone():
    found = parse_coupon(recorded("coupon_one"))
    assert (found.code, found.kind, found.amount, found.usage_limit) == ("rec-thanks10", "percent", Decimal(10), 1)
    assert (found.expires_on, found.emails, found.minimum) == (date(2026, 12, 31), ("rec.one@example.com",), None)


def test_the_text_of_a_review_is_plain():
    found = parse_review(recorded("review_one"))
    assert (found.rating, found.product_id, found.status) == (5, 53, "approved")
    assert found.text == "Great beans & fast. alert(1)"
    assert parse_review(recorded("review_one") | {"rating": 6}).rating == 0


def test_what_is_stored_has_no_links_no_nul_and_no_lone_surrogate():
    assert (
        storable({"b": "x\x00y\ud83c", "a": {"k\x00": ["\ude00z"]}, "_links": {}}) == '{"a": {"k": ["z"]}, "b": "xy"}'
    )
    assert storable({"a": "🎁"}) == '{"a":"🎁"}'


def test_an_enormous_value_is_cut_in_what_is_stored():
    written = storable(order(meta={"huge": "x" * 10_000_000}))
    assert len(written) < 30_000
    assert "… [cut]" in written
