"""What may suit a person: in stock, not owned, with its reason, and with few queries."""

from decimal import Decimal

import pytest

from stores.insights import recommend
from stores.models import Customer, Product, Store
from tests.factories import NOON, make_customer, make_order, make_product, make_store

pytestmark = pytest.mark.django_db


def shelf(store: Store, *names: str) -> list[Product]:
    return [make_product(store, name=name, price=Decimal(10), stock_status="instock") for name in names]


def named(store: Store, customer: Customer, **more: object) -> list[tuple[str, str, str]]:
    return [(one.product.name, one.source, one.because) for one in recommend.picks(store, customer, **more)]  # type: ignore[arg-type]


def test_the_shops_own_links_come_first_then_what_is_bought_together_then_the_related() -> None:
    store = make_store()
    mug, cross, up, together, related = shelf(store, "Mug", "Saucer", "Big mug", "Tea", "Cup")
    Product.objects.filter(pk=mug.pk).update(
        cross_sell_ids=[cross.woo_id], upsell_ids=[up.woo_id], related_ids=[related.woo_id]
    )
    for n in range(2):
        make_order(store, make_customer(store, email=f"o{n}@example.com"), items=[(mug, 1), (together, 1)])
    customer = make_customer(store, email="ana@example.com")
    order = make_order(store, customer, items=[(mug, 1)])
    assert named(store, customer, order=order, limit=9) == [
        ("Saucer", "cross_sell", "Mug"),
        ("Big mug", "upsell", "Mug"),
        ("Tea", "together", "Mug"),
        ("Cup", "related", "Mug"),
    ]
    assert len(recommend.picks(store, customer, order)) == 3


def test_one_buyer_is_no_pattern() -> None:
    store = make_store()
    mug, tea = shelf(store, "Mug", "Tea")
    other = make_customer(store, email="o@example.com")
    for _ in range(3):
        make_order(store, other, items=[(mug, 1), (tea, 1)])
    customer = make_customer(store, email="ana@example.com")
    assert named(store, customer, order=make_order(store, customer, items=[(mug, 1)])) == []


@pytest.mark.parametrize(
    "gone",
    [
        {"stock_status": "outofstock"},
        {"status": "draft"},
        {"trashed_at": NOON},
        {"deleted_at": NOON},
        {"price": None},
    ],
)
def test_what_cannot_be_bought_is_not_picked(gone: dict[str, object]) -> None:
    store = make_store()
    mug, saucer = shelf(store, "Mug", "Saucer")
    Product.objects.filter(pk=mug.pk).update(cross_sell_ids=[saucer.woo_id])
    customer = make_customer(store)
    order = make_order(store, customer, items=[(mug, 1)])
    assert len(named(store, customer, order=order)) == 1
    Product.objects.filter(pk=saucer.pk).update(**gone)
    assert named(store, customer, order=order) == []


def test_what_the_person_has_is_not_picked_and_other_stores_stay_out() -> None:
    store, other = make_store(slug="one"), make_store(slug="two")
    mug, saucer = shelf(store, "Mug", "Saucer")
    Product.objects.filter(pk=mug.pk).update(cross_sell_ids=[saucer.woo_id, 777])
    make_product(other, woo_id=777, name="Foreign", price=Decimal(1), stock_status="instock")
    customer = make_customer(store)
    make_order(store, customer, items=[(saucer, 1)])
    assert named(store, customer, order=make_order(store, customer, items=[(mug, 1)])) == []


def test_without_an_order_the_last_counted_one_is_meant() -> None:
    store = make_store()
    mug, saucer = shelf(store, "Mug", "Saucer")
    Product.objects.filter(pk=mug.pk).update(cross_sell_ids=[saucer.woo_id])
    customer = make_customer(store)
    assert named(store, customer) == []
    make_order(store, customer, items=[(mug, 1)], counted=True)
    assert named(store, customer) == [("Saucer", "cross_sell", "Mug")]


def test_the_number_of_queries_does_not_grow(django_assert_max_num_queries: object) -> None:
    store = make_store()
    goods = shelf(store, *[f"Ware {n}" for n in range(12)])
    for product in goods:
        Product.objects.filter(pk=product.pk).update(cross_sell_ids=[one.woo_id for one in goods])
    customer = make_customer(store)
    order = make_order(store, customer, items=[(product, 1) for product in goods[:6]])
    with django_assert_max_num_queries(5):  # type: ignore[operator]
        assert len(recommend.picks(store, customer, order)) == 3
