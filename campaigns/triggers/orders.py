"""Orders: transitions, refunds, the Nth order, thresholds crossed, and orders that were placed and never paid."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from campaigns.triggers.base import Occurrence, Timed, Trigger, as_occurrence, register
from campaigns.triggers.plain import Recorded
from stores import event_payloads, events
from stores.event_payloads import ORDERS, PEOPLE
from stores.models import Event, Order, Store

# What the mirror knows of the past of an order that was there before us: the moment of a status.
_MOMENTS = {"completed": "completed_gmt", "processing": "paid_gmt"}


def _status(text: str) -> str:
    return text.removeprefix("wc-")


@register(events.ORDER_STATUS_CHANGED, label=gettext_lazy("an order changes its status"), group=ORDERS)
@dataclass(frozen=True)
class StatusChanged(Recorded):
    """An order goes from one status to another; custom ones too. Empty is any.

    Without `from`, an order that is first seen in the status has come to it. Of orders that are older than the connection
    the past knows only when they were paid ("processing") and completed.
    """

    carries: ClassVar[type] = event_payloads.Moved

    from_: tuple[str, ...] = ()
    to: tuple[str, ...] = ()

    def sentence(self) -> str:
        if not self.from_ and not self.to:
            return super().sentence()
        words = {"from": _(" or ").join(self.from_), "to": _(" or ").join(self.to)}
        if not self.from_:
            return _("an order becomes %(to)s") % words
        if not self.to:
            return _("an order is no longer %(from)s") % words
        return _("an order goes from %(from)s to %(to)s") % words

    def hears(self) -> tuple[str, ...]:
        seen_first = (events.ORDER_PLACED,) if self.to and not self.from_ else ()
        return (events.ORDER_STATUS_CHANGED, *seen_first)

    def wants(self, event: Event) -> bool:
        if event.name == events.ORDER_PLACED:
            # How a historic order stands now says nothing of how it began.
            return not event.historic and _status(event.payload.get("status", "")) in map(_status, self.to)
        before, after = event.payload.get("from", ""), event.payload.get("to", "")
        fits = not self.from_ or _status(before) in map(_status, self.from_)
        return fits and (not self.to or _status(after) in map(_status, self.to)) and super().wants(event)

    def occurrences(self, store: Store, events: Sequence[Event]) -> list[Occurrence]:
        return [
            as_occurrence(event, name=self.kind.name) for event in events if event.customer_id and self.wants(event)
        ]

    def history(self, store: Store, since: datetime, until: datetime) -> Iterator[Occurrence]:
        found = super().history(store, since, until)
        moments = {status: _MOMENTS[status] for status in map(_status, self.to) if status in _MOMENTS}
        if self.from_ or self.payload or not moments:
            yield from found
            return
        old = [each for status, field in moments.items() for each in self._known(store, status, field, since, until)]
        yield from sorted([*found, *old], key=lambda one: (one.at, one.key))

    def _known(self, store: Store, status: str, field: str, since: datetime, until: datetime) -> Iterator[Occurrence]:
        rows = Order.objects.filter(
            store=store, historic=True, customer__isnull=False, **{f"{field}__gte": since, f"{field}__lt": until}
        )
        for pk, customer_id, at in rows.order_by(field, "pk").values_list("pk", "customer_id", field).iterator():
            key = f"{self.kind.name}:{pk}:>{status}"
            yield Occurrence(at, key, customer_id, pk, None, {"from": "", "to": status}, self.kind.name)


@register(events.ORDER_REFUNDED, label=gettext_lazy("an order is refunded"), group=ORDERS)
@dataclass(frozen=True)
class OrderRefunded(Recorded):
    """Money goes back: `full` true for all of it, false for a part, nothing for both."""

    carries: ClassVar[type] = event_payloads.Refunded

    full: bool | None = None

    def sentence(self) -> str:
        if self.full is None:
            return super().sentence()
        return _("an order is fully refunded") if self.full else _("an order is partly refunded")

    def wants(self, event: Event) -> bool:
        return (self.full is None or bool(event.payload.get("full")) == self.full) and super().wants(event)


@dataclass(frozen=True, slots=True)
class Purchase:
    """A counted order, by the time it was paid (else placed)."""

    at: datetime
    order: int
    net: Decimal


def purchases(store: Store, customers: Iterable[int]) -> dict[int, list[Purchase]]:
    """The counted orders of these people in the order in which they were paid. `net` is 0 in a foreign currency."""
    found: dict[int, list[Purchase]] = defaultdict(list)
    rows = Order.objects.filter(store=store, customer_id__in=set(customers), counted=True)
    for order in rows.only(
        "customer_id", "created_gmt", "paid_gmt", "total", "refunded", "tax", "shipping", "currency"
    ):
        net = order.net if order.currency == store.currency else Decimal(0)
        assert order.customer_id is not None
        found[order.customer_id].append(Purchase(order.paid_gmt or order.created_gmt, order.pk, net))
    for bought in found.values():
        bought.sort(key=lambda one: (one.at, one.order))
    return found


class _Counted(Trigger):
    """Hears payments and looks at what the person paid before: by payment, so that late imports change no rank."""

    def hears(self) -> tuple[str, ...]:
        return (events.ORDER_PAID,)

    def occurrences(self, store: Store, events: Sequence[Event]) -> list[Occurrence]:
        paid = [event for event in events if event.customer_id and event.order_id]
        bought = purchases(store, (event.customer_id for event in paid if event.customer_id))
        found = []
        for event in paid:
            assert event.customer_id is not None
            known = bought[event.customer_id]
            this = next((one for one in known if one.order == event.order_id), None)
            if this is None:
                # Given back since: it is no purchase any more.
                continue
            before = known[: known.index(this)]
            moment = self.moment(event, before, this)
            if moment:
                found.append(moment)
        return found

    def moment(self, event: Event, before: list[Purchase], this: Purchase) -> Occurrence | None:
        """The moment that a payment is, after the purchases before it."""
        raise NotImplementedError


@register("order.nth", label=gettext_lazy("a customer pays their Nth order"), group=ORDERS)
@dataclass(frozen=True)
class NthOrder(_Counted):
    """`n` is one number or several: 2 is the second order that was paid and not given back."""

    n: tuple[int, ...]

    def faults(self) -> list[str]:
        good = self.n and all(1 <= each <= 1000 for each in self.n)
        return [] if good else [_("n is one or more numbers from 1 to 1,000.")]

    def sentence(self) -> str:
        numbers = _(" or ").join(str(each) for each in self.n)
        return _("a customer pays their order number %(n)s") % {"n": numbers}

    def moment(self, event: Event, before: list[Purchase], this: Purchase) -> Occurrence | None:
        n = len(before) + 1
        if n not in self.n:
            return None
        return as_occurrence(event, name=self.kind.name, payload={"n": n})


@register(
    "customer.orders_reached",
    label=gettext_lazy("a customer reaches a number of orders"),
    group=PEOPLE,
    subject="customer",
)
@dataclass(frozen=True)
class OrdersReached(_Counted):
    """Once for a person, with the payment that brings the number of counted orders to `count`."""

    count: int

    def faults(self) -> list[str]:
        return [] if 1 <= self.count <= 10_000 else [_("count lies between 1 and 10,000.")]

    def sentence(self) -> str:
        words = ngettext("a customer reaches %(n)d order", "a customer reaches %(n)d orders", self.count)
        return words % {"n": self.count}

    def moment(self, event: Event, before: list[Purchase], this: Purchase) -> Occurrence | None:
        if len(before) + 1 != self.count:
            return None
        key = f"{self.kind.name}:{event.customer_id}:{self.count}"
        return as_occurrence(event, name=self.kind.name, key=key, about="customer", payload={"orders": self.count})


@register(
    "customer.spent_reached", label=gettext_lazy("a customer has spent an amount"), group=PEOPLE, subject="customer"
)
@dataclass(frozen=True)
class SpentReached(_Counted):
    """Once for a person, with the payment that lifts what they spent (net, in the store's currency) to `amount`."""

    amount: Decimal

    def faults(self) -> list[str]:
        return [] if self.amount > 0 else [_("amount is more than 0.")]

    def sentence(self) -> str:
        return _("a customer has spent %(amount)s in all") % {"amount": self.amount}

    def moment(self, event: Event, before: list[Purchase], this: Purchase) -> Occurrence | None:
        spent = sum((one.net for one in before), Decimal(0))
        if not spent < self.amount <= spent + this.net:
            return None
        key = f"{self.kind.name}:{event.customer_id}:{self.amount.normalize():f}"
        told = {"spent": str(spent + this.net), "amount": str(self.amount)}
        return as_occurrence(event, name=self.kind.name, key=key, about="customer", payload=told)


@register("order.unpaid", label=gettext_lazy("an order stays unpaid"), group=ORDERS)
@dataclass(frozen=True)
class Unpaid(Timed):
    """An order waits for its payment, or the payment failed, for so many minutes after it was placed.

    Not when the person placed another one meanwhile: then that one is looked at. An order that is paid or cancelled
    after the moment had stayed unpaid until then.
    """

    every: ClassVar[timedelta] = timedelta(minutes=1)
    overlap: ClassVar[timedelta] = timedelta(hours=6)

    minutes: int = 60
    statuses: tuple[str, ...] = ("pending", "failed")

    def faults(self) -> list[str]:
        wrong = []
        if not 5 <= self.minutes <= 43_200:
            wrong.append(_("minutes lies between 5 and 43,200 (30 days)."))
        if not self.statuses:
            wrong.append(_("statuses names at least one status."))
        return wrong

    def sentence(self) -> str:
        words = ngettext(
            "an order stays unpaid for %(n)d minute", "an order stays unpaid for %(n)d minutes", self.minutes
        )
        return words % {"n": self.minutes}

    def history(self, store: Store, since: datetime, until: datetime) -> Iterator[Occurrence]:
        wait = timedelta(minutes=self.minutes)
        rows = (
            Order.objects.filter(store=store, customer__isnull=False, created_gmt__gte=since - wait)
            .filter(created_gmt__lt=until - wait)
            .order_by("created_gmt", "pk")
            .values_list("pk", "customer_id", "created_gmt", "status", "paid_gmt", "modified_gmt")
        )
        for page in _pages(rows.iterator(chunk_size=500), 500):
            newer = self._placed(store, {row[1] for row in page}, page[0][2], page[-1][2] + wait)
            for pk, customer_id, created, status, paid, modified in page:
                at = created + wait
                open_then = (
                    status in map(_status, self.statuses)
                    or (paid is not None and paid > at)
                    or (status == "cancelled" and paid is None and modified is not None and modified > at)
                )
                if not open_then or (paid is not None and paid <= at):
                    continue
                if any(created < other <= at for other in newer[customer_id]):
                    continue
                told = {"minutes": self.minutes, "status": status}
                yield Occurrence(at, f"{self.kind.name}:{pk}", customer_id, pk, None, told, self.kind.name)

    def _placed(self, store: Store, people: set[int], since: datetime, until: datetime) -> dict[int, list[datetime]]:
        found: dict[int, list[datetime]] = defaultdict(list)
        rows = Order.objects.filter(store=store, customer_id__in=people, created_gmt__gte=since, created_gmt__lte=until)
        for customer_id, created in rows.exclude(status="checkout-draft").values_list("customer_id", "created_gmt"):
            found[customer_id].append(created)
        return found


def _pages(rows: Iterable[tuple[Any, ...]], size: int) -> Iterator[list[tuple[Any, ...]]]:
    page = []
    for row in rows:
        page.append(row)
        if len(page) == size:
            yield page
            page = []
    if page:
        yield page
