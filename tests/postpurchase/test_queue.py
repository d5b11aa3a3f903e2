"""The bell and the tick."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django_q.models import OrmQ, Schedule

from postpurchase import clock, due, queue
from stores.models import Counter, EventDelivery, Heartbeat, IdempotencyKey, SyncTask
from tests.factories import NOON, make_store

pytestmark = pytest.mark.django_db


@pytest.fixture
def drains(monkeypatch):
    """Drains and tick functions of this test alone."""
    alone = {name: [] for name in queue.CLUSTERS}
    monkeypatch.setattr(queue, "_drains", alone)
    monkeypatch.setattr(queue, "_ticks", [])
    return alone


def rings(cluster="postpurchase"):
    return OrmQ.objects.filter(key=cluster).count()


def test_many_wishes_ring_once_until_the_drain_begins(drains):
    with clock.frozen(NOON):
        for _ in range(5):
            queue.ring("postpurchase")
        assert rings() == 1
        queue.answer("postpurchase")
        queue.ring("postpurchase")
    assert rings() == 2


def test_while_a_wish_is_fresh_ringing_writes_nothing(drains):
    with clock.frozen(NOON):
        queue.ring("sync")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            queue.ring("sync")
    assert [query["sql"].split()[0] for query in queries] == ["SELECT"]


def test_a_wish_that_was_never_answered_is_forgotten(drains):
    with clock.frozen(NOON):
        queue.ring("postpurchase")
    with clock.frozen(NOON + queue.WANTED_FOR):
        queue.ring("postpurchase")
    assert rings() == 2


def test_a_wish_from_the_future_is_no_wish(drains):
    with clock.frozen(NOON + timedelta(days=30)):
        queue.ring("postpurchase")
    with clock.frozen(NOON):
        queue.ring("postpurchase")
    assert rings() == 2


def test_wake_rings_after_the_commit_and_not_after_a_rollback(drains, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        queue.wake()
        assert rings() == 0
    assert rings() == 1
    Heartbeat.objects.all().delete()
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        queue.wake()
        transaction.set_rollback(True)
    assert rings() == 1


def test_a_failing_drain_does_not_hold_up_the_others(drains):
    left = [3]

    def works(budget):
        left[0] -= 1
        return 1 if left[0] >= 0 else 0

    def breaks(budget):
        raise ValueError("broken")

    queue.register_drain("breaks", breaks)
    queue.register_drain("works", works)
    assert queue.drain_round("postpurchase", 10) == queue.Round(worked=3, failed=("breaks",), idle=True)


def test_work_that_outlasts_the_budget_is_rung_for_again(drains):
    queue.register_drain("endless", lambda budget: 1)
    queue_seconds = iter(range(0, 1000, 8))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "monotonic", lambda: next(queue_seconds))
        assert queue.answer("postpurchase") == 2
    assert rings() == 1


def test_a_stopping_worker_leaves_after_the_part_in_hand(drains, monkeypatch):
    stop = []
    monkeypatch.setattr(queue, "_stopping", lambda: bool(stop))
    queue.register_drain("one", lambda budget: stop.append(1) or 1)
    queue.register_drain("two", lambda budget: pytest.fail("the worker is stopping"))
    assert queue.drain_round("postpurchase", 10) == queue.Round(worked=1, failed=(), idle=False)


def test_a_part_gets_at_most_five_seconds(drains):
    budgets = []
    queue.register_drain("part", lambda budget: budgets.append(budget) or 0)
    queue.drain("postpurchase", 3600)
    queue.drain("postpurchase", 2)
    assert budgets[0] == queue.PART_SECONDS
    assert budgets[1] <= 2


def test_the_tick_sweeps_every_kind_runs_what_is_registered_beats_and_rings(drains):
    called = []

    def breaks():
        raise ValueError("broken")

    queue.register_tick("breaks", breaks)
    queue.register_tick("called", lambda: called.append(1))
    row = SyncTask.objects.create(
        store=make_store(), entity="order", key="a", state="running", attempts=1, lease_until=NOON
    )
    with clock.frozen(NOON + timedelta(seconds=1)):
        queue.tick()
        assert queue.last_beat() == clock.now()
    row.refresh_from_db()
    assert (row.state, row.error_code) == ("due", "lease_lost")
    assert called == [1]
    assert (rings("postpurchase"), rings("sync")) == (1, 1)


def test_every_due_row_is_found():
    models = due.all_models()
    assert {SyncTask, EventDelivery} <= set(models)
    assert all(not model._meta.abstract for model in models)


def test_the_oldest_due_row_is_told_and_waiting_rows_are_not():
    store = make_store()
    with clock.frozen(NOON):
        assert due.oldest_due(SyncTask) is None
        for key, minutes, priority in [("a", -5, 30), ("b", -9, 40), ("c", 5, 0)]:
            at = NOON + timedelta(minutes=minutes)
            SyncTask.objects.create(store=store, entity="order", key=key, due_at=at, priority=priority)
        assert due.oldest_due(SyncTask) == NOON - timedelta(minutes=9)


def test_there_is_one_schedule_and_it_ticks():
    queue.ensure_schedule()
    (schedule,) = Schedule.objects.all()
    assert (schedule.func, schedule.schedule_type, schedule.minutes, schedule.repeats) == (
        "postpurchase.queue.tick",
        "I",
        1,
        -1,
    )


def test_the_tick_throws_old_counters_and_answers_away():
    store = make_store()
    with clock.frozen(NOON):
        for name, minutes in [("old", -1), ("running", 1)]:
            Counter.objects.create(name=name, count=1, ends_at=NOON + timedelta(minutes=minutes))
        for key, hours in [("old", 25), ("fresh", 23)]:
            at = NOON - timedelta(hours=hours)
            IdempotencyKey.objects.create(store=store, key=key, status=200, answer={}, at=at)
        queue.tick()
    assert list(Counter.objects.values_list("name", flat=True)) == ["running"]
    assert list(IdempotencyKey.objects.values_list("key", flat=True)) == ["fresh"]
