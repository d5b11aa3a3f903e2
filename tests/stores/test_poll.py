"""Polls: what changed comes in, once, whatever goes wrong on the way; the cursor follows the shop's data alone."""

from datetime import UTC, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from postpurchase import clock, due
from postpurchase.due import State
from stores.models import Event, Order, Product, Refund, Store, StoreReview, SyncCursor, SyncTask
from stores.sync import poll, tasks, walk
from tests.factories import NOON
from tests.stores.shop import asked, gmt, joined, place, running

pytestmark = pytest.mark.django_db


def run(store: Store, entity: str = "order") -> SyncTask:
    tasks.arm_polls(store, [entity])
    SyncTask.objects.filter(store=store, key=f"poll:{entity}").update(due_at=clock.now() - timedelta(seconds=1))
    while rows := due.claim(SyncTask, limit=1, lease=tasks.LEASE):
        rows[0].store.refresh_from_db()
        tasks._run(rows[0])
    return SyncTask.objects.get(store=store, key=f"poll:{entity}")


def cursor(store: Store, entity: str = "order") -> Any:
    return SyncCursor.objects.get(store=store, entity=entity).cursor_gmt


def test_the_first_poll_only_notes_where_the_shop_stands() -> None:
    with running(orders=3) as sandbox:
        store = joined(sandbox)
        task = run(store)
        newest = max(gmt(body["date_modified_gmt"]) for body in sandbox_orders(sandbox))
        assert Order.objects.count() == 0
        assert cursor(store) == newest
        assert (task.state, task.error) == (State.DUE, "")
        assert timedelta(minutes=4) < task.due_at - clock.now() <= poll.ORDERS_EVERY


def fresh(first: int = 201) -> list[int]:
    """What came in beside the order that stood at the cursor; the overlap brings that one too."""
    return sorted(Order.objects.exclude(woo_id=first).values_list("woo_id", flat=True))


def sandbox_orders(sandbox: Any) -> list[dict[str, Any]]:
    return sandbox.store.storage.bodies("kind = 'order'", order="id")


def test_what_changed_comes_in_and_the_cursor_follows_the_shops_clock() -> None:
    with running(orders=2) as sandbox:
        store = joined(sandbox)
        run(store)
        sandbox.advance(hours=3)
        body = place(sandbox, 5)
        with clock.shifted(-timedelta(hours=30)):
            run(store)
        assert fresh(202) == [body["id"]]
        assert cursor(store) == gmt(body["date_modified_gmt"])
        store.refresh_from_db()
        assert store.polled_at is not None


def test_a_poll_with_nothing_new_writes_only_freshness() -> None:
    with running(orders=2) as sandbox:
        store = joined(sandbox)
        run(store)
        place(sandbox, 3)
        run(store)
        rows, events = Order.objects.count(), Event.objects.count()
        tasks.arm_polls(store, ["order"])
        with CaptureQueriesContext(
            connection,
        ) as queries:
            run(store)
        written = {
            text.split('"')[1]
            for text in (query["sql"] for query in queries)
            if text.startswith(("INSERT", "UPDATE", "DELETE"))
        }
        # The mirror closes whatever it had put aside: nothing here.
        assert written <= {"stores_synctask", "stores_synccursor", "stores_store", "stores_quarantined"}
        assert (Order.objects.count(), Event.objects.count()) == (rows, events)


def test_polls_of_a_quiet_shop_ask_once_for_each_list() -> None:
    with running(orders=2) as sandbox:
        store = joined(sandbox, backfilled_at=clock.now())
        store.capabilities["fulfilments"] = True
        store.save()
        place(sandbox, account=True)
        entities = ["order", "product", "coupon", "customer", "review"]
        for _ in range(2):
            for entity in entities:
                run(store, entity)
        before = len(sandbox.requests)
        for entity in entities:
            run(store, entity)
        lists = [one["path"].rpartition("/wc/v3/")[2] for one in sandbox.requests[before:]]
        assert sorted(lists) == ["coupons", "customers", "orders", "products", "products/reviews"]


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Europe/Berlin", "America/New_York"])
def test_a_shop_in_any_zone_loses_no_change(zone: str) -> None:
    with running(orders=1, zone=zone) as sandbox:
        store = joined(sandbox)
        run(store)
        wanted = []
        for minutes in (20, 90, 400):
            sandbox.advance(minutes=minutes)
            wanted.append(place(sandbox)["id"])
            run(store)
        assert fresh() == sorted(wanted)
        query = asked(sandbox, "/orders")[-1]["query"]
        assert "dates_are_gmt=true" in query
        assert "Z" not in query.partition("modified_after=")[2].partition("&")[0]


def test_a_second_with_more_changes_than_a_page_comes_in_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "PER_PAGE", 4)
    with running(orders=1) as sandbox:
        store = joined(sandbox)
        run(store)
        sandbox.advance(hours=1)
        wanted = [place(sandbox, number)["id"] for number in range(11)]
        sandbox.advance(seconds=1)
        wanted.append(place(sandbox)["id"])
        run(store)
        assert fresh() == sorted(wanted)


def test_a_long_absence_is_caught_up_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "PER_PAGE", 5)
    with running(orders=1) as sandbox:
        store = joined(sandbox)
        run(store)
        wanted = []
        for number in range(23):
            sandbox.advance(minutes=7)
            wanted.append(place(sandbox, number)["id"])
        run(store)
        assert fresh() == sorted(wanted)
        pages = [one["query"] for one in asked(sandbox, "/orders") if "order=asc" in one["query"]]
        assert all("page=1" in query for query in pages)


@pytest.mark.parametrize("kind", ["short_page", "empty_list"])
def test_a_short_or_empty_page_in_the_middle_ends_nothing(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "PER_PAGE", 5)
    with running(orders=1) as sandbox:
        store = joined(sandbox)
        run(store)
        wanted = []
        for number in range(12):
            sandbox.advance(minutes=7)
            wanted.append(place(sandbox, number)["id"])
        sandbox.fault(kind, path="/orders$", nth=2)
        run(store)
        run(store)
        assert fresh() == wanted


def test_an_empty_answer_deletes_nothing_and_leaves_the_cursor() -> None:
    with running(orders=1) as sandbox:
        store = joined(sandbox)
        run(store)
        place(sandbox)
        run(store)
        before = cursor(store)
        sandbox.fault("empty_list", path="/orders$", times=0)
        run(store)
        assert Order.objects.filter(deleted_at=None).count() == 2
        assert cursor(store) == before


def test_a_second_worker_takes_over_and_the_slow_one_writes_nothing() -> None:
    with running(orders=1) as sandbox:
        store = joined(sandbox)
        run(store)
        sandbox.advance(hours=1)
        place(sandbox)
        slow = walk.begin(store, "order")
        before = slow.cursor
        page = slow.client.page("orders", per_page=5, orderby="modified", order="desc")
        walk.begin(store, "order")
        with pytest.raises(tasks.LeaseLost):
            slow.commit(page)
        assert Order.objects.count() == 0
        assert cursor(store) == before


def test_a_refund_brings_its_lines() -> None:
    with running(orders=1) as sandbox:
        store = joined(sandbox)
        run(store)
        sandbox.advance(hours=1)
        body = place(sandbox)
        sandbox.refund(body["id"], "10.00")
        run(store)
        refund = Refund.objects.get()
        assert (str(refund.amount.quantize(refund.amount.__class__("0.01"))), refund.lines is None) == ("10.00", False)


def test_products_bring_their_variations() -> None:
    with running() as sandbox:
        store = joined(sandbox)
        SyncCursor.objects.create(store=store, entity="product", cursor_gmt=NOON - timedelta(days=900))
        run(store, "product")
        assert sorted(Product.objects.values_list("woo_id", flat=True)) == [101, 102, 103, 104]
        assert Product.objects.get(woo_id=104).parent == Product.objects.get(woo_id=103)


def test_new_customers_and_reviews_come_in() -> None:
    with running(orders=1) as sandbox:
        store = joined(sandbox)
        run(store, "product")
        run(store, "review")
        body = place(sandbox, account=True, email="bea@example.com")
        run(store, "customer")
        assert store.customers.get(email_key="bea@example.com").woo_id == body["customer_id"]
        from stores.woo.client import client_for

        for words in ("Good.", "Very good."):
            client_for(store).post(
                "products/reviews",
                {"product_id": 101, "review": words, "reviewer": "Bea", "reviewer_email": "b@example.com", "rating": 5},
            )
        run(store, "review")
        assert StoreReview.objects.count() == 2


def test_notices_before_the_json_are_noted_for_the_merchant() -> None:
    with running(orders=1) as sandbox:
        store = joined(sandbox)
        sandbox.fault("prefix", text="<b>Notice</b>: x\n", path="/orders", times=0)
        run(store)
        store.refresh_from_db()
        assert "Notice" in store.capabilities["pollution"]
        assert cursor(store).tzinfo is UTC


def test_an_order_that_breaks_its_page_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    from stores.woo.client import Client
    from stores.woo.errors import Unreachable

    with running(orders=1) as sandbox:
        store = joined(sandbox)
        run(store)
        wanted = []
        for number in range(4):
            sandbox.advance(minutes=30)
            wanted.append(place(sandbox, number)["id"])
        bad = wanted.pop(1)
        page, get = Client.page, Client.get

        def broken_page(self: Client, path: str, **params: Any) -> Any:
            found = page(self, path, **params)
            if "_fields" not in params and bad in [row["id"] for row in found.rows]:
                raise Unreachable("It broke.", status=500)
            return found

        def broken_get(self: Client, path: str, **params: Any) -> Any:
            if path == f"orders/{bad}":
                raise Unreachable("It broke.", status=500)
            return get(self, path, **params)

        monkeypatch.setattr(Client, "page", broken_page)
        monkeypatch.setattr(Client, "get", broken_get)
        # The third failure puts it aside.
        run(store)
        assert fresh() == []
        run(store)
        assert fresh() == []
        run(store)
        run(store)
        assert fresh() == wanted
        assert store.quarantine.get().woo_id == bad
        store.refresh_from_db()
        assert store.state == Store.State.CONNECTED
