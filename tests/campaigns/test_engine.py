"""Entering flows and moving through them."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import engine, flows
from campaigns.models import Enrolment, Message, StepRun
from campaigns.steps.send_email import SendEmail
from postpurchase import clock, due
from stores import events
from tests.campaigns.flow_files import file, happen, publish, run, send, wait
from tests.factories import NOON, make_customer, make_order, make_store

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _noon():
    clock.freeze(NOON)


def test_a_paid_order_enters_and_its_message_is_planned_at_once():
    store = make_store()
    flow = publish(store, file(send()))
    order = make_order(store)
    happen(order)
    enrolment = Enrolment.objects.get()
    assert (enrolment.key, enrolment.step, enrolment.customer) == (
        f"{flow.pk}:order:{order.pk}",
        "mail",
        order.customer,
    )
    assert run() == 1
    message = Message.objects.get()
    assert (message.key, message.planned_for, message.purpose) == (f"{flow.pk}:mail:order:{order.pk}", NOON, "order")
    assert message.useful_until == NOON + timedelta(hours=72)
    enrolment.refresh_from_db()
    assert (enrolment.status, enrolment.state, enrolment.lease_token) == ("finished", "done", None)
    assert StepRun.objects.get().outcome == "done"


def test_repeated_events_enter_once():
    store = make_store()
    publish(store, file(send(), event=["order.paid", "order.placed"]))
    order = make_order(store)
    happen(order)
    happen(order)
    happen(order, events.ORDER_PLACED)
    run()
    happen(order, events.ORDER_PAID, fact="again")
    assert (run(), Enrolment.objects.count(), Message.objects.count()) == (0, 1, 1)


@pytest.mark.parametrize(("reentry", "entered"), [("once_per_order", 2), ("once", 1), ("always", 3)])
def test_reentry_says_how_often_a_person_enters(reentry, entered):
    store = make_store()
    publish(store, file(send(), reentry=reentry))
    customer = make_customer(store)
    first, second = make_order(store, customer), make_order(store, customer)
    happen(first)
    happen(first, fact="again")
    happen(second)
    assert Enrolment.objects.count() == entered


def test_backfilled_facts_enter_nobody():
    store = make_store()
    publish(store, file(send()))
    happen(make_order(store, historic=True), historic=True)
    assert not Enrolment.objects.exists()


def test_flows_that_are_off_of_another_store_or_of_another_event_enter_nobody():
    store = make_store()
    publish(store, file(send()), state="off")
    publish(make_store(), file(send()))
    publish(store, file(send(), event="order.delivered"), slug="other")
    happen(make_order(store))
    assert not Enrolment.objects.exists()


def test_only_those_who_meet_the_condition_enter():
    store = make_store()
    where = {"field": "order.payment_method", "op": "is", "value": "cod"}
    publish(store, file(send(), trigger={"event": "order.paid", "where": where}))
    happen(make_order(store))
    happen(make_order(store, payment_method="cod"))
    assert Enrolment.objects.get().order.payment_method == "cod"


def test_the_held_back_get_nothing_and_are_shown():
    store = make_store()
    publish(store, file(send(), klass="M", holdback=90))
    for _ in range(20):
        happen(make_order(store))
    held = Enrolment.objects.filter(status="left", reason="in hold-back group").count()
    assert held > 10
    assert run() == 20 - held
    assert Message.objects.count() == 20 - held


def test_service_flows_hold_nobody_back():
    store = make_store()
    publish(store, file(send(), klass="S", holdback=90))
    for _ in range(5):
        happen(make_order(store))
    assert Enrolment.objects.filter(status="active").count() == 5


R06_WAIT = wait(days=13, since="event", between=["10:00", "18:00"])


@pytest.mark.parametrize(
    ("delivered", "expected"),
    [
        # By day it is the same minute 13 days later; before and after it is ten o'clock in the shop's zone.
        (datetime(2026, 11, 20, 12, 30, tzinfo=UTC), datetime(2026, 12, 3, 12, 30, tzinfo=UTC)),
        (datetime(2026, 11, 20, 5, 0, tzinfo=UTC), datetime(2026, 12, 3, 8, 0, tzinfo=UTC)),
        (datetime(2026, 11, 20, 19, 0, tzinfo=UTC), datetime(2026, 12, 4, 8, 0, tzinfo=UTC)),
        # Across both changes of the clock.
        (datetime(2026, 3, 20, 5, 0, tzinfo=UTC), datetime(2026, 4, 2, 7, 0, tzinfo=UTC)),
        (datetime(2026, 10, 20, 5, 0, tzinfo=UTC), datetime(2026, 11, 2, 8, 0, tzinfo=UTC)),
    ],
)
def test_13_days_after_delivery_by_day(delivered, expected):
    clock.freeze(delivered)
    store = make_store()
    publish(store, file(R06_WAIT, send(), klass="S", event="order.delivered"))
    happen(make_order(store), events.ORDER_DELIVERED)
    run()
    waiting = Enrolment.objects.get()
    assert (waiting.waiting, waiting.step, waiting.due_at) == (True, "wait", expected)
    assert waiting.attempts == 0
    clock.freeze(expected - timedelta(seconds=1))
    assert run() == 0
    clock.freeze(expected)
    assert run() == 1
    assert Message.objects.get().planned_for == expected
    assert [run_.step for run_ in StepRun.objects.order_by("pk")] == ["wait", "mail"]


def test_a_second_wait_counts_from_the_step_before():
    store = make_store()
    publish(store, file(send(), wait(days=7, between=["10:00", "18:00"]), send("reminder")))
    happen(make_order(store))
    run()
    assert Enrolment.objects.get().due_at == NOON + timedelta(days=7)
    clock.freeze(NOON + timedelta(days=9))
    run()
    assert Message.objects.get(step="reminder").planned_for == NOON + timedelta(days=7)


@pytest.mark.parametrize(("total", "sent"), [("150.00", ["big", "after"]), ("90.00", ["small", "after"])])
def test_a_branch_takes_one_side_and_comes_back(total, sent):
    store = make_store()
    branch = {
        "uid": "check",
        "kind": "branch",
        "condition": {"field": "order.total", "op": "gt", "value": 100},
        "then": [send("big")],
        "else": [send("small")],
    }
    publish(store, file(branch, send("after")))
    happen(make_order(store, total=total))
    run()
    assert list(Message.objects.order_by("pk").values_list("step", flat=True)) == sent


def test_a_step_whose_condition_fails_is_skipped_with_a_reason():
    store = make_store()
    when = {"field": "order.country", "op": "is", "value": "DE"}
    publish(store, file(send("german", when=when), send("all")))
    happen(make_order(store))
    run()
    assert Message.objects.get().step == "all"
    assert StepRun.objects.get(step="german").reason == "the condition did not hold"


def test_the_flow_can_end_on_one_side():
    store = make_store()
    publish(store, file({"uid": "stop", "kind": "end", "reason": "enough"}, send()))
    happen(make_order(store))
    run()
    assert (Enrolment.objects.get().status, Enrolment.objects.get().reason) == ("finished", "enough")
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": "cancelled"}, "order cancelled"),
        ({"status": "failed"}, "order failed"),
        ({"refunded": "119.00"}, "order refunded"),
        ({"trashed_at": NOON}, "order trash"),
    ],
)
def test_whoever_no_longer_fits_leaves_with_a_reason(change, reason):
    store = make_store()
    publish(store, file(wait(days=1), send()))
    order = make_order(store)
    happen(order)
    run()
    type(order).objects.filter(pk=order.pk).update(**change)
    clock.advance(timedelta(days=1))
    run()
    left = Enrolment.objects.get()
    assert (left.status, left.reason, left.state) == ("left", reason, "done")
    assert not Message.objects.exists()


def test_people_finish_the_version_they_began():
    store = make_store()
    publish(store, file(wait(days=1), send("old")))
    happen(make_order(store))
    run()
    publish(store, file(wait(days=1), send("new")))
    clock.advance(timedelta(days=1))
    run()
    assert Message.objects.get().step == "old"


def test_switching_off_keeps_people_where_they_are():
    store = make_store()
    flow = publish(store, file(wait(days=1), send()))
    happen(make_order(store))
    run()
    flows.set_state(flow, "off", actor="test")
    clock.advance(timedelta(days=2))
    assert run() == 0
    flows.set_state(flow, "on", actor="test")
    assert run() == 1
    # As late as it is: the outbox decides what that means.
    assert Message.objects.get().planned_for == NOON + timedelta(days=1)


def test_a_person_claimed_while_the_flow_is_switched_off_stays():
    store = make_store()
    flow = publish(store, file(send()))
    happen(make_order(store))
    type(flow).objects.update(state="off")
    run()
    stays = Enrolment.objects.get()
    assert (stays.status, stays.state, stays.step) == ("active", "held", "mail")
    assert not Message.objects.exists()
    flow.refresh_from_db()
    flows.set_state(flow, "on", actor="test")
    run()
    assert Message.objects.count() == 1


def test_one_failing_person_holds_up_nobody_else(monkeypatch):
    store = make_store()
    publish(store, file(send()))
    orders = [make_order(store) for _ in range(3)]
    for order in orders:
        happen(order)
    whole = SendEmail.run

    def fails_for_the_second(self, visit):
        if visit.order.pk == orders[1].pk:
            raise RuntimeError("no luck")
        return whole(self, visit)

    monkeypatch.setattr(SendEmail, "run", fails_for_the_second)
    run()
    assert {message.order_id for message in Message.objects.all()} == {orders[0].pk, orders[2].pk}
    failed = Enrolment.objects.get(order=orders[1])
    assert (failed.status, failed.state, failed.error) == ("active", "due", "RuntimeError: no luck")
    assert not StepRun.objects.filter(enrolment=failed).exists()
    monkeypatch.setattr(SendEmail, "run", whole)
    clock.advance(timedelta(minutes=1))
    run()
    assert Message.objects.count() == 3


def test_who_fails_again_and_again_is_shown_as_failed(monkeypatch):
    store = make_store()
    publish(store, file(send()))
    happen(make_order(store))

    def fails(self, visit):
        raise RuntimeError("no luck")

    monkeypatch.setattr(SendEmail, "run", fails)
    for _ in range(Enrolment.MAX_ATTEMPTS):
        run()
        clock.advance(timedelta(hours=1))
    failed = Enrolment.objects.get()
    assert (failed.status, failed.state, failed.reason) == ("failed", "dead", "RuntimeError: no luck")


def test_a_worker_that_lost_its_lease_writes_nothing():
    store = make_store()
    publish(store, file(send()))
    happen(make_order(store))
    rows = due.claim(Enrolment, limit=10, lease=engine.LEASE)
    clock.advance(timedelta(minutes=5))
    due.sweep(Enrolment)
    assert run() == 1
    engine._run_alone(rows[0])
    assert (Message.objects.count(), StepRun.objects.count()) == (1, 1)
    assert Enrolment.objects.get().status == "finished"


def test_a_batch_takes_less_than_half_a_query_for_each_step():
    store = make_store()
    publish(store, file(send(), wait(days=1)))
    events.record_many(
        store,
        [
            events.Fact(events.ORDER_PAID, order.pk, NOON, order_id=order.pk, customer_id=order.customer_id)
            for order in (make_order(store) for _ in range(100))
        ],
    )
    while events.dispatch():
        pass
    with CaptureQueriesContext(connection) as queries:
        assert run() == 100
    assert len(queries) <= 40
    assert Message.objects.count() == 100
