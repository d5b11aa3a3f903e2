"""Handing mail over: through SMTP against a bare loop, and the field's own yardstick, 2,000 orders from event to mail.

The bare loop keeps one connection to the same local sink, sends the same bytes and writes the same rows in the same two
commits: before, that the message is being handed over; after, that it went. It reads, judges and builds nothing. At least
half its rate is the aim. The yardstick has no floor: mails a second from the first event to the last hand-over, with a
backend that counts; a plugin in the shop was measured at about 40 (one PHP process).
"""

import smtplib
import socket
import sys
import threading
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.core.mail.backends.base import BaseEmailBackend

from bench import engine, harness, stage
from bench.workers import Workers

MESSAGES, ORDERS = 1_000, 2_000
RUNS = [[kind, *more] for kind in ("sqlite", "postgresql") for more in ([], ["1"], ["2"])]
AIM = 2.0
THANKS: dict[str, Any] = {
    "format": 1,
    "name": "Thank you",
    "class": "T",
    "trigger": {"event": "order.paid"},
    "reentry": "once_per_order",
    "exit_when": [{"field": "order.status", "op": "in", "value": ["cancelled", "refunded", "failed"]}],
    "steps": [{"uid": "mail", "kind": "send_email", "template": "R01.thank_you", "title": "Thank you"}],
}
FLOW = {
    **THANKS,
    "trigger": {"event": "order.status_changed", "where": {"field": "order.status", "op": "is", "value": "completed"}},
}


class Counting(BaseEmailBackend):
    """Swallows mail; what was accepted stands in the database."""

    def send_messages(self, email_messages: Any) -> int:
        return len(email_messages)


class Sink:
    """A mail server in a thread of another process that takes everything and keeps nothing."""

    def __init__(self) -> None:
        import multiprocessing

        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.process = multiprocessing.get_context("fork").Process(target=self._serve, daemon=True)
        self.process.start()
        self.listener.close()

    def _serve(self) -> None:
        while True:
            talk, _address = self.listener.accept()
            threading.Thread(target=_take, args=(talk,), daemon=True).start()

    def stop(self) -> None:
        self.process.kill()
        self.process.join()


def _take(talk: socket.socket) -> None:
    talk.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with talk, talk.makefile("rb") as lines:
        talk.sendall(b"220 sink\r\n")
        while line := lines.readline():
            word = line[:4].upper().strip()
            if word == b"DATA":
                talk.sendall(b"354 go on\r\n")
                while lines.readline() not in {b".\r\n", b""}:
                    pass
            talk.sendall(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")


def plan(count: int) -> Any:
    """A store with that many claimed messages, ready to be handed over."""
    from campaigns import content, flows
    from campaigns.models import Message
    from postpurchase import clock

    store = engine.people(count)
    store.mail_from, store.postal_address = "hello@bench.example.com", "Str. Lutului 4, Cluj-Napoca"
    store.save(update_fields=["mail_from", "postal_address"])
    content.install(store, "R01.thank_you")
    flow = flows.publish(store, THANKS, actor="bench", state="on")
    now = clock.now()
    blank = stage.defaults(
        Message,
        store_id=store.pk,
        flow_id=flow.pk,
        step="mail",
        customer_id=0,
        order_id=0,
        klass="T",
        purpose="order",
        template="R01.thank_you",
        priority=10,
        planned_for=now,
        due_at=now,
        useful_until=now + timedelta(days=3),
        key="",
    )
    stage.fill(
        Message,
        (
            blank | {"id": n, "customer_id": n, "order_id": n, "key": f"m:{n}", "uuid": stage.defaults(Message)["uuid"]}
            for n in range(1, count + 1)
        ),
    )
    return store


def back() -> None:
    """All are claimed again, and nothing went."""
    from campaigns.models import MailAccount, Message, SentLedger
    from postpurchase import clock
    from stores.models import Event, EventDelivery

    for model in (SentLedger, EventDelivery, Event, MailAccount):
        model._base_manager.all().delete()
    Message.objects.update(
        status="claimed",
        state="running",
        lease_token=uuid4(),
        lease_until=clock.now() + timedelta(hours=1),
        html="",
        text="",
        to="",
        handed_at=None,
        accepted_at=None,
        finished_at=None,
    )
    stage.tidy()
    stage.settle()


class Sides:
    """The messages written once, so that both sides only hand over."""

    def __init__(self, port: int) -> None:
        from campaigns import outbox
        from campaigns.channels import email
        from campaigns.context import language_of
        from campaigns.models import Message

        back()
        self.port = port
        self.written = []
        self.bytes: list[tuple[int, str, bytes]] = []
        rows = Message.objects.select_related("store", "flow", "customer", "order").order_by("pk")
        for message in rows:
            language = language_of(message.customer, message.order)
            rendered = outbox.render(message, language=language)
            self.written.append((message.pk, rendered, language))
            mail = email.build(message, rendered, to=message.customer.email)
            self.bytes.append((message.pk, message.customer.email, mail.message().as_bytes(linesep="\r\n")))

    def ours(self) -> int:
        """As the outbox does it, once a message is written."""
        from campaigns import outbox
        from campaigns.channels import email
        from campaigns.models import Message

        rows = {
            row.pk: row for row in Message.objects.select_related("store", "flow", "customer", "order").order_by("pk")
        }
        batch = outbox.Batch()
        with email.kept_connections():
            return sum(
                outbox.hand_over(rows[pk], rendered, language=language, batch=batch)
                for pk, rendered, language in self.written
            )

    def remember(self) -> None:
        """What ours wrote, to be written again by raw SQL."""
        from campaigns.models import Message, SentLedger
        from stores.models import Event, EventDelivery

        self.message = Message._meta.db_table
        self.before = ["status", "to", "language", "subject", "html", "text", "handed_at"]
        self.after = ["status", "state", "accepted_at", "finished_at", "lease_token", "lease_until"]
        self.rows = {row[0]: row for row in stage.dump(self.message, ["id", *self.before, *self.after])}
        self.inserts = []
        for model, by in ((SentLedger, "customer_id"), (Event, "customer_id")):
            names = [name for name in stage.columns(model) if name != "id"]
            found = {row[names.index(by)]: row for row in stage.dump(model._meta.db_table, names)}
            self.inserts.append((stage.insert_sql(model._meta.db_table, names), found))
        assert not EventDelivery.objects.exists()

    def floor(self) -> int:
        """One connection, the same bytes, the same rows in two commits."""
        mark, cursor = stage.place(), stage.raw()
        first = ", ".join(f'"{name}" = {mark}' for name in self.before)
        second = ", ".join(f'"{name}" = {mark}' for name in self.after)
        edge = len(self.before) + 1
        with smtplib.SMTP("127.0.0.1", self.port) as server:
            for pk, to, body in self.bytes:
                row = self.rows[pk]
                stage.begin(cursor)
                cursor.execute(f"UPDATE {self.message} SET {first} WHERE id = {mark}", ["handing", *row[2:edge], pk])
                cursor.execute("COMMIT")
                server.sendmail("hello@bench.example.com", [to], body)
                stage.begin(cursor)
                cursor.execute(f"UPDATE {self.message} SET {second} WHERE id = {mark}", [*row[edge:], pk])
                for sql, found in self.inserts:
                    cursor.execute(sql, found[pk])
                cursor.execute("COMMIT")
        return len(self.bytes)


def run(kind: str, *, messages: int = MESSAGES, rounds: int = harness.ROUNDS) -> harness.Comparison:
    """Measure on the present, empty database."""
    from django.conf import settings

    from campaigns.models import Message, SentLedger

    sink = Sink()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
    settings.SEND_JOURNAL = ""
    try:
        plan(messages)
        sides = Sides(sink.port)
        assert sides.ours() == messages
        sides.remember()

        def check() -> None:
            assert Message.objects.filter(status="accepted", state="done").count() == messages
            assert SentLedger.objects.count() == messages

        check()
        return harness.compare(
            f"{messages:,} messages handed over by SMTP, {kind}",
            aim=AIM,
            units=messages,
            unit="mails",
            floor=sides.floor,
            ours=sides.ours,
            before=back,
            after=check,
            rounds=rounds,
        )
    finally:
        sink.stop()


def complete(store: Any, count: int) -> None:
    """That many orders become completed: the facts, as the sync engine records them, 100 at a time."""
    from django.db import transaction

    from postpurchase import clock
    from stores import events
    from stores.events import Fact

    now = clock.now()
    for start in range(1, count + 1, 100):
        with transaction.atomic():
            events.record_many(
                store,
                [
                    Fact(
                        events.ORDER_STATUS_CHANGED,
                        n,
                        now,
                        fact="completed",
                        order_id=n,
                        customer_id=n,
                        payload={"from": "processing", "to": "completed"},
                    )
                    for n in range(start, min(start + 100, count + 1))
                ],
            )


def _drain() -> int:
    from postpurchase import queue

    return queue.run_until_idle()


def yardstick(kind: str, workers: int, *, orders: int = ORDERS) -> str:
    """2,000 orders completed, one flow with one mail of names, numbers and product rows: a line with mails a second."""
    from django.conf import settings

    from campaigns import content, flows
    from campaigns.models import Message
    from stores.models import OrderLine, Product

    settings.EMAIL_BACKEND = "bench.hand_over.Counting"
    store = engine.people(orders)
    store.mail_from, store.postal_address = "hello@bench.example.com", "Str. Lutului 4, Cluj-Napoca"
    store.save(update_fields=["mail_from", "postal_address"])
    mug = Product.objects.create(store=store, woo_id=1, name="Mug", price="25", stock_status="instock")
    line = stage.defaults(
        OrderLine,
        order_id=0,
        woo_id=0,
        product_id=mug.pk,
        product_woo_id=1,
        name="Mug",
        quantity=1,
        subtotal=25,
        total=25,
    )
    stage.fill(
        OrderLine,
        (
            line | {"id": 2 * n + second, "order_id": n, "woo_id": second + 1}
            for n in range(1, orders + 1)
            for second in (0, 1)
        ),
    )
    content.install(store, "R01.thank_you")
    flows.publish(store, FLOW, actor="bench", state="on")
    stage.tidy()
    with Workers(workers, {"drain": _drain}) as pool:
        began = time.perf_counter()
        complete(store, orders)
        while Message.objects.filter(status="accepted").count() < orders:
            if not sum(pool.run("drain")):
                break
        took = time.perf_counter() - began
    went = Message.objects.filter(status="accepted").count()
    assert went == orders, f"{went} of {orders} went: {list(Message.objects.values_list('status', 'reason')[:3])}"
    return f"{orders:,} orders completed, {kind}, {workers} worker{'s' if workers > 1 else ''}: {went / took:.0f} mails a second"


def main() -> int:
    kind = sys.argv[1]
    if len(sys.argv) > 2:
        with stage.database(kind):
            print(yardstick(kind, int(sys.argv[2])), flush=True)
        return 0
    with stage.database(kind):
        return harness.show(run(kind))


if __name__ == "__main__":
    sys.exit(main())
