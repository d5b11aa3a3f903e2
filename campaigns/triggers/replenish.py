"""Replenishment: a product is about to run out, by this person's own rhythm with it, else by that of all who buy it again."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.triggers.base import Occurrence, Timed, register
from campaigns.triggers.dates import BY_TIME
from campaigns.triggers.silence import DAY, OWN_GAPS, median
from stores.models import OrderLine, Store

# A product is proven here when so many people have bought it again, and the middle half of their pauses is no wider.
REBUYERS, SPREAD = 20, 3


@dataclass(slots=True)
class _Bought:
    """One person's purchase of a product; what was bought within a day is one purchase."""

    at: datetime
    quantity: float
    order: int
    line: int
    woo_line: int
    name: str


@register("time.replenish", label=gettext_lazy("a product is about to run out"), group=BY_TIME, subject="line")
@dataclass(frozen=True)
class Replenish(Timed):
    """At each of `percents` of the days that a purchase should last: the person's own median pause with this product for
    each piece, times the pieces bought, once three purchases are known; else the median of all who bought it again.

    Only for products that `min_buyers` people bought again here, with pauses that are not all over the place, as known at
    the beginning of the month of the purchase, so that a moment never changes afterwards. Buying it again ends it.
    """

    every: ClassVar[timedelta] = timedelta(hours=1)

    percents: tuple[int, ...] = (85,)
    min_buyers: int = REBUYERS
    products: tuple[int, ...] = ()

    def faults(self) -> list[str]:
        wrong = []
        if not self.percents or not all(10 <= each <= 300 for each in self.percents):
            wrong.append(_("percents are one or more numbers from 10 to 300."))
        if not 5 <= self.min_buyers <= 1000:
            wrong.append(_("min_buyers lies between 5 and 1,000."))
        return wrong

    def sentence(self) -> str:
        return _("a product is about to run out (%(percent)s %% of its usual time)") % {
            "percent": ", ".join(map(str, self.percents))
        }

    def history(self, store: Store, since: datetime, until: datetime) -> Iterator[Occurrence]:
        found: list[Occurrence] = []
        for product, people in self._bought(store):
            pauses = _Pauses(store, people)
            if pauses.buyers < self.min_buyers:
                continue
            for customer_id, purchases in people.items():
                found += self._of_person(product, customer_id, purchases, pauses, since, until)
        yield from sorted(found, key=lambda one: (one.at, one.key))

    def _of_person(
        self,
        product: int,
        customer_id: int,
        purchases: list[_Bought],
        pauses: "_Pauses",
        since: datetime,
        until: datetime,
    ) -> Iterator[Occurrence]:
        own: list[float] = []
        for n, this in enumerate(purchases):
            if n:
                own.append(_piece(purchases[n - 1], this))
            next_at = purchases[n + 1].at if n + 1 < len(purchases) else None
            if this.at >= until or (next_at is not None and next_at < since):
                continue
            usual = pauses.at(this.at, self.min_buyers)
            if usual is None:
                continue
            basis = "own" if len(own) >= OWN_GAPS else "product"
            lasts = (median(sorted(own)) if basis == "own" else usual) * this.quantity
            for percent in self.percents:
                at = this.at + max(lasts * percent / 100, 1.0) * DAY
                if since <= at < until and (next_at is None or next_at > at):
                    told = {
                        "product": product,
                        "line": this.woo_line,
                        "item": this.name,
                        "quantity": f"{this.quantity:g}",
                        "lasts_days": round(lasts),
                        "basis": basis,
                        "percent": percent,
                    }
                    key = f"{self.kind.name}:{this.order}:{this.woo_line}:{percent}"
                    yield Occurrence(at, key, customer_id, this.order, this.line, told, self.kind.name, "line")

    def _bought(self, store: Store) -> Iterator[tuple[int, dict[int, list[_Bought]]]]:
        """For each product who bought it when; a product at a time."""
        rows = OrderLine.objects.filter(
            order__store=store, order__counted=True, order__customer__isnull=False, product_woo_id__gt=0, quantity__gt=0
        )
        if self.products:
            rows = rows.filter(product_woo_id__in=self.products)
        columns = (
            "product_woo_id",
            "order__customer_id",
            "order__created_gmt",
            "quantity",
            "order_id",
            "pk",
            "woo_id",
            "name",
        )
        ordered = rows.order_by("product_woo_id", "order__customer_id", "order__created_gmt", "pk").values_list(
            *columns
        )
        for product, lines in groupby(ordered.iterator(chunk_size=5000), key=lambda row: row[0]):
            people: dict[int, list[_Bought]] = defaultdict(list)
            for _product, customer_id, at, quantity, order_id, line_id, woo_id, name in lines:
                mine = people[customer_id]
                if mine and at - mine[-1].at < DAY:
                    mine[-1].quantity += float(quantity)
                else:
                    mine.append(_Bought(at, float(quantity), order_id, line_id, woo_id, name))
            yield product, people


def _piece(before: _Bought, after: _Bought) -> float:
    """How many days one piece lasted."""
    return (after.at - before.at) / DAY / before.quantity


class _Pauses:
    """How long a piece of one product lasts with all who bought it again, as known when each month began."""

    def __init__(self, store: Store, people: dict[int, list[_Bought]]) -> None:
        self._zone = store.tz
        ended = sorted(
            (after.at, customer_id, _piece(before, after))
            for customer_id, bought in people.items()
            for before, after in pairwise(bought)
        )
        self._ended: Sequence[tuple[datetime, int, float]] = ended
        self.buyers = len({customer_id for _at, customer_id, _days in ended})
        self._known: dict[datetime, tuple[int, float] | None] = {}

    def at(self, moment: datetime, buyers: int) -> float | None:
        """Days for a piece, as known at the beginning of the moment's month; None while the product is not proven."""
        month = moment.astimezone(self._zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        if month not in self._known:
            known = self._ended[: bisect_left(self._ended, month, key=lambda row: row[0])]
            days = sorted(row[2] for row in known)
            wide = bool(days) and days[len(days) * 3 // 4] > SPREAD * days[len(days) // 4]
            self._known[month] = None if not days or wide else (len({row[1] for row in known}), median(days))
        found = self._known[month]
        return found[1] if found is not None and found[0] >= buyers else None
