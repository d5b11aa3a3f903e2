"""A shop that answers wrongly when it is asked what changed: nothing is lost, nothing is deleted, a person is told."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from postpurchase import clock, due
from stores.models import Event, Order, Store, SyncCursor, SyncTask
from stores.sandbox.server import Sandbox
from stores.sync import checks, poll, tasks, walk
from stores.woo.client import Client, client_for
from tests.factories import NOON
from tests.stores import fake_shop
from tests.stores.shop import asked, gmt, joined, place, running

pytestmark = pytest.mark.django_db


def run(store: Store, entity: str = "order") -> SyncTask:
    """One poll of an entity, and the fetches that it asked for."""
    tasks.arm_polls(store, [entity])
    SyncTask.objects.filter(store=store, key=f"poll:{entity}").update(due_at=clock.now() - timedelta(seconds=1))
    while rows := due.claim(SyncTask, limit=1, lease=tasks.LEASE):
        rows[0].store.refresh_from_db()
        tasks._run(rows[0])
    store.refresh_from_db()
    return SyncTask.objects.get(store=store, key=f"poll:{entity}")


def cursor(store: Store) -> Any:
    return SyncCursor.objects.get(store=store, entity="order").cursor_gmt


def here(store: Store) -> list[int]:
    return sorted(Order.objects.filter(store=store, deleted_at=None).values_list("woo_id", flat=True))


@contextmanager
def polled(**options: Any) -> Iterator[tuple[Sandbox, Store]]:
    """A shop whose one order is mirrored and stands at the cursor."""
    with running(**options) as sandbox:
        store = joined(sandbox)
        run(store)
        place(sandbox)
        run(store)
        yield sandbox, store


def told(store: Store) -> list[str]:
    """What the System page says that is not well."""
    return [check.sentence for check in checks.checks(store) if not check.ok]


def test_c17_short_and_empty_pages_in_the_middle_lose_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "PER_PAGE", 5)
    with polled() as (sandbox, store):
        first = here(store)
        bodies = []
        for number in range(23):
            sandbox.advance(minutes=30)
            bodies.append(place(sandbox, number)["id"])
        # A whole page, and single ones on others, may not be shown.
        hidden = [*bodies[5:10], bodies[12], bodies[20]]
        sandbox.fault("drop_rows", path="/orders$", times=0, ids=hidden)
        run(store)
        assert here(store) == sorted([*first, *(set(bodies) - set(hidden))])
        assert cursor(store) == gmt((sandbox.get("order", bodies[-1]) or {})["date_modified_gmt"])


def test_c19_a_second_with_250_changes_comes_in_whole_and_the_walk_ends() -> None:
    with polled() as (sandbox, store):
        first = here(store)
        sandbox.advance(hours=1)
        bodies = [place(sandbox, number)["id"] for number in range(250)]
        before = len(sandbox.requests)
        run(store)
        assert here(store) == sorted([*first, *bodies])
        assert len(sandbox.requests) - before < 12


@pytest.mark.parametrize("wrong", [timedelta(minutes=20), -timedelta(hours=3)])
def test_c22_the_cursor_follows_the_shops_clock_however_wrong(wrong: timedelta) -> None:
    with polled() as (sandbox, store), clock.frozen(NOON - wrong):
        for minutes in (1, 7, 70):
            sandbox.advance(minutes=minutes)
            body = place(sandbox, minutes)
            run(store)
            assert body["id"] in here(store)
            assert cursor(store) == gmt(body["date_modified_gmt"])


def test_c22_a_row_from_the_shops_future_does_not_hide_what_follows() -> None:
    with polled() as (sandbox, store):
        body = place(sandbox, 1)
        sandbox.put("order", body | {"date_modified_gmt": "2031-01-01T00:00:00"})
        run(store)
        assert cursor(store) <= sandbox.clock.now()
        sandbox.advance(hours=2)
        later = place(sandbox, 2)
        run(store)
        assert later["id"] in here(store)


def test_c23_a_shop_that_ignores_the_filter_is_found_out_and_read_as_a_whole() -> None:
    with running(orders=30) as sandbox:
        store = joined(sandbox)
        run(store)
        sandbox.fault(
            "ignore", path="/orders$", times=0, params=["modified_after", "modified_before", "orderby", "dates_are_gmt"]
        )
        task = run(store)
        assert store.capabilities["modified_after:order"] is False
        assert task.error == ""
        assert len(here(store)) == 30
        assert any("cannot say what changed" in sentence for sentence in told(store))
        # From here on one request brings what is new, and nothing is written again.
        rows, before = Event.objects.count(), len(sandbox.requests)
        run(store)
        assert (Event.objects.count(), len(sandbox.requests) - before) == (rows, 1)
        body = place(sandbox, 3)
        run(store)
        assert body["id"] in here(store)
        # An old order that changed waits for the next whole reading.
        sandbox.complete(201)
        with clock.shifted(poll.SCAN_EVERY):
            run(store)
        assert Order.objects.get(woo_id=201).status == "completed"


def test_c23_a_shop_that_refuses_the_order_of_changes_is_read_as_a_whole() -> None:
    with running(orders=3) as sandbox:
        store = joined(sandbox)
        refusal = {"code": "rest_invalid_param", "message": "Invalid parameter(s): orderby", "data": {"status": 400}}
        sandbox.fault("status", path="/orders$", times=1, status=400, body=json.dumps(refusal))
        run(store)
        assert store.capabilities["modified_after:order"] is False
        assert len(here(store)) == 3


def test_c24_a_cache_in_front_is_noticed_passed_by_and_told() -> None:
    with polled() as (sandbox, store):
        sandbox.fault("cached", path="/orders", times=0, seconds=600)
        run(store)
        before = cursor(store)
        sandbox.advance(minutes=5)
        body = place(sandbox, 1)
        run(store)
        assert body["id"] in here(store)
        assert cursor(store) > before
        assert store.capabilities["cached"]
        assert any("cache" in sentence for sentence in told(store))
        # Known now: no request is wasted on the cache any more.
        sandbox.advance(minutes=5)
        count = len(asked(sandbox, "/orders"))
        run(store)
        assert len(asked(sandbox, "/orders")) == count + 1


def test_c24_a_cache_that_cannot_be_passed_leaves_cursor_and_freshness_where_they_were() -> None:
    with polled() as (sandbox, store):
        sandbox.fault("cached", path="/orders", times=0, seconds=600, blind=True)
        run(store)
        before, polled_at, mirrored = cursor(store), store.polled_at, here(store)
        sandbox.advance(minutes=5)
        body = place(sandbox, 1)
        task = run(store)
        assert (task.state, task.error_code) == ("due", "cached")
        assert (cursor(store), store.polled_at, here(store)) == (before, polled_at, mirrored)
        assert any("cache" in sentence for sentence in told(store))
        sandbox.advance(minutes=11)
        assert run(store).error_code == ""
        assert body["id"] in here(store)


def test_c24_a_date_that_does_not_move_on_tells_of_a_cache_without_an_age(monkeypatch: pytest.MonkeyPatch) -> None:
    with fake_shop.serve() as shop:
        client, spent = Client(shop.url, key="ck_1", secret="cs_1"), [0.0]
        monkeypatch.setattr(clock, "monotonic", lambda: spent[0])

        def at(minutes: int) -> Any:
            date = format_datetime(NOON - timedelta(hours=3) + timedelta(minutes=minutes), usegmt=True)

            def answer(handler: Any) -> None:
                handler.send_response_only(200)
                for name, value in (("Content-Type", "application/json"), ("Date", date), ("Content-Length", "2")):
                    handler.send_header(name, value)
                handler.end_headers()
                handler.wfile.write(b"[]")

            return answer

        shop.will(at(0))
        client.page("orders")
        spent[0] = 300.0
        shop.will(at(0), at(5))
        assert client.page("orders").stale is False
        assert client.cached
        assert [name for name, _ in shop.asked[-1].params] == ["_"]


def test_c25_a_full_shop_that_says_it_is_empty_is_not_believed() -> None:
    with polled() as (sandbox, store):
        before, mirrored = cursor(store), here(store)
        sandbox.fault("empty_list", path="/orders$", times=0, totals=True)
        task = run(store)
        assert (task.state, task.error_code) == ("due", "empty_list")
        assert task.due_at - clock.now() <= tasks.ASK_AGAIN
        assert (cursor(store), here(store)) == (before, mirrored)
        assert any("empty" in sentence for sentence in told(store))
        sandbox.clear_faults()
        body = place(sandbox, 1)
        assert run(store).error_code == ""
        assert body["id"] in here(store)
        assert told_of_polls(store) == []


def told_of_polls(store: Store) -> list[str]:
    return [sentence for sentence in told(store) if "empty" in sentence or "cache" in sentence]


def test_c25_a_shop_whose_only_order_was_deleted_raises_no_alarm() -> None:
    with polled() as (sandbox, store):
        sandbox.trash(here(store)[0])
        assert run(store).error_code == ""


def test_c26_an_order_whose_status_lost_its_plugin_stays_as_it_was() -> None:
    with polled() as (sandbox, store):
        body = sandbox.get("order", here(store)[0]) or {}
        sandbox.advance(minutes=30)
        sandbox.put("order", body | {"status": "packed-by-plugin"})
        tasks.arm(store, [("order", body["id"])])
        run(store)
        sandbox.fault("drop_rows", path="/orders$", times=0, ids=[body["id"]])
        sandbox.advance(minutes=30)
        other = place(sandbox, 1)
        for _ in range(3):
            run(store)
        assert here(store) == sorted([body["id"], other["id"]])
        assert Order.objects.get(woo_id=body["id"]).status == "packed-by-plugin"


def test_c35a_our_own_writing_comes_back_without_effect_and_without_a_second_write() -> None:
    with polled() as (sandbox, store):
        order = Order.objects.get()
        facts, hashed = Event.objects.count(), order.content_hash
        for _ in range(3):
            sandbox.advance(minutes=2)
            client_for(store).post(f"orders/{order.woo_id}/notes", {"note": "Seen."})
            # The storage of newer shops moves the time of change with each note.
            sandbox.put("order", _bumped(sandbox, order.woo_id))
            written = len([one for one in sandbox.requests if one["method"] != "GET"])
            run(store)
            order.refresh_from_db()
            assert (Event.objects.count(), order.content_hash) == (facts, hashed)
            assert len([one for one in sandbox.requests if one["method"] != "GET"]) == written


def _bumped(sandbox: Sandbox, woo_id: int) -> dict[str, Any]:
    body = sandbox.get("order", woo_id) or {}
    at = sandbox.clock.now().strftime("%Y-%m-%dT%H:%M:%S")
    return {**body, "date_modified_gmt": at}


def test_c36_of_two_workers_the_second_writes_and_the_slow_one_moves_nothing() -> None:
    with polled() as (sandbox, store):
        sandbox.advance(hours=1)
        place(sandbox, 1)
        slow = walk.begin(store, "order")
        page = walk.modified_since(slow, "orders", NOON - timedelta(days=9), 1, status="any")
        run(store)
        mirrored, at, facts = here(store), cursor(store), Event.objects.count()
        assert len(mirrored) == 2
        with pytest.raises(tasks.LeaseLost):
            slow.commit(page)
        assert (here(store), cursor(store), Event.objects.count()) == (mirrored, at, facts)


def test_c36_a_lease_that_ran_out_under_a_slow_worker_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    with polled() as (sandbox, store):
        sandbox.advance(hours=1)
        body = place(sandbox, 1)
        tasks.arm_polls(store, ["order"])
        SyncTask.objects.filter(key="poll:order").update(due_at=clock.now())
        [row] = due.claim(SyncTask, limit=1, lease=tasks.LEASE)
        real = walk.ask
        overtaken: list[bool] = []

        def slowly(found: walk.Walk, path: str, **params: Any) -> Any:
            page = real(found, path, **params)
            if not overtaken:
                overtaken.append(True)
                clock.advance(tasks.LEASE * 2)
                due.sweep(SyncTask)
                run(store)
            return page

        monkeypatch.setattr(walk, "ask", slowly)
        tasks._run(row)
        assert body["id"] in here(store)
        assert Order.objects.filter(woo_id=body["id"]).count() == 1
        assert SyncTask.objects.get(key="poll:order").state == "due"


def test_an_outage_is_looked_back_on_as_long_as_it_lasted() -> None:
    with polled() as (sandbox, store):
        sandbox.advance(hours=9)
        with clock.shifted(timedelta(hours=9)):
            run(store)
        since = asked(sandbox, "/orders")[-2]["query"].partition("modified_after=")[2].partition("&")[0]
        back = cursor(store) - gmt(since.replace("%3A", ":"))
        assert timedelta(hours=9, minutes=50) < back <= timedelta(hours=10)


def test_once_a_day_a_poll_looks_back_a_day() -> None:
    with polled() as (sandbox, store):
        for hours in range(26):
            with clock.shifted(timedelta(minutes=5 * hours)):
                run(store)
        with clock.shifted(timedelta(hours=24)):
            SyncCursor.objects.update(polled_at=clock.now())
            run(store)
            run(store)
        wide = [one for one in asked(sandbox, "/orders") if _back(one["query"], cursor(store)) >= timedelta(hours=24)]
        assert len([one for one in wide if "status=any" in one["query"]]) == 1


def _back(query: str, at: Any) -> timedelta:
    since = query.partition("modified_after=")[2].partition("&")[0].replace("%3A", ":")
    return at - gmt(since) if since and not since.startswith("1970") else timedelta(0)


def test_an_object_that_the_shop_trips_over_costs_few_requests_and_is_left_out_from_then_on() -> None:
    with polled() as (sandbox, store):
        first = here(store)
        bodies = []
        for number in range(60):
            sandbox.advance(minutes=1)
            bodies.append(place(sandbox, number)["id"])
        bad = bodies[41]
        sandbox.fault("break_on", path="/orders", times=0, ids=[bad])
        run(store)
        before = len(sandbox.requests)
        # Twice it fails alone and nobody is blamed yet: nothing is written, and it is asked again.
        for _try in range(2):
            assert run(store).error
            assert (here(store), store.quarantine.count()) == (first, 0)
        run(store)
        assert here(store) == sorted([*first, *(set(bodies) - {bad})])
        assert len(sandbox.requests) - before < 60
        held = store.quarantine.get()
        assert (held.woo_id, held.by_shop) == (bad, True)
        # The next polls go through at once.
        assert run(store).error == ""
        assert run(store).error == ""
        assert store.failures == 0


def test_an_object_that_fails_alone_and_then_comes_is_blamed_for_nothing() -> None:
    with polled() as (sandbox, store):
        body = place(sandbox, 1)
        sandbox.fault("break_on", path="/orders", times=0, ids=[body["id"]])
        for _try in range(3):
            run(store)
        assert store.quarantine.count() == 0
        sandbox.clear_faults()
        assert run(store).error == ""
        assert body["id"] in here(store)
        assert SyncTask.objects.get(store=store, key="poll:order").params["alone"] == {}
        assert store.quarantine.count() == 0
