"""Any permutation, repetition and loss of deliveries, followed by one reconciliation, ends in the same mirror and facts."""

import random
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from postpurchase import clock
from stores import events, inbox
from stores.models import Event, Order, Store, SyncTask, WebhookEndpoint
from stores.sandbox import orders as till
from stores.sandbox.server import Sandbox
from stores.sync import tasks
from tests.faults import invariants
from tests.faults.house import open_house, settle
from tests.stores.sandbox.conftest import stock
from tests.stores.shop import joined, place
from tests.stores.test_webhooks import send

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = 's3cret & <known> "q" Zoë'
TOPICS = ["order.created", "order.updated", "order.deleted", "order.restored"]
_deliveries = count(1)


class Acts:
    """What happens in a shop, told or not."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox, self.orders, self.done = sandbox, [], set()

    def one(self, name: str, chosen: int) -> int | None:
        """Do it to one of the orders; its id, None when the shop refuses or has none."""
        if name == "place" or not self.orders:
            self.orders.append(place(self.sandbox, len(self.orders))["id"])
            return self.orders[-1]
        order = self.orders[chosen % len(self.orders)]
        body = self.sandbox.get("order", order)
        if body is None:
            return None
        try:
            getattr(self, name)(order, body)
        except (LookupError, ValueError):
            return None
        self.done.add(name)
        return order

    def complete(self, order: int, body: dict[str, Any]) -> None:
        if body["status"] != "trash":
            self.sandbox.complete(order)

    def cancel(self, order: int, body: dict[str, Any]) -> None:
        if body["status"] != "trash":
            self.sandbox.cancel(order)

    def refund(self, order: int, body: dict[str, Any]) -> None:
        if body["status"] != "trash":
            self.sandbox.refund(order, amount="5.00")

    def trash(self, order: int, body: dict[str, Any]) -> None:
        if body["status"] != "trash":
            self.sandbox.trash(order)

    def untrash(self, order: int, body: dict[str, Any]) -> None:
        if body["status"] == "trash":
            self.sandbox.untrash(order)

    def edit(self, order: int, body: dict[str, Any]) -> None:
        """Past WooCommerce: no date moves and nobody is told."""
        if body["status"] != "trash":
            self.sandbox.put("order", {**body, "customer_note": f"{body['customer_note']}."})

    def unrefund(self, order: int, body: dict[str, Any]) -> None:
        """The gateway failed: the refund is deleted, and no date moves."""
        if body["refunds"] and body["status"] not in {"refunded", "trash"}:
            self.sandbox.store.storage.delete("refund", body["refunds"][0]["id"])
            self.sandbox.put("order", {**body, "refunds": body["refunds"][1:]})
        else:
            raise ValueError

    def destroy(self, order: int, body: dict[str, Any]) -> None:
        with self.sandbox.store.storage.lock:
            till.destroy(self.sandbox.store, body)


NAMES = ["place", "complete", "cancel", "refund", "trash", "untrash", "edit", "unrefund", "destroy"]


def hooks_of(store: Store) -> list[WebhookEndpoint]:
    return [WebhookEndpoint.objects.create(store=store, topic=topic, secret=SECRET) for topic in TOPICS]


def arrive(hook: WebhookEndpoint, order: int, sandbox: Sandbox) -> None:
    body = sandbox.get("order", order) or {"id": order}
    assert send(hook, body, delivery=f"d{next(_deliveries)}").status_code == 200


def work(store: Store) -> None:
    """Our worker, without the parts that this is not about."""
    clock.advance(timedelta(minutes=1))
    inbox.run_due()
    tasks.run_due()
    while events.dispatch():
        pass


def mirror(store: Store) -> dict[int, tuple[Any, ...]]:
    rows = Order.objects.filter(store=store, deleted_at=None).exclude(status="trash")
    return {
        row[0]: row[1:] for row in rows.values_list("woo_id", "status", "total", "refunded", "counted", "content_hash")
    }


def facts(store: Store) -> list[tuple[Any, ...]]:
    """What was recorded, by the shop's own names."""
    rows = Event.objects.filter(store=store, order__isnull=False)
    return sorted((one.name, one.order.woo_id, str(one.payload)) for one in rows.select_related("order"))


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(clock=clock.now) as running:
        stock(running)
        yield running


@pytest.mark.parametrize("seed", range(3))
def test_any_order_repetition_and_loss_of_deliveries_ends_in_the_same_mirror_and_facts(seed, sandbox):
    dice = random.Random(seed)
    here = {"live_from": clock.now() - timedelta(days=1), "backfilled_at": clock.now()}
    straight, crooked = joined(sandbox, **here), joined(sandbox, **here)
    for store in (straight, crooked):
        tasks.poll_now(store)
    acts, told = Acts(sandbox), []
    for _ in range(14):
        clock.advance(timedelta(minutes=1))
        order = acts.one(dice.choice(NAMES[:6]) if dice.random() < 0.8 else dice.choice(NAMES), dice.randrange(9))
        told += [order] if order else []
    one = hooks_of(straight)
    for order in told:
        arrive(one[1], order, sandbox)
        work(straight)
    other = hooks_of(crooked)
    arriving = [order for order in told for _ in range(dice.choice([0, 1, 3]))]
    dice.shuffle(arriving)
    for order in arriving:
        arrive(dice.choice(other), order, sandbox)
        if dice.random() < 0.4:
            work(crooked)
    for store in (straight, crooked):
        SyncTask.objects.filter(store=store, key__startswith="poll:").delete()
        invariants.reconciled(store)
        invariants.i1_mirror_equals_store(store, sandbox)
    assert mirror(crooked) == mirror(straight)
    assert facts(crooked) == facts(straight)


class Shop(RuleBasedStateMachine):
    """A shop in which things happen, deliveries that come in any order, several times or never, and a worker."""

    def __init__(self) -> None:
        super().__init__()
        self.sandbox = Sandbox(clock=clock.now).start()
        stock(self.sandbox)
        self.store = open_house(self.sandbox)
        self.hooks = hooks_of(self.store)
        self.acts, self.waiting = Acts(self.sandbox), []

    @initialize()
    def begin(self) -> None:
        clock.advance(timedelta(minutes=1))
        self.waiting.append(self.acts.one("place", 0))

    @rule(name=st.sampled_from(NAMES), chosen=st.integers(0, 5))
    def happen(self, name: str, chosen: int) -> None:
        clock.advance(timedelta(minutes=1))
        if order := self.acts.one(name, chosen):
            self.waiting.append(order)

    @precondition(lambda self: self.waiting)
    @rule(chosen=st.integers(0, 9), topic=st.integers(0, 3), keep=st.booleans())
    def arrive(self, chosen: int, topic: int, keep: bool) -> None:
        place_in = chosen % len(self.waiting)
        arrive(self.hooks[topic], self.waiting[place_in], self.sandbox)
        if not keep:
            self.waiting.pop(place_in)

    @precondition(lambda self: self.waiting)
    @rule(chosen=st.integers(0, 9))
    def lose(self, chosen: int) -> None:
        self.waiting.pop(chosen % len(self.waiting))

    @rule()
    def work(self) -> None:
        work(self.store)

    def _in_silence(self) -> None:
        """Every example ends with what nobody tells of: a mirrored order edited without a date, one deleted for good."""
        edited, destroyed = (self.acts.one("place", 0) for _order in range(2))
        for order in (edited, destroyed):
            arrive(self.hooks[0], order, self.sandbox)
        work(self.store)
        work(self.store)
        live = Order.objects.filter(store=self.store, deleted_at=None, woo_id__in=[edited, destroyed])
        assert live.count() == 2
        for name, order in (("edit", edited), ("destroy", destroyed)):
            getattr(self.acts, name)(order, self.sandbox.get("order", order))
        self.silent = (edited, destroyed)

    def teardown(self) -> None:
        try:
            self._in_silence()
            invariants.reconciled(self.store)
            invariants.i1_mirror_equals_store(self.store, self.sandbox)
            edited, destroyed = self.silent
            assert Order.objects.get(store=self.store, woo_id=destroyed).deleted_at
            assert Order.objects.get(store=self.store, woo_id=edited).raw["customer_note"] == "."
            invariants.i2_ledger_adds_up(self.store)
            invariants.i3_one_message_a_trigger(self.store)
            known = (mirror(self.store), facts(self.store))
            # Everything once more: nothing further is recorded.
            for order in self.acts.orders:
                arrive(self.hooks[0], order, self.sandbox)
            work(self.store)
            invariants.reconciled(self.store)
            assert (mirror(self.store), facts(self.store)) == known
        finally:
            # The worker of the next example finds nothing of this one.
            SyncTask.objects.filter(store=self.store).delete()
            self.sandbox.stop()


def test_whatever_happens_in_whatever_order_the_mirror_ends_as_the_shop_is():
    run_state_machine_as_test(
        Shop,
        settings=settings(
            max_examples=5,
            stateful_step_count=14,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )


def test_the_machine_notices_when_nothing_is_marked_as_deleted(monkeypatch):
    monkeypatch.setattr("stores.sync.reconcile.absent.apply.mark_missing", lambda *given: 0)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            Shop,
            settings=settings(max_examples=1, stateful_step_count=1, deadline=None, derandomize=True, database=None),
        )


# The soak


def _quietly(acts: Acts, hooks: list[WebhookEndpoint], store: Store, sandbox: Sandbox) -> tuple[int, int]:
    """Of three mirrored orders one is edited, one has its refund deleted and one is destroyed; nobody is told."""
    edited, fallen, destroyed = (acts.one("place", 0) for _order in range(3))
    acts.sandbox.refund(fallen, amount="5.00")
    for order in (edited, fallen, destroyed):
        arrive(hooks[0], order, sandbox)
    settle(store, later=timedelta(minutes=1))
    for name, order in (("edit", edited), ("unrefund", fallen), ("destroy", destroyed)):
        getattr(acts, name)(order, sandbox.get("order", order))
    return edited, fallen


def _lost(store: Store, sandbox: Sandbox) -> set[int]:
    """Orders that the mirror takes for living or binned and the shop does not have at all."""
    here = Order.objects.filter(store=store, deleted_at=None, channel="woocommerce").values_list("woo_id", flat=True)
    return {woo_id for woo_id in here if sandbox.get("order", woo_id) is None}


def soak(sandbox: Sandbox, store: Store, *, minutes: int, seed: int, orders: list[int]) -> None:
    """So many minutes of a shop in which much happens, of whose webhooks every fifth is lost."""
    dice = random.Random(seed)
    acts, hooks = Acts(sandbox), hooks_of(store)
    acts.orders = orders
    names = [*NAMES, "place", "place", "complete"]
    for minute in range(minutes):
        clock.advance(timedelta(minutes=1))
        for _ in range(3):
            name = dice.choice(names)
            order = acts.one(name, dice.randrange(10_000))
            silent = name in {"edit", "unrefund", "destroy"}
            if order and not silent and dice.random() >= 0.2:
                arrive(dice.choice(hooks), order, sandbox)
        if minute % 5 == 4:
            settle(store, later=timedelta(0))
        else:
            work(store)
    edited, fallen = _quietly(acts, hooks, store, sandbox)
    lost = _lost(store, sandbox)
    run = invariants.reconciled(store)
    assert run.status == "done"
    # Each difference has its cause, and no cause is made up.
    assert run.causes.get("gone", 0) == len(lost)
    assert run.causes["silent"] >= 1
    assert run.causes["refund_gone"] >= 1
    assert set(run.causes) <= {"silent", "refund_gone", "gone", "late", "new", "changed", "trashed", "back"}
    assert Order.objects.get(store=store, woo_id=edited).raw["customer_note"].endswith(".")
    assert not Order.objects.get(store=store, woo_id=fallen).refunded
    invariants.holds(store, sandbox)
    assert invariants.reconciled(store).causes == {}


def test_a_short_soak_ends_with_the_mirror_equal_to_the_shop(sandbox):
    clock.advance(timedelta(minutes=1))
    store = open_house(sandbox)
    made = [place(sandbox, number)["id"] for number in range(10)]
    settle(store)
    soak(sandbox, store, minutes=8, seed=1, orders=made)


@pytest.mark.soak
def test_thirty_minutes_of_a_shop_at_ten_times_the_size_end_with_the_mirror_equal_to_it():
    from stores import jobs
    from stores.sync import backfill

    with Sandbox(clock=clock.now, seed=1, scale=10, history="original") as sandbox:
        store = open_house(sandbox, backfilled_at=None)
        job = backfill.start(store)
        while jobs.run_one(job.pk, 60):
            pass
        store.refresh_from_db()
        made = [row[0] for row in sandbox.store.storage.select("kind = 'order'", (), order="created DESC", limit=500)]
        soak(sandbox, store, minutes=30, seed=2, orders=made)
