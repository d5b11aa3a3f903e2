"""Delivery: where a parcel has come to, arrived orders, and days on which a parcel should come when nobody scans it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns import times
from campaigns.triggers.base import Occurrence, Timed, Trigger, as_occurrence, register
from campaigns.triggers.dates import SLACK, clock_faults, wall
from campaigns.triggers.plain import Recorded
from stores import event_payloads, events
from stores.event_payloads import DELIVERY
from stores.models import Event, Shipment, Store

STATES = {
    "shipped": gettext_lazy("is sent"),
    "in_transit": gettext_lazy("is on the way"),
    "out_for_delivery": gettext_lazy("is out for delivery today"),
    "pickup_ready": gettext_lazy("waits for pick-up"),
    "attempted": gettext_lazy("could not be handed over"),
    "exception": gettext_lazy("has a problem"),
    "delivered": gettext_lazy("is delivered"),
    "returned": gettext_lazy("is on its way back"),
}


@register("parcel.reached", label=gettext_lazy("a parcel comes to a state"), group=DELIVERY)
@dataclass(frozen=True)
class ParcelReached(Trigger):
    """A parcel comes to one of the `states`, also when it is first seen there.

    What the store itself only guesses is told with `estimated: true`, and left out with `scans_only`.
    """

    states: tuple[str, ...]
    scans_only: bool = False

    def faults(self) -> list[str]:
        good = self.states and set(self.states) <= set(STATES)
        return [] if good else [_("states are one or more of %(known)s.") % {"known": ", ".join(STATES)}]

    def sentence(self) -> str:
        return _("a parcel %(state)s") % {"state": _(" or ").join(str(STATES[each]) for each in self.states)}

    def hears(self) -> tuple[str, ...]:
        return (events.SHIPMENT_CREATED, events.SHIPMENT_MOVED)

    def occurrences(self, store: Store, events: Sequence[Event]) -> list[Occurrence]:
        return [
            as_occurrence(
                event,
                name=self.kind.name,
                key=f"{self.kind.name}:{event.order_id}:{event.payload.get('parcel', 1)}:{event.payload.get('state')}",
            )
            for event in events
            if event.customer_id
            and event.payload.get("state") in self.states
            and not (self.scans_only and event.payload.get("estimated"))
        ]


@register(events.ORDER_DELIVERED, label=gettext_lazy("an order is delivered"), group=DELIVERY)
@dataclass(frozen=True)
class OrderDelivered(Recorded):
    """The last parcel is there. `estimated` true for what should have arrived, false for what a scan or a person says."""

    carries: ClassVar[type] = event_payloads.Arrived

    estimated: bool | None = None

    def sentence(self) -> str:
        if self.estimated is None:
            return super().sentence()
        return _("an order should have arrived") if self.estimated else _("an order is known to be delivered")

    def wants(self, event: Event) -> bool:
        fits = self.estimated is None or bool(event.payload.get("estimated")) == self.estimated
        return fits and super().wants(event)


@register("parcel.expected", label=gettext_lazy("a parcel should come"), group=DELIVERY)
@dataclass(frozen=True)
class ParcelExpected(Timed):
    """`days` before the day on which a parcel without scans should arrive, at the time of day `at`: an estimate, and told
    as one.
    """

    every: ClassVar[timedelta] = timedelta(minutes=15)
    overlap: ClassVar[timedelta] = timedelta(hours=2)

    days: int = 0
    at: str = "08:00"

    def faults(self) -> list[str]:
        wrong = clock_faults(self.at)
        if not 0 <= self.days <= 30:
            wrong.append(_("days lies between 0 and 30."))
        return wrong

    def sentence(self) -> str:
        if not self.days:
            return _("a parcel should come today, at %(at)s") % {"at": self.at}
        return _("a parcel should come in %(n)d days, at %(at)s") % {"n": self.days, "at": self.at}

    def history(self, store: Store, since: datetime, until: datetime) -> Iterator[Occurrence]:
        shift = timedelta(days=self.days)
        first, last = since + shift - SLACK, until + shift + SLACK
        rows = Shipment.objects.filter(store=store, source=Shipment.Source.ESTIMATE, order__customer__isnull=False)
        # Once the day is over the estimate stands as the delivery.
        rows = rows.filter(
            Q(expected_at__gte=first, expected_at__lt=last) | Q(delivered_at__gte=first, delivered_at__lt=last)
        )
        found = []
        columns = ("pk", "order_id", "order__customer_id", "expected_at", "delivered_at", "parcel")
        for _pk, order_id, customer_id, expected, delivered, parcel in rows.values_list(*columns).iterator():
            day = (expected or delivered).astimezone(store.tz).date()
            at = wall(day - shift, times.clock_time(self.at), store)
            if since <= at < until:
                told = {"estimated": True, "state": "out_for_delivery", "day": day.isoformat(), "parcel": parcel}
                key = f"{self.kind.name}:{order_id}:{parcel}:{self.days}"
                found.append(Occurrence(at, key, customer_id, order_id, None, told, self.kind.name))
        yield from sorted(found, key=lambda one: (one.at, one.key))
