"""A shop that fails while its history is read, and workers that die of it: complete, in place, and no harder than it bears."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from postpurchase import clock
from postpurchase.due import State
from stores import connect, jobs
from stores.models import Event, Job, Order, Store, SyncTask
from stores.sandbox.server import Sandbox
from stores.sync import backfill, flight, health, tasks
from tests.faults.house import MANAGE, database_url
from tests.stores.shop import asked, joined, running

HTML = {"Content-Type": "text/html"}


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flight, "PAGE", 5)
    monkeypatch.setattr(flight, "SMALLEST", 2)


def begun(sandbox: Sandbox, **fields: Any) -> Job:
    """A backfill that has brought some orders, but not all."""
    job = backfill.start(joined(sandbox, backfilled_at=None, live_from=clock.now(), **fields))
    while not Order.objects.exists():
        jobs.run_one(job.pk, 0)
    job.refresh_from_db()
    assert job.status == Job.Status.RUNNING
    return job


def run(job: Job, *, tries: int = 300) -> Job:
    """Slices until it is done or waits."""
    for _try in range(tries):
        if not jobs.run_one(job.pk, 60):
            break
    job.refresh_from_db()
    return job


def goes_on(job: Job, *, rounds: int = 40) -> Job:
    """Slices until it is done, however often it has to wait."""
    for _round in range(rounds):
        Store.objects.filter(pk=job.store_id).update(state=Store.State.CONNECTED)
        Job.objects.filter(pk=job.pk, state=State.DUE).update(due_at=clock.now())
        if run(job).status == Job.Status.DONE:
            break
    return job


def there(sandbox: Sandbox) -> list[int]:
    return [body["id"] for body in sandbox.store.storage.bodies("kind = 'order'", order="id")]


def here() -> list[int]:
    return sorted(Order.objects.values_list("woo_id", flat=True))


@pytest.mark.django_db
def test_c04_key_revoked_in_the_middle_stops_at_once_and_goes_on_with_a_new_one() -> None:
    with running(orders=30) as sandbox:
        job = begun(sandbox)
        good, before = job.store.consumer_secret, len(sandbox.requests)
        held, told = here(), {"key": job.store.consumer_key}
        Store.objects.filter(pk=job.store_id).update(consumer_secret="cs_revoked")
        clock.advance(timedelta(seconds=1))
        run(job)
        assert (job.status, here()) == (Job.Status.RUNNING, held)
        # One request at most for each that was allowed at once, and then silence.
        assert len(sandbox.requests) - before <= flight.MOST + 2
        asked_then = len(sandbox.requests)
        assert jobs.waits_until(job) is not None
        assert jobs.run_due(1) == 0
        assert len(sandbox.requests) == asked_then
        store = Store.objects.get(pk=job.store_id)
        for number in range(1, health.REFUSALS):
            clock.freeze(SyncTask.objects.get(store=store, key=health.PROBE).due_at)
            assert tasks.run_due(5) == 1
            # One request for each probe, and nothing else goes out.
            assert len(sandbox.requests) == asked_then + number
        asked_then = len(sandbox.requests)
        store.refresh_from_db()
        assert store.state == Store.State.REFUSED
        assert Event.objects.filter(store=store, name="store.refused").count() == 1
        # While the keys are refused it is the probe that asks, not the backfill.
        Job.objects.update(due_at=clock.now())
        run(job)
        assert len(sandbox.requests) == asked_then
        connect.connect(sandbox.url, key=sandbox.key, secret=good, store=store)
        goes_on(job)
        assert (job.status, here()) == (Job.Status.DONE, there(sandbox))
        assert told["key"] not in job.error


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text", ["\ufeff", "\r\n\n", "<br />\n<b>Notice</b>: Undefined index in x.php on line 3<br />\n"]
)
def test_c13_junk_before_the_json_loses_nothing_and_is_told(text: str) -> None:
    with running(orders=30) as sandbox:
        job = backfill.start(joined(sandbox, backfilled_at=None, live_from=clock.now()))
        sandbox.fault("prefix", path="/", times=0, text=text)
        run(job)
        assert (job.status, here(), job.errors_count) == (Job.Status.DONE, there(sandbox), 0)
        assert bool(Store.objects.get().capabilities.get("pollution")) is bool(text.strip())


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("status", {"status": 200, "body": "<html><body>Maintenance</body></html>"}),
        ("status", {"status": 200, "body": "", "headers": {"Content-Type": "application/json"}}),
        ("status", {"status": 502}),
        ("status", {"status": 504}),
        ("truncate", {}),
        ("truncate", {"bytes": 3}),
        ("headers", {"headers": {"Content-Encoding": "gzip"}}),
        ("drop_before", {}),
        ("drop_after_commit", {}),
    ],
)
@pytest.mark.parametrize("times", [1, 6])
def test_c14_broken_answers_move_nothing_and_are_asked_for_again(
    fault: str, options: dict[str, Any], times: int
) -> None:
    with running(orders=30) as sandbox:
        job = begun(sandbox)
        since = Store.objects.get().complete_since
        sandbox.fault(fault, path="/orders$", times=times, **options)
        run(job, tries=1)
        known = Store.objects.get().complete_since
        assert known is not None
        assert since is not None
        # What is called complete is complete.
        complete = {body["id"] for body in sandbox.store.storage.bodies("kind = 'order'") if _at(body) >= known}
        assert complete <= set(here())
        goes_on(job)
        assert (job.status, here(), job.errors_count) == (Job.Status.DONE, there(sandbox), 0)
        assert Event.objects.filter(name="order.placed").count() == 30
        assert job.done == job.total


def _at(body: dict[str, Any]) -> Any:
    from tests.stores.shop import gmt

    return gmt(body["date_created_gmt"])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        (429, "90", 90),
        (429, "date", 600),
        (429, "999999", 3600),
        (429, "soon, perhaps", 60),
        (429, None, 60),
        (503, "600", 600),
    ],
)
def test_c15_told_to_wait_nothing_is_asked_earlier(status: int, header: str | None, seconds: int) -> None:
    with running(orders=30) as sandbox:
        job = begun(sandbox)
        if header == "date":
            header = format_datetime(clock.now() + timedelta(seconds=600), usegmt=True)
        sandbox.fault(
            "status",
            path="/orders$",
            times=0,
            status=status,
            body="{}",
            headers={"Retry-After": header} if header else {},
        )
        moment = clock.now()
        run(job)
        assert timedelta(seconds=seconds - 5) < job.due_at - moment < timedelta(seconds=seconds + 30)
        assert jobs.waits_until(job) == job.due_at
        silent = len(sandbox.requests)
        clock.advance(timedelta(seconds=seconds - 10))
        assert jobs.run_due(1) == 0
        assert not jobs.run_one(job.pk, 1)
        assert len(sandbox.requests) == silent
        sandbox.clear_faults()
        clock.advance(timedelta(seconds=30))
        run(job)
        assert (job.status, here()) == (Job.Status.DONE, there(sandbox))
        # For an hour after that one request at a time.
        assert job.cursor["flight"]["limit"] == 1


@pytest.mark.django_db
@pytest.mark.parametrize("place", [0, 14, 29])
def test_an_order_that_breaks_every_page_it_is_on_is_put_aside_after_three_tries_alone(place: int) -> None:
    with running(orders=30) as sandbox:
        bad = there(sandbox)[place]
        job = backfill.start(joined(sandbox, backfilled_at=None, live_from=clock.now()))
        sandbox.fault("break_on", path="/orders", times=0, ids=[bad])
        run(job)
        assert (job.status, job.errors_count) == (Job.Status.DONE, 1)
        assert here() == [one for one in there(sandbox) if one != bad]
        assert job.store.quarantine.get().woo_id == bad
        assert len(asked(sandbox, f"/orders/{bad}")) == 3
        assert job.store.state == Store.State.CONNECTED
        assert [row[:2] for row in jobs.errors_of(job)] == [("order", str(bad))]


@pytest.mark.django_db
def test_a_product_that_breaks_its_page_is_put_aside_and_the_rest_arrives() -> None:
    with running(orders=3) as sandbox:
        job = backfill.start(joined(sandbox, backfilled_at=None, live_from=clock.now()))
        sandbox.fault("break_on", path="/products", times=0, ids=[102])
        run(job)
        assert job.status == Job.Status.DONE
        assert not job.store.products.filter(woo_id=102).exists()
        assert job.store.products.filter(woo_id=101).exists()
        assert here() == there(sandbox)


@pytest.mark.django_db
def test_never_more_than_four_at_once_and_one_when_gentle(monkeypatch: pytest.MonkeyPatch) -> None:
    from stores.woo.client import Client

    flying, most = Counter[str](), Counter[str]()
    page = Client.page

    def watched(self: Client, path: str, **params: Any) -> Any:
        flying["now"] += 1
        most["seen"] = max(most["seen"], flying["now"])
        try:
            time.sleep(0.01)
            return page(self, path, **params)
        finally:
            flying["now"] -= 1

    monkeypatch.setattr(Client, "page", watched)
    with running(orders=120, apart=timedelta(hours=1)) as sandbox:
        store = joined(sandbox, backfilled_at=None, live_from=clock.now())
        assert run(backfill.start(store)).status == Job.Status.DONE
        assert 2 <= most["seen"] <= flight.MOST
        most.clear()
        Order.objects.all().delete()
        backfill.set_gentle(store, True)
        assert run(backfill.start(store)).status == Job.Status.DONE
        assert most["seen"] == 1
        assert here() == there(sandbox)


def environment(kill_at: str = "") -> dict[str, str]:
    return {
        **os.environ,
        "DATABASE_URL": database_url(),
        "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "tests.settings"),
        "KILL_AT": kill_at,
        "PYTHONPATH": str(settings.BASE_DIR),
    }


def command(store: Store, kill_at: str = "") -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, MANAGE, "backfill", "--store", store.slug],
        env=environment(kill_at),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def freed(job: Job) -> None:
    """As when the lease of a dead worker has run out."""
    Job.objects.filter(pk=job.pk, state=State.RUNNING).update(state=State.DUE, lease_token=None, lease_until=None)


def windows_read(sandbox: Sandbox) -> int:
    """Requests for whole pages of orders by creation time."""
    return sum("before=" in one["query"] and "_fields" not in one["query"] for one in asked(sandbox, "/orders"))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["backfill.order.applied", "backfill.window.committed"])
def test_c35_killed_between_page_rows_and_place_reads_again_only_what_was_under_way(name: str) -> None:
    with running(orders=400, apart=timedelta(hours=1)) as sandbox:
        store = joined(sandbox, backfilled_at=None, live_from=clock.now())
        job = backfill.start(store)
        kills = 3
        for _kill in range(kills):
            process = command(store, name)
            said, _ = process.communicate(timeout=120)
            assert process.returncode == -signal.SIGKILL, said
            freed(job)
        process = command(store)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
        job.refresh_from_db()
        assert (job.status, here()) == (Job.Status.DONE, there(sandbox))
        assert job.done == job.total
        assert Event.objects.filter(name="order.placed").count() == 400
        assert windows_read(sandbox) <= 400 / 60 + kills * (flight.MOST + 2)


@pytest.mark.django_db(transaction=True)
def test_c35_killed_at_random_it_ends_complete() -> None:
    dice = random.Random(35)
    with running(orders=600, apart=timedelta(hours=1)) as sandbox:
        store = joined(sandbox, backfilled_at=None, live_from=clock.now())
        job = backfill.start(store)
        sandbox.fault("delay", path="/orders$", times=0, seconds=0.4)
        killed, done = 0, 0
        for _try in range(10):
            process = command(store)
            ends = time.monotonic() + 60
            # Somewhere in the middle of the work, not in the start of the process.
            while process.poll() is None and time.monotonic() < ends:
                job.refresh_from_db()
                if job.state == State.RUNNING:
                    break
                time.sleep(0.02)
            time.sleep(dice.uniform(0, 0.9))
            process.kill()
            process.communicate()
            job.refresh_from_db()
            # What was kept stays kept.
            assert job.done >= done
            done = job.done
            if job.status == Job.Status.DONE:
                break
            killed += process.returncode == -signal.SIGKILL
            freed(job)
        assert killed >= 2
        sandbox.clear_faults()
        freed(job)
        process = command(store)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0, said
        job.refresh_from_db()
        assert (job.status, here()) == (Job.Status.DONE, there(sandbox))
        assert Event.objects.filter(name="order.placed").count() == 600
        assert windows_read(sandbox) <= 600 / 60 + killed * (flight.MOST + 2)


@pytest.mark.django_db
def test_c36_a_slow_worker_whose_job_was_taken_over_moves_nothing() -> None:
    with running(orders=30) as sandbox:
        job = begun(sandbox)
        slow = Job.objects.get(pk=job.pk)
        Job.objects.filter(pk=job.pk).update(lease_token="00000000-0000-0000-0000-000000000001", state=State.RUNNING)
        slow.lease_token = None
        kept, rows = Job.objects.get(pk=job.pk).cursor, here()
        since = Store.objects.get().complete_since
        Job.objects.filter(pk=job.pk).update(cursor=kept)
        with pytest.raises(tasks.LeaseLost):
            backfill.run_slice(slow, 60)
        assert (Job.objects.get(pk=job.pk).cursor, here()) == (kept, rows)
        assert Store.objects.get().complete_since == since


@pytest.mark.django_db(transaction=True)
def test_c36_two_workers_at_once_read_it_once() -> None:
    with running(orders=30) as sandbox:
        job = backfill.start(joined(sandbox, backfilled_at=None, live_from=clock.now()))

        def slice_of_it(_number: int) -> bool:
            try:
                return jobs.run_one(job.pk, 60)
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(slice_of_it, range(2))) == [False, True]
        job.refresh_from_db()
        assert (job.status, here(), job.done) == (Job.Status.DONE, there(sandbox), job.total)
        assert Event.objects.filter(name="order.placed").count() == 30
