"""kill -9 in the middle of a piece of work, and two workers at once: nothing lost, nothing doubled. Real processes."""

import signal
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

from campaigns.models import Enrolment, Message, StepRun
from loyalty import ledger, rewards
from loyalty.models import Account, Redemption
from postpurchase import clock
from stores.models import Coupon, Event, Job, Store
from stores.sandbox.server import Sandbox
from stores.sync import backfill, tasks
from tests.factories import make_customer
from tests.faults.house import Letters, holds, in_shop, mail_server, open_house, settle, worker
from tests.stores.sandbox.conftest import stock
from tests.stores.shop import place

pytestmark = pytest.mark.django_db(transaction=True)
WAIT_SECONDS = 120


@pytest.fixture
def post(settings) -> Iterator[tuple[Letters, int]]:
    with mail_server() as (letters, port):
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
        yield letters, port


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        stock(running)
        yield running


def killed(port: int, name: str) -> None:
    process = worker(mail_port=port, kill_at=name)
    said, _ = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == -signal.SIGKILL, f"it was not killed at {name}: {said}"


@pytest.mark.parametrize(
    ("name", "letters", "status"),
    [
        ("engine.written", 1, "accepted"),
        ("outbox.claimed", 1, "accepted"),
        ("outbox.handing", 0, "unknown"),
        ("outbox.handed", 1, "unknown"),
    ],
)
def test_killed_on_the_way_of_a_letter_sends_it_at_most_once(name, letters, status, post, sandbox):
    got, port = post
    store = open_house(sandbox)
    place(sandbox)
    tasks.arm_polls(store)
    killed(port, name)
    settle(store)
    settle(store)
    message = Message.objects.get(store=store)
    assert (message.status, len(got.got)) == (status, letters)
    assert bool(message.reason) == (status == "unknown")
    assert Enrolment.objects.filter(flow__recipe="R01").count() == 1
    assert StepRun.objects.filter(enrolment__flow__recipe="R01", kind="send_email").count() == 1
    assert Event.objects.filter(store=store, name="order.paid").count() == 1
    holds(store, sandbox, got.ids())


def member(store: Store, number: int = 0, points: int = 1000) -> Account:
    customer = make_customer(store, email=f"member{number}@example.com")
    ledger.give(store, customer, points=points, key=f"gift:{number}", reason="Welcome")
    return Account.objects.get(customer=customer)


@pytest.mark.parametrize("name", ["coupon.create.sending", "coupon.create.created"])
def test_killed_while_a_coupon_is_made_makes_one_coupon(name, post, sandbox):
    got, port = post
    store = open_house(sandbox)
    reward = store.program.rewards.get()
    redemption = rewards.redeem(member(store), reward=reward, key="press")
    killed(port, name)
    assert len(in_shop(sandbox, "coupon")) == (1 if name.endswith("created") else 0)
    settle(store)
    settle(store)
    redemption.refresh_from_db()
    assert redemption.status == Redemption.Status.READY
    (there,) = in_shop(sandbox, "coupon")
    assert (there["code"], Decimal(there["amount"])) == (redemption.coupon.code, reward.amount)
    assert Message.objects.filter(store=store, request__kind="reward.ready", status="accepted").count() == 1
    assert redemption.account.usable + reward.points == 1000
    holds(store, sandbox, got.ids())


@pytest.mark.parametrize("entity", ["product", "order"])
def test_killed_between_the_rows_of_a_page_and_its_place_the_history_is_complete(entity, post, sandbox):
    got, port = post
    for number in range(130):
        place(sandbox, number)
        sandbox.advance(minutes=7)
    store = open_house(sandbox, backfilled_at=None, live_from=clock.now() + timedelta(days=1))
    job = backfill.start(store)
    killed(port, f"backfill.{entity}.applied")
    settle(store)
    job.refresh_from_db()
    # Each window that is committed begins the count of attempts anew.
    assert (job.status, job.attempts) == (Job.Status.DONE, 0)
    assert store.orders.count() == 130
    assert got.got == []
    holds(store, sandbox, got.ids())


def test_two_workers_at_once_double_nothing(post, sandbox):
    got, port = post
    store = open_house(sandbox)
    reward = store.program.rewards.get()
    for number in range(15):
        place(sandbox, number)
    made = [rewards.redeem(member(store, number), reward=reward, key=f"press:{number}") for number in range(4)]
    tasks.arm_polls(store)
    pair = [worker(mail_port=port) for _ in range(2)]
    said = [process.communicate(timeout=WAIT_SECONDS)[0] for process in pair]
    assert [process.returncode for process in pair] == [0, 0], said
    settle(store, later=timedelta(minutes=20))
    settle(store)
    assert len(in_shop(sandbox, "coupon")) == len(made) == Coupon.objects.filter(store=store, state="live").count()
    assert len(got.got) == 15 + 4
    assert not Message.objects.filter(store=store).exclude(status="accepted").exists()
    assert Enrolment.objects.filter(flow__recipe="R01").count() == 15
    holds(store, sandbox, got.ids())
