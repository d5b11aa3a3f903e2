"""Dates: days after or before any date that the mirror knows, once or each year, in the store's zone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from campaigns import times
from campaigns.triggers.base import Occurrence, Timed, register
from stores.models import Coupon, Customer, Order, Shipment, Store

BY_TIME = gettext_lazy("Dates and silence")
# Calendar days and zones move a moment by less than this against plain spans of 24 hours.
SLACK = timedelta(days=2)


@dataclass(frozen=True)
class Source:
    """A date that the mirror knows: whose it is, and where it stands."""

    label: Any
    rows: Callable[[Store], QuerySet[Any]]
    # The columns of the date, the customer, the order (or none) and what names the row.
    date: str
    customer: str = "customer_id"
    order: str | None = "pk"


def _orders(store: Store) -> QuerySet[Any]:
    return Order.objects.filter(store=store, customer__isnull=False, deleted_at__isnull=True)


def _customers(store: Store) -> QuerySet[Any]:
    return Customer.objects.filter(store=store, erased_at__isnull=True)


def _parcels(store: Store) -> QuerySet[Any]:
    return Shipment.objects.filter(store=store, order__customer__isnull=False, order__deleted_at__isnull=True)


def _coupons(store: Store) -> QuerySet[Any]:
    live = Coupon.objects.filter(store=store, customer__isnull=False)
    return live.exclude(state__in=[Coupon.State.FAILED, Coupon.State.GONE, Coupon.State.PENDING])


SOURCES = {
    "customer.first_order": Source(gettext_lazy("the first order"), _customers, "first_order_at", "pk", None),
    "customer.first_seen": Source(
        gettext_lazy("when the customer was first seen"), _customers, "first_seen_at", "pk", None
    ),
    "order.placed": Source(gettext_lazy("when the order was placed"), _orders, "created_gmt"),
    "order.paid": Source(gettext_lazy("when the order was paid"), _orders, "paid_gmt"),
    "order.completed": Source(gettext_lazy("when the order was completed"), _orders, "completed_gmt"),
    "order.delivered": Source(gettext_lazy("when the order was delivered"), _orders, "delivered_at"),
    "parcel.promised": Source(
        gettext_lazy("the last day promised for a parcel"), _parcels, "promised_to", "order__customer_id", "order_id"
    ),
    "coupon.expires": Source(gettext_lazy("the day a coupon expires"), _coupons, "expires_on", order=None),
}


def clock_faults(at: str) -> list[str]:
    """What is wrong with a time of day."""
    try:
        times.clock_time(at)
    except ValueError:
        return [_("at is a time of day such as 10:00.")]
    return []


def anniversary(month: int, day: int, year: int) -> date:
    """The day in that year; who was born on 29 February celebrates on the 28th where there is no 29th."""
    try:
        return date(year, month, day)
    except ValueError:
        return date(year, month, day - 1)


def wall(day: date, at: time, store: Store) -> datetime:
    """The moment of a time of day on a day in the store's zone."""
    return times.at_wall(datetime.combine(day, at), store.tz)


def days_words(days: int) -> str:
    """ "3 days before", "on the day of", "1 day after"."""
    if not days:
        return _("on the day of")
    if days < 0:
        return ngettext("%(n)d day before", "%(n)d days before", -days) % {"n": -days}
    return ngettext("%(n)d day after", "%(n)d days after", days) % {"n": days}


def local_days(store: Store, since: datetime, until: datetime) -> tuple[date, date]:
    """The first and the last day in the store's zone that [since, until) touches."""
    return since.astimezone(store.tz).date(), until.astimezone(store.tz).date()


@register("time.date", label=gettext_lazy("a date comes"), group=BY_TIME, subject="customer")
@dataclass(frozen=True)
class DateComes(Timed):
    """`days` after (or, negative, before) the date `field`, at the time of day `at`; with `yearly` each year again.

    Without `at` it is the time of day of the date itself. The year of the date itself is no anniversary.
    """

    field: str
    days: int = 0
    at: str = ""
    yearly: bool = False

    def faults(self) -> list[str]:
        wrong = clock_faults(self.at) if self.at else []
        if self.field not in SOURCES:
            wrong.append(_("field is one of %(known)s.") % {"known": ", ".join(SOURCES)})
        if not -730 <= self.days <= 3650:
            wrong.append(_("days lies between -730 (before) and 3,650 (after)."))
        return wrong

    def sentence(self) -> str:
        words = {"days": days_words(self.days), "what": SOURCES[self.field].label, "at": self.at}
        if self.yearly:
            text = _("it is %(days)s the anniversary of %(what)s") % words
        else:
            text = _("it is %(days)s %(what)s") % words
        return _("%(text)s, at %(at)s") % {"text": text, **words} if self.at else text

    def history(self, store: Store, since: datetime, until: datetime) -> Iterator[Occurrence]:
        found = self._yearly(store, since, until) if self.yearly else self._once(store, since, until)
        yield from sorted(found, key=lambda one: (one.at, one.key))

    def _rows(self, rows: QuerySet[Any]) -> Iterator[tuple[Any, int, int, int | None]]:
        source = SOURCES[self.field]
        names = [source.date, "pk", source.customer, *([source.order] if source.order else [])]
        for row in rows.filter(**{f"{source.date}__isnull": False}).values_list(*names).iterator(chunk_size=2000):
            yield row[0], row[1], row[2], row[3] if source.order else None

    def _once(self, store: Store, since: datetime, until: datetime) -> Iterator[Occurrence]:
        source, shift = SOURCES[self.field], timedelta(days=self.days)
        first, last = since - shift - SLACK, until - shift + SLACK
        rows = source.rows(store).filter(**{f"{source.date}__gte": first, f"{source.date}__lt": last})
        for value, pk, customer_id, order_id in self._rows(rows):
            at = self._moment(store, value, self._day(store, value) + shift)
            if since <= at < until:
                yield self._tell(at, pk, customer_id, order_id, value, "")

    def _yearly(self, store: Store, since: datetime, until: datetime) -> Iterator[Occurrence]:
        shift = timedelta(days=self.days)
        first, last = local_days(store, since - shift - SLACK, until - shift + SLACK)
        for value, pk, customer_id, order_id in self._rows(SOURCES[self.field].rows(store)):
            born = self._day(store, value)
            for year in range(max(first.year, born.year + 1), last.year + 1):
                day = anniversary(born.month, born.day, year)
                if first <= day <= last and since <= (at := self._moment(store, value, day + shift)) < until:
                    yield self._tell(at, pk, customer_id, order_id, value, f":{year}")

    def _day(self, store: Store, value: date | datetime) -> date:
        return value.astimezone(store.tz).date() if isinstance(value, datetime) else value

    def _moment(self, store: Store, value: date | datetime, day: date) -> datetime:
        if self.at:
            return wall(day, times.clock_time(self.at), store)
        if isinstance(value, datetime):
            return wall(day, value.astimezone(store.tz).time().replace(microsecond=0), store)
        return wall(day, time(10), store)

    def _tell(
        self, at: datetime, pk: int, customer_id: int, order_id: int | None, value: date | datetime, year: str
    ) -> Occurrence:
        # By the row alone: who changes days or hour of a running flow does not begin it anew for the same date.
        key = f"{self.kind.name}:{self.field}:{pk}:{value:%Y%m%d}{year}"
        told: dict[str, Any] = {"field": self.field, "date": value.isoformat()}
        if year:
            told["years"] = int(year[1:]) - value.year
        if self.field.startswith("coupon."):
            told["coupon"] = pk
        return Occurrence(at, key, customer_id, order_id, None, told, self.kind.name, "customer")


@register(
    "time.first_order_anniversary",
    label=gettext_lazy("the first order has its anniversary"),
    group=BY_TIME,
    subject="customer",
)
@dataclass(frozen=True)
class FirstOrderAnniversary(Timed):
    """Each year on the day of the first counted order, `days` later or (negative) earlier, at the time of day `at`."""

    days: int = 0
    at: str = "10:00"

    def _date(self) -> DateComes:
        return DateComes("customer.first_order", self.days, self.at, yearly=True)

    def faults(self) -> list[str]:
        return clock_faults(self.at) or self._date().faults()

    def sentence(self) -> str:
        return self._date().sentence()

    def history(self, store: Store, since: datetime, until: datetime) -> Iterator[Occurrence]:
        for one in self._date().history(store, since, until):
            yield Occurrence(
                one.at,
                f"{self.kind.name}:{one.customer_id}:{one.payload['years']}",
                one.customer_id,
                payload=one.payload,
                name=self.kind.name,
                about="customer",
            )
