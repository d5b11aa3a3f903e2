"""Small random histories and flows, lived by the real engine and outbox with the clock moved, to be held against dry runs."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from campaigns import consent, engine, flows, outbox
from campaigns.models import Enrolment, Flow, Message, StepRun
from postpurchase import clock
from reviews import cases
from reviews.models import Case
from stores import events
from stores.models import Customer, Order, Refund, Store
from stores.sync import people
from tests.campaigns.flow_files import GONE, file, send, wait
from tests.factories import make_customer, make_order, make_product, make_store

DAYS = 40
_FIRST = {"field": "customer.orders_count", "op": "lte", "value": 1}
WHERES: list[dict[str, Any] | None] = [
    None,
    {"field": "order.total", "op": "gt", "value": 100},
    {"all": [_FIRST, {"field": "order.payment_method", "op": "is_not", "value": "cod"}]},
    {
        "any": [
            {"field": "order.country", "op": "is", "value": "DE"},
            {"field": "order.paid", "op": "is", "value": True},
        ]
    },
    {"field": "customer.spent", "op": "gte", "value": 150},
    {"not": [{"field": "order.status", "op": "in", "value": ["completed", "refunded"]}]},
]
BRANCHES = [
    {"field": "order.total", "op": "gte", "value": 120},
    {"field": "customer.orders_count", "op": "gt", "value": 1},
    {"field": "order.status", "op": "is", "value": "completed"},
    {"field": "order.delivered", "op": "is", "value": True},
]
EVENTS: list[Any] = [
    "order.paid",
    "order.placed",
    "order.delivered",
    "order.status_changed",
    ["order.paid", "order.delivered"],
    "refund.created",
]


def flow_file(dice: random.Random) -> dict[str, Any]:
    """A random flow of one to three mails with waits and perhaps a branch."""
    klass = dice.choice("TSMM")
    purposes = {"T": ["order"], "S": ["service", "review"], "M": ["marketing"]}[klass]
    count = iter(range(100))

    def mail() -> dict[str, Any]:
        extra: dict[str, Any] = {"purpose": dice.choice(purposes), "title": "A title"}
        if dice.random() < 0.2:
            extra["when"] = dice.choice(BRANCHES)
        return send(f"mail_{next(count)}", **extra)

    def pause() -> dict[str, Any]:
        kind = dice.randrange(4)
        if kind == 0:
            return wait(f"wait_{next(count)}", days=dice.randint(1, 9), since="event", between=["10:00", "18:00"])
        if kind == 1:
            return wait(f"wait_{next(count)}", days=dice.randint(1, 6))
        if kind == 2:
            return wait(f"wait_{next(count)}", hours=dice.randint(1, 40))
        return wait(f"wait_{next(count)}", days=1, until="09:30")

    steps: list[dict[str, Any]] = [pause()] if dice.random() < 0.6 else []
    steps.append(mail())
    if dice.random() < 0.6:
        steps += [pause(), mail()]
    if dice.random() < 0.4:
        split = {
            "uid": "check",
            "kind": "branch",
            "condition": dice.choice(BRANCHES),
            "then": [mail()],
            "else": [pause()],
        }
        steps.insert(dice.randrange(len(steps)), split)
        steps.append(mail())
    trigger: dict[str, Any] = {"event": dice.choice(EVENTS)}
    if where := dice.choice(WHERES):
        trigger["where"] = where
    rules: list[Any] = ["once", "once_per_order", "once_per_order_and_event", "always", {"every_days": 7}]
    return file(
        *steps,
        klass=klass,
        trigger=trigger,
        reentry=dice.choice(rules),
        exit_when=[GONE] if dice.random() < 0.7 else [],
        **({"holdback": 20} if klass == "M" and dice.random() < 0.5 else {}),
    )


@dataclass
class Life:
    """A store in which things happen, one after the other, and everything that is due is worked off in between."""

    dice: random.Random
    begin: datetime

    def __post_init__(self) -> None:
        clock.freeze(self.begin)
        self.store = make_store(soft_opt_in_countries=self.dice.choice([[], ["RO"]]))
        self.product = make_product(self.store)
        self.people = [
            make_customer(
                self.store, country=self.dice.choice(["RO", "RO", "DE", "ID"]), woo_id=self.dice.choice([None, n])
            )
            for n in range(1, self.dice.randint(3, 6))
        ]
        self.orders: list[Order] = []
        self.flow: Flow = flows.publish(self.store, flow_file(self.dice), actor="test", slug="test-flow", state="on")

    def live(self, doings: int = 30) -> datetime:
        """Everything that happens; the moment at which the story ends."""
        moments = sorted(self.dice.uniform(0, DAYS * 86400) for _ in range(doings))
        for second in moments:
            self._until(self.begin + timedelta(seconds=round(second)))
            self.dice.choice([self._order, self._order, self._go_on, self._go_on, self._go_on, self._say, self._case])()
            self._work()
        end = self.begin + timedelta(days=DAYS)
        self._until(end)
        clock.freeze(end)
        return end

    def _until(self, moment: datetime) -> None:
        """Stop at each moment before at which something is due."""
        while True:
            waiting = [
                *Enrolment.objects.filter(state="due").order_by("due_at").values_list("due_at", flat=True)[:1],
                *Message.objects.filter(state="due").order_by("due_at").values_list("due_at", flat=True)[:1],
            ]
            due = min(waiting, default=moment)
            if due >= moment:
                break
            clock.freeze(max(due, clock.now()))
            self._work()
        clock.freeze(moment)
        self._work()

    def _work(self) -> None:
        while events.dispatch() + engine.run_due() + outbox.run_due():
            pass

    def _record(self, name: str, order: Order, **more: Any) -> None:
        events.record(
            self.store,
            name,
            subject=more.pop("subject", order.pk),
            at=clock.now(),
            order=order,
            fact=clock.now().isoformat(),
            **more,
        )

    def _changed(self, order: Order, **values: Any) -> None:
        for name, value in values.items():
            setattr(order, name, value)
        paid = order.paid_gmt is not None and order.status not in {"pending", "failed", "cancelled", "on-hold"}
        order.counted = paid and not order.fully_refunded
        order.save()
        if order.customer_id:
            people.refresh(self.store, [order.customer_id])

    def _turn(self, order: Order, status: str, **values: Any) -> None:
        before = order.status
        self._changed(order, status=status, **values)
        if before != status:
            self._record(events.ORDER_STATUS_CHANGED, order, payload={"from": before, "to": status})

    def _order(self) -> None:
        who = self.dice.choice(self.people)
        method = self.dice.choice(["card", "cod", "bacs"])
        paid = method == "card" and self.dice.random() < 0.8
        price = Decimal(self.dice.choice([40, 90, 110, 150, 240]))
        order = make_order(
            self.store,
            who,
            items=[(self.product, 1)],
            status="processing" if paid or method == "cod" else "pending",
            payment_method=method,
            created_gmt=clock.now(),
            paid_gmt=clock.now() if paid else None,
            counted=paid,
            total=price,
            shipping=Decimal(10),
        )
        self.orders.append(order)
        people.refresh(self.store, [who.pk])
        self._record(events.ORDER_PLACED, order)
        if paid:
            self._record(events.ORDER_PAID, order)

    def _go_on(self) -> None:
        if not self.orders:
            return
        order = self.dice.choice(self.orders)
        order.refresh_from_db()
        if order.status == "pending":
            if self.dice.random() < 0.3:
                self._turn(order, "cancelled")
                self._record(events.ORDER_CANCELLED, order)
            else:
                self._turn(order, "processing", paid_gmt=clock.now())
                self._record(events.ORDER_PAID, order)
        elif order.status == "processing":
            now = clock.now()
            self._turn(order, "completed", completed_gmt=now, paid_gmt=order.paid_gmt or now)
        elif order.status == "completed" and order.delivered_at is None:
            self._changed(order, delivered_at=clock.now())
            self._record(events.ORDER_DELIVERED, order, payload={"estimated": False})
        elif order.status == "completed" and order.refunded < order.total:
            self._refund(order)

    def _refund(self, order: Order) -> None:
        amount = order.total - order.refunded if self.dice.random() < 0.5 else min(Decimal(15), order.total)
        Refund.objects.create(
            store=self.store, order=order, woo_id=1000 + Refund.objects.count(), amount=amount, created_gmt=clock.now()
        )
        refunded = sum((one.amount for one in Refund.objects.filter(order=order)), Decimal(0))
        order.refunded = refunded
        if refunded >= order.total:
            self._turn(order, "refunded", refunded=refunded)
        else:
            self._changed(order, refunded=refunded)
        self._record(events.REFUND_CREATED, order, payload={"amount": str(amount)})

    def _say(self) -> None:
        who = self.dice.choice(self.people)
        consent.set_consent(
            self.store,
            who,
            channel="email",
            purpose=self.dice.choice(["marketing", "marketing", "review", "service"]),
            state=self.dice.choice(["granted", "granted", "denied"]),
            source=self.dice.choice(["form", "page"]),
        )

    def _case(self) -> None:
        running = Case.objects.filter(store=self.store, state=Case.State.OPEN).order_by("pk").first()
        if running:
            cases.resolve(running, by="test")
        elif self.orders:
            order = self.dice.choice(self.orders)
            Case.objects.create(
                store=self.store,
                order=order,
                customer=order.customer,
                key=f"case-{Case.objects.count()}",
                kind="question",
                opened_at=clock.now(),
            )


def really(store: Store) -> list[tuple[Any, ...]]:
    """What the running flow did: people, steps, messages, with moments and reasons."""
    rows: list[tuple[Any, ...]] = []
    for row in Enrolment.objects.filter(store=store):
        rows.append(("person", row.key, row.customer_id, row.order_id, row.entered_at, row.status, row.reason))
        if row.status == "active":
            rows.append(("waits", row.key, row.step, row.due_at))
    for run in StepRun.objects.filter(enrolment__store=store).select_related("enrolment"):
        rows.append(("step", run.enrolment.key, run.step, run.at, str(run.outcome), run.reason))
    for message in Message.objects.filter(store=store, flow__isnull=False):
        rows.append(
            ("message", message.key, message.planned_for, str(message.status), _said(message.reason), _when(message))
        )
    return sorted(rows, key=str)


def _said(reason: str) -> str:
    """Of several that wait for one slot, which is named to the others goes by the order in which the database gives them."""
    return "no slot" if reason == "another message had priority" or "limit reached" in reason else reason


def _when(message: Message) -> datetime | None:
    return message.accepted_at or message.finished_at


def foretold(courses: list[Any]) -> list[tuple[Any, ...]]:
    """What a dry run says, in the same shape."""
    rows: list[tuple[Any, ...]] = []
    for course in courses:
        row = course.enrolment
        if row is None:
            continue
        rows.append(("person", row.key, row.customer_id, row.order_id, row.entered_at, str(row.status), row.reason))
        if row.status == "active":
            rows.append(("waits", row.key, row.step, row.due_at))
        rows += [("step", row.key, run.step, run.at, str(run.outcome), run.reason) for run in course.runs]
        for letter in course.letters:
            message = letter.message
            over = letter.at if letter.status in {"accepted", "skipped", "expired"} else None
            rows.append(("message", message.key, message.planned_for, str(letter.status), _said(letter.reason), over))
    return sorted(rows, key=str)


def everybody(store: Store) -> list[Customer]:
    return list(Customer.objects.filter(store=store))
