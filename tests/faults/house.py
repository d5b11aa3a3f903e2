"""A shop with everything switched on, a mail server that counts, and the facts that hold after any fault."""

import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from django.conf import settings
from django.db import connection

from campaigns.models import Message
from loyalty import ledger
from postpurchase import clock, due, queue
from postpurchase.demo import load
from stores.models import Coupon, Order, Store
from stores.sandbox.server import Sandbox
from stores.sync import tasks
from tests.stores.shop import joined

MANAGE = str(settings.BASE_DIR / "manage.py")


def open_house(sandbox: Sandbox, **fields: Any) -> Store:
    """A store of ours on this sandbox, with programme and flows on, that has polled once."""
    given = {"live_from": clock.now() - timedelta(days=1), "backfilled_at": clock.now()}
    store = joined(sandbox, **(given | fields))
    load.dress(store)
    tasks.poll_now(store)
    return store


def settle(store: Store, *, later: timedelta = timedelta(minutes=10)) -> None:
    """Time passes beyond every lease, the shop is polled, and our worker works until nothing is due."""
    clock.advance(later)
    tasks.arm_polls(store)
    for _ in range(2):
        queue.tick()
        queue.run_until_idle()


class Letters:
    """What the mail server got."""

    def __init__(self) -> None:
        self.got: list[EmailMessage] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.got.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"

    def ids(self) -> list[str]:
        return [str(letter["Message-ID"]) for letter in self.got]


@contextmanager
def mail_server() -> Iterator[tuple[Letters, int]]:
    """A mail server on a free loopback port: what it got, and the port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    letters = Letters()
    controller = Controller(letters, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield letters, port
    finally:
        controller.stop()


def database_url() -> str:
    """The test database as other processes find it."""
    values = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{values['NAME']}"
    host = f"{values['HOST'] or '127.0.0.1'}:{values['PORT'] or 5432}"
    return f"postgres://{values['USER']}:{values['PASSWORD']}@{host}/{values['NAME']}"


def worker(*, mail_port: int, kill_at: str = "") -> "subprocess.Popen[str]":
    """`manage.py worker --once` in a process of its own, on the test database."""
    environment = {
        **os.environ,
        "DATABASE_URL": database_url(),
        "DJANGO_SETTINGS_MODULE": "tests.faults.real_mail",
        "EMAIL_URL": f"smtp://127.0.0.1:{mail_port}",
        "KILL_AT": kill_at,
        "PYTHONPATH": str(settings.BASE_DIR),
    }
    return subprocess.Popen(
        [sys.executable, MANAGE, "worker", "--once"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def in_shop(sandbox: Sandbox, kind: str) -> list[dict[str, Any]]:
    """What the shop holds of a kind, without its trash."""
    rows: list[dict[str, Any]] = sandbox.store.storage.bodies("kind = ?", (kind,), order="id")
    return [row for row in rows if row.get("status") != "trash"]


def holds(store: Store, sandbox: Sandbox, letters: list[str]) -> None:
    """The facts that no fault may break: mirror, ledger, coupons, messages, and no work left in nobody's hands."""
    there = {body["id"]: (body["status"], body["total"]) for body in in_shop(sandbox, "order")}
    here = {
        order.woo_id: (order.status, f"{order.total:.2f}")
        for order in Order.objects.filter(store=store, deleted_at=None).exclude(status="trash")
    }
    assert here == there
    assert ledger.check_balances(store) + ledger.check_awards(store) == []
    codes = Counter(body["code"] for body in in_shop(sandbox, "coupon"))
    ours = Coupon.objects.filter(store=store, ours=True)
    assert set(codes.values()) <= {1}
    assert {coupon.code for coupon in ours.filter(state="live")} == set(codes)
    # Nobody got a letter twice; what was handed over is known to have been, or to be in doubt.
    assert max(Counter(letters).values(), default=0) <= 1
    status = {message.message_id: message.status for message in Message.objects.filter(store=store)}
    assert {status[letter] for letter in letters} <= {"accepted", "unknown"}
    assert {one for one, known in status.items() if known == "accepted"} <= set(letters)
    for model in due.all_models():
        assert not model._default_manager.filter(state="running").exists(), model.__name__
