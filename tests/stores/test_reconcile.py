"""Holding the mirror against the shop: what differs is taken over, what is missing is looked for before it is marked."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from postpurchase import clock
from postpurchase.errors import BusinessError
from stores import jobs
from stores.models import Absence, Job, Order, Product, Reconciliation, Store, StoreReview, SyncTask
from stores.sandbox.server import Sandbox
from stores.sync import backfill, reconcile, tasks
from stores.sync.reconcile import absent, walk
from tests.factories import NOON, make_user
from tests.stores.shop import asked, joined, place, running

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Iterator[tuple[Sandbox, Store]]:
    """Twelve orders in the shop and in the mirror."""
    with running(orders=12) as sandbox, clock.frozen(sandbox.clock.now()):
        yield sandbox, mirrored(sandbox)


def mirrored(sandbox: Sandbox) -> Store:
    store = joined(sandbox, backfilled_at=None)
    job = backfill.start(store)
    finish(job)
    tasks.poll_now(store)
    store.refresh_from_db()
    return store


def finish(job: Job, *, slices: int = 400) -> Job:
    for _ in range(slices):
        Job.objects.filter(pk=job.pk, state="due").update(due_at=clock.now())
        if not jobs.run_one(job.pk, 60):
            break
        job.refresh_from_db()
    return job


def compare(store: Store, *, deep: bool = False) -> Reconciliation:
    """One comparison, from beginning to end."""
    # Of two answers of one moment neither is the newer: some time passes.
    clock.advance(timedelta(minutes=1))
    job = finish(reconcile.start(store, deep=deep))
    assert job.status == Job.Status.DONE, job.error
    return Reconciliation.objects.filter(store=store).latest("pk")


def quietly(sandbox: Sandbox, order: int, **changes: Any) -> None:
    """Change an order past WooCommerce: no date moves and nobody is told."""
    sandbox.put("order", {**(sandbox.get("order", order) or {}), **changes})


def forget(sandbox: Sandbox, kind: str, id: int) -> None:
    sandbox.store.storage.delete(kind, id)


def ids(store: Store) -> list[int]:
    return list(Order.objects.filter(store=store, deleted_at=None).order_by("woo_id").values_list("woo_id", flat=True))


def test_nothing_differs_and_nothing_is_written(shop) -> None:
    _, store = shop
    before = list(Order.objects.order_by("pk").values())
    run = compare(store)
    assert (run.status, run.causes) == ("done", {})
    assert list(Order.objects.order_by("pk").values()) == before
    assert run.compared >= 12


def test_a_light_walk_asks_for_no_order_in_full(shop) -> None:
    sandbox, store = shop
    sandbox.app.log.clear()
    compare(store)
    lists = asked(sandbox, "/orders")
    assert lists
    assert all("_fields=" in one["query"] or "trash" in one["query"] for one in lists)


def test_an_order_that_nobody_told_of_is_fetched(shop) -> None:
    _sandbox, store = shop
    one = ids(store)[3]
    Order.objects.filter(woo_id=one).delete()
    run = compare(store)
    assert one in ids(store)
    assert run.causes == {"new": 1}


def test_a_change_that_was_missed_is_fetched_and_counted(shop) -> None:
    _sandbox, store = shop
    one = ids(store)[0]
    Order.objects.filter(woo_id=one).update(
        status="pending", modified_gmt=clock.now() - timedelta(days=90), content_hash="old", raw={}
    )
    run = compare(store)
    assert Order.objects.get(woo_id=one).status == "processing"
    assert run.causes == {"changed": 1}


def test_a_silent_edit_is_found_by_the_deep_reading_only(shop) -> None:
    sandbox, store = shop
    one = ids(store)[5]
    quietly(sandbox, one, total="1.00")
    assert compare(store).causes == {}
    assert compare(store, deep=True).causes == {"silent": 1}
    assert Order.objects.get(woo_id=one).total == 1


def test_the_night_reads_recent_orders_in_full_and_all_others_within_a_month() -> None:
    newest, oldest = NOON, NOON - timedelta(days=2000, seconds=17)
    nights = [
        walk.spans(newest, oldest, deep="night", night=(NOON + timedelta(days=n)).date()) for n in range(walk.SHARES)
    ]

    def bounds(one: dict[str, Any]) -> tuple[datetime, datetime]:
        return datetime.fromisoformat(one["lower"]), datetime.fromisoformat(one["upper"])

    for spans in nights:
        assert [one["deep"] for one in spans] == [True, False, True]
        assert bounds(spans[0]) == (newest - timedelta(days=90), newest)
        assert bounds(spans[1]) == (newest - timedelta(days=400), newest - timedelta(days=90))
        low, high = bounds(spans[2])
        assert high - low < timedelta(days=64)
    covered = sorted(bounds(spans[2]) for spans in nights)
    assert covered[0][0] <= oldest
    assert covered[-1][1] >= newest - timedelta(days=90)
    assert all(after[0] <= before[1] for before, after in pairwise(covered))


def test_a_night_with_its_shares_finds_a_silent_edit_of_long_ago(monkeypatch) -> None:
    monkeypatch.setattr(walk, "SHARES", 1)
    with running(orders=8, apart=timedelta(days=70)) as sandbox, clock.frozen(sandbox.clock.now()):
        store = mirrored(sandbox)
        for one in ids(store):
            quietly(sandbox, one, customer_note="quiet")
        clock.advance(timedelta(minutes=1))
        job = finish(jobs.start(store, reconcile.KIND, params={"deep": "night"}))
        assert job.status == Job.Status.DONE
        assert Reconciliation.objects.get().causes == {"silent": 8}


def test_an_order_deleted_for_good_is_marked_and_can_be_brought_back(shop) -> None:
    sandbox, store = shop
    one = ids(store)[2]
    body = sandbox.get("order", one)
    forget(sandbox, "order", one)
    run = compare(store)
    assert run.causes == {"gone": 1}
    order = Order.objects.get(woo_id=one)
    assert (order.deleted_at is not None, order.counted) == (True, False)
    marked = Absence.objects.get(state="marked")
    assert (marked.entity, marked.woo_id, marked.label) == ("order", one, order.number)
    clock.advance(timedelta(days=3))
    absent.undo(marked)
    order.refresh_from_db()
    assert (order.deleted_at, order.counted) == (None, True)
    # The shop is asked once more and still has none: a person's word stands, tonight and in other nights.
    tasks.run_due(20)
    assert SyncTask.objects.get(store=store, entity="kept").state == "done"
    assert compare(store).causes == {}
    assert one in ids(store)
    # And when it is there again after all, it is as the shop has it.
    sandbox.put("order", {**body, "total": "7.00"})
    compare(store, deep=True)
    assert Order.objects.get(woo_id=one).total == 7


def test_after_thirty_days_a_mark_stands(shop) -> None:
    sandbox, store = shop
    one = ids(store)[2]
    forget(sandbox, "order", one)
    compare(store)
    clock.advance(timedelta(days=31))
    with pytest.raises(BusinessError, match="30 days"):
        absent.undo(Absence.objects.get())
    assert Order.objects.get(woo_id=one).deleted_at is not None


def test_an_order_whose_bin_was_not_told_is_in_the_bin_here_too(shop) -> None:
    sandbox, store = shop
    one = ids(store)[1]
    quietly(sandbox, one, status="trash")
    assert compare(store).causes == {"trashed": 1}
    order = Order.objects.get(woo_id=one)
    assert (order.status, order.counted, order.deleted_at) == ("trash", False, None)
    # Emptied: marked too, without a question however many they are.
    forget(sandbox, "order", one)
    assert compare(store).causes == {"gone": 1}


def test_a_product_and_its_reviews_that_are_gone_are_marked(shop) -> None:
    sandbox, store = shop
    product = Product.objects.get(store=store, woo_id=102)
    review = StoreReview.objects.create(
        store=store, woo_id=9001, product=product, status="approved", created_gmt=clock.now()
    )
    forget(sandbox, "product", 102)
    assert compare(store).causes == {"gone": 2}
    product.refresh_from_db()
    review.refresh_from_db()
    assert product.deleted_at is not None
    assert review.deleted_at is not None


def test_more_missing_than_plausible_is_asked_first_and_nothing_is_marked(shop, monkeypatch) -> None:
    sandbox, store = shop
    monkeypatch.setattr(absent, "MOST", 2)
    every = ids(store)
    for one in every[:4]:
        forget(sandbox, "order", one)
    run = compare(store)
    assert (run.status, run.question, run.causes) == ("asks", "missing", {})
    assert (run.told["entity"], run.told["compared"]) == ("order", 12)
    assert ids(store) == every
    reconcile.answer(run, "deleted")
    finish(Job.objects.filter(kind="reconcile").latest("pk"))
    run.refresh_from_db()
    assert (run.status, run.causes) == ("done", {"gone": 4})
    assert ids(store) == every[4:]


def test_what_a_person_keeps_is_not_asked_again(shop, monkeypatch) -> None:
    sandbox, store = shop
    monkeypatch.setattr(absent, "MOST", 2)
    every = ids(store)
    for one in every[:4]:
        forget(sandbox, "order", one)
    run = compare(store)
    reconcile.answer(run, "keep")
    assert compare(store).status == "done"
    assert ids(store) == every
    with pytest.raises(BusinessError, match="answered"):
        reconcile.answer(run, "deleted")


def test_killed_at_any_page_it_ends_as_if_it_had_not_been(shop, monkeypatch) -> None:
    sandbox, store = shop
    monkeypatch.setattr(walk, "AIM", 2)
    every = ids(store)
    quietly(sandbox, every[0], total="1.00")
    forget(sandbox, "order", every[1])
    Order.objects.filter(woo_id=every[2]).delete()
    clock.advance(timedelta(minutes=1))
    job = reconcile.start(store, deep=True)
    for _ in range(300):
        Job.objects.filter(pk=job.pk, state="due").update(due_at=clock.now())
        jobs.run_one(job.pk, 0)
        # As a worker that died and whose lease ran out.
        Job.objects.filter(pk=job.pk, state="running").update(state="due", lease_token=None)
        job.refresh_from_db()
        if job.status == Job.Status.DONE:
            break
    assert job.status == Job.Status.DONE
    run = Reconciliation.objects.get()
    assert run.causes == {"silent": 1, "gone": 1, "new": 1}
    assert ids(store) == [one for one in every if one != every[1]]


def test_each_store_has_a_nightly_row_at_its_own_minute() -> None:
    with running() as sandbox:
        stores = [joined(sandbox, slug=f"s{n}", zone="Pacific/Auckland") for n in range(3)]
        assert reconcile.tick_nightly() == 3
        assert reconcile.tick_nightly() == 0
        rows = SyncTask.objects.filter(key=reconcile.KEY)
        assert {row.due_at.astimezone(stores[0].tz).hour for row in rows} <= {1, 2, 3, 4}
        assert len({row.due_at for row in rows}) == 3
        clock.advance(timedelta(days=1))
        tasks.run_due(30)
        assert Job.objects.filter(kind="reconcile", params__deep="night").count() == 3
        assert all(row.due_at > clock.now() for row in rows.all())


def test_the_command_tells_what_it_found(shop, capsys) -> None:
    sandbox, store = shop
    forget(sandbox, "order", ids(store)[0])
    call_command("reconcile", "--store", store.slug)
    assert "1 deleted for good" in capsys.readouterr().out
    with pytest.raises(CommandError, match="no store"):
        call_command("reconcile", "--store", "nowhere")


def test_without_its_history_a_store_is_not_compared() -> None:
    with running() as sandbox:
        store = joined(sandbox, backfilled_at=None)
        with pytest.raises(BusinessError, match="history"):
            reconcile.start(store)
        assert not Job.objects.exists()


def test_no_parcel_of_an_order_is_lost_by_the_deep_reading() -> None:
    with running(orders=2, fulfilments=True) as sandbox, clock.frozen(sandbox.clock.now()):
        store = mirrored(sandbox)
        assert compare(store, deep=True).causes == {}


def test_a_new_order_during_the_walk_is_the_polls_to_bring(shop) -> None:
    sandbox, store = shop
    sandbox.advance(minutes=3)
    place(sandbox, 3)
    assert compare(store).causes == {"late": 1}


def browser(store: Store, *, role: str = "owner") -> Client:
    client = Client()
    client.force_login(make_user(store, role=role))
    return client


def test_the_system_page_shows_the_nights_with_causes_in_words(shop) -> None:
    sandbox, store = shop
    forget(sandbox, "order", ids(store)[0])
    compare(store)
    page = browser(store).get(f"/app/{store.slug}/settings/system/").content.decode()
    assert "deleted for good" in page
    assert "only this check can see it" in page
    assert "Nothing that a webhook or a poll could have seen." in page


def test_the_button_starts_a_comparison_for_those_who_may(shop) -> None:
    _sandbox, store = shop
    address = f"/app/{store.slug}/settings/system/reconcile/"
    assert browser(store, role="viewer").post(address).status_code == 403
    assert not Job.objects.filter(kind="reconcile").exists()
    assert browser(store).post(address, {"deep": "1"}).status_code == 302
    assert Job.objects.get(kind="reconcile").params == {"deep": "all"}


def test_what_was_marked_is_listed_and_taken_back_on_its_page(shop) -> None:
    sandbox, store = shop
    one = ids(store)[0]
    forget(sandbox, "order", one)
    compare(store)
    client, address = browser(store), f"/app/{store.slug}/settings/system/marked/"
    assert f"#{one}" in client.get(address).content.decode()
    row = Absence.objects.get()
    client.post(address, {"action": "undo", "row": [row.pk], "ids": [row.pk]})
    row.refresh_from_db()
    assert row.state == "undone"
    assert one in ids(store)


def test_a_question_is_answered_on_its_page_once(shop, monkeypatch) -> None:
    sandbox, store = shop
    monkeypatch.setattr(absent, "MOST", 2)
    for one in ids(store)[:4]:
        forget(sandbox, "order", one)
    run = compare(store)
    address = f"/app/{store.slug}/settings/system/reconciliations/{run.pk}/"
    client = browser(store)
    assert "are missing in your shop" in client.get(address).content.decode()
    assert browser(store, role="viewer").post(address, {"answer": "deleted"}).status_code == 403
    client.post(address, {"answer": "nonsense"})
    run.refresh_from_db()
    assert run.status == "asks"
    client.post(address, {"answer": "keep"})
    run.refresh_from_db()
    assert (run.status, run.answer) == ("answered", "keep")
