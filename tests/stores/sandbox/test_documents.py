import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from stores.sandbox import documents

PAYLOADS = Path(__file__).parents[2] / "payloads" / "woocommerce"
SITE = documents.Site(
    base_url="https://127.0.0.1:8443", zone=ZoneInfo("America/New_York"), currency="USD", prices_include_tax=False
)
NYC = (
    documents.TaxRate(id=1, code="US-NY-NY STATE TAX-1", label="NY State Tax", percent=Decimal(4)),
    documents.TaxRate(id=2, code="US-NY-NYC CITY TAX-2", label="NYC City Tax", percent=Decimal("4.875")),
)
CALIFORNIA = documents.TaxRate(id=3, code="US-CA-CA SALES TAX-1", label="CA Sales Tax", percent=Decimal("7.25"))


def recorded(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8"))["body"]


def gmt(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def shape(value: Any) -> Any:
    """Keys in their order and JSON types all the way down; numbers are one type, lists show their first entry."""
    if isinstance(value, dict):
        return [(key, shape(part)) for key, part in value.items()]
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return type(value).__name__
    return "number"


def address(body: dict[str, Any]) -> documents.Address:
    return documents.Address(**body)


def rebuilt_line(line: dict[str, Any], rates: tuple[documents.TaxRate, ...]) -> dict[str, Any]:
    return documents.line_item(
        site=SITE,
        id=line["id"],
        name=line["name"],
        product_id=line["product_id"],
        variation_id=line["variation_id"],
        quantity=line["quantity"],
        subtotal=Decimal(line["subtotal"]),
        total=Decimal(line["total"]),
        rates=rates,
        sku=line["sku"],
        parent_name=line["parent_name"],
        meta_data=[documents.item_meta(**entry) for entry in line["meta_data"]],
    )


def rebuilt_order(body: dict[str, Any], rates: tuple[documents.TaxRate, ...]) -> dict[str, Any]:
    return documents.order(
        site=SITE,
        id=body["id"],
        status=body["status"],
        order_key=body["order_key"],
        created=gmt(body["date_created_gmt"]),
        modified=gmt(body["date_modified_gmt"]),
        paid=gmt(body["date_paid_gmt"]),
        completed=gmt(body["date_completed_gmt"]) if body["date_completed_gmt"] else None,
        lines=[rebuilt_line(line, rates) for line in body["line_items"]],
        shipping_lines=[
            documents.shipping_line(
                site=SITE, id=line["id"], total=Decimal(line["total"]), rates=rates[: len(line["taxes"])]
            )
            for line in body["shipping_lines"]
        ],
        fee_lines=[
            documents.fee_line(site=SITE, id=line["id"], name=line["name"], total=Decimal(line["total"]), rates=rates)
            for line in body["fee_lines"]
        ],
        coupon_lines=[
            documents.coupon_line(
                site=SITE,
                id=line["id"],
                meta_id=line["meta_data"][0]["id"],
                coupon_id=json.loads(line["meta_data"][0]["value"])[0],
                code=line["code"],
                discount=Decimal(line["discount"]),
                discount_tax=Decimal(line["discount_tax"]),
                discount_type=line["discount_type"],
                amount=Decimal(line["nominal_amount"]),
            )
            for line in body["coupon_lines"]
        ],
        rates=rates,
        first_tax_line_id=body["tax_lines"][0]["id"] if body["tax_lines"] else 0,
        billing=address(body["billing"]),
        shipping=address(body["shipping"]),
        customer_id=body["customer_id"],
        payment_method=body["payment_method"],
        payment_method_title=body["payment_method_title"],
        transaction_id=body["transaction_id"],
        created_via=body["created_via"],
        refunds=[
            documents.order_refund(site=SITE, id=entry["id"], amount=-Decimal(entry["total"]), reason=entry["reason"])
            for entry in body["refunds"]
        ],
    )


@pytest.mark.parametrize(
    ("name", "rates"),
    [
        ("order_registered", (CALIFORNIA,)),
        ("order_refunded_partial", ()),
        ("order_fee", NYC),
    ],
)
def test_order_rebuilt_from_its_facts_is_the_recorded_body(name: str, rates: tuple[documents.TaxRate, ...]) -> None:
    body = recorded(name)
    built = rebuilt_order(body, rates)

    assert built == body
    assert list(built) == list(body)
    assert shape(built) == shape(body)


def test_guest_order_with_variations_has_the_recorded_shape_and_totals() -> None:
    body = recorded("order_guest")

    built = rebuilt_order(body, (CALIFORNIA,))

    assert shape(built) == shape(body)
    assert (built["total"], built["total_tax"], built["cart_tax"]) == ("132.72", "8.44", "8.44")
    assert "customer" not in built["_links"]


def test_percent_coupon_prints_its_type_and_trims_its_discount() -> None:
    recorded_line = recorded("order_storefront_with_coupon")["coupon_lines"][0]

    line = documents.coupon_line(
        site=SITE,
        id=8763,
        meta_id=68219,
        coupon_id=2846,
        code="CHK1795303391",
        discount=Decimal("1.90"),
        discount_tax=Decimal("0.17"),
        discount_type="percent",
        amount=Decimal(10),
    )

    assert line == recorded_line
    assert shape(line) == shape(recorded_line)


def test_partial_refund_is_the_recorded_body() -> None:
    (body,) = recorded("order_refunded_partial_refunds")
    sold = recorded("order_refunded_partial")["line_items"][0]

    built = documents.refund(
        site=SITE,
        id=2238,
        order_id=1736,
        created=gmt(body["date_created_gmt"]),
        amount=Decimal("52.65"),
        reason="One item returned",
        lines=[documents.refund_line(site=SITE, id=8657, meta_id=67432, line=sold, quantity=1)],
        meta_data=[documents.meta(id=6210, key="_refund_type", value="partial")],
    )

    assert built == body
    assert shape(built) == shape(body)


def test_refund_of_a_taxed_line_gives_its_tax_back() -> None:
    body = next(row for row in recorded("refunds_all") if row["id"] == 2218)
    sold = documents.line_item(
        site=SITE,
        id=3049,
        name="Kettle cosy - Sage",
        product_id=69,
        variation_id=154,
        quantity=2,
        subtotal=Decimal("54.92"),
        rates=[CALIFORNIA],
        sku="V-016-3",
        parent_name="Kettle cosy",
    )

    built = documents.refund(
        site=SITE,
        id=2218,
        order_id=907,
        created=gmt(body["date_created_gmt"]),
        amount=Decimal("29.45"),
        lines=[documents.refund_line(site=SITE, id=8636, meta_id=67264, line=sold, quantity=1)],
        rates=[CALIFORNIA],
        first_tax_line_id=8637,
    )

    assert built["line_items"] == body["line_items"]
    assert built["tax_lines"] == body["tax_lines"]


def test_line_without_product_and_line_with_picture_keep_the_types_of_ids() -> None:
    common: dict[str, Any] = {"site": SITE, "id": 1, "name": "Mug", "quantity": 1, "subtotal": Decimal(5)}

    assert documents.line_item(product_id=0, sku=None, **common)["image"]["id"] == 0
    assert documents.line_item(product_id=4, **common)["image"]["id"] == ""
    assert documents.line_item(product_id=4, image_id=9, **common)["image"]["id"] == "9"
    assert documents.line_item(product_id=4, variation_id=5, image_id=9, **common)["image"]["id"] == 9


def test_price_that_includes_tax_splits_into_parts_that_add_up() -> None:
    vat = documents.TaxRate(id=1, code="RO-VAT-1", label="TVA", percent=Decimal(21))
    site = documents.Site(base_url="http://shop.example", zone=ZoneInfo("Europe/Bucharest"), prices_include_tax=True)

    for cents in range(1, 5000):
        gross = Decimal(cents) / 100
        line = documents.line_item(
            site=site, id=1, name="x", product_id=1, quantity=1, subtotal=gross * 100 / 121, rates=[vat]
        )
        assert Decimal(line["total"]) + Decimal(line["total_tax"]) == gross


def test_simple_product_is_the_recorded_body() -> None:
    body = recorded("product_simple")

    built = documents.product(
        site=SITE,
        id=body["id"],
        name=body["name"],
        slug=body["slug"],
        created=gmt(body["date_created_gmt"]),
        modified=gmt(body["date_modified_gmt"]),
        sku=body["sku"],
        regular_price=Decimal("59"),
        description=body["description"],
        short_description=body["short_description"],
        virtual=True,
        categories=body["categories"],
        tags=body["tags"],
        upsell_ids=body["upsell_ids"],
        cross_sell_ids=body["cross_sell_ids"],
        related_ids=body["related_ids"],
        total_sales=38,
        average_rating=Decimal("4.5"),
        rating_count=2,
    )

    assert built == body | {"downloadable": False}
    assert shape(built) == shape(body)


def test_variable_product_and_its_variation_are_the_recorded_bodies() -> None:
    body, one = recorded("product_variable"), recorded("product_variation_one")

    built = documents.product(
        site=SITE,
        id=69,
        name="Kettle cosy",
        slug="kettle-cosy",
        kind="variable",
        created=gmt(body["date_created_gmt"]),
        modified=gmt(body["date_modified_gmt"]),
        sku="V-016",
        variation_prices=[Decimal("19"), Decimal("32.30")],
        description=body["description"],
        categories=body["categories"],
        attributes=[documents.attribute(id=3, name="Colour", slug="pa_colour", options=["Black", "Cream", "Sage"])],
        variations=[152, 153, 154],
        upsell_ids=[60],
        cross_sell_ids=[38],
        related_ids=body["related_ids"],
        total_sales=134,
    )
    variation = documents.variation(
        site=SITE,
        id=154,
        parent_id=69,
        parent_slug="kettle-cosy",
        created=gmt(one["date_created_gmt"]),
        modified=gmt(one["date_modified_gmt"]),
        sku="V-016-3",
        regular_price=Decimal("32.30"),
        attributes=[(3, "Colour", "pa_colour", "Sage")],
    )

    assert built == body
    assert shape(built) == shape(body)
    assert variation == one
    assert shape(variation) == shape(one)


def test_category_is_the_recorded_body() -> None:
    body = recorded("products_categories")[0]

    built = documents.category(site=SITE, id=40, name="Accessories", slug="accessories", count=15)

    assert built == body
    assert shape(built) == shape(body)


def test_customer_is_the_recorded_body() -> None:
    body = recorded("customer_one")

    built = documents.customer(
        site=SITE,
        id=4,
        email=body["email"],
        username="cust0",
        created=gmt(body["date_created_gmt"]),
        modified=gmt(body["date_modified_gmt"]),
        first_name="Zoë",
        last_name="Brown",
        billing=address(body["billing"]),
        is_paying_customer=True,
    )

    assert built == body
    assert shape(built) == shape(body)


def test_coupon_is_the_recorded_body() -> None:
    body = recorded("coupon_one")

    built = documents.coupon(
        site=SITE,
        id=2287,
        code="REC-Thanks10",
        amount=Decimal(10),
        discount_type="percent",
        created=gmt(body["date_created_gmt"]),
        modified=gmt(body["date_modified_gmt"]),
        expires=gmt(body["date_expires_gmt"]),
        individual_use=True,
        usage_limit=1,
        email_restrictions=["rec.one@example.com"],
        meta_data=[documents.meta(id=3915, key="_suite_flow", value="42")],
    )

    assert built == body
    assert shape(built) == shape(body)


def test_review_is_the_recorded_body() -> None:
    body = recorded("review_one")

    built = documents.review(
        site=SITE,
        id=7378,
        created=gmt(body["date_created_gmt"]),
        product_id=53,
        product_name=body["product_name"],
        product_slug="home-barista-course-online",
        reviewer="Rec One",
        reviewer_email="rec.one@example.com",
        text=body["review"].removeprefix("<p>").removesuffix("</p>\n"),
        rating=5,
    )

    assert built == body
    assert shape(built) == shape(body)


def test_names_are_escaped_as_the_store_prints_them() -> None:
    name = "Fish & <b>Chips</b>"
    day = gmt("2026-11-21T00:00:00")

    product = documents.product(site=SITE, id=1, name=name, slug="fish", created=day, modified=day)

    assert product["name"] == "Fish &amp; <b>Chips</b>"
    assert documents.category(site=SITE, id=1, name=name, slug="fish")["name"] == "Fish &amp; Chips"


def test_money_has_the_decimals_of_the_currency_and_no_sign_on_zero() -> None:
    yen = documents.Site(base_url="", zone=UTC, currency="JPY", decimals=0)

    assert documents.amount_text(Decimal("12.5"), site=yen) == "13"
    assert documents.amount_text(Decimal("-0.004"), site=SITE) == "0.00"
