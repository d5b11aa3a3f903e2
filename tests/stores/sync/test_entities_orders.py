"""Orders as shops have them: every status, refunds of all kinds, fees, lost goods, currencies, renewals, changed zones."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from stores.models import Event, Order, OrderLine, Refund, Shipment
from stores.sync.apply import ApplyResult, apply, mark_missing
from tests.bodies import order, refund
from tests.factories import make_store

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)


def put(store, *bodies, minutes=0):
    return apply(store, "order", bodies, fetched_at=AT + timedelta(minutes=minutes))


def names(store):
    return sorted(Event.objects.filter(store=store).values_list("name", flat=True))


@pytest.mark.parametrize(
    ("status", "kept", "counted"),
    [
        ("pending", "pending", True),
        ("on-hold", "on-hold", True),
        ("processing", "processing", True),
        ("completed", "completed", True),
        ("wc-packed-by-us", "packed-by-us", True),
        ("cancelled", "cancelled", False),
        ("failed", "failed", False),
        ("refunded", "refunded", False),
        ("trash", "trash", False),
        ("checkout-draft", "checkout-draft", False),
        ("auto-draft", "auto-draft", False),
    ],
)
def test_every_status_is_mirrored_and_counts_only_as_a_purchase(status, kept, counted):
    store = make_store()
    assert put(store, order(status=status)) == ApplyResult(1, 0, 0)
    found = Order.objects.get()
    assert (found.status, found.counted, found.trashed_at is not None) == (kept, counted, status == "trash")


@pytest.mark.parametrize("status", ["checkout-draft", "auto-draft"])
def test_a_draft_makes_no_customer_no_fact_and_no_sum(status):
    store = make_store()
    put(store, order(status=status, date_paid_gmt=None))
    assert (store.customers.count(), names(store), Order.objects.get().customer) == (0, [], None)


def test_fees_count_in_the_total_and_negative_ones_take_off():
    store = make_store()
    fees = [{"id": 1, "name": "Gift wrap", "total": "5.00"}, {"id": 2, "name": "Loyal", "total": "-15.00"}]
    assert put(store, order(total="109.00", fee_lines=fees)).quarantined == 0
    assert Order.objects.get().net == Decimal("90.00")


def test_lines_of_goods_that_were_deleted_keep_what_was_bought():
    store = make_store()
    put(store, order(lines=[(0, 2, "40.00"), (999, 1, "60.00")]))
    assert [(line.product, line.product_woo_id, line.total) for line in OrderLine.objects.order_by("woo_id")] == [
        (None, 0, Decimal(40)),
        (None, 999, Decimal(60)),
    ]


def test_a_refund_of_an_amount_alone_lowers_the_net_and_no_line():
    store = make_store()
    put(store, order(refunds=((7, "19.00"),)))
    apply(store, "refund", [refund(7, 500, "19.00", [])], fetched_at=AT)
    found = Order.objects.get()
    assert (found.net, found.counted, Refund.objects.get().lines) == (Decimal("81.00"), True, [])
    assert found.lines.get().refunded_total == 0


def test_a_refund_with_lines_is_summed_on_them_and_its_deletion_undoes_it():
    store = make_store()
    put(store, order(refunds=((7, "50.00"),)))
    apply(store, "refund", [refund(7, 500, "50.00", [(5000, 1, "50.00")])], fetched_at=AT)
    assert OrderLine.objects.get().refunded_total == Decimal(50)
    put(store, order(date_modified_gmt="2026-11-20T10:06:00"), minutes=1)
    assert (OrderLine.objects.get().refunded_total, Order.objects.get().net) == (0, Decimal(100))
    assert names(store).count("refund.created") == names(store).count("refund.deleted") == 1


def test_a_refund_that_is_made_again_after_its_deletion_is_taken_again():
    store = make_store()
    for minute, refunds in enumerate((((7, "10.00"),), (), ((7, "10.00"),))):
        put(store, order(refunds=refunds, date_modified_gmt=f"2026-11-20T10:0{minute + 5}:00"), minutes=minute)
    assert (Refund.objects.get().deleted_at, Order.objects.get().net) == (None, Decimal(90))


@pytest.mark.parametrize(
    ("currency", "total", "tax", "net"),
    [("JPY", "11900", "1900", "8100"), ("KWD", "119.125", "0.125", "100.000"), ("USD", "119.99", "0.99", "100.00")],
)
def test_amounts_are_exact_in_the_decimals_of_any_currency(currency, total, tax, net):
    store = make_store(currency=currency)
    shipping = "1900" if currency == "JPY" else "19.00"
    put(store, order(currency=currency, total=total, total_tax=tax, shipping_total=shipping))
    found = Order.objects.get()
    assert (found.total, found.net, found.customer.spent) == (Decimal(total), Decimal(net), Decimal(net))


@pytest.mark.parametrize("including", [True, False])
def test_the_net_is_the_same_whether_prices_hold_the_tax_or_not(including):
    store = make_store()
    put(
        store,
        order(prices_include_tax=including, total="142.80", total_tax="22.80", shipping_total="20.00"),
    )
    assert Order.objects.get().net == Decimal("100.00")


def test_a_shop_that_changes_its_zone_moves_no_moment_and_tells_nothing():
    store = make_store()
    put(store, order(date_created="2026-11-20T12:00:00", date_modified="2026-11-20T12:05:00"))
    facts, created = names(store), Order.objects.get().created_gmt
    put(store, order(date_created="2026-11-20T05:00:00", date_modified="2026-11-20T05:05:00"), minutes=1)
    assert (names(store), Order.objects.get().created_gmt) == (facts, created)


@pytest.mark.parametrize(("value", "renewal"), [("77", True), (77, True), ("", False), (None, False)])
def test_a_renewal_of_a_subscription_is_recognised(value, renewal):
    store = make_store()
    put(store, order(meta={"_subscription_renewal": value} if value is not None else None))
    assert Order.objects.get().renewal is renewal


def test_the_cost_of_the_goods_is_kept_where_the_shop_tells_it():
    store = make_store()
    body = order(lines=[(20, 2, "100.00"), (21, 1, "10.00")])
    body["line_items"][0]["cost_of_goods_sold"] = {"value": 41.5}
    body["line_items"][1]["cost_of_goods_sold"] = {"value": "unknown"}
    assert put(store, body).quarantined == 0
    assert [line.cost for line in OrderLine.objects.order_by("woo_id")] == [Decimal("41.5"), None]


def test_an_order_goes_through_trash_and_deletion_and_comes_back_as_it_was():
    store = make_store()
    put(store, order())
    put(store, order(status="trash", date_modified_gmt="2026-11-20T10:06:00"), minutes=1)
    assert (Order.objects.get().counted, Order.objects.get().customer.orders_count) == (False, 0)
    put(store, order(date_modified_gmt="2026-11-20T10:07:00"), minutes=2)
    assert (Order.objects.get().counted, Order.objects.get().customer.orders_count) == (True, 1)
    mark_missing(store, "order", 500)
    assert (Order.objects.get().counted, Order.objects.get().customer.orders_count) == (False, 0)


TRACKING = {"_wc_shipment_tracking_items": [{"tracking_provider": "DHL", "tracking_number": "T1", "date_shipped": ""}]}


def test_tracking_is_taken_from_the_shop_first_then_from_plugins_then_from_the_status():
    store = make_store()
    parcel = {
        "id": 3,
        "entity_id": "500",
        "status": "fulfilled",
        "is_fulfilled": True,
        "meta_data": [{"id": 1, "key": "_tracking_number", "value": "CORE1"}],
    }
    put(store, order(1, status="completed", meta=TRACKING, fulfillments=[parcel]))
    put(store, order(2, status="completed", meta=TRACKING))
    put(store, order(3, status="completed", shipping_lines=order()["shipping_lines"]))
    told = {one.order.woo_id: one.number for one in Shipment.objects.select_related("order")}
    assert (told.get(1), told.get(2)) == ("CORE1", "T1")
    assert told.get(3, "") == ""
