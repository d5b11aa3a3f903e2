"""Days and moments that a flow can reckon with: an order's, a person's, a coupon's. Loaded for many people at once.

Each app may add its own in `AppConfig.ready()`. A date is a day in the shop's zone, a datetime a moment; None is unknown.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils.translation import gettext as _text
from django.utils.translation import gettext_lazy as _

from campaigns.models import Enrolment
from stores.models import Coupon, Customer, Order
from stores.woo.payloads.values import meta

Day = date | datetime | None
Load = Callable[[Sequence[Enrolment]], list[Day]]


@dataclass(frozen=True)
class Dated:
    """A date by name; `label` reads as "the day the order was placed". `yearly`: it comes again each year."""

    name: str
    label: Any
    load: Load
    yearly: bool = False


_dates: dict[str, Dated] = {}
# Fields of the shop: a day once, or a day of each year (a birthday).
_YEARLY = "customer.yearly:"
_OF_META = ("customer.meta:", "order.meta:", _YEARLY)


def register(new: Dated) -> None:
    """Add a date; the same name again replaces it."""
    _dates[new.name] = new


def known() -> dict[str, Dated]:
    """All dates by name, without the shop's own fields."""
    return dict(_dates)


def is_known(name: str) -> bool:
    """Whether there is such a date: a registered one, or a field of the shop (`customer.meta:<name>`)."""
    return name in _dates or any(name.startswith(each) and len(name) > len(each) for each in _OF_META)


def is_yearly(name: str) -> bool:
    """Whether it comes again each year."""
    return name.startswith(_YEARLY) or (name in _dates and _dates[name].yearly)


def label_of(name: str) -> str:
    """In words: "the day of delivery"."""
    if name in _dates:
        return str(_dates[name].label)
    return _text("the date “%(field)s” in your store") % {"field": name.partition(":")[2]}


def choices() -> list[tuple[str, Any]]:
    """Name and words, for a form."""
    return [(each.name, each.label) for each in _dates.values()]


def load(names: Iterable[str], people: Sequence[Enrolment]) -> list[dict[str, Day]]:
    """The named dates of each person."""
    found: list[dict[str, Day]] = [{} for _person in people]
    for name in names:
        days = _dates[name].load(people) if name in _dates else _of_meta(name, people)
        for own, day in zip(found, days, strict=True):
            own[name] = day
    return found


def _of_meta(name: str, people: Sequence[Enrolment]) -> list[Day]:
    """A field that a plugin keeps in the shop, read from the mirror; None where there is none or no day in it."""
    prefix, _colon, key = name.partition(":")
    of_order = prefix == "order.meta"
    model: Any = Order if of_order else Customer
    ids = {pk for each in people if (pk := each.order_id if of_order else each.customer_id)}
    read = {pk: read_day(meta(raw).get(key)) for pk, raw in model.objects.filter(pk__in=ids).values_list("pk", "raw")}
    return [read.get(each.order_id if of_order else each.customer_id) for each in people]


_DAY = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")
_NO_YEAR = re.compile(r"-{0,2}(\d{2})-?(\d{2})")


def read_day(value: Any) -> date | None:
    """A day as plugins write it: 1990-02-28, 19900228, the same with a time after it; 02-28 without a year."""
    text = str(value or "").strip()
    try:
        if found := _DAY.match(text):
            return date(int(found[1]), int(found[2]), int(found[3]))
        if found := _NO_YEAR.fullmatch(text):
            # A leap year, so that the 29th of February can be told.
            return date(2000, int(found[1]), int(found[2]))
    except ValueError:
        return None
    return None


def _of_order(attribute: str) -> Load:
    return lambda people: [getattr(each.order, attribute) if each.order else None for each in people]


def _first_order(people: Sequence[Enrolment]) -> list[Day]:
    return [each.customer.first_order_at for each in people]


def _started(people: Sequence[Enrolment]) -> list[Day]:
    return [datetime.fromisoformat(each.context["at"]) if each.context.get("at") else None for each in people]


def _coupon_ends(people: Sequence[Enrolment]) -> list[Day]:
    """The last day of the coupon that this flow made for the person; unknown until it was really made."""
    sources = {(each.store_id, wish["source"]): each for each in people if (wish := each.context.get("coupon"))}
    ends = (
        {
            (store, source): last
            for store, source, last in Coupon.objects.filter(
                store_id__in={store for store, _source in sources}, source__in={source for _store, source in sources}
            ).values_list("store_id", "source", "expires_on")
        }
        if sources
        else {}
    )
    return [ends.get((each.store_id, each.context.get("coupon", {}).get("source"))) for each in people]


for _new in (
    Dated("start", _("what started the flow"), _started),
    Dated("order.placed", _("the day of the order"), _of_order("created_gmt")),
    Dated("order.paid", _("the day of payment"), _of_order("paid_gmt")),
    Dated("order.completed", _("the day the order was completed"), _of_order("completed_gmt")),
    Dated("order.delivered", _("the day of delivery"), _of_order("delivered_at")),
    Dated("customer.first_order", _("the anniversary of the first order"), _first_order, yearly=True),
    Dated("coupon.expires", _("the last day of the coupon"), _coupon_ends),
):
    register(_new)
