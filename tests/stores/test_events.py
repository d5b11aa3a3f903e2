"""The event log: once per fact, delivered to each subscriber in its own transaction."""

import pytest

from postpurchase import clock
from stores import events
from stores.models import Event, EventDelivery
from tests.factories import make_order, make_store

pytestmark = pytest.mark.django_db


@pytest.fixture
def listener(monkeypatch):
    heard = []
    monkeypatch.setattr(events, "_subscribers", {})
    monkeypatch.setattr(events, "_by_label", {})
    events.subscribe(events.ORDER_PAID, "test.paid", lambda event: heard.append(event.key))
    return heard


def record(order, **extra):
    return events.record(order.store, events.ORDER_PAID, subject=order.pk, at=clock.now(), order=order, **extra)


def test_a_fact_is_recorded_and_delivered_once(listener):
    order = make_order(make_store())
    assert record(order)
    assert not record(order)
    events.dispatch()
    events.dispatch()
    assert listener == [f"order.paid:{order.pk}"]
    assert Event.objects.get().customer == order.customer


def test_a_historic_fact_is_kept_but_told_to_nobody(listener):
    assert record(make_order(make_store()), historic=True)
    events.dispatch()
    assert listener == []
    assert EventDelivery.objects.count() == 0


def test_a_failing_subscriber_holds_up_no_other_and_is_tried_again(listener):
    calls = []

    def fails_once(event):
        calls.append(event.key)
        if len(calls) == 1:
            raise RuntimeError("no luck")

    events.subscribe(events.ORDER_PAID, "test.fails", fails_once)
    record(make_order(make_store()))
    events.dispatch()
    assert len(listener) == 1
    failed = EventDelivery.objects.get(subscriber="test.fails")
    assert (failed.state, failed.error) == ("due", "RuntimeError: no luck")
    clock.advance(failed.due_at - clock.now())
    events.dispatch()
    assert len(calls) == 2
    assert not EventDelivery.objects.exclude(state="done").exists()


def test_the_same_key_in_another_store_is_another_fact(listener):
    first, second = make_order(make_store()), make_order(make_store())
    for order in (first, second):
        events.record(order.store, events.STORE_CONNECTED, subject="x", at=clock.now())
    assert Event.objects.count() == 2
