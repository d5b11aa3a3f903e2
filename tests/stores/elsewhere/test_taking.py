"""Orders from elsewhere: who they belong to, what they change, and what is refused."""

from decimal import Decimal
from typing import Any

import pytest

from postpurchase import clock
from stores.elsewhere.fields import Style, read_amount, read_time
from stores.elsewhere.taking import TakenIn, set_contact, take_in
from stores.models import Channel, Customer, Event, Order, Store
from stores.sync.apply import apply, mark_missing
from tests import bodies
from tests.factories import NOON, make_customer, make_order, make_product, make_store

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _noon() -> None:
    clock.freeze(NOON)


def row(**values: Any) -> dict[str, Any]:
    return {
        "external_id": "M-1",
        "created_at": "2026-11-20T10:00:00Z",
        "total": "119.00",
        "shipping": "19.00",
        "email": "Ana@Example.com",
    } | values


def taken(store: Store, *given: dict[str, Any], contact: str = "all", **how: Any) -> TakenIn:
    channel = Channel.objects.get_or_create(store=store, name="market", defaults={"contact": contact})[0]
    return take_in(store, list(enumerate(given, 1)), channel=channel, **how)


def test_an_order_joins_the_customer_of_its_address_and_counts() -> None:
    store = make_store()
    ana = make_customer(store, email="ana@example.com")
    make_order(store, ana, total=Decimal("100"), shipping=Decimal(0))
    done = taken(store, row())
    order = Order.objects.get(external_id="M-1")
    assert (done.new, done.changed, done.unchanged, done.refused) == (1, 0, 0, [])
    assert (order.customer, order.woo_id, order.channel, order.contact) == (ana, None, "market", "all")
    assert (order.total, order.currency, order.status, order.counted) == (Decimal("119"), "RON", "completed", True)
    assert [(line.total, line.quantity) for line in order.lines.all()] == [(Decimal("100"), Decimal("1"))]
    ana.refresh_from_db()
    assert (ana.orders_count, ana.spent) == (2, Decimal("200"))
    assert set(Event.objects.filter(order=order, historic=False).values_list("name", flat=True)) == {
        "order.placed",
        "order.paid",
    }


def test_the_same_again_changes_nothing_even_when_it_is_written_otherwise() -> None:
    store = make_store()
    taken(store, row())
    before = (list(Order.objects.values()), list(Customer.objects.values()), Event.objects.count())
    done = taken(store, row(total="119.0"), row(external_id="M-1 "))
    assert (done.new, done.changed, done.unchanged, len(done.refused)) == (0, 0, 1, 1)
    assert before == (list(Order.objects.values()), list(Customer.objects.values()), Event.objects.count())


def test_a_changed_row_updates_the_order_and_records_what_happened() -> None:
    store = make_store()
    product = make_product(store, sku="MUG")
    taken(store, row(status="paid", lines=[{"sku": "MUG", "quantity": "2", "total": "100"}]))
    done = taken(
        store,
        row(status="shipped", refunded="50", lines=[{"sku": "MUG", "quantity": "2", "total": "100"}]),
    )
    order = Order.objects.get()
    assert (done.new, done.changed) == (0, 1)
    assert (order.status, order.refunded) == ("completed", Decimal("50"))
    assert [refund.amount for refund in order.refund_rows.all()] == [Decimal("50")]
    assert order.lines.get().product == product
    assert set(Event.objects.filter(order=order).values_list("name", flat=True)) == {
        "order.placed",
        "order.paid",
        "order.status_changed",
        "order.refunded",
    }


def test_an_old_order_is_history_whatever_is_told_of_it_later() -> None:
    store = make_store()
    taken(store, row(created_at="2026-11-01", status="paid"))
    taken(store, row(created_at="2026-11-01", status="completed"))
    assert Order.objects.get().historic
    assert not Event.objects.filter(historic=False).exists()


def test_a_delivery_time_is_a_delivery() -> None:
    store = make_store()
    taken(store, row())
    taken(store, row(delivered_at="2026-11-20 13:30"))
    order = Order.objects.get()
    assert order.delivered_at == read_time("2026-11-20T11:30:00Z", store)
    assert Event.objects.get(name="order.delivered").payload == {"estimated": False}


@pytest.mark.parametrize("written", ["0712 345 678", "+40 712-345-678", "0040712345678"])
def test_a_phone_number_finds_its_customer_however_it_is_written(written: str) -> None:
    store = make_store()
    ana = make_customer(store, phone="+40712345678")
    make_customer(make_store(), phone="+40712345678")
    taken(store, row(email="", phone=written))
    assert Order.objects.get().customer == ana


def test_a_number_of_nobody_is_a_person_of_its_own_until_an_address_comes() -> None:
    store = make_store()
    taken(store, row(email="", phone="0712345678"), row(external_id="M-2", email="", phone="+40712345678"))
    person = Customer.objects.get()
    assert (person.email, person.email_key, person.orders_count) == ("", "phone:+40712345678", 2)
    taken(store, row(external_id="M-3", phone="0712345678"))
    person.refresh_from_db()
    assert (person.email, person.email_key, person.orders_count) == ("Ana@Example.com", "ana@example.com", 3)


def test_a_number_that_two_people_share_joins_neither() -> None:
    store = make_store()
    pair = [make_customer(store, phone="0712345678") for _ in range(2)]
    taken(store, row(email="", phone="0712345678"))
    assert Order.objects.get().customer not in pair


@pytest.mark.parametrize(
    ("values", "field", "detail"),
    [
        ({"external_id": ""}, "external_id", "It is missing. Without it a repeat could not be told from a new order."),
        ({"total": ""}, "total", "It is missing. An order needs it."),
        ({"total": "abc"}, "total", "“abc” is no amount of money."),
        ({"total": "-1"}, "total", "“-1” is below zero."),
        ({"total": "1.00001"}, "total", "“1.00001” has more than four decimals."),
        ({"refunded": "120"}, "refunded", "More was refunded than the order's total."),
        ({"created_at": ""}, "created_at", "It is missing. An order needs it."),
        ({"created_at": "soon"}, "created_at", "“soon” is no date that can be read. Write 2026-11-20 14:05."),
        ({"created_at": "2027-01-01"}, "created_at", "“2027-01-01” is still to come."),
        ({"email": "ana"}, "email", "“ana” is no email address."),
        ({"email": ""}, "email", "There is neither email nor phone, so it is not known whose order this is."),
        ({"email": "", "phone": "12"}, "phone", "“12” is no phone number."),
        ({"country": "Romania"}, "country", "“Romania” is no country. Write two letters, such as RO."),
        ({"currency": "euro"}, "currency", "“euro” is no currency. Write three letters, such as EUR."),
        ({"lines": [{"name": "x"}]}, "lines.0.total", "It is missing. An order needs it."),
        ({"lines": "x"}, "lines", "The lines have to be a list of objects."),
        ({"external_id": "x" * 121}, "external_id", "Longer than 120 characters."),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence_and_the_rest_goes_on(
    values: dict[str, Any], field: str, detail: str
) -> None:
    store = make_store()
    done = taken(store, row() | values, row(external_id="M-2"))
    assert [(one.row, fault.field, fault.detail) for one in done.refused for fault in one.faults] == [
        (1, field, detail)
    ]
    assert list(Order.objects.values_list("external_id", flat=True)) == ["M-2"]


def test_a_dry_run_says_the_same_and_writes_nothing() -> None:
    store = make_store()
    taken(store, row(), row(external_id="M-2"))
    before = list(Order.objects.values())
    done = taken(store, row(), row(external_id="M-2", total="5"), row(external_id="M-3"), row(total="x"), dry=True)
    assert (done.new, done.changed, done.unchanged, len(done.refused)) == (1, 1, 1, 1)
    assert list(Order.objects.values()) == before


@pytest.mark.parametrize(
    ("raw", "decimal", "amount"),
    [
        ("1.234,56", ".", "1234.56"),
        ("1,234.56", ",", "1234.56"),
        ("12,50 lei", ".", "12.50"),
        ("€ 12", ".", "12"),
        ("1 234,5", ",", "1234.5"),
        ("1,234", ".", "1234"),
        ("1,234", ",", "1.234"),
        ("1.234", ",", "1234"),
        ("1.234.567", ".", "1234567"),
        ("-3", ".", "-3"),
    ],
)
def test_amounts_as_people_write_them(raw: str, decimal: str, amount: str) -> None:
    assert read_amount(raw, decimal) == Decimal(amount)


@pytest.mark.parametrize("raw", ["", "x", "1,2,3", "12.34.5", "1e5", "NaN", "=1+1", "12345.678,00", "1/2"])
def test_what_is_no_amount_is_never_taken_as_one(raw: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        read_amount(raw)


@pytest.mark.parametrize(
    ("raw", "day_first", "moment"),
    [
        ("2026-11-20 14:05", True, "2026-11-20T12:05:00+00:00"),
        ("2026-11-20T14:05:00+01:00", True, "2026-11-20T13:05:00+00:00"),
        ("20.11.2026 14:05", False, "2026-11-20T12:05:00+00:00"),
        ("03/04/2026", True, "2026-04-02T21:00:00+00:00"),
        ("03/04/2026", False, "2026-03-03T22:00:00+00:00"),
    ],
)
def test_times_are_the_store_s_unless_they_say_otherwise(raw: str, day_first: bool, moment: str) -> None:
    assert read_time(raw, make_store(), day_first=day_first).isoformat() == moment


def test_the_policy_of_a_channel_goes_to_its_orders() -> None:
    store = make_store()
    taken(store, row(), contact="all")
    assert set_contact(Channel.objects.get(), "none") == 1
    assert Order.objects.get().contact == "none"


def test_a_style_names_the_usual_currency() -> None:
    store = make_store()
    taken(store, row(), style=Style(currency="EUR"))
    assert Order.objects.get().currency == "EUR"
    assert Customer.objects.get().spent == 0


def test_the_shop_s_own_orders_and_absences_never_touch_orders_from_elsewhere() -> None:
    store = make_store()
    taken(store, row(external_id="101", number="101"))
    before = Order.objects.filter(channel="market").values().get()
    apply(store, "order", [bodies.order(101)], fetched_at=NOON)
    mark_missing(store, "order", 101)
    assert Order.objects.filter(channel="market").values().get() == before
    assert Order.objects.count() == 2
