"""The due-row pattern: claims, leases, ends."""

from datetime import timedelta

import pytest
from django.db.models import Q

from postpurchase import clock, due
from stores.models import SyncTask
from tests.factories import make_store

pytestmark = pytest.mark.django_db
LEASE = timedelta(seconds=60)


def task(store, key, **fields):
    return SyncTask.objects.create(store=store, entity="order", key=key, **fields)


def test_a_claim_takes_what_is_due_in_order_of_priority_and_time():
    store = make_store()
    task(store, "later", due_at=clock.now() + timedelta(minutes=5))
    task(store, "old", priority=due.MARKETING, due_at=clock.now() - timedelta(hours=2))
    task(store, "urgent", priority=due.WRITE_BACK)
    task(store, "new", priority=due.MARKETING, due_at=clock.now() - timedelta(hours=1))
    assert [row.key for row in due.claim(SyncTask, limit=2, lease=LEASE)] == ["urgent", "old"]
    assert [row.key for row in due.claim(SyncTask, limit=2, lease=LEASE)] == ["new"]
    assert due.claim(SyncTask, limit=2, lease=LEASE) == []


def test_a_claim_counts_the_attempt_and_respects_the_condition():
    store, other = make_store(), make_store()
    task(store, "ours")
    task(other, "theirs")
    (row,) = due.claim(SyncTask, limit=10, lease=LEASE, where=Q(store=store))
    assert (row.key, row.attempts, row.state) == ("ours", 1, "running")


def test_a_lost_lease_cannot_end_the_row():
    task(make_store(), "a")
    (slow,) = due.claim(SyncTask, limit=1, lease=LEASE)
    with clock.shifted(timedelta(minutes=2)):
        assert due.sweep(SyncTask) == (1, 0)
        (second,) = due.claim(SyncTask, limit=1, lease=LEASE)
        assert not due.finish(slow)
        assert not due.retry(slow, clock.now())
        assert due.finish(second)
    assert SyncTask.objects.get().state == "done"


def test_a_row_that_crashes_its_worker_again_and_again_is_dead_and_says_so():
    row = task(make_store(), "a", state="running", attempts=SyncTask.MAX_ATTEMPTS, lease_until=clock.now() - LEASE)
    assert due.sweep(SyncTask) == (0, 1)
    row.refresh_from_db()
    assert (row.state, row.error_code) == ("dead", "crash_loop")


def test_retry_ends_as_dead_after_the_last_attempt():
    task(make_store(), "a", attempts=SyncTask.MAX_ATTEMPTS - 1)
    (row,) = due.claim(SyncTask, limit=1, lease=LEASE)
    assert due.retry(row, clock.now(), "no", code="x")
    row.refresh_from_db()
    assert (row.state, row.error, row.error_code) == ("dead", "no", "x")


def test_postponing_is_no_failed_attempt():
    task(make_store(), "a")
    (row,) = due.claim(SyncTask, limit=1, lease=LEASE)
    assert due.postpone(row, clock.now() + timedelta(hours=1))
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("due", 0)


def test_held_rows_come_back_only_when_released():
    task(make_store(), "a")
    (row,) = due.claim(SyncTask, limit=1, lease=LEASE)
    due.hold(row, "waits for the merchant")
    assert due.claim(SyncTask, limit=1, lease=LEASE) == []
    assert due.release([row]) == 1
    assert [r.key for r in due.claim(SyncTask, limit=1, lease=LEASE)] == ["a"]


def test_finish_all_ends_only_rows_of_its_own_claim():
    store = make_store()
    for key in "abc":
        task(store, key)
    rows = due.claim(SyncTask, limit=3, lease=LEASE)
    SyncTask.objects.filter(pk=rows[0].pk).update(lease_token=None)
    assert due.finish_all(rows) == 2
