"""Silence: nobody has ordered again for a number of days, or for longer than this person usually takes."""

from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from campaigns import times
from campaigns.triggers.base import Occurrence, Timed, register
from campaigns.triggers.dates import BY_TIME, SLACK
from stores.models import Order, Store

# So many pauses between orders a store must have seen before their length says anything.
ENOUGH_GAPS = 20
# A person's own rhythm is known from so many pauses on.
OWN_GAPS = 2
DAY = timedelta(days=1)


@register(
    "time.win_back", label=gettext_lazy("a customer has not ordered for some days"), group=BY_TIME, subject="customer"
)
@dataclass(frozen=True)
class WinBack(Timed):
    """`days` after the last counted order, at the same time of day; then every `again_every` days, `times` times in all.

    A new counted order ends it and begins the count anew.
    """

    every: ClassVar[timedelta] = timedelta(minutes=30)

    days: int
    again_every: int = 0
    times: int = 1

    def faults(self) -> list[str]:
        wrong = []
        if not 1 <= self.days <= 1095:
            wrong.append(_("days lies between 1 and 1,095."))
        if not 1 <= self.times <= 10 or not 0 <= self.again_every <= 365:
            wrong.append(_("times lies between 1 and 10, again_every between 0 and 365 days."))
        elif (self.times > 1) != bool(self.again_every):
            wrong.append(_("again_every and times go together: every how many days, and how often in all."))
        return wrong

    def sentence(self) -> str:
        text = ngettext(
            "a customer has not ordered for %(n)d day", "a customer has not ordered for %(n)d days", self.days
        ) % {"n": self.days}
        if self.times == 1:
            return text
        return _("%(text)s, again every %(days)d days, %(times)d times in all") % {
            "text": text,
            "days": self.again_every,
            "times": self.times,
        }

    def history(self, store: Store, since: datetime, until: datetime) -> Iterator[Occurrence]:
        found: list[Occurrence] = []
        for n in range(self.times):
            found += self._after(store, self.days + n * self.again_every, n + 1, since, until)
        yield from sorted(found, key=lambda one: (one.at, one.key))

    def _after(self, store: Store, days: int, n: int, since: datetime, until: datetime) -> Iterator[Occurrence]:
        counted = Order.objects.filter(store=store, counted=True, customer__isnull=False)
        shift = timedelta(days=days)
        rows = counted.filter(created_gmt__gte=since - shift - SLACK, created_gmt__lt=until - shift + SLACK)
        page: list[tuple[datetime, int, int, datetime]] = []
        for pk, customer_id, created in rows.values_list("pk", "customer_id", "created_gmt").iterator():
            at = times.add_days(created, days, store.tz)
            if since <= at < until and customer_id is not None:
                page.append((at, pk, customer_id, created))
            if len(page) == 500:
                yield from self._silent(store, page, days, n)
                page = []
        yield from self._silent(store, page, days, n)

    def _silent(
        self, store: Store, page: list[tuple[datetime, int, int, datetime]], days: int, n: int
    ) -> Iterator[Occurrence]:
        if not page:
            return
        later: dict[int, list[tuple[datetime, int]]] = defaultdict(list)
        rows = Order.objects.filter(
            store=store,
            counted=True,
            customer_id__in={row[2] for row in page},
            created_gmt__gte=min(r[3] for r in page),
        )
        for pk, customer_id, created in rows.values_list("pk", "customer_id", "created_gmt"):
            if customer_id is not None:
                later[customer_id].append((created, pk))
        for at, pk, customer_id, created in page:
            if any((created, pk) < other and other[0] <= at for other in later[customer_id]):
                continue
            told = {"days": days, "attempt": n, "last_order_at": created.isoformat()}
            key = f"{self.kind.name}:{pk}:{n}"
            yield Occurrence(at, key, customer_id, pk, None, told, self.kind.name, "customer")


@register(
    "time.own_rhythm",
    label=gettext_lazy("a customer is silent for longer than usual"),
    group=BY_TIME,
    subject="customer",
)
@dataclass(frozen=True)
class OwnRhythm(Timed):
    """Silent for `percent` of the person's own median pause between counted orders, once three of them are known.

    Who ordered less often is measured by the store: the pause within which 80 % of returning customers come back. With
    `at_least_store` nobody is written to before that pause is over. The store's pause is taken as it was known at the
    beginning of the month of the last order, so that a moment never changes afterwards.
    """

    every: ClassVar[timedelta] = timedelta(hours=1)

    percent: int = 200
    at_least_store: bool = True

    def faults(self) -> list[str]:
        return [] if 100 <= self.percent <= 1000 else [_("percent lies between 100 and 1,000.")]

    def sentence(self) -> str:
        text = _("a customer is silent for %(percent)d %% of their usual pause") % {"percent": self.percent}
        if self.at_least_store:
            text += " " + _("and for longer than 80 % of customers take")
        return text

    def history(self, store: Store, since: datetime, until: datetime) -> Iterator[Occurrence]:
        usual = StorePauses(store)
        found = []
        for customer_id, orders in _by_customer(store):
            pauses: list[float] = []
            for n, (created, pk) in enumerate(orders):
                if n:
                    insort(pauses, (created - orders[n - 1][0]) / DAY)
                next_at = orders[n + 1][0] if n + 1 < len(orders) else None
                if created >= until or (next_at is not None and next_at < since):
                    continue
                days, basis = self._pause(pauses, usual.at(created))
                if days is None:
                    continue
                at = created + days * DAY
                if since <= at < until and (next_at is None or next_at > at):
                    told = {"days": round(days), "basis": basis, "last_order_at": created.isoformat()}
                    key = f"{self.kind.name}:{pk}"
                    found.append(Occurrence(at, key, customer_id, pk, None, told, self.kind.name, "customer"))
        yield from sorted(found, key=lambda one: (one.at, one.key))

    def _pause(self, pauses: list[float], store: float | None) -> tuple[float | None, str]:
        if len(pauses) < OWN_GAPS:
            return store, "store"
        own = max(median(pauses) * self.percent / 100, 1.0)
        if self.at_least_store and store is not None and store > own:
            return store, "store"
        return own, "own"


def _by_customer(store: Store) -> Iterator[tuple[int, list[tuple[datetime, int]]]]:
    """The counted orders of each person in order of time; read from the index alone."""
    rows = (
        Order.objects.filter(store=store, counted=True, customer__isnull=False)
        .order_by("customer_id", "created_gmt", "pk")
        .values_list("customer_id", "created_gmt", "pk")
        .iterator(chunk_size=5000)
    )
    for customer_id, each in groupby(rows, key=lambda row: row[0]):
        if customer_id is not None:
            yield customer_id, [(created, pk) for _customer, created, pk in each]


def median(ordered: list[float]) -> float:
    """The middle of sorted numbers."""
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


class StorePauses:
    """The pause within which 80 % of a store's returning customers come back, as known when each month began.

    Whole days, nearest rank, over all pauses between counted orders of one person that had ended; None with fewer than 20.
    """

    def __init__(self, store: Store) -> None:
        self._zone = store.tz
        ended: dict[tuple[int, int], Counter[int]] = defaultdict(Counter)
        for _customer, orders in _by_customer(store):
            for (before, _a), (after, _b) in pairwise(orders):
                ended[self._month(after)][(after - before).days] += 1
        self._known: list[tuple[tuple[int, int], float | None]] = []
        total: Counter[int] = Counter()
        for month in sorted(ended):
            # What ended in this month is known from the next one on.
            total += ended[month]
            self._known.append((month, _p80(total)))

    def _month(self, at: datetime) -> tuple[int, int]:
        local = at.astimezone(self._zone)
        return local.year, local.month

    def at(self, moment: datetime) -> float | None:
        """Days, as known at the beginning of the moment's month."""
        month = self._month(moment)
        found = None
        for ended, days in self._known:
            if ended >= month:
                break
            found = days
        return found


def _p80(pauses: Counter[int]) -> float | None:
    total = sum(pauses.values())
    if total < ENOUGH_GAPS:
        return None
    wanted, seen = -(-total * 80 // 100), 0
    for days in sorted(pauses):
        seen += pauses[days]
        if seen >= wanted:
            return float(max(days, 1))
    raise AssertionError("the last of them is reached")
