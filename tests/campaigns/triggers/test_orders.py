"""Triggers of orders: transitions, refunds, the Nth order, thresholds, unpaid orders."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from campaigns import triggers
from campaigns.models import Enrolment
from campaigns.triggers import planning
from postpurchase import clock
from stores import events
from tests.campaigns.flow_files import file, happen, publish, send
from tests.factories import NOON, make_customer, make_order, make_store

pytestmark = pytest.mark.django_db
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


@pytest.fixture(autouse=True)
def _noon():
    clock.freeze(NOON)


def start(event, **params):
    made, faults = triggers.build({"event": event, **params})
    assert not faults
    return made


def faults(event, **params):
    return triggers.build({"event": event, **params})[1]


def moved(order, before, after, days=0):
    at = NOON + days * DAY
    happen(order, events.ORDER_STATUS_CHANGED, at=at, fact=f"{days}", payload={"from": before, "to": after})


@pytest.mark.parametrize(
    ("params", "entered"),
    [
        ({}, 3),
        ({"to": "wrapped"}, 2),
        ({"to": ["wc-wrapped"]}, 2),
        ({"from": ["processing"], "to": ["wrapped"]}, 1),
        ({"from": "wrapped"}, 1),
        ({"to": ["refunded"]}, 0),
    ],
)
def test_any_transition_to_any_status_starts_a_flow_custom_ones_too(params, entered):
    store = make_store()
    publish(store, file(send(), trigger={"event": "order.status_changed", **params}, reentry="always"))
    moved(make_order(store), "processing", "wrapped")
    moved(make_order(store), "on-hold", "wrapped")
    moved(make_order(store), "wrapped", "completed")
    assert Enrolment.objects.count() == entered


def test_an_order_first_seen_in_a_status_has_come_to_it_unless_it_is_old():
    store = make_store()
    publish(store, file(send(), trigger={"event": "order.status_changed", "to": "completed"}))
    order = make_order(store)
    happen(order, events.ORDER_PLACED, payload={"status": "completed"})
    happen(make_order(store), events.ORDER_PLACED, payload={"status": "completed"}, historic=True)
    happen(make_order(store), events.ORDER_PLACED, payload={"status": "processing"})
    entered = Enrolment.objects.get()
    assert (entered.order, entered.context["event"]) == (order, "order.status_changed")


def test_the_past_of_older_orders_knows_when_they_were_completed():
    store = make_store()
    old = make_order(store, historic=True, completed_gmt=NOON - 3 * DAY)
    make_order(store, historic=False, completed_gmt=NOON - 3 * DAY)
    moved(new := make_order(store), "processing", "completed", -2)
    found = list(start("order.status_changed", to="completed").history(store, NOON - 9 * DAY, NOON))
    assert [(one.order_id, one.at) for one in found] == [(old.pk, NOON - 3 * DAY), (new.pk, NOON - 2 * DAY)]
    assert not list(start("order.status_changed", to="wrapped").history(store, NOON - 9 * DAY, NOON))


def test_transitions_read_as_sentences():
    assert start("order.status_changed", to=["wrapped"]).sentence() == "When an order becomes wrapped"
    both = start("order.status_changed", **{"from": ["pending", "failed"], "to": ["processing"]})
    assert both.sentence() == "When an order goes from pending or failed to processing"


@pytest.mark.parametrize(("full", "entered"), [(None, 2), (True, 1), (False, 1)])
def test_partly_and_fully_refunded_are_told_apart(full, entered):
    store = make_store()
    publish(store, file(send(), trigger={"event": "order.refunded", "full": full}, exit_when=[]))
    for whole in (True, False):
        happen(make_order(store), events.ORDER_REFUNDED, payload={"full": whole, "amount": "10.00", "reason": "broken"})
    assert Enrolment.objects.count() == entered
    assert all(each.context["payload"]["reason"] == "broken" for each in Enrolment.objects.all())


def paid(store, customer, days, total="119.00", **fields):
    at = NOON + days * DAY
    fields = {"created_gmt": at, "paid_gmt": at, "counted": True, "total": Decimal(total), **fields}
    order = make_order(store, customer, **fields)
    happen(order, events.ORDER_PAID, at=fields["paid_gmt"])
    return order


def test_the_nth_order_is_counted_over_paid_orders_that_were_not_given_back():
    store = make_store()
    publish(store, file(send(), trigger={"event": "order.nth", "n": [2, 4]}))
    who = make_customer(store)
    paid(store, who, -40, counted=False)
    paid(store, who, -30)
    second = paid(store, who, -20)
    paid(store, who, -10)
    fourth = paid(store, who, -1)
    paid(store, make_customer(store), -1)
    assert set(Enrolment.objects.values_list("order", "context__payload__n")) == {(second.pk, 2), (fourth.pk, 4)}


def test_orders_that_are_imported_out_of_order_change_no_rank():
    store = make_store()
    second = start("order.nth", n=2)
    who = make_customer(store)
    paid(store, who, -30)
    late = paid(store, who, -10)
    # Placed first of all and paid last.
    last = paid(store, who, -1, created_gmt=NOON - 50 * DAY, paid_gmt=NOON - DAY)
    assert [one.order_id for one in second.history(store, NOON - 90 * DAY, NOON)] == [late.pk]
    assert [one.order_id for one in start("order.nth", n=3).history(store, NOON - 90 * DAY, NOON)] == [last.pk]


def test_a_threshold_of_spending_starts_once_when_it_is_crossed():
    store = make_store()
    publish(store, file(send(), trigger={"event": "customer.spent_reached", "amount": "250.00"}, exit_when=[]))
    who = make_customer(store)
    paid(store, who, -30)
    paid(store, who, -20)
    third = paid(store, who, -10)
    assert Enrolment.objects.get().order == third
    # Money goes back and the line is crossed again: it was said once.
    third.refunded, third.counted = third.total, False
    third.save()
    paid(store, who, -5)
    paid(store, make_customer(store), -5, total="10000", currency="JPY")
    assert Enrolment.objects.get().context["payload"] == {
        "name": "customer.spent_reached",
        "spent": "300.0000",
        "amount": "250.00",
    }


def test_a_number_of_orders_is_reached_once():
    store = make_store()
    publish(
        store, file(send(), trigger={"event": "customer.orders_reached", "count": 2}, reentry="always", exit_when=[])
    )
    who = make_customer(store)
    paid(store, who, -30)
    second = paid(store, who, -20)
    second.counted = False
    second.save()
    paid(store, who, -10)
    assert Enrolment.objects.get().order == second


@pytest.mark.parametrize(
    ("event", "params", "fault"),
    [
        ("order.nth", {}, "n is missing."),
        ("order.nth", {"n": 0}, "n is one or more numbers from 1 to 1,000."),
        ("order.nth", {"n": "two"}, "n cannot be 'two'."),
        ("customer.spent_reached", {"amount": "-1"}, "amount is more than 0."),
        ("customer.orders_reached", {"count": 0}, "count lies between 1 and 10,000."),
        ("order.unpaid", {"minutes": 1}, "minutes lies between 5 and 43,200 (30 days)."),
    ],
)
def test_faults_are_told_in_sentences(event, params, fault):
    assert faults(event, **params) == [f"trigger: {fault}"]


def pending(store, customer=None, minutes=0, **fields):
    fields = {"status": "pending", "paid_gmt": None, "counted": False, **fields}
    return make_order(store, customer, created_gmt=NOON + minutes * MINUTE, **fields)


def test_an_unpaid_order_starts_the_flow_after_its_minutes_and_once():
    store = make_store()
    clock.freeze(NOON - 2 * MINUTE)
    publish(store, file(send(), trigger={"event": "order.unpaid", "minutes": 30}, exit_when=[]))
    order = pending(store)
    pending(store, status="processing")
    pending(make_store())
    for minutes, entered in ((29, 0), (30, 0), (31, 1), (90, 1)):
        clock.freeze(NOON + minutes * MINUTE)
        planning.run_due()
        assert Enrolment.objects.count() == entered, minutes
    entered = Enrolment.objects.get()
    assert (entered.order, entered.context["at"]) == (order, "2026-11-20T12:30:00+00:00")


def test_who_paid_or_placed_another_order_meanwhile_is_not_reminded():
    store = make_store()
    minutes = start("order.unpaid", minutes=30)
    in_time = pending(store, paid_gmt=NOON + 20 * MINUTE, status="processing")
    too_late = pending(store, paid_gmt=NOON + 40 * MINUTE, status="processing")
    again = make_customer(store)
    first, second = pending(store, again), pending(store, again, 10)
    cancelled = pending(store, status="cancelled", modified_gmt=NOON + 60 * MINUTE)
    at_once = pending(store, status="cancelled", modified_gmt=NOON + 5 * MINUTE)
    found = {one.order_id for one in minutes.history(store, NOON, NOON + DAY)}
    assert found == {too_late.pk, second.pk, cancelled.pk}
    assert {in_time.pk, first.pk, at_once.pk}.isdisjoint(found)


def test_an_unpaid_order_that_reached_us_late_is_still_reminded_of():
    store = make_store()
    clock.freeze(NOON - 2 * MINUTE)
    publish(store, file(send(), trigger={"event": "order.unpaid", "minutes": 30}, exit_when=[]))
    clock.freeze(NOON + 60 * MINUTE)
    planning.run_due()
    late, before = pending(store), pending(store, minutes=-60)
    clock.freeze(NOON + 70 * MINUTE)
    planning.run_due()
    # The other one's moment lay before the flow was switched on.
    assert Enrolment.objects.get().order == late
    assert before.created_gmt == datetime(2026, 11, 20, 11, tzinfo=UTC)
