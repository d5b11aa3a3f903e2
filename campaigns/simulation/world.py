"""What is known, with its dates, about some people at once: enough to say what was true for each of them at any moment.

Loaded with a number of queries that does not grow with the number of people; answering asks the database nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from campaigns import troubles
from campaigns.models import Consent, ConsentEvent, Message, SendingRules, SentLedger, Suppression
from campaigns.permission import Standing, address_key
from campaigns.rechecks import WAITING, Limits, Past
from campaigns.simulation.rewinding import Back, PastOrder, Turn, customer_at
from campaigns.steps import Happened
from campaigns.troubles import LATE_FOR, ORDER, Trouble
from reviews.models import Case
from stores import events
from stores.models import Customer, Event, Order, Refund, Store

# How long back what was sent counts for caps and spacing.
LOOK_BACK = timedelta(days=30)


@dataclass
class Letter:
    """A message of the dry run. `status` is one of the outbox; `at` when it got that status, `trace` what was looked at."""

    message: Message
    status: str = Message.Status.PLANNED
    reason: str = ""
    code: str = ""
    at: datetime | None = None
    trace: list[list[Any]] = field(default_factory=list)
    # When it is looked at next.
    due_at: datetime | None = None

    @property
    def purpose(self) -> str:
        return self.message.purpose

    @property
    def order_id(self) -> int | None:
        return self.message.order_id

    @property
    def sent_at(self) -> datetime | None:
        return self.at if self.status == Message.Status.ACCEPTED else None

    @property
    def waits(self) -> bool:
        return self.status in WAITING


@dataclass
class Person:
    """One customer through time."""

    row: Customer
    orders: list[PastOrder] = field(default_factory=list)
    consents: list[ConsentEvent] = field(default_factory=list)
    suppressed: tuple[datetime, str] | None = None
    troubles: Sequence[Trouble] = ()
    # What other flows really sent.
    past: list[Past] = field(default_factory=list)
    happened: list[Happened] = field(default_factory=list)
    # When a problem with an order was said to be solved, by order.
    solved: dict[int, list[datetime]] = field(default_factory=dict)
    # What the dry run itself wrote to the person.
    letters: list["Letter"] = field(default_factory=list)
    by_id: dict[int, PastOrder] = field(default_factory=dict)
    _customers: dict[datetime, Customer] = field(default_factory=dict)
    _standings: dict[tuple[int, str, bool], Standing] = field(default_factory=dict)

    def order(self, pk: int | None) -> PastOrder | None:
        return self.by_id.get(pk) if pk else None

    def customer(self, moment: datetime) -> Customer:
        """The person as they were."""
        if moment not in self._customers:
            made = customer_at(self.row, self.orders, moment, currency=self.row.store.currency)
            made.store = self.row.store
            self._customers[moment] = made
        return self._customers[moment]

    def standing(self, moment: datetime) -> Standing:
        """Consent and address as they were, replayed from the log. A pause is not in the log, so it does not count."""
        dead = self.suppressed[1] if self.suppressed and self.suppressed[0] <= moment else ""
        elsewhere = False
        if self.row.woo_id is None:
            policies = {past.row.contact for past in self.orders if past.row.created_gmt <= moment}
            elsewhere = bool(policies) and Order.Contact.ALL not in policies
        said = sum(one.at <= moment for one in self.consents)
        key = said, dead, elsewhere
        if key not in self._standings:
            states = {
                (one.channel, one.purpose): Consent(
                    channel=one.channel, purpose=one.purpose, state=one.state, source=one.source, at=one.at
                )
                for one in self.consents[:said]
            }
            self._standings[key] = Standing(suppressed=dead, consents=states, elsewhere=elsewhere)
        return self._standings[key]

    def wrong(self, moment: datetime) -> list[Trouble]:
        """What was wrong, as far as one could know then: nobody knew yet when a case would be closed or a parcel come."""
        found = []
        for one in self.troubles:
            if one.since > moment:
                continue
            if one.until and one.until > moment and one.holds != ORDER:
                waits = one.since + LATE_FOR if one.topic == "delay" else None
                found.append(replace(one, until=waits))
            else:
                found.append(one)
        return found

    def bought_again(self, after: datetime, until: datetime, *, but: int | None) -> bool:
        """Whether there is a counted order in (after, until], beside the one given."""
        return any(
            after < past.row.created_gmt <= until and past.row.counted and past.row.pk != but for past in self.orders
        )


@dataclass
class World:
    """Some people of one store."""

    store: Store
    limits: Limits
    people: dict[int, Person]


def load(
    store: Store,
    customer_ids: Collection[int],
    *,
    since: datetime,
    awaited: Collection[str] = (),
    without_flow: int | None = None,
) -> World:
    """All that is dated about these people. What the flow `without_flow` really sent is left out: it is run anew."""
    rows = Customer.objects.filter(store=store, pk__in=customer_ids).defer("raw")
    people = {row.pk: Person(row) for row in rows}
    for person in people.values():
        person.row.store = store
    _orders(people)
    for one in ConsentEvent.objects.filter(customer_id__in=people).defer("proof").order_by("at", "pk"):
        people[one.customer_id].consents.append(one)
    keys = {address_key(each.row.email): each for each in people.values() if each.row.email}
    for key, reason, at in Suppression.objects.filter(store=store, address_key__in=keys).values_list(
        "address_key", "reason", "at"
    ):
        keys[key].suppressed = at, reason
    solved = Case.objects.filter(store=store, customer_id__in=people, state=Case.State.CONFIRMED).order_by(
        "confirmed_at"
    )
    for pk, order, confirmed in solved.values_list("customer_id", "order_id", "confirmed_at"):
        if confirmed:
            people[pk].solved.setdefault(order, []).append(confirmed)
    for pk, found in troubles.of_people(set(people), since=since).items():
        people[pk].troubles = found
    sent = SentLedger.objects.filter(store=store, customer_id__in=people, at__gt=since - LOOK_BACK)
    if without_flow:
        sent = sent.exclude(flow_id=without_flow)
    for pk, at, klass, purpose, title in sent.order_by("at", "pk").values_list(
        "customer_id", "at", "klass", "purpose", "flow__name"
    ):
        people[pk].past.append(Past(at, klass, purpose, title or ""))
    if awaited:
        news = Event.objects.filter(store=store, customer_id__in=people, name__in=awaited, at__gte=since)
        for pk, name, at, key, order in news.order_by("at", "pk").values_list(
            "customer_id", "name", "at", "key", "order_id"
        ):
            people[pk].happened.append(Happened(name, at, key, order))
    limits = Limits.of(SendingRules.objects.filter(store=store).first())
    return World(store, limits, people)


def _orders(people: dict[int, Person]) -> None:
    turns: dict[int, list[Turn]] = defaultdict(list)
    changes = Event.objects.filter(customer_id__in=people, name=events.ORDER_STATUS_CHANGED, order__isnull=False)
    for order, at, payload in changes.order_by("at", "pk").values_list("order_id", "at", "payload"):
        turns[order].append(Turn(at, str(payload.get("from", "")), str(payload.get("to", ""))))
    refunds: dict[int, list[Back]] = defaultdict(list)
    given = Refund.objects.filter(order__customer_id__in=people, created_gmt__isnull=False)
    for order, made, amount, undone in given.order_by("pk").values_list(
        "order_id", "created_gmt", "amount", "deleted_at"
    ):
        if made:
            refunds[order].append(Back(made, Decimal(amount), undone))
    orders = Order.objects.filter(customer_id__in=people).defer("raw").order_by("created_gmt", "pk")
    for row in orders:
        past = PastOrder(row, turns.get(row.pk, ()), refunds.get(row.pk, ()))
        assert row.customer_id is not None
        people[row.customer_id].orders.append(past)
        people[row.customer_id].by_id[row.pk] = past
