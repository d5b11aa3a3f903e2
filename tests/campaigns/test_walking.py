"""Walking a person: a pure function, the same for the engine and for a dry run."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import definitions, effects, engine, walking
from campaigns.models import Enrolment, Message, StepRun
from loyalty import ledger
from loyalty.models import Entry
from postpurchase import clock
from reviews.models import ReviewRequest
from stores import events
from tests.campaigns.flow_files import file, happen, publish, run, send, wait
from tests.factories import NOON, make_order, make_product, make_store

pytestmark = pytest.mark.django_db

POINTS = {"uid": "points", "kind": "give_points", "points": 50}
ASK = {"uid": "ask", "kind": "ask_for_review"}
CHECK = {
    "uid": "check",
    "kind": "branch",
    "condition": {"field": "order.total", "op": "gt", "value": 100},
    "then": [send("big")],
    "else": [send("small")],
}


@pytest.fixture(autouse=True)
def _noon():
    clock.freeze(NOON)


def _entered(*steps, items=(), **extra):
    store = make_store()
    flow = publish(store, file(*steps, **extra))
    happen(make_order(store, items=list(items)))
    rows = list(Enrolment.objects.all())
    engine.load(rows)
    return rows[0], definitions.parse(flow.live.definition)


def test_walking_reads_and_writes_nothing_and_leaves_the_person_as_they_were():
    person, definition = _entered(POINTS, CHECK, wait(days=3), send("last"))
    [values] = walking.values_of([person], definition)
    before = {field.attname: getattr(person, field.attname) for field in Enrolment._meta.concrete_fields}
    with CaptureQueriesContext(connection) as queries:
        move = walking.walk(person, definition, values, NOON)
    assert len(queries) == 0
    assert [(effect.kind, effect.uid, effect.params["points"]) for effect in move.effects] == [
        ("points.give", "points", 50)
    ]
    assert [message.step for message in move.messages] == ["big"]
    assert [(each.step, each.outcome) for each in move.runs] == [("points", "done"), ("check", "yes"), ("big", "done")]
    assert (move.step, move.waiting, move.due_at) == ("wait", True, NOON + timedelta(days=3))
    assert {name: getattr(person, name) for name in before} == before
    assert not Entry.objects.exists()


def test_the_same_walk_gives_the_same_move():
    person, definition = _entered(POINTS, CHECK, wait(days=3), send("last"))
    [values] = walking.values_of([person], definition)
    one, two = (walking.walk(person, definition, values, NOON) for _ in range(2))
    assert [message.key for message in one.messages] == [message.key for message in two.messages]
    assert (one.effects, one.context, one.due_at) == (two.effects, two.context, two.due_at)


def test_a_dry_walk_goes_where_the_engine_goes_and_writes_nothing():
    person, definition = _entered(ASK, POINTS, CHECK, items=[(make_product(make_store()), 1)])
    [values] = walking.values_of([person], definition)
    dry = walking.walk_with(person, definition, values, NOON, perform=effects.foresee)
    assert not ReviewRequest.objects.exists()
    assert not Entry.objects.exists()
    run()
    assert [(each.step, each.outcome) for each in dry.runs] == list(
        StepRun.objects.order_by("pk").values_list("step", "outcome")
    )
    assert [message.key for message in dry.messages] == list(Message.objects.values_list("key", flat=True))
    assert Enrolment.objects.get().status == dry.status == "finished"
    assert ReviewRequest.objects.count() == 1


def test_what_cannot_be_done_ends_the_way_dry_and_for_real():
    person, definition = _entered(POINTS, ASK, send())
    [values] = walking.values_of([person], definition)
    dry = walking.walk_with(person, definition, values, NOON, perform=effects.foresee)
    assert (dry.status, dry.messages) == ("left", [])
    run()
    left = Enrolment.objects.get()
    assert left.status == "left"
    assert left.reason.endswith("closed for reviews.")
    # What was given before stays given.
    assert ledger.balance(left.customer).usable == 50
    assert not Message.objects.exists()
    assert dict(StepRun.objects.values_list("step", "outcome")) == {"points": "done", "ask": "skipped"}


def test_the_mail_carries_what_an_effect_before_it_made():
    person, _definition = _entered(ASK, send(), items=[(make_product(make_store()), 1)])
    run()
    assert Message.objects.get().context["review_request_id"] == ReviewRequest.objects.get().pk
    assert Enrolment.objects.get(pk=person.pk).context["review_request_id"] == ReviewRequest.objects.get().pk


def test_a_wait_that_is_looked_at_too_early_goes_on():
    person, definition = _entered(wait(days=3), send())
    run()
    rows = [Enrolment.objects.get(pk=person.pk)]
    engine.load(rows)
    [values] = walking.values_of(rows, definition)
    early = walking.walk(rows[0], definition, values, NOON + timedelta(days=1))
    assert (early.waiting, early.due_at, early.runs) == (True, NOON + timedelta(days=3), [])
    late = walking.walk(rows[0], definition, values, NOON + timedelta(days=5))
    # As late as it is; the outbox decides what that means.
    assert [message.planned_for for message in late.messages] == [NOON + timedelta(days=3)]


def test_every_effect_has_somebody_who_performs_it():
    assert {"points.give", "review.ask"} <= effects.kinds()


def test_an_order_that_is_cancelled_ends_the_wait_at_once():
    person, _definition = _entered(wait(days=30), send())
    run()
    order = person.order
    type(order).objects.filter(pk=order.pk).update(status="cancelled")
    clock.advance(timedelta(hours=1))
    happen(order, events.ORDER_CANCELLED)
    run()
    left = Enrolment.objects.get(pk=person.pk)
    assert (left.status, left.reason, left.finished_at) == ("left", "order cancelled", NOON + timedelta(hours=1))


def test_an_event_that_changes_nothing_leaves_the_wait_as_it_was():
    person, _definition = _entered(wait(days=30), send())
    run()
    clock.advance(timedelta(hours=1))
    happen(person.order, events.SHIPMENT_CREATED)
    assert Enrolment.objects.get().due_at == NOON + timedelta(hours=1)
    run()
    waits = Enrolment.objects.get(pk=person.pk)
    assert (waits.status, waits.waiting, waits.due_at) == ("active", True, NOON + timedelta(days=30))


def test_an_event_that_comes_while_a_worker_has_the_person_is_not_slept_through(monkeypatch):
    person, _definition = _entered(wait(days=30), send())
    whole = walking.values_of

    def meanwhile(people, definition):
        values = whole(people, definition)
        clock.advance(timedelta(seconds=1))
        type(person.order).objects.update(status="cancelled")
        happen(person.order, events.ORDER_CANCELLED)
        return values

    monkeypatch.setattr(walking, "values_of", meanwhile)
    engine._run(engine.Turns().take(10, lease=engine.LEASE))
    monkeypatch.setattr(walking, "values_of", whole)
    assert Enrolment.objects.get().due_at == NOON + timedelta(seconds=1)
    run()
    assert Enrolment.objects.get().status == "left"


def test_a_fact_out_of_the_past_wakes_nobody():
    person, _definition = _entered(wait(days=30), send())
    run()
    happen(person.order, events.SHIPMENT_CREATED, historic=True)
    assert Enrolment.objects.get().woken_at is None
