"""Several stores on one installation: a slow, a huge or a noisy shop takes its turn and no more."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from postpurchase import clock, due
from postpurchase.due import State
from stores import jobs, turns
from stores.jobs import JobProgress
from stores.models import Intent, Job, Store, SyncTask
from stores.sync import tasks
from tests.factories import NOON, make_store
from tests.stores.shop import joined, running

FRESH = timedelta(minutes=6)


def waiting(store: Store, count: int, *, entity: str = "slow") -> None:
    """Fetches of a store that have been due for an hour."""
    SyncTask.objects.bulk_create(
        SyncTask(
            store=store,
            key=f"{entity}:{number}",
            entity=entity,
            woo_id=number,
            priority=due.POLL,
            due_at=clock.now() - timedelta(hours=1),
        )
        for number in range(count)
    )


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A kind of fetch that takes 50 seconds of the clock; the stores in the order in which they were served."""
    order: list[int] = []

    def slow(task: SyncTask) -> None:
        order.append(task.store_id)
        clock.advance(timedelta(seconds=50))

    monkeypatch.setitem(tasks._fetchers, "slow", slow)
    return order


@pytest.mark.django_db
def test_c80_a_slow_shop_with_a_long_queue_does_not_delay_fifty_small_ones(served: list[int]) -> None:
    clock.freeze(NOON)
    with running() as sandbox:
        big = make_store(backfilled_at=None)
        waiting(big, 20)
        small = [joined(sandbox) for _ in range(50)]
        for store in small:
            tasks.arm_polls(store, ["order"])
        tasks.run_due(600)
        for store in small:
            store.refresh_from_db()
            assert store.polled_at is not None
            # After a thousand seconds of its slow answers they are fresh, so they were polled all along.
            assert clock.now() - store.polled_at <= FRESH
        assert (clock.now() - NOON, len(served)) == (timedelta(seconds=1000), 20)


@pytest.mark.django_db(transaction=True)
def test_c80_a_really_slow_shop_beside_quick_ones_holds_one_worker_and_no_more() -> None:
    with running(orders=8) as slow, running(orders=1) as quick:
        slow.fault("delay", path="/orders", times=0, seconds=1.0)
        big, small = joined(slow), [joined(quick) for _ in range(12)]
        tasks.arm(big, [("order", body["id"]) for body in slow.store.storage.bodies("kind = 'order'", order="id")])
        for store in small:
            tasks.arm_polls(store, ["order"])

        def works(_number: int) -> None:
            try:
                tasks.run_due(60)
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(works, range(2)))
        done = SyncTask.objects.filter(store=big, entity="order", woo_id__isnull=False)
        assert set(done.values_list("state", flat=True)) == {State.DONE}
        last = max(done.values_list("finished_at", flat=True))
        polled = [Store.objects.get(pk=store.pk).polled_at for store in small]
        # All of them were served while the slow one was still answering, and it was asked by one worker at a time.
        assert all(at is not None and at < last for at in polled)
        assert last - min(done.values_list("finished_at", flat=True)) >= timedelta(seconds=7)


@pytest.mark.django_db
def test_c80_its_backfill_takes_half_of_the_workers_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    inside: list[int] = []

    def slice_of(job: Job, budget: float) -> JobProgress:
        # While this worker is in the slice, another one comes for long work, and gets none beyond the half.
        inside.append(Job.objects.filter(state=State.RUNNING).count())
        if len(inside) < 5:
            jobs.run_due(0.5)
        return JobProgress(finished=True, phase="x", done=1, total=1)

    monkeypatch.setitem(jobs._handlers, "long", slice_of)
    for _ in range(5):
        jobs.start(make_store(), "long")
    jobs.run_due(5)
    assert turns.job_slots() == 1
    assert inside == [1] * 5


@pytest.mark.django_db
def test_long_work_goes_round_the_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    clock.freeze(NOON)
    order: list[int] = []

    def slice_of(job: Job, budget: float) -> JobProgress:
        order.append(job.store_id)
        clock.advance(timedelta(seconds=1))
        return JobProgress(finished=order.count(job.store_id) == 3, phase="x", done=1, total=3)

    monkeypatch.setitem(jobs._handlers, "long", slice_of)
    stores = [make_store() for _ in range(3)]
    for store in stores:
        jobs.start(store, "long")
        clock.advance(timedelta(seconds=1))
    jobs.run_due(60)
    assert order == [store.pk for store in stores] * 3


@pytest.mark.django_db
def test_c45_a_store_with_a_thousand_hints_a_second_is_one_among_others(served: list[int]) -> None:
    clock.freeze(NOON)
    loud, quiet = make_store(backfilled_at=NOON), make_store(backfilled_at=NOON)
    waiting(loud, 30)
    waiting(quiet, 3)
    tasks.run_due(600)
    assert Counter(served[:6]) == {loud.pk: 3, quiet.pk: 3}
    assert Counter(served) == {loud.pk: 30, quiet.pk: 3}


@pytest.mark.django_db
def test_c15_one_shop_that_asks_for_rest_leaves_the_others_alone(served: list[int]) -> None:
    clock.freeze(NOON)
    resting = make_store(backfilled_at=NOON, quiet_until=NOON + timedelta(hours=1))
    other = make_store(backfilled_at=NOON)
    waiting(resting, 2)
    waiting(other, 2)
    tasks.run_due(60)
    tasks.run_due(60)
    assert served == [other.pk, other.pk]


@pytest.mark.django_db
@pytest.mark.parametrize("model", [SyncTask, Intent])
def test_a_shop_that_somebody_talks_to_is_left_alone_until_the_lease_ends(model: Any, served: list[int]) -> None:
    clock.freeze(NOON)
    store = make_store(backfilled_at=NOON)
    extra = {"entity": "order"} if model is SyncTask else {"kind": "coupon.create", "subject_id": 1}
    model.objects.create(
        store=store, key="other", state=State.RUNNING, lease_until=NOON + timedelta(seconds=300), **extra
    )
    waiting(store, 1)
    assert tasks.run_due(5) == 0
    clock.advance(timedelta(seconds=301))
    assert tasks.run_due(5) == 1


@pytest.mark.django_db(transaction=True)
def test_two_workers_never_ask_one_shop_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now: Counter[int] = Counter()
    most: Counter[int] = Counter()
    served: Counter[int] = Counter()
    guard = threading.Lock()

    def noting(task: SyncTask) -> None:
        with guard:
            now[task.store_id] += 1
            most[task.store_id] = max(most[task.store_id], now[task.store_id])
        time.sleep(0.01)
        with guard:
            now[task.store_id] -= 1
            served[task.store_id] += 1

    monkeypatch.setitem(tasks._fetchers, "slow", noting)
    stores = [make_store(backfilled_at=NOON) for _ in range(3)]
    for store in stores:
        waiting(store, 8)

    def work() -> None:
        try:
            while SyncTask.objects.filter(state=State.DUE).exists():
                tasks.run_due(5)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert served == {store.pk: 8 for store in stores}
    assert set(most.values()) == {1}
