"""A shop that is away, blocked or refuses its keys is left alone but for the probe, and nothing of it is lost."""

from datetime import timedelta
from typing import Any

import pytest

from postpurchase import clock, due
from postpurchase.due import State
from stores import intents, jobs
from stores.models import Event, Intent, Job, Store, SyncTask
from stores.sandbox.server import Sandbox
from stores.sync import backfill, health, tasks
from stores.woo.errors import Unreachable
from tests.factories import NOON, make_store
from tests.stores.shop import joined, running

pytestmark = pytest.mark.django_db
# Jittered by a tenth at most.
MINUTES = [1, 2, 5, 15, 30, 60, 60]


def poll(store: Store) -> SyncTask:
    """One poll of orders, at whatever time it would be due."""
    tasks.arm_polls(store, ["order"])
    SyncTask.objects.filter(store=store, key="poll:order").update(due_at=clock.now())
    tasks.run_due(5)
    store.refresh_from_db()
    return SyncTask.objects.get(store=store, key="poll:order")


def opened(sandbox: Sandbox) -> Store:
    """A store whose shop has failed five times in a row, and fails on."""
    store = joined(sandbox)
    sandbox.fault("status", status=500, path="/", times=0)
    for _ in range(health.FAILURES):
        poll(store)
    assert store.state == Store.State.UNREACHABLE
    return store


def probe(store: Store) -> SyncTask:
    return SyncTask.objects.get(store=store, key=health.PROBE)


def to_the_probe(store: Store) -> None:
    """Time passes until the probe is due, and it goes out."""
    clock.freeze(probe(store).due_at)
    tasks.run_due(5)
    store.refresh_from_db()


def told(store: Store, name: str) -> int:
    return Event.objects.filter(store=store, name=name).count()


def test_five_failures_in_a_row_open_it_and_four_do_not() -> None:
    with running() as sandbox:
        clock.freeze(NOON)
        store = joined(sandbox)
        sandbox.fault("drop_before", path="/orders", times=0)
        for failures in (1, 2, 3, 4):
            task = poll(store)
            assert (store.failures, store.state, task.state) == (failures, Store.State.CONNECTED, State.DUE)
            assert task.error
        poll(store)
        assert (store.failures, store.state) == (5, Store.State.UNREACHABLE)
        assert told(store, "store.unreachable") == 1


def test_an_answer_between_failures_begins_the_count_anew() -> None:
    with running() as sandbox:
        store = joined(sandbox)
        for _ in range(3):
            sandbox.fault("drop_before", path="/orders", times=4)
            for _ in range(4):
                poll(store)
            poll(store)
            assert (store.failures, store.state) == (0, Store.State.CONNECTED)


def test_nothing_of_an_open_store_is_claimed() -> None:
    with running() as sandbox:
        clock.freeze(NOON)
        store = opened(sandbox)
        tasks.arm(store, [("order", 5)])
        intent = Intent.objects.create(store=store, kind="coupon.create", key="k", subject_id=1)
        job = backfill.start(store)
        before = len(sandbox.requests)
        assert (tasks.run_due(5), intents.run_due(5), jobs.run_due(5)) == (0, 0, 0)
        assert len(sandbox.requests) == before
        for row in (SyncTask.objects.get(key="order:5"), intent, job):
            row.refresh_from_db()
            assert (row.state, row.attempts) == (State.DUE, 0)


def test_probes_go_out_singly_after_growing_times() -> None:
    with running() as sandbox:
        clock.freeze(NOON)
        store = opened(sandbox)
        tasks.arm(store, [("order", 5), ("order", 6)])
        for minutes in MINUTES:
            wait = (probe(store).due_at - clock.now()) / timedelta(minutes=1)
            assert minutes * 0.9 <= wait <= minutes * 1.1
            before = len(sandbox.requests)
            to_the_probe(store)
            assert len(sandbox.requests) == before + 1
        assert told(store, "store.unreachable") == 1


def test_three_good_answers_close_it_and_all_that_waited_goes_on() -> None:
    with running() as sandbox:
        clock.freeze(NOON)
        store = opened(sandbox)
        tasks.arm(store, [("product", 101)])
        sandbox.clear_faults()
        before = len(sandbox.requests)
        to_the_probe(store)
        assert (store.state, store.failures, store.state_reason) == (Store.State.CONNECTED, 0, "")
        assert told(store, "store.recovered") == 1
        assert [one["path"].rpartition("/")[2] for one in sandbox.requests[before : before + 3]] == ["orders"] * 3
        tasks.run_due(5)
        assert SyncTask.objects.get(key="product:101").state == State.DONE
        assert SyncTask.objects.get(key="poll:order").error == ""
        assert probe(store).state == State.DONE


def test_a_shop_that_answers_twice_and_fails_again_stays_open() -> None:
    with running() as sandbox:
        clock.freeze(NOON)
        store = opened(sandbox)
        sandbox.clear_faults()
        sandbox.fault("status", status=502, path="/orders", nth=3)
        to_the_probe(store)
        assert (store.state, store.good_answers) == (Store.State.UNREACHABLE, 0)
        assert probe(store).state == State.DUE


def test_a_page_of_a_firewall_opens_it_at_once() -> None:
    with running() as sandbox:
        store = joined(sandbox)
        sandbox.fault("status", status=403, path="/", times=0)
        poll(store)
        assert (store.state, store.failures) == (Store.State.UNREACHABLE, 1)
        assert (store.refusals, told(store, "store.refused")) == (0, 0)


def test_c15_a_told_pause_holds_the_whole_store_and_no_other() -> None:
    with running() as sandbox:
        clock.freeze(NOON)
        store, other = joined(sandbox), joined(sandbox)
        sandbox.fault("status", status=429, headers={"Retry-After": "600"}, path="/orders")
        poll(store)
        assert (store.state, store.quiet_until) == (Store.State.CONNECTED, NOON + timedelta(seconds=600))
        tasks.arm(store, [("product", 101)])
        job = backfill.start(store)
        before = len(sandbox.requests)
        clock.advance(timedelta(seconds=599))
        assert (tasks.run_due(5), jobs.run_due(5)) == (0, 0)
        assert len(sandbox.requests) == before
        poll(other)
        assert (other.polled_at, other.failures) == (clock.now(), 0)
        clock.advance(timedelta(seconds=1))
        assert tasks.run_due(5) == 2
        store.refresh_from_db()
        assert (store.polled_at, store.failures) == (clock.now(), 0)
        assert Job.objects.get(pk=job.pk).attempts == 0


def test_five_told_pauses_in_a_row_open_it() -> None:
    with running() as sandbox:
        clock.freeze(NOON)
        store = joined(sandbox)
        sandbox.fault("status", status=429, headers={"Retry-After": "30"}, path="/orders", times=0)
        for _ in range(5):
            poll(store)
            clock.advance(timedelta(seconds=31))
        assert store.state == Store.State.UNREACHABLE


def test_refused_keys_are_confirmed_twice_before_the_merchant_is_told_once() -> None:
    with running() as sandbox:
        clock.freeze(NOON)
        store = joined(sandbox, consumer_secret="cs_revoked")
        poll(store)
        assert (store.state, store.refusals) == (Store.State.CONNECTED, 1)
        tasks.arm(store, [("order", 5)])
        before = len(sandbox.requests)
        to_the_probe(store)
        assert (store.state, told(store, "store.refused")) == (Store.State.CONNECTED, 0)
        assert 0.9 <= (clock.now() - NOON) / timedelta(minutes=1) <= 1.1
        to_the_probe(store)
        assert 4.5 <= (clock.now() - NOON) / timedelta(minutes=1) <= 5.5
        assert (store.state, told(store, "store.refused")) == (Store.State.REFUSED, 1)
        assert "keys" in store.state_reason
        to_the_probe(store)
        to_the_probe(store)
        assert told(store, "store.refused") == 1
        assert len(sandbox.requests) == before + 4
        assert SyncTask.objects.get(key="order:5").attempts == 0


def test_keys_that_are_good_again_end_the_doubt_at_the_first_answer() -> None:
    with running() as sandbox:
        clock.freeze(NOON)
        store = joined(sandbox)
        sandbox.fault("status", status=401, body='{"code":"woocommerce_rest_authentication_error"}', path="/orders")
        poll(store)
        assert store.refusals == 1
        before = len(sandbox.requests)
        to_the_probe(store)
        assert (store.state, store.refusals, told(store, "store.refused")) == (Store.State.CONNECTED, 0, 0)
        assert SyncTask.objects.get(key="poll:order").state == State.DUE
        assert len(sandbox.requests) > before


def test_failures_under_way_when_it_opened_do_not_count() -> None:
    store = make_store(state=Store.State.UNREACHABLE, failures=5)
    for _ in range(3):
        health.failed(store, Unreachable("Too slow."))
    assert (store.failures, store.probes) == (5, 0)


@pytest.mark.parametrize("fields", [{"state": "unreachable"}, {"state": "refused", "refusals": 3}, {"refusals": 1}])
def test_a_held_store_without_a_probe_gets_one_within_the_minute(fields: dict[str, Any]) -> None:
    store = make_store(**fields)
    assert (health.tick_probes(), health.tick_probes()) == (1, 0)
    assert probe(store).state == State.DUE
    SyncTask.objects.update(state=State.DEAD)
    assert health.tick_probes() == 1


def test_a_store_that_answers_has_no_probe() -> None:
    make_store()
    assert health.tick_probes() == 0


def test_a_write_back_to_a_silent_shop_keeps_its_attempts() -> None:
    with running() as sandbox:
        clock.freeze(NOON)
        store = joined(sandbox)
        sandbox.fault("status", status=500, path="/coupons", times=0)
        store.refresh_from_db()
        from decimal import Decimal

        from stores import coupons

        coupons.issue(store, source="x", amount=Decimal(5), emails=[])
        for _ in range(20):
            intents.run_due(5)
            clock.advance(timedelta(minutes=1))
        store.refresh_from_db()
        intent = Intent.objects.get()
        assert store.state == Store.State.UNREACHABLE
        assert (intent.status, intent.state) == (Intent.Status.PLANNED, State.DUE)
        assert intent.attempts <= due.DueRow.MAX_ATTEMPTS - 1
