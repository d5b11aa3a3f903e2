"""Whatever order deliveries come in, however often, and whichever are lost: one poll later everything is as it should be."""

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db.models import Count

from campaigns.models import Message
from loyalty import earning, ledger
from loyalty.models import Award
from postpurchase import clock, queue
from stores.models import Event, Order, Store, WebhookEndpoint
from stores.sandbox.server import Sandbox
from stores.sync import tasks
from tests.faults.house import in_shop, open_house
from tests.stores.sandbox.conftest import stock
from tests.stores.shop import place
from tests.stores.test_webhooks import send

pytestmark = pytest.mark.django_db(transaction=True)

ACTS = ["ship", "complete", "refund", "cancel", "part", "trash"]
TOPICS = ["order.created", "order.updated", "order.deleted"]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    # The one clock: the shop's times and ours move together.
    with Sandbox(clock=clock.now) as running:
        stock(running)
        yield running


def act(sandbox: Sandbox, name: str, order: int) -> None:
    """One thing that happens in the shop; the shop itself may refuse it."""
    doers: dict[str, Any] = {
        "ship": sandbox.ship,
        "complete": sandbox.complete,
        "refund": sandbox.refund,
        "cancel": sandbox.cancel,
        "part": lambda one: sandbox.refund(one, amount="5.00"),
        "trash": sandbox.trash,
    }
    try:
        doers[name](order)
    except (LookupError, ValueError):
        pass


def facts(store: Store) -> set[tuple[str, int]]:
    return set(Event.objects.filter(store=store, order__isnull=False).values_list("name", "order__woo_id"))


def work() -> None:
    clock.advance(timedelta(minutes=1))
    queue.tick()
    queue.run_until_idle()


@pytest.mark.parametrize("seed", range(5))
def test_any_order_of_deliveries_ends_as_the_shop_is(seed, sandbox):
    dice = random.Random(seed)
    store = open_house(sandbox)
    clock.advance(timedelta(minutes=1))
    hooks = [
        WebhookEndpoint.objects.create(store=store, topic=topic, secret='s3cret & <known> "q" Zoë') for topic in TOPICS
    ]
    orders: list[int] = []
    waiting: list[tuple[WebhookEndpoint, dict[str, Any]]] = []
    for number in range(3):
        orders.append(place(sandbox, number)["id"])
        waiting.append((hooks[0], sandbox.get("order", orders[-1]) or {}))
    for _ in range(7):
        one = dice.choice(orders)
        act(sandbox, dice.choice(ACTS), one)
        clock.advance(timedelta(minutes=dice.randint(0, 20)))
        # The body is as it stood at that moment, and will be old news when it arrives.
        waiting.append((dice.choice(hooks), sandbox.get("order", one) or {"id": one}))
    arriving = [each for each in waiting for _ in range(dice.choice([0, 1, 1, 3]))]
    dice.shuffle(arriving)
    for number, (hook, body) in enumerate(arriving):
        assert send(hook, body, delivery=f"d{dice.choice([number, 0])}").status_code == 200
        if dice.random() < 0.3:
            work()
    tasks.poll_now(store)
    for _ in range(3):
        work()

    there = {body["id"]: (body["status"], body["total"]) for body in in_shop(sandbox, "order")}
    here = Order.objects.filter(store=store, deleted_at=None).exclude(status="trash")
    assert {order.woo_id: (order.status, f"{order.total:.2f}") for order in here} == there
    for award in Award.objects.filter(store=store).select_related("rule", "order"):
        if award.order:
            assert award.target == earning.points_of(award.order, award.rule)
    assert ledger.check_balances(store) + ledger.check_awards(store) == []
    twice = Message.objects.filter(store=store).values("flow", "order", "template").annotate(n=Count("pk"))
    assert [row for row in twice if row["n"] > 1] == []
    assert len(mail.outbox) == Message.objects.filter(store=store, status="accepted").count()

    # The same again, in another order: nothing further happens.
    before = (facts(store), Event.objects.filter(store=store).count(), len(mail.outbox))
    dice.shuffle(arriving)
    for number, (hook, body) in enumerate(arriving):
        send(hook, body, delivery=f"again{number}")
    tasks.poll_now(store)
    work()
    assert (facts(store), Event.objects.filter(store=store).count(), len(mail.outbox)) == before
