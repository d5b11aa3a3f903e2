"""Deletions, moved shops, lists that lie: after one reconciliation the mirror is right, and nothing was lost on the way."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from campaigns.models import Message
from loyalty import ledger, rewards
from loyalty.models import Award, Entry
from postpurchase import clock, home
from stores import doctor, jobs
from stores.models import Customer, Event, Order, Product, Reconciliation, Store, StoreReview, SyncTask
from stores.sandbox import orders as till
from stores.sandbox.server import Sandbox
from stores.sync import reconcile, tasks
from tests.faults import invariants
from tests.faults.house import open_house, settle
from tests.stores.sandbox.conftest import stock
from tests.stores.shop import place

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(clock=clock.now) as running:
        stock(running)
        yield running


@pytest.fixture
def store(sandbox: Sandbox) -> Store:
    return open_house(sandbox)


def orders(sandbox: Sandbox, store: Store, number: int) -> list[int]:
    """So many orders in the shop and in the mirror, with their points."""
    made = []
    for one in range(number):
        clock.advance(timedelta(seconds=7))
        made.append(place(sandbox, one)["id"])
    settle(store)
    return made


def empty(sandbox: Sandbox) -> None:
    """The address answers with a fresh shop."""
    sandbox.store.storage.execute("DELETE FROM objects WHERE kind NOT IN ('webhook')")
    sandbox.store.storage.changed()


def kept(store: Store) -> list[int]:
    return sorted(Order.objects.filter(store=store, deleted_at=None).values_list("woo_id", flat=True))


def check_of(store: Store) -> object:
    return next(one for one in doctor.store_checks(store) if one.name == "Nightly check")


def test_c12_an_empty_shop_at_the_old_address_stops_everything_and_asks(sandbox, store) -> None:
    made = orders(sandbox, store, 6)
    assert invariants.reconciled(store).status == "done"
    empty(sandbox)
    run = invariants.reconciled(store)
    assert (run.status, run.question) == ("asks", "identity")
    store.refresh_from_db()
    assert store.state == Store.State.DOUBT
    assert kept(store) == made
    assert not check_of(store).ok
    # Nothing is asked of it any more, in no loop.
    sandbox.app.log.clear()
    settle(store)
    assert [one for one in sandbox.requests if one["method"] == "GET" and "webhooks" not in one["path"]] == []
    assert kept(store) == made
    # A person says that it is the right one all the same: then it goes on, and asks before it marks so much.
    reconcile.answer(run, "same")
    store.refresh_from_db()
    assert store.state == Store.State.CONNECTED


def test_c12_another_shop_with_the_same_numbers_changes_nothing(sandbox, store) -> None:
    made = orders(sandbox, store, 4)
    before = dict(Order.objects.filter(store=store).values_list("woo_id", "total"))
    clock.advance(timedelta(hours=1))
    for one in made:
        body = sandbox.get("order", one) or {}
        body |= {"order_key": f"wc_order_other{one}", "total": "1.00"}
        sandbox.store.stamp(body, "date_created")
        sandbox.store.save("order", body)
    settle(store)
    store.refresh_from_db()
    assert store.state == Store.State.DOUBT
    assert Reconciliation.objects.get(store=store).question == "identity"
    assert dict(Order.objects.filter(store=store).values_list("woo_id", "total")) == before


def test_c12_a_copy_that_calls_itself_otherwise_is_asked_about(sandbox, store) -> None:
    made = orders(sandbox, store, 3)
    invariants.reconciled(store)
    store.refresh_from_db()
    store.fingerprint["home"] = "https://the-shop.example.com"
    store.save(update_fields=["fingerprint"])
    run = invariants.reconciled(store)
    assert (run.status, run.question) == ("asks", "identity")
    assert "the-shop.example.com" in run.told["reason"]
    assert kept(store) == made


def test_c25_an_empty_list_of_a_full_shop_deletes_nothing_raises_an_alarm_and_is_repeated(sandbox, store) -> None:
    made = orders(sandbox, store, 30)
    reconcile.tick_nightly()
    sandbox.fault("empty_list", path="/orders$", times=0)
    sandbox.fault("headers", path="/orders$", times=0, headers={"X-WP-Total": "0", "X-WP-TotalPages": "0"})
    run = invariants.reconciled(store)
    assert kept(store) == made
    assert run.causes["unlisted"] == 30
    assert not check_of(store).ok
    # As soon as it is sure that the list is wrong, the rest is not asked for one by one.
    singles = [one for one in sandbox.requests if one["path"].rpartition("/")[2].isdecimal()]
    assert len(singles) < 60
    assert SyncTask.objects.get(store=store, key=reconcile.KEY).due_at <= clock.now() + timedelta(hours=1)
    sandbox.clear_faults()
    assert invariants.reconciled(store).causes.get("unlisted") is None
    assert check_of(store).ok
    invariants.holds(store, sandbox)


def test_c26_an_order_that_lists_leave_out_stays_with_its_status(sandbox, store) -> None:
    one, _other = orders(sandbox, store, 2)
    body = sandbox.get("order", one) or {}
    sandbox.put("order", {**body, "status": "awaiting-pickup"})
    # Its status is not registered any more: no list shows it, its address still answers.
    sandbox.store.storage.execute("UPDATE objects SET status = 'auto-draft' WHERE kind = 'order' AND id = ?", (one,))
    sandbox.store.storage.changed()
    invariants.reconciled(store)
    order = Order.objects.get(store=store, woo_id=one)
    assert (order.status, order.deleted_at, order.counted) == ("awaiting-pickup", None, True)
    invariants.holds(store, sandbox)


def test_c27_an_order_deleted_for_good_is_marked_and_its_points_and_mails_go(sandbox, store) -> None:
    one, other = orders(sandbox, store, 2)
    assert Award.objects.get(order__woo_id=one).target > 0
    with sandbox.store.storage.lock:
        till.destroy(sandbox.store, sandbox.get("order", one) or {})
    run = invariants.reconciled(store)
    assert run.causes == {"gone": 1}
    assert kept(store) == [other]
    assert Award.objects.get(order__woo_id=one).target == 0
    assert Award.objects.get(order__woo_id=other).target > 0
    assert not Message.objects.filter(order__woo_id=one, status="planned").exists()
    invariants.holds(store, sandbox)


def test_c27_trashed_then_restored_with_every_webhook_lost_ends_restored(sandbox, store) -> None:
    (one,) = orders(sandbox, store, 1)
    earned = Award.objects.get(order__woo_id=one).target
    sandbox.trash(one)
    invariants.reconciled(store)
    assert Order.objects.get(woo_id=one).status == "trash"
    assert Award.objects.get(order__woo_id=one).target == 0
    sandbox.untrash(one)
    invariants.reconciled(store)
    order = Order.objects.get(woo_id=one)
    assert (order.status, order.trashed_at, order.deleted_at, order.counted) == ("processing", None, None, True)
    assert Award.objects.get(order__woo_id=one).target == earned
    invariants.holds(store, sandbox)


def test_c27_an_order_taken_for_deleted_and_there_again_earns_again(sandbox, store) -> None:
    (one,) = orders(sandbox, store, 1)
    body = sandbox.get("order", one) or {}
    sandbox.store.storage.delete("order", one)
    invariants.reconciled(store)
    assert Award.objects.get(order__woo_id=one).target == 0
    sandbox.put("order", body)
    assert invariants.reconciled(store).causes == {"back": 1}
    assert Award.objects.get(order__woo_id=one).target > 0
    invariants.holds(store, sandbox)


def test_c27_a_deleted_customer_keeps_the_orders_as_a_guest(sandbox, store) -> None:
    clock.advance(timedelta(minutes=1))
    one = place(sandbox, 0, account=True, email="ana@example.com")
    settle(store)
    invariants.reconciled(store)
    person = Customer.objects.get(store=store, woo_id=one["customer_id"])
    sandbox.store.storage.delete("customer", one["customer_id"])
    assert invariants.reconciled(store).causes["gone"] == 1
    person.refresh_from_db()
    assert (person.woo_id, person.email, person.orders.count()) == (None, "ana@example.com", 1)


def test_c27_a_deleted_product_goes_with_its_reviews(sandbox, store) -> None:
    orders(sandbox, store, 1)
    product = Product.objects.get(store=store, woo_id=102)
    review = StoreReview.objects.create(
        store=store, woo_id=9001, product=product, status="approved", rating=5, created_gmt=clock.now()
    )
    sandbox.store.storage.delete("product", 102)
    assert invariants.reconciled(store).causes == {"gone": 2}
    for row in (product, review):
        row.refresh_from_db()
        assert row.deleted_at is not None
    invariants.holds(store, sandbox)


def test_c29_a_refund_created_and_deleted_within_a_minute_leaves_the_points_and_shows_both_ways(sandbox, store) -> None:
    (one,) = orders(sandbox, store, 1)
    earned = Award.objects.get(order__woo_id=one).target
    refund = sandbox.refund(one, amount="20.00")
    settle(store)
    assert Award.objects.get(order__woo_id=one).target < earned
    # The gateway failed: WooCommerce deletes the refund and dates nothing.
    body = sandbox.get("order", one) or {}
    sandbox.store.storage.delete("refund", refund["id"])
    sandbox.put("order", {**body, "refunds": []})
    run = invariants.reconciled(store)
    assert run.causes == {"silent": 1, "refund_gone": 1}
    assert Award.objects.get(order__woo_id=one).target == earned
    moves = [entry.points for entry in Entry.objects.filter(award__order__woo_id=one).order_by("pk")]
    assert len(moves) == 3
    assert sum(moves) == earned
    names = list(Event.objects.filter(order__woo_id=one, name__startswith="refund.").values_list("name", flat=True))
    assert sorted(names) == ["refund.created", "refund.deleted"]
    invariants.holds(store, sandbox)


def test_a_shop_that_fails_in_the_middle_of_the_comparison_is_asked_again(sandbox, store) -> None:
    made = orders(sandbox, store, 3)
    sandbox.fault("status", path="/orders$", nth=2, times=1, status=502)
    job = reconcile.start(store)
    jobs.run_one(job.pk, 30)
    job.refresh_from_db()
    assert job.status == "running"
    assert kept(store) == made
    assert tasks.run_due(1) is not None
    invariants.reconciled(store)
    invariants.holds(store, sandbox)


def test_c12_while_in_doubt_nothing_is_written_to_the_shop_either(sandbox, store) -> None:
    orders(sandbox, store, 4)
    empty(sandbox)
    invariants.reconciled(store)
    store.refresh_from_db()
    reward = store.program.rewards.get()
    member = ledger.open_account(Customer.objects.filter(store=store, erased_at=None).first())
    ledger.give(store, member.customer, points=reward.points, key="gift", reason="Welcome")
    member.refresh_from_db()
    rewards.redeem(member, reward=reward, key="press")
    sandbox.app.log.clear()
    settle(store)
    assert [one for one in sandbox.requests if one["method"] == "POST"] == []
    told = "".join(one.what for one in home.problems(store, worker_alive=True))
    assert "another shop" in told
