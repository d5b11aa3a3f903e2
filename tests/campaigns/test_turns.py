"""Whose turn it is: no store waits behind another's crowd, and a paused store's people stay where they are."""

from datetime import timedelta

import pytest

from campaigns import engine, flows, guards
from campaigns.models import Enrolment, Message
from campaigns.turns import Turns
from postpurchase import clock
from tests.campaigns.flow_files import file, happen, publish, run, send, wait
from tests.factories import NOON, make_order, make_store

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _noon():
    clock.freeze(NOON)


def _crowd(store, count, *, due=NOON):
    """So many people who are due at once; one real order is enough for all."""
    flow = publish(store, file(send()))
    order = make_order(store)
    Enrolment.objects.bulk_create(
        Enrolment(
            store=store,
            flow=flow,
            version=flow.live,
            customer=order.customer,
            order=order,
            key=f"{flow.pk}:{n}",
            step="mail",
            due_at=due,
            context={"at": NOON.isoformat(), "payload": {}},
        )
        for n in range(count)
    )


def test_a_store_with_a_crowd_delays_another_by_one_batch():
    crowded, small = make_store(), make_store()
    _crowd(crowded, 400, due=NOON - timedelta(hours=1))
    _crowd(small, 3)
    turns = Turns()
    first = turns.take(100, lease=engine.LEASE)
    assert {row.store_id for row in first} == {crowded.pk}
    second = turns.take(100, lease=engine.LEASE)
    assert {row.store_id for row in second} == {crowded.pk, small.pk}
    assert sum(row.store_id == small.pk for row in second) == 3


def test_everybody_is_moved_once_however_many_stores_wait():
    stores = [make_store() for _ in range(4)]
    for n, store in enumerate(stores):
        _crowd(store, 90 * n)
    assert run() == 540
    assert Message.objects.count() == 540
    assert not Enrolment.objects.filter(state="due").exists()


def test_shares_go_round_so_that_the_last_store_has_its_turn():
    stores = [make_store() for _ in range(8)]
    for store in stores:
        _crowd(store, 60)
    turns = Turns()
    turns.take(100, lease=engine.LEASE)
    seen = set()
    for _ in range(2):
        seen |= {row.store_id for row in turns.take(100, lease=engine.LEASE)}
    # The first batch took all of the first store.
    assert seen == {store.pk for store in stores[1:]}


def test_the_operators_switch_stops_every_flow_until_it_is_released():
    store = make_store()
    publish(store, file(send()))
    happen(make_order(store))
    guards.hold(None, guards.Kind.PAUSED)
    assert run() == 0
    guards.release(guards.active()[0], actor="test")
    assert run() == 1


def test_a_guard_that_holds_marketing_alone_moves_people_on():
    store = make_store()
    publish(store, file(send()))
    happen(make_order(store))
    guards.hold(store, guards.Kind.FLOOD)
    assert run() == 1


def test_a_paused_store_keeps_its_people_where_they_are_and_others_go_on():
    paused, other = make_store(), make_store()
    for store in (paused, other):
        publish(store, file(wait(days=1), {"uid": "points", "kind": "give_points", "points": 5}, send()))
        happen(make_order(store))
    run()
    flows.pause_sending(paused, actor="test")
    clock.advance(timedelta(days=1))
    run()
    assert set(Message.objects.values_list("store_id", flat=True)) == {other.pk}
    flows.resume_sending(paused, actor="test")
    run()
    assert Message.objects.filter(store=paused).get().planned_for == NOON + timedelta(days=1)
