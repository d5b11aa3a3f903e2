"""The backfill: everything, once, newest first, from where it stopped, and never a message from it."""

from datetime import timedelta
from typing import Any

import pytest

from postpurchase import clock
from postpurchase.due import State
from stores import jobs
from stores.models import Event, EventDelivery, Job, Order, Product, Refund, Store, SyncTask
from stores.sandbox.server import Sandbox
from stores.sync import backfill, flight, health, reading, tasks
from stores.woo.client import client_for
from tests.factories import NOON
from tests.stores.shop import asked, joined, place, running

pytestmark = pytest.mark.django_db


def start(sandbox: Sandbox, **fields: Any) -> Job:
    return backfill.start(joined(sandbox, backfilled_at=None, live_from=clock.now(), **fields))


def run(job: Job, *, budget: float = 60, slices: int = 200) -> Job:
    for _slice in range(slices):
        if not jobs.run_one(job.pk, budget):
            break
    job.refresh_from_db()
    return job


def small(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Pages of a few orders."""
    monkeypatch.setattr(flight, "PAGE", size)
    monkeypatch.setattr(flight, "SMALLEST", 2)


def ids(sandbox: Sandbox) -> list[int]:
    return [body["id"] for body in sandbox.store.storage.bodies("kind = 'order'", order="id")]


def mirrored() -> list[int]:
    return sorted(Order.objects.values_list("woo_id", flat=True))


def test_everything_comes_in_and_nothing_is_news() -> None:
    with running(orders=25) as sandbox:
        sandbox.refund(ids(sandbox)[3], "10.00")
        client = client_for(joined(sandbox))
        client.post("coupons", {"code": "spring", "amount": "5"})
        job = run(start(sandbox))
        store = Store.objects.get(pk=job.store_id)
        assert job.status == Job.Status.DONE
        assert mirrored() == ids(sandbox)
        assert sorted(Product.objects.values_list("woo_id", flat=True)) == [101, 102, 103, 104]
        assert store.categories.count() == 1
        assert store.coupons.get().code == "spring"
        assert store.customers.count() == 7
        assert Refund.objects.get().lines is not None
        assert store.backfilled_at is not None
        assert Event.objects.filter(historic=False, order__isnull=False).count() == 0
        assert Order.objects.filter(historic=False).count() == 0
        assert EventDelivery.objects.filter(event__historic=False).count() == 0
        assert (job.done, job.total) == (job.total, job.done)
        assert job.result["totals"]["orders"] == 25
        assert job.result["sentence"] == "25 orders, 0 customers and 3 products are here."


def test_an_order_placed_between_the_connect_and_the_first_page_is_news() -> None:
    with running(orders=3) as sandbox, clock.frozen(NOON):
        store = joined(sandbox, backfilled_at=None, live_from=NOON)
        old = ids(sandbox)
        sandbox.advance(minutes=1)
        fresh = place(sandbox, 5)
        run(backfill.start(store))
        assert Order.objects.get(woo_id=fresh["id"]).historic is False
        assert set(Order.objects.filter(historic=True).values_list("woo_id", flat=True)) == set(old)
        news = Event.objects.filter(store=store, historic=False, order__isnull=False)
        assert set(news.values_list("order__woo_id", flat=True)) == {fresh["id"]}


def test_the_newest_orders_come_first() -> None:
    with running(orders=40) as sandbox:
        job = start(sandbox)
        while not Order.objects.exists():
            jobs.run_one(job.pk, 0)
        got = mirrored()
        assert got == ids(sandbox)[-len(got) :]
        job.store.refresh_from_db()
        assert job.store.complete_since is not None
        assert job.store.complete_since <= Order.objects.earliest("created_gmt").created_gmt


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("drop_before", {}),
        ("truncate", {}),
        ("truncate", {"bytes": 0}),
        ("status", {"status": 200, "body": "<html><body>Be right back</body></html>"}),
        ("status", {"status": 200, "body": ""}),
        ("status", {"status": 503, "body": "<h1>Maintenance</h1>"}),
    ],
)
def test_a_shop_that_goes_down_in_the_middle_keeps_the_place(
    fault: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    small(monkeypatch, 5)
    with running(orders=30) as sandbox:
        job = start(sandbox)
        sandbox.fault(fault, path="/orders$", nth=8, times=0, **options)
        run(job, slices=60)
        some = mirrored()
        assert 0 < len(some) < 30
        assert job.status == Job.Status.RUNNING
        assert "Nothing was lost" in job.error
        assert job.due_at > clock.now()
        assert job.store.orders.filter(deleted_at=None).count() == len(some)
        sandbox.clear_faults()
        SyncTask.objects.filter(key=health.PROBE).update(due_at=clock.now())
        tasks.run_due(5)
        before = len(asked(sandbox, "/orders"))
        Job.objects.update(due_at=clock.now())
        run(job)
        assert job.status == Job.Status.DONE
        assert mirrored() == ids(sandbox)
        assert job.done == job.total
        # Not from the beginning: at most the windows under way were asked for again, in smaller pages.
        assert len(asked(sandbox, "/orders")) - before <= 18
        assert Event.objects.filter(name="order.placed").count() == 30


def test_killed_between_any_two_pages_it_ends_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch, 4)
    with running(orders=20) as sandbox:
        job = start(sandbox)
        for _kill in range(500):
            jobs.run_one(job.pk, 0)
            # As a worker that died and whose lease ran out: its claim is void, its row due again.
            Job.objects.filter(pk=job.pk, state=State.RUNNING).update(state=State.DUE, lease_token=None)
            job.refresh_from_db()
            if job.status == Job.Status.DONE:
                break
        assert job.status == Job.Status.DONE
        assert mirrored() == ids(sandbox)
        assert Event.objects.filter(name="order.placed").count() == 20


def test_a_worker_whose_lease_was_taken_writes_nothing() -> None:
    with running(orders=5) as sandbox:
        job = start(sandbox)
        row = Job.objects.get(pk=job.pk)
        Job.objects.filter(pk=job.pk).update(lease_token="00000000-0000-0000-0000-000000000001")
        with pytest.raises(tasks.LeaseLost):
            backfill.run_slice(row, 60)
        assert Order.objects.count() == 0
        assert Job.objects.get(pk=job.pk).cursor == {}


def test_orders_of_one_second_beyond_a_page_all_come(monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch, 5)
    with running(orders=3) as sandbox:
        for number in range(13):
            place(sandbox, number)
        sandbox.advance(days=2)
        place(sandbox)
        job = run(start(sandbox))
        assert job.status == Job.Status.DONE
        assert mirrored() == ids(sandbox)


def test_a_product_deleted_in_the_middle_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PER_PAGE", 2)
    with running() as sandbox:
        job = start(sandbox)
        while not Product.objects.exists():
            jobs.run_one(job.pk, 0)
        client_for(job.store).delete("products/101", force=True)
        run(job)
        assert sorted(Product.objects.values_list("woo_id", flat=True)) == [101, 102, 103, 104]


def test_an_empty_shop_is_done_at_once() -> None:
    with running() as sandbox:
        job = run(start(sandbox))
        assert (job.status, Order.objects.count()) == (Job.Status.DONE, 0)


def test_an_unreadable_order_is_put_aside_and_the_rest_comes() -> None:
    with running(orders=6) as sandbox:
        bad = ids(sandbox)[2]
        body = sandbox.get("order", bad)
        assert body is not None
        sandbox.put("order", body | {"total": "a lot"})
        job = run(start(sandbox))
        assert (job.status, job.errors_count) == (Job.Status.DONE, 1)
        assert mirrored() == [one for one in ids(sandbox) if one != bad]
        assert job.store.quarantine.get().woo_id == bad


def test_paused_it_waits_and_resumed_it_ends() -> None:
    with running(orders=6) as sandbox:
        job = start(sandbox)
        jobs.run_one(job.pk, 0)
        jobs.pause(job)
        run(job)
        assert job.status == Job.Status.PAUSED
        held = mirrored()
        run(job)
        assert mirrored() == held
        jobs.resume(job)
        run(job)
        assert (job.status, mirrored()) == (Job.Status.DONE, ids(sandbox))


def test_keys_revoked_in_the_middle_keep_the_progress() -> None:
    with running(orders=6) as sandbox:
        job = start(sandbox)
        jobs.run_one(job.pk, 0)
        Store.objects.update(consumer_secret=Store.objects.get().consumer_secret)
        store = Store.objects.get()
        good = store.consumer_secret
        store.consumer_secret = "cs_revoked"
        store.save()
        run(job)
        store.refresh_from_db()
        assert store.refusals == 1
        assert job.status == Job.Status.RUNNING
        assert job.due_at >= clock.now() + timedelta(seconds=50)
        store.consumer_secret = good
        store.save()
        # Until the probe has had an answer with good keys, nothing else asks, by hand neither.
        Job.objects.update(due_at=NOON)
        assert jobs.run_one(job.pk, 60) is False
        health.answered(store)
        Job.objects.update(due_at=NOON)
        run(job)
        store.refresh_from_db()
        assert (job.status, store.state) == (Job.Status.DONE, Store.State.CONNECTED)
        assert mirrored() == ids(sandbox)


def test_refund_lines_come_one_by_one_where_the_shop_has_no_list_of_all() -> None:
    with running(orders=4) as sandbox:
        for order_id in ids(sandbox)[:2]:
            sandbox.refund(order_id, "5.00")
        missing = b'{"code":"rest_no_route","message":"No route.","data":{"status":404}}'.decode()
        sandbox.fault(
            "status",
            status=404,
            body=missing,
            headers={"Content-Type": "application/json"},
            path="v3/refunds$",
            times=0,
        )
        job = run(start(sandbox))
        assert job.status == Job.Status.DONE
        assert Refund.objects.filter(lines__isnull=False).count() == 2


def test_an_order_that_breaks_its_page_is_put_aside_and_the_rest_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    from stores.woo.client import Client
    from stores.woo.errors import Unreachable

    with running(orders=9) as sandbox:
        bad = ids(sandbox)[4]
        page, get = Client.page, Client.get

        def broken_page(self: Client, path: str, **params: Any) -> Any:
            found = page(self, path, **params)
            if path == "orders" and "_fields" not in params and bad in [row["id"] for row in found.rows]:
                raise Unreachable("It broke.", status=500)
            return found

        def broken_get(self: Client, path: str, **params: Any) -> Any:
            if path == f"orders/{bad}":
                raise Unreachable("It broke.", status=500)
            return get(self, path, **params)

        monkeypatch.setattr(Client, "page", broken_page)
        monkeypatch.setattr(Client, "get", broken_get)
        job = start(sandbox)
        for _try in range(4):
            run(job)
            Job.objects.update(due_at=clock.now())
        assert job.status == Job.Status.DONE
        assert mirrored() == [one for one in ids(sandbox) if one != bad]
        assert (job.store.quarantine.get().woo_id, job.store.quarantine.get().reason) == (bad, "It broke.")


def test_a_mark_before_every_answer_loses_no_order(monkeypatch: pytest.MonkeyPatch) -> None:
    small(monkeypatch, 5)
    with running(orders=12) as sandbox:
        job = start(sandbox)
        sandbox.fault("prefix", path="/", times=0)
        run(job, slices=60)
        assert job.status == Job.Status.DONE
        assert mirrored() == ids(sandbox)
