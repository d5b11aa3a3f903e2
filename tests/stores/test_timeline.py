from datetime import UTC, datetime, timedelta

import pytest

from stores import timeline
from stores.models import Customer, Order
from stores.sync.apply import apply
from tests.bodies import order
from tests.factories import make_store

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)


def test_an_order_tells_what_happened_to_it_in_few_queries(django_assert_max_num_queries):
    store = make_store()
    apply(store, "order", [order(meta={"_delivered_at": "2026-11-22T09:00:00Z"})], fetched_at=AT)
    changed = order(
        status="completed",
        refunds=[(7, "30.00")],
        meta={"_delivered_at": "2026-11-22T09:00:00Z"},
        date_modified_gmt="2026-11-20T10:30:00",
    )
    apply(store, "order", [changed], fetched_at=AT + timedelta(minutes=1))
    found = Order.objects.select_related("store").get()
    with django_assert_max_num_queries(2):
        items = sorted(timeline.order_timeline(found), key=lambda item: (item.at, item.title))
    assert [(item.at.strftime("%d %H:%M"), item.title) for item in items] == [
        ("20 10:00", "Order placed"),
        ("20 10:05", "Paid"),
        ("20 10:30", "30.00 lei refunded"),
        ("20 10:30", "Paid → Completed"),
        ("22 09:00", "Delivered"),
    ]


def test_a_customer_tells_orders_with_links(django_assert_max_num_queries):
    store = make_store()
    apply(store, "order", [order()], fetched_at=AT)
    ana = Customer.objects.select_related("store").get()
    with django_assert_max_num_queries(2):
        items = list(timeline.customer_timeline(ana))
    assert items[0].title == "Order 500 for 119.00 lei"
    assert items[0].url == f"/app/{store.slug}/orders/{Order.objects.get().pk}/"
