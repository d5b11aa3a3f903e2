"""Goods as shops have them: variations, prices, stock, costs, categories, and what belongs with what."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from stores.models import Product
from stores.sync.apply import ApplyResult, apply, mark_missing
from tests.bodies import product, recorded
from tests.factories import make_store

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)


def test_prices_stock_cost_and_neighbours_are_mirrored():
    store = make_store()
    body = product(
        20,
        price="80",
        regular_price="100",
        sale_price="80",
        stock_quantity=7,
        stock_status="instock",
        upsell_ids=[21],
        cross_sell_ids=[22, 23],
        related_ids=[24],
        categories=[{"id": 5, "name": "Tea", "slug": "tea"}],
        cost_of_goods_sold={"values": [{"defined_value": 33.3333, "effective_value": 33.3333}], "total_value": 33.3333},
    )
    assert apply(store, "product", [body], fetched_at=AT) == ApplyResult(1, 0, 0)
    found = Product.objects.get()
    assert (found.price, found.regular_price, found.cost) == (Decimal(80), Decimal(100), Decimal("33.3333"))
    assert (found.stock_status, found.stock_quantity) == ("instock", 7)
    assert (found.upsell_ids, found.cross_sell_ids, found.related_ids) == ([21], [22, 23], [24])
    assert found.category_ids == [5]


@pytest.mark.parametrize("told", [None, {}, [], {"total_value": None}, {"total_value": "secret"}])
def test_a_shop_without_costs_has_none(told):
    store = make_store()
    assert apply(store, "product", [product(20, cost_of_goods_sold=told)], fetched_at=AT).quarantined == 0
    assert Product.objects.get().cost is None


def test_a_variation_has_its_own_price_stock_and_cost_and_its_parents_categories():
    store = make_store()
    parent = recorded("product_variable")
    child = recorded("product_variation_one")
    child |= {"parent_id": parent["id"], "stock_quantity": 3, "cost_of_goods_sold": {"total_value": "4.20"}}
    apply(store, "product", [parent], fetched_at=AT)
    apply(store, "variation", [child], fetched_at=AT)
    found = Product.objects.get(woo_id=child["id"])
    assert found.parent == Product.objects.get(woo_id=parent["id"])
    assert (found.price, found.stock_quantity, found.cost) == (Decimal(child["price"]), 3, Decimal("4.2"))
    assert found.category_ids == found.parent.category_ids


def test_a_deleted_product_stays_with_its_end_and_comes_back_when_it_answers():
    store = make_store()
    apply(store, "product", [product(20)], fetched_at=AT)
    mark_missing(store, "product", 20)
    found = Product.objects.get()
    assert found.deleted_at is not None
    apply(store, "product", [product(20)], fetched_at=found.deleted_at.replace(year=2030))
    found.refresh_from_db()
    assert found.deleted_at is None
