"""A backfill and whatever else asks the same shop make at most four calls at once, and a worker that died holds up nobody."""

import threading
import time
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from postpurchase import clock, due
from postpurchase.due import State
from stores import jobs, turns
from stores.models import Job, Store, SyncTask
from stores.sync import backfill, flight, health, tasks
from stores.sync.reading import Reading
from tests.stores.shop import joined, running


def waits(store: Store) -> SyncTask:
    """A fetch that is due."""
    return SyncTask.objects.create(
        store=store, key="product:101", entity="product", woo_id=101, priority=due.POLL, due_at=clock.now()
    )


def taken(store: Store) -> SyncTask | None:
    return turns._take(SyncTask, store.pk, lease=tasks.LEASE, where=health.may_ask())


def at_four(store: Store) -> Reading:
    """A slice of a backfill that makes four calls at once."""
    job = due.claim(Job, limit=1, lease=jobs.LEASE)[0]
    job.cursor = {"flight": {"limit": 3}}
    run = Reading(job, clock.monotonic() + 600)
    while run.flight.most < flight.MOST:
        run._step()
    return run


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flight, "PAGE", 10)


@pytest.mark.django_db
@pytest.mark.usefixtures("small")
def test_nobody_begins_beside_four_calls_and_the_backfill_makes_room_for_who_waits() -> None:
    with running(orders=200, apart=timedelta(hours=1)) as sandbox:
        store = joined(sandbox, backfilled_at=None, live_from=clock.now())
        backfill.start(store)
        run = at_four(store)
        task = waits(store)
        assert taken(store) is None
        run._step()
        assert (run.flight.most, run.flight._flying <= flight.BESIDE) == (flight.BESIDE, True)
        assert Job.objects.get().alone_until is None
        held = taken(store)
        assert held is not None
        assert held.pk == task.pk
        # As long as that call lasts, the fourth is its.
        run._step()
        assert run.flight.most == flight.BESIDE
        due.finish(held)
        run._step()
        assert run.flight.most == flight.MOST
        run.land()
        assert Job.objects.get().alone_until is None


@pytest.mark.django_db
@pytest.mark.usefixtures("small")
def test_a_backfill_that_died_at_four_calls_holds_the_others_up_for_minutes_at_most() -> None:
    with running(orders=200, apart=timedelta(hours=1)) as sandbox:
        store = joined(sandbox, backfilled_at=None, live_from=clock.now())
        backfill.start(store)
        run = at_four(store)
        # Killed: what it had under way ends with it, and nothing is given back.
        run.flight.close()
        waits(store)
        assert taken(store) is None
        with clock.shifted(turns.ALONE + timedelta(seconds=1)):
            assert taken(store) is not None


@pytest.mark.django_db
def test_refunds_that_wait_for_the_history_do_not_cost_it_the_fourth_call() -> None:
    with running(orders=2) as sandbox:
        store = joined(sandbox, backfilled_at=None, live_from=clock.now())
        backfill.start(store)
        job = due.claim(Job, limit=1, lease=jobs.LEASE)[0]
        SyncTask.objects.create(store=store, key="refund:1", entity="refund", woo_id=1, due_at=clock.now())
        assert turns.take_fourth(job)
        other = joined(sandbox)
        waits(other)
        assert turns.take_fourth(job)
        waits(store)
        assert not turns.take_fourth(job)


@pytest.mark.django_db(transaction=True)
def test_a_backfill_and_polls_together_never_make_a_fifth_call(monkeypatch: pytest.MonkeyPatch) -> None:
    from stores.woo.client import Client

    monkeypatch.setattr(flight, "PAGE", 10)
    guard, flying, seen = threading.Lock(), Counter[str](), Counter[str]()
    send = Client._send

    def watched(self: Client, *given: Any) -> Any:
        with guard:
            flying["now"] += 1
            seen[f"{flying['now']} at once"] += 1
        try:
            time.sleep(0.02)
            return send(self, *given)
        finally:
            with guard:
                flying["now"] -= 1

    monkeypatch.setattr(Client, "_send", watched)
    with running(orders=300, apart=timedelta(hours=1)) as sandbox:
        store = joined(sandbox, backfilled_at=None, live_from=clock.now())
        job = backfill.start(store)
        over = threading.Event()

        def polls() -> None:
            try:
                while not over.is_set():
                    tasks.arm_polls(store, ["order", "product"])
                    seen["polls"] += tasks.run_due(1)
                    over.wait(0.05)
            finally:
                connection.close()

        beside = threading.Thread(target=polls)
        beside.start()
        try:
            for _slice in range(20):
                # A poll that begins with it puts it off for a moment.
                Job.objects.filter(state=State.DUE).update(due_at=clock.now())
                if not jobs.run_one(job.pk, 60):
                    break
        finally:
            over.set()
            beside.join()
        job.refresh_from_db()
        assert job.status == Job.Status.DONE
        assert seen["polls"] > 2
        assert max(int(name.split()[0]) for name in seen if "at once" in name) <= flight.MOST
        assert not SyncTask.objects.filter(state=State.RUNNING).exists()
