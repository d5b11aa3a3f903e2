"""Dates: days after or before any date that the mirror knows, once or each year, in the store's zone."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar

from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from campaigns import dates, times
from campaigns.triggers.base import Occurrence, Timed, register
from stores.models import Coupon, Customer, Order, Shipment, Store
from stores.woo.payloads.values import meta

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


def is_known(field: str) -> bool:
    """Whether there is such a date: one of the mirror, or a field that a plugin keeps in the shop."""
    return field in SOURCES or (":" in field and dates.is_known(field))


def words_of(field: str) -> str:
    """The date in words."""
    return str(SOURCES[field].label) if field in SOURCES else dates.label_of(field)


def kept_in_shop(store: Store, field: str) -> Iterator[tuple[date, int, int, int | None]]:
    """The days that a plugin keeps with customers or orders under this name: (day, row, customer, order)."""
    prefix, _colon, key = field.partition(":")
    of_order = prefix.startswith("order.")
    # Most bodies do not mention it; the text of a body is looked at before it is read.
    rows = (_orders(store) if of_order else _customers(store)).annotate(body=Cast("raw", TextField()))
    columns = ("pk", "customer_id" if of_order else "pk", "raw")
    for pk, customer_id, raw in rows.filter(body__contains=f'"{key}"').values_list(*columns).iterator(chunk_size=500):
        day = dates.read_day(meta(raw).get(key))
        if day is not None:
            yield day, pk, customer_id, pk if of_order else None


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

    Without `at` it is the time of day of the date itself. The year of the date itself is no anniversary. What a plugin
    keeps in the shop is named `customer.meta:<name>`, `order.meta:<name>` or, for a day of each year,
    `customer.yearly:<name>`.
    """

    every: ClassVar[timedelta] = timedelta(minutes=30)

    field: str
    days: int = 0
    at: str = ""
    yearly: bool = False

    def faults(self) -> list[str]:
        wrong = clock_faults(self.at) if self.at else []
        if not is_known(self.field):
            wrong.append(
                _("field is one of %(known)s, or customer.meta:, customer.yearly: or order.meta: with a name.")
                % {"known": ", ".join(SOURCES)}
            )
        if not -730 <= self.days <= 3650:
            wrong.append(_("days lies between -730 (before) and 3,650 (after)."))
        return wrong

    def sentence(self) -> str:
        words = {"days": days_words(self.days), "what": words_of(self.field), "at": self.at}
        if self._each_year:
            text = _("it is %(days)s the anniversary of %(what)s") % words
        else:
            text = _("it is %(days)s %(what)s") % words
        return _("%(text)s, at %(at)s") % {"text": text, **words} if self.at else text

    def history(self, store: Store, since: datetime, until: datetime) -> Iterator[Occurrence]:
        found = self._yearly(store, since, until) if self._each_year else self._once(store, since, until)
        yield from sorted(found, key=lambda one: (one.at, one.key))

    @property
    def _each_year(self) -> bool:
        return self.yearly or self.field.startswith("customer.yearly:")

    def _rows(self, rows: QuerySet[Any]) -> Iterator[tuple[Any, int, int, int | None]]:
        source = SOURCES[self.field]
        names = [source.date, "pk", source.customer, *([source.order] if source.order else [])]
        for row in rows.filter(**{f"{source.date}__isnull": False}).values_list(*names).iterator(chunk_size=2000):
            yield row[0], row[1], row[2], row[3] if source.order else None

    def _once(self, store: Store, since: datetime, until: datetime) -> Iterator[Occurrence]:
        shift = timedelta(days=self.days)
        first, last = since - shift - SLACK, until - shift + SLACK
        if self.field in SOURCES:
            source = SOURCES[self.field]
            span = {f"{source.date}__gte": first, f"{source.date}__lt": last}
            rows = self._rows(source.rows(store).filter(**span))
        else:
            rows = kept_in_shop(store, self.field)
        for value, pk, customer_id, order_id in rows:
            at = self._moment(store, value, self._day(store, value) + shift)
            if since <= at < until:
                yield self._tell(at, pk, customer_id, order_id, value, "")

    def _yearly(self, store: Store, since: datetime, until: datetime) -> Iterator[Occurrence]:
        shift = timedelta(days=self.days)
        first, last = local_days(store, since - shift - SLACK, until - shift + SLACK)
        known = self.field in SOURCES
        rows = self._rows(SOURCES[self.field].rows(store)) if known else kept_in_shop(store, self.field)
        for value, pk, customer_id, order_id in rows:
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
        # By the row alone: who changes days or hour of a running flow does not begin it anew for the same date. The date
        # itself may be a birthday, which does not belong in a key.
        which = year or ":" + hashlib.sha256(value.isoformat().encode()).hexdigest()[:12]
        key = f"{self.kind.name}:{self.field[:80]}:{pk}{which}"
        told: dict[str, Any] = {"field": self.field}
        if self.field in SOURCES:
            told["date"] = value.isoformat()
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


@register("time.birthday", label=gettext_lazy("a customer has their birthday"), group=BY_TIME, subject="customer")
@dataclass(frozen=True)
class Birthday(Timed):
    """`days` before (negative) or after the birthday that the shop keeps with the customer under `key`, at `at`; each year.

    With or without a year; who was born on 29 February is congratulated on the 28th where there is no 29th.
    """

    every: ClassVar[timedelta] = timedelta(minutes=30)

    key: str = "birthday"
    days: int = 0
    at: str = "10:00"

    def _date(self) -> DateComes:
        return DateComes(f"customer.yearly:{self.key}", self.days, self.at)

    def faults(self) -> list[str]:
        wrong = clock_faults(self.at)
        if not self.key.strip() or len(self.key) > 60 or '"' in self.key:
            wrong.append(_("key is the name under which the shop keeps the birthday, such as birthday."))
        return wrong or self._date().faults()

    def sentence(self) -> str:
        return _("it is %(days)s a customer’s birthday, at %(at)s") % {"days": days_words(self.days), "at": self.at}

    def history(self, store: Store, since: datetime, until: datetime) -> Iterator[Occurrence]:
        for one in self._date().history(store, since, until):
            year = one.key.rpartition(":")[2]
            key = f"{self.kind.name}:{one.customer_id}:{year}"
            yield Occurrence(one.at, key, one.customer_id, name=self.kind.name, about="customer")
