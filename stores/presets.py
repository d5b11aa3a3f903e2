"""Ready-made segments: their numbers come from this store, and each says how it was chosen."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from postpurchase import money
from stores.conditions import Condition
from stores.insights import retention
from stores.models import Store

# Of fewer people than this nothing is said about the best tenth.
LEAST = 20
NEW_DAYS = 30
# Where the store cannot tell yet how long people take.
USUAL_DAYS = 90


@dataclass(frozen=True)
class Preset:
    """A ready-made segment for one store. `why` says how its number was chosen; `tree` is None where it cannot be."""

    name: str
    title: Any
    text: Any
    why: str
    tree: Condition | None


def _vip(store: Store) -> tuple[str, Condition | None]:
    buyers = store.customers.filter(erased_at=None, orders_count__gt=0, spent__gt=0)
    n = buyers.count()
    if n < LEAST:
        return _("Needs %(least)d people who bought; there are %(n)d so far.") % {"least": LEAST, "n": n}, None
    least = buyers.order_by("-spent", "pk").values_list("spent", flat=True)[max(n // 10 - 1, 0)]
    shown = money.show(least, store.currency, store.language)
    why = _("The tenth of your %(n)d buyers who spent most spent %(amount)s or more.") % {"n": n, "amount": shown}
    return why, {"field": "customer.spent", "op": "gte", "value": f"{least.normalize():f}"}


def _silence(store: Store) -> tuple[int, str]:
    """Within how many days four of five next orders came."""
    found = retention.days_between(store)
    orders = sum(found.values())
    if orders < LEAST:
        return USUAL_DAYS, _("Your store has too few repeat orders to tell; %(days)d days are a usual start.") % {
            "days": USUAL_DAYS
        }
    reached = 0
    for days in sorted(found):
        reached += found[days]
        if reached * 5 >= orders * 4:
            break
    days = max(days, 1)
    return days, ngettext(
        "Four of five repeat orders in your store came within %(days)d day of the order before.",
        "Four of five repeat orders in your store came within %(days)d days of the order before.",
        days,
    ) % {"days": days}


def _at_risk(store: Store) -> tuple[str, Condition | None]:
    days, why = _silence(store)
    late: Condition = {
        "any": [
            {"field": "customer.gaps_since", "op": "gte", "value": "2"},
            {
                "all": [
                    {"field": "customer.usual_gap", "op": "is_not_set"},
                    {"field": "customer.last_order_at", "op": "days_ago", "value": days},
                ]
            },
        ]
    }
    own = _("From the third order on the person's own pace counts: twice the usual gap has gone by.")
    return f"{why} {own}", late


def _once(store: Store) -> tuple[str, Condition | None]:
    days, why = _silence(store)
    return why, {
        "all": [
            {"field": "customer.orders_count", "op": "is", "value": "1"},
            {"field": "customer.last_order_at", "op": "days_ago", "value": days},
        ]
    }


def _new(store: Store) -> tuple[str, Condition | None]:
    why = _("The first paid order is at most %(days)d days old.") % {"days": NEW_DAYS}
    return why, {"field": "customer.first_order_at", "op": "within_days", "value": NEW_DAYS}


_MAKERS: dict[str, tuple[Any, Any, Callable[[Store], tuple[str, Condition | None]]]] = {
    "vip": (gettext_lazy("VIP"), gettext_lazy("The tenth that spent most"), _vip),
    "at-risk": (gettext_lazy("At risk"), gettext_lazy("Silent for longer than is usual for them"), _at_risk),
    "once": (gettext_lazy("Bought once, then silent"), gettext_lazy("One order, and the second is overdue"), _once),
    "new": (gettext_lazy("New customers"), gettext_lazy("Bought for the first time of late"), _new),
}


def presets(store: Store) -> list[Preset]:
    """All ready-made segments with this store's numbers. A handful of queries."""
    return [preset(store, name) for name in _MAKERS]


def preset(store: Store, name: str) -> Preset:
    """One of them; KeyError for another name."""
    title, text, make = _MAKERS[name]
    why, tree = make(store)
    return Preset(name, title, text, why, tree)
