"""The ways from a mail back into the shop."""

from decimal import Decimal
from typing import Any

import pytest

from campaigns import shopping
from stores.models import Coupon, Order, OrderLine, Product, Store
from tests.factories import NOON, make_customer, make_order, make_product, make_store

pytestmark = pytest.mark.django_db


def shop(**fields: Any) -> Store:
    return make_store(
        **({"base_url": "https://lut.example.com/shop/", "capabilities": {"woo_version": "10.4.1"}} | fields)
    )


def lines(order: Order) -> list[OrderLine]:
    return list(order.lines.select_related("product").order_by("pk"))


def test_the_basket_of_an_order_again_with_its_coupon() -> None:
    store = shop()
    mug, bowl = (make_product(store, name=name, stock_status="instock") for name in ("Mug", "Bowl"))
    order = make_order(store, items=[(mug, 2), (bowl, 1)])
    address = f"https://lut.example.com/shop/checkout-link/?products={mug.woo_id}:2,{bowl.woo_id}:1"
    assert shopping.reorder_url(store, lines(order)) == address
    coupon = Coupon(store=store, code="ANA & 7", amount=Decimal(5))
    assert shopping.reorder_url(store, lines(order), coupon) == f"{address}&coupon=ANA+%26+7"


@pytest.mark.parametrize(
    "gone",
    [
        {"stock_status": "outofstock"},
        {"kind": "variable"},
        {"status": "private"},
        {"deleted_at": NOON},
        {"trashed_at": NOON},
    ],
)
def test_what_cannot_go_into_the_basket_is_left_out(gone: dict[str, Any]) -> None:
    store = shop()
    mug, bowl = (make_product(store, name=name, stock_status="instock") for name in ("Mug", "Bowl"))
    order = make_order(store, items=[(mug, 1), (bowl, 1)])
    Product.objects.filter(pk=mug.pk).update(**gone)
    assert str(shopping.reorder_url(store, lines(order))).endswith(f"?products={bowl.woo_id}:1")
    Product.objects.filter(pk=bowl.pk).update(**gone)
    assert shopping.reorder_url(store, lines(order)) is None


@pytest.mark.parametrize("version", ["9.9.5", "", "unknown"])
def test_a_shop_without_checkout_links_gets_none(version: str) -> None:
    store = shop(capabilities={"woo_version": version})
    order = make_order(store, items=[(make_product(store, stock_status="instock"), 1)])
    assert shopping.reorder_url(store, lines(order)) is None


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ({"needs_payment": True, "payment_url": "https://lut.example.com/pay/1/"}, "https://lut.example.com/pay/1/"),
        ({"needs_payment": False, "payment_url": "https://lut.example.com/pay/1/"}, None),
        ({"needs_payment": True, "payment_url": "https://evil.example.com/pay/1/"}, None),
        ({"needs_payment": True, "payment_url": "javascript:alert(1)"}, None),
        ({}, None),
    ],
)
def test_the_pay_link_is_the_shops_own_for_an_order_that_needs_it(raw: dict[str, Any], found: str | None) -> None:
    store = shop()
    order = make_order(store, paid_gmt=None)
    order.raw = raw
    assert shopping.pay_url(store, order) == found
    order.paid_gmt = NOON
    assert shopping.pay_url(store, order) is None


def test_reasons_are_told_in_the_language_of_the_mail() -> None:
    from django.utils import translation

    store = shop()
    mug, bowl = (make_product(store, name=name, price=Decimal(9), stock_status="instock") for name in ("Cană", "Bol"))
    Product.objects.filter(pk=mug.pk).update(cross_sell_ids=[bowl.woo_id])
    customer = make_customer(store)
    order = make_order(store, customer, items=[(mug, 1)])
    with translation.override("ro"):
        (item,) = shopping.picks(store, customer, order)["items"]
    assert item["why"] == "Merge bine cu Cană"
