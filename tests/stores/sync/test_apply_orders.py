from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from stores import events
from stores.models import Coupon, Customer, Event, Order, OrderLine, Quarantined, Refund, SyncTask
from stores.sync.apply import ApplyResult, apply, mark_missing
from tests.bodies import order, product, refund
from tests.factories import make_product, make_store

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 20, 11, 0, tzinfo=UTC)


def put(store, *bodies, minutes=0, historic=False):
    return apply(store, "order", bodies, fetched_at=AT + timedelta(minutes=minutes), historic=historic)


def names(store, **where):
    return sorted(Event.objects.filter(store=store, **where).values_list("name", flat=True))


def rows(store):
    return (
        list(Order.objects.filter(store=store).order_by("pk").values()),
        list(OrderLine.objects.filter(order__store=store).order_by("pk").values()),
        list(Customer.objects.filter(store=store).order_by("pk").values()),
        Event.objects.filter(store=store).count(),
    )


def test_a_new_order_becomes_a_row_with_its_customer_its_lines_and_its_facts():
    store = make_store()
    mug = make_product(store, woo_id=20, image_url="https://shop.example.com/mug.jpg")
    assert put(store, order(meta={"wpml_language": "ro"})) == ApplyResult(1, 0, 0)
    found = Order.objects.get(store=store)
    assert (found.number, found.total, found.net, found.counted, found.historic) == (
        "500",
        Decimal("119.00"),
        Decimal("100.00"),
        True,
        False,
    )
    assert (found.billing_name, found.email, found.language, found.country) == (
        "Ana Pop",
        "ana@example.com",
        "ro",
        "RO",
    )
    assert found.created_gmt == datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
    assert "_links" not in found.raw
    line = found.lines.get()
    assert (line.product, line.quantity, line.total, line.image_url) == (
        mug,
        1,
        100,
        "https://shop.example.com/mug.jpg",
    )
    ana = found.customer
    assert (ana.email_key, ana.orders_count, ana.spent, ana.first_order_at) == (
        "ana@example.com",
        1,
        Decimal(100),
        found.created_gmt,
    )
    assert names(store) == ["customer.created", "order.paid", "order.placed"]
    assert not Event.objects.filter(historic=True).exists()


def test_the_same_body_again_changes_nothing():
    store = make_store()
    put(store, order())
    before = rows(store)
    assert put(store, order(), minutes=5) == ApplyResult(0, 1, 0)
    assert rows(store) == before


def test_our_own_echo_has_no_effect():
    store = make_store()
    put(store, order())
    before = rows(store)
    assert put(store, order(date_modified_gmt="2026-11-20T10:30:00"), minutes=5) == ApplyResult(0, 1, 0)
    assert rows(store) == before


def test_an_older_body_after_a_newer_one_changes_nothing():
    store = make_store()
    put(store, order(status="completed", date_modified_gmt="2026-11-20T10:50:00"), minutes=2)
    before = rows(store)
    assert put(store, order(), minutes=1) == ApplyResult(0, 1, 0)
    assert rows(store) == before


def test_of_two_bodies_of_one_second_the_later_asked_wins():
    store = make_store()
    put(store, order(refunds=[(7, "10.00")]), minutes=1)
    assert put(store, order(), minutes=2) == ApplyResult(1, 0, 0)
    assert Order.objects.get().refunded == 0


def test_a_page_with_one_poison_row_loses_only_that_row_until_it_reads_again():
    store = make_store()
    assert put(store, order(1), order(2, total=""), order(3), "nonsense") == ApplyResult(2, 0, 2)
    assert put(store, order(2, total="")) == ApplyResult(0, 0, 1)
    held = Quarantined.objects.get(store=store, woo_id=2)
    assert (held.times, held.solved_at, held.reason) == (2, None, "total is no amount of money ('').")
    assert held.raw["number"] == "2"
    assert put(store, order(2)) == ApplyResult(1, 0, 0)
    held.refresh_from_db()
    assert held.solved_at is not None
    assert Order.objects.count() == 3


def test_a_body_that_is_twice_in_a_page_counts_as_it_stands_last():
    store = make_store()
    put(store, order(status="pending", date_paid_gmt=None), order())
    assert Order.objects.get().status == "processing"


def test_two_orders_of_one_guest_in_one_page_are_one_person():
    store = make_store()
    put(store, order(1, email="Ana@Example.com "), order(2, email="ana@example.com"))
    ana = Customer.objects.get(store=store)
    assert (ana.orders_count, ana.spent) == (2, Decimal(200))
    assert names(store, name="customer.created") == ["customer.created"]


def test_an_order_without_an_address_has_no_customer():
    store = make_store()
    put(store, order(email=None))
    assert Order.objects.get().customer is None
    assert not Customer.objects.exists()


def test_two_stores_with_the_same_order_id_keep_apart():
    one, two = make_store(), make_store()
    put(one, order(total="50.00"))
    put(two, order(total="70.00"))
    assert Order.objects.get(store=one).total == 50
    assert Order.objects.get(store=two).total == 70


def test_markup_in_names_is_stored_as_typed():
    store = make_store()
    body = order()
    body["billing"] |= {"first_name": "<script>alert(1)</script>", "last_name": "A\x00\ud83c"}
    body["line_items"][0]["name"] = "Fish &amp;amp; <b>Chips</b>"
    put(store, body)
    found = Order.objects.get()
    assert found.billing_name == "<script>alert(1)</script> A"
    assert found.lines.get().name == "Fish &amp; <b>Chips</b>"


def test_what_was_cut_is_noted_beside_the_body():
    store = make_store()
    body = order()
    body["line_items"][0]["name"] = "x" * 400
    put(store, body)
    assert Order.objects.get().raw["_cut"] == ["line name was longer than 300 characters and was cut"]
    assert len(OrderLine.objects.get().name) == 300


def test_an_order_with_500_lines_is_taken_whole():
    store = make_store()
    put(store, order(lines=[(n, 1, "1.00") for n in range(1, 501)]))
    assert OrderLine.objects.count() == 500


def test_an_unknown_status_is_kept_and_told():
    store = make_store()
    put(store, order())
    put(store, order(status="in-the-kiln", date_modified_gmt="2026-11-20T10:20:00"), minutes=1)
    assert Order.objects.get().status == "in-the-kiln"
    assert Order.objects.get().counted
    moved = Event.objects.get(name="order.status_changed")
    assert moved.payload == {"from": "processing", "to": "in-the-kiln"}


@pytest.mark.parametrize(("currency", "total"), [("JPY", "1500"), ("KWD", "12.345")])
def test_other_currencies_keep_their_decimals(currency, total):
    store = make_store(currency=currency)
    put(store, order(currency=currency, total=total, shipping_total="0"))
    assert Order.objects.get().total == Decimal(total)
    assert Customer.objects.get().spent == Decimal(total)


def test_a_draft_is_nothing_until_it_becomes_an_order():
    store = make_store()
    for status in ("checkout-draft", "auto-draft"):
        put(store, order(status=status, date_paid_gmt=None))
    assert (Order.objects.get().counted, Customer.objects.count(), Event.objects.count()) == (False, 0, 0)
    put(store, order(date_modified_gmt="2026-11-20T10:30:00", date_paid_gmt="2026-11-20T10:30:00"), minutes=1)
    assert Order.objects.get().counted
    assert names(store) == ["customer.created", "order.paid", "order.placed"]
    placed = Event.objects.get(name="order.placed")
    assert placed.at == datetime(2026, 11, 20, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "counted"),
    [
        ({}, True),
        ({"status": "completed", "date_paid_gmt": None, "date_completed_gmt": "2026-11-20T10:30:00"}, True),
        ({"status": "processing", "date_paid_gmt": None}, False),
        ({"status": "on-hold", "date_paid_gmt": None}, False),
        ({"status": "cancelled"}, False),
        ({"status": "failed"}, False),
        ({"status": "refunded"}, False),
        ({"status": "trash"}, False),
        ({"refunds": [(1, "119.00")]}, False),
        ({"refunds": [(1, "118.99")]}, True),
        ({"meta": {"_wcpay_mode": "test"}}, False),
        ({"total": "0.00", "shipping_total": "0"}, True),
    ],
)
def test_counted_is_paid_and_not_given_back_not_off_and_no_test(fields, counted):
    store = make_store()
    put(store, order(**fields))
    assert Order.objects.get().counted is counted
    assert Customer.objects.get().orders_count == int(counted)


def test_facts_from_before_the_connection_are_historic():
    store = make_store(live_from=datetime(2026, 11, 20, 10, 30, tzinfo=UTC))
    put(store, order())
    assert set(Event.objects.values_list("historic", flat=True)) == {True}
    assert Order.objects.get().historic
    cancelled = order(status="cancelled", date_modified_gmt="2026-11-20T10:40:00")
    put(store, cancelled, minutes=1)
    assert dict(Event.objects.filter(historic=False).values_list("name", "at")) == {
        "order.status_changed": datetime(2026, 11, 20, 10, 40, tzinfo=UTC),
        "order.cancelled": datetime(2026, 11, 20, 10, 40, tzinfo=UTC),
    }


def test_nothing_is_live_where_the_caller_reads_the_past():
    store = make_store()
    put(store, order(), historic=True)
    assert set(Event.objects.values_list("historic", flat=True)) == {True}


def test_a_partial_refund_lowers_the_net_and_asks_for_its_lines():
    store = make_store()
    put(store, order())
    put(store, order(refunds=[(7, "30.00")], date_modified_gmt="2026-11-20T10:20:00"), minutes=1)
    found = Order.objects.get()
    assert (found.refunded, found.net, found.counted) == (Decimal(30), Decimal(70), True)
    assert Customer.objects.get().spent == 70
    assert Event.objects.get(name="order.refunded").payload == {"full": False, "amount": "30", "reason": ""}
    assert Event.objects.get(name="refund.created").payload == {"amount": "30.00", "reason": ""}
    assert list(SyncTask.objects.values_list("entity", "woo_id", "state")) == [("refund", 500, "due")]


def test_the_lines_of_a_refund_are_summed_on_the_order_lines():
    store = make_store()
    put(store, order(lines=[(20, 2, "60.00"), (21, 1, "40.00")], refunds=[(7, "30.00")]))
    body = refund(7, 500, "30.00", [(5000, 1, "30.00")])
    assert apply(store, "refund", [body], fetched_at=AT) == ApplyResult(1, 0, 0)
    assert list(OrderLine.objects.order_by("woo_id").values_list("refunded_quantity", "refunded_total")) == [
        (1, 30),
        (0, 0),
    ]
    assert apply(store, "refund", [body], fetched_at=AT) == ApplyResult(0, 1, 0)
    put(store, order(lines=[(20, 2, "60.00"), (21, 1, "40.00")], status="completed", refunds=[(7, "30.00")]), minutes=1)
    assert OrderLine.objects.get(woo_id=5000).refunded_total == 30


def test_three_refunds_that_round_end_at_the_cent():
    store = make_store()
    put(store, order(total="100.00", shipping_total="0", refunds=[(1, "33.33"), (2, "33.33"), (3, "33.34")]))
    found = Order.objects.get()
    assert (found.refunded, found.net, found.counted, found.fully_refunded) == (100, 0, False, True)


def test_a_refund_above_the_total_leaves_no_negative_net():
    store = make_store()
    put(store, order(refunds=[(1, "500.00")]))
    assert Order.objects.get().net == 0
    assert Customer.objects.get().spent == 0


def test_a_refund_that_is_gone_is_told_and_all_sums_are_as_before():
    store = make_store()
    put(store, order())
    put(store, order(status="refunded", refunds=[(7, "119.00")], date_modified_gmt="2026-11-20T10:20:00"), minutes=1)
    assert Event.objects.get(name="order.refunded").payload == {"full": True, "amount": "119", "reason": ""}
    assert Customer.objects.get().orders_count == 0
    # Deleting a refund does not move the order's modification time.
    put(store, order(date_modified_gmt="2026-11-20T10:20:00"), minutes=2)
    assert Refund.objects.get().deleted_at == AT + timedelta(minutes=2)
    assert (Order.objects.get().refunded, Customer.objects.get().spent) == (0, 100)
    assert names(store, name__startswith="refund") == ["refund.created", "refund.deleted"]


def test_a_changed_line_is_an_edit_and_a_changed_mark_is_none():
    store = make_store()
    put(store, order(lines=[(20, 1, "60.00"), (21, 1, "40.00")]))
    put(store, order(lines=[(20, 1, "60.00"), (21, 1, "40.00")], meta={"x": "y"}), minutes=1)
    assert names(store, name="order.edited") == []
    put(store, order(lines=[(20, 1, "60.00")], total="79.00", date_modified_gmt="2026-11-20T10:40:00"), minutes=2)
    assert names(store, name="order.edited") == ["order.edited"]
    assert list(OrderLine.objects.values_list("product_woo_id", "total")) == [(20, 60)]


def test_a_cancelled_order_is_told_once_and_can_come_back():
    store = make_store()
    put(store, order())
    put(store, order(status="cancelled", date_modified_gmt="2026-11-20T10:20:00"), minutes=1)
    assert Customer.objects.get().orders_count == 0
    put(store, order(status="trash", date_modified_gmt="2026-11-20T10:30:00"), minutes=2)
    assert Order.objects.get().trashed_at is not None
    put(store, order(status="processing", date_modified_gmt="2026-11-20T10:40:00"), minutes=3)
    assert (Order.objects.get().trashed_at, Customer.objects.get().orders_count) == (None, 1)
    assert names(store, name__in=["order.cancelled", "order.paid"]) == ["order.cancelled", "order.paid"]


def test_an_order_first_seen_in_the_trash_tells_nothing():
    store = make_store()
    put(store, order(status="trash"))
    assert names(store) == ["customer.created"]


def test_a_deleted_order_is_a_tombstone_and_comes_back_when_it_answers():
    store = make_store()
    put(store, order())
    assert mark_missing(store, "order", 500)
    assert not mark_missing(store, "order", 500)
    assert not mark_missing(store, "order", 501)
    gone = Order.objects.get()
    assert (gone.deleted_at is None, gone.counted, Customer.objects.get().orders_count) == (False, False, 0)
    assert Event.objects.get(name="order.cancelled").payload == {"status": "deleted"}
    assert put(store, order()) == ApplyResult(0, 1, 0)
    gone.deleted_at = AT
    gone.save()
    assert put(store, order(), minutes=5) == ApplyResult(1, 0, 0)
    assert (Order.objects.get().deleted_at, Order.objects.get().counted) == (None, True)


def our_coupon(store, **fields):
    return Coupon.objects.create(
        store=store, ours=True, code="thanks-abc", amount=5, usage_limit=1, state="live", **fields
    )


def test_the_use_of_our_coupon_is_seen_on_the_order():
    store = make_store()
    coupon = our_coupon(store)
    put(store, order(codes=("thanks-abc", "merchant10")))
    coupon.refresh_from_db()
    found = Order.objects.get()
    assert (coupon.state, coupon.used_order, coupon.used_at) == ("used", found, found.created_gmt)
    used = Event.objects.get(name=events.COUPON_USED)
    assert used.payload == {"coupon": coupon.pk, "code": "thanks-abc", "order": found.pk}


@pytest.mark.parametrize("status", ["cancelled", "failed", "trash"])
def test_an_order_that_falls_through_gives_the_coupon_back(status):
    store = make_store()
    coupon = our_coupon(store)
    put(store, order(codes=("thanks-abc",)))
    put(store, order(codes=("thanks-abc",), status=status, date_modified_gmt="2026-11-20T10:20:00"), minutes=1)
    coupon.refresh_from_db()
    assert (coupon.state, coupon.used_order, coupon.used_at) == ("live", None, None)
    put(store, order(codes=("thanks-abc",), date_modified_gmt="2026-11-20T10:30:00"), minutes=2)
    coupon.refresh_from_db()
    assert coupon.state == "used"
    assert names(store, name__startswith="coupon") == ["coupon.released", "coupon.used", "coupon.used"]


def test_a_coupon_taken_off_the_order_or_lost_with_it_is_released():
    store = make_store()
    coupon = our_coupon(store)
    put(store, order(codes=("thanks-abc",)))
    put(store, order(date_modified_gmt="2026-11-20T10:20:00"), minutes=1)
    coupon.refresh_from_db()
    assert coupon.state == "live"
    put(store, order(codes=("thanks-abc",), date_modified_gmt="2026-11-20T10:30:00"), minutes=2)
    mark_missing(store, "order", 500)
    coupon.refresh_from_db()
    assert coupon.state == "live"


def test_an_older_body_does_not_release_a_coupon():
    store = make_store()
    coupon = our_coupon(store)
    put(store, order(codes=("thanks-abc",), date_modified_gmt="2026-11-20T10:30:00"), minutes=2)
    put(store, order(status="pending", date_paid_gmt=None), minutes=1)
    coupon.refresh_from_db()
    assert coupon.state == "used"


def test_goods_that_are_mirrored_after_their_order_are_linked():
    store = make_store()
    put(store, order())
    apply(store, "product", [product(20)], fetched_at=AT)
    assert OrderLine.objects.get().product.woo_id == 20


def page_of(count):
    return [
        order(n, email=f"shopper{n}@example.com", lines=[(20, 1, "60.00"), (21, 1, "40.00")])
        for n in range(1, count + 1)
    ]


def queries(store, bodies, **when):
    with CaptureQueriesContext(connection) as seen:
        put(store, *bodies, **when)
    return len(seen)


def test_a_page_costs_the_same_queries_whatever_its_length():
    few, many = make_store(), make_store()
    # SQLite takes a page's rows in several statements, since one may carry 999 values.
    assert queries(few, page_of(3)) <= queries(many, page_of(100)) <= 30
    assert queries(many, page_of(100), minutes=9) <= 6
    assert Order.objects.filter(store=many).count() == 100
