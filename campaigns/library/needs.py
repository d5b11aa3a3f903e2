"""What recipes need of a store, looked up in its own data: whether it is there, in words with numbers, and how to get it.

A new need is a function `(store) -> Found` under a name in `NEEDS`; recipes name it in `needs` or `wants`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.urls import reverse
from django.utils.translation import gettext as _

from campaigns.models import Consent
from campaigns.models.consent import ConsentState
from loyalty.models import Program, Reward
from postpurchase import clock
from stores import overlap
from stores.models import Product, Shipment, Store

RECENT = timedelta(days=90)
# From so many people on, what a store's own buyers did is a pattern.
ENOUGH = 20


@dataclass(frozen=True)
class Found:
    """Whether a need is met, what was seen, and where it is not: what to do and on which page."""

    met: bool
    words: str
    fix: str = ""
    url: str = ""


def look(store: Store, names: Iterable[str]) -> dict[str, Found]:
    """Each of these needs, looked up once."""
    return {name: NEEDS[name](store) for name in dict.fromkeys(names)}


def share(part: int, whole: int) -> str:
    """ "82 %", and never 0 or 100 where that is not the whole truth."""
    if not whole:
        return "0%"
    percent = round(part * 100 / whole)
    if part and not percent:
        return "<1%"
    return "99%" if percent == 100 and part < whole else f"{percent}%"


def _page(name: str, store: Store) -> str:
    return reverse(name, args=[store.slug])


def _recent(store: Store) -> Any:
    return store.orders.filter(created_gmt__gte=clock.now() - RECENT, counted=True)


def _orders(store: Store) -> Found:
    n = _recent(store).count()
    if n:
        return Found(True, _("%(n)s paid orders in the last 90 days") % {"n": f"{n:,}"})
    return Found(
        False,
        _("No paid order in the last 90 days"),
        _("Connect your store and let its history be read."),
        _page("system", store),
    )


def _with(store: Store, filters: Q) -> tuple[int, int]:
    """Of the recent paid orders how many have such a parcel, and how many there are."""
    orders = _recent(store)
    parcels = Shipment.objects.filter(filters, order=OuterRef("pk"))
    return orders.filter(Exists(parcels)).count(), orders.count()


def _tracking(store: Store) -> Found:
    have, of = _with(store, ~Q(number=""))
    words = _("Tracking data: you have it for %(share)s of %(of)s orders") % {"share": share(have, of), "of": f"{of:,}"}
    return Found(bool(have), words, _("Use a tracking plugin or WooCommerce’s fulfilments, or enter numbers by hand."))


def _scans(store: Store) -> Found:
    have, of = _with(store, Q(state=Shipment.State.DELIVERED) & ~Q(source=Shipment.Source.ESTIMATE))
    words = _("Scans at delivery: you have them for %(share)s of %(of)s orders; the rest is estimated") % {
        "share": share(have, of),
        "of": f"{of:,}",
    }
    return Found(bool(have), words, _("Without scans the day of delivery is an estimate, and texts say so."))


def _deliveries(store: Store) -> Found:
    orders = _recent(store)
    have, of = orders.filter(delivered_at__isnull=False).count(), orders.count()
    words = _("Days of delivery: known or estimated for %(share)s of %(of)s orders") % {
        "share": share(have, of),
        "of": f"{of:,}",
    }
    fix = _("Tell your delivery times in the settings; then the day is estimated.")
    return Found(bool(have), words, fix, _page("settings", store))


def _delivery_days(store: Store) -> Found:
    if store.delivery_days:
        return Found(True, _("Your delivery times are known, so buyers read when it comes"))
    words = _("Delivery times are not set, so no date is promised")
    return Found(False, words, _("Enter them in the settings."), _page("settings", store))


def _repeat_buyers(store: Store) -> Found:
    n = store.customers.filter(orders_count__gte=2).count()
    words = _("%(n)s people bought twice or more") % {"n": f"{n:,}"}
    fix = _("From %(n)s on the time until they come back can be told; until then a set number of days is used.")
    return Found(n >= ENOUGH, words, fix % {"n": ENOUGH})


def _first_buyers(store: Store) -> Found:
    n = store.customers.filter(orders_count=1, last_order_at__gte=clock.now() - RECENT).count()
    words = _("%(n)s people bought for the first time in the last 90 days") % {"n": f"{n:,}"}
    return Found(bool(n), words, _("There is nobody yet whom it could bring back."))


def _accounts(store: Store) -> Found:
    n = store.customers.filter(woo_id__isnull=True, orders_count__gte=1).count()
    words = _("%(n)s buyers have no account") % {"n": f"{n:,}"}
    return Found(bool(n), words, _("All your buyers have accounts, so there is nobody to invite."))


def _marketing_consent(store: Store) -> Found:
    """Buyers who agreed, or who live where the merchant attests the soft opt-in and have not objected."""
    buyers = store.customers.filter(orders_count__gte=1, erased_at__isnull=True)
    said = Consent.objects.filter(customer=OuterRef("pk"), channel="email", purpose="marketing")
    agreed = Exists(said.filter(state=ConsentState.GRANTED))
    refused = Exists(said.filter(state__in=[ConsentState.DENIED, ConsentState.PENDING]))
    soft = Q(country__in=store.soft_opt_in_countries) & ~refused
    have, of = buyers.filter(Q(agreed) | soft).count(), buyers.count()
    words = _("Consent for marketing: %(share)s of %(of)s buyers may be written to") % {
        "share": share(have, of),
        "of": f"{of:,}",
    }
    fix = _("Map the opt-in box of your checkout in the settings, or attest the objection there by country.")
    return Found(bool(have), words, fix, _page("settings", store))


def _points(store: Store) -> Found:
    if Program.objects.filter(store=store, is_on=True).exists():
        return Found(True, _("Your loyalty programme is on"))
    return Found(False, _("Your loyalty programme is off"), _("Start it on the loyalty page."), _page("loyalty", store))


def _rewards(store: Store) -> Found:
    n = Reward.objects.filter(program__store=store, program__is_on=True, is_on=True).count()
    if n:
        return Found(True, _("%(n)s rewards can be reached") % {"n": n})
    words = _("There is no reward to reach")
    return Found(False, words, _("Add one on the loyalty page."), _page("loyalty", store))


def _cash_on_delivery(store: Store) -> Found:
    all_ = store.orders.filter(created_gmt__gte=clock.now() - RECENT)
    have, of = all_.filter(payment_method="cod").count(), all_.count()
    words = _("Cash on delivery: %(share)s of %(of)s orders") % {"share": share(have, of), "of": f"{of:,}"}
    return Found(bool(have), words, _("Nobody pays at the door in your store, so there is nothing to confirm."))


def _renewals(store: Store) -> Found:
    n = store.orders.filter(renewal=True, created_gmt__gte=clock.now() - RECENT).count()
    words = _("%(n)s renewals of subscriptions in the last 90 days") % {"n": f"{n:,}"}
    return Found(bool(n), words, _("It needs the plugin WooCommerce Subscriptions in your store."))


def _products(store: Store) -> Found:
    n = Product.objects.filter(store=store, stock_status="instock").count()
    words = _("%(n)s products in stock can be recommended") % {"n": f"{n:,}"}
    return Found(bool(n), words, _("The catalogue has not been read yet."), _page("system", store))


def _no_double_review(store: Store) -> Found:
    lines = {line.topic: line for line in overlap.table(store)}
    line = lines.get("review")
    if line and line.twice:
        who = ", ".join(line.plugins or []) if line.plugins else "WooCommerce"
        words = _("%(who)s may ask for reviews too") % {"who": who}
        fix = _("Switch that off in your store, so that nobody is asked twice: %(path)s")
        return Found(False, words, fix % {"path": line.path})
    return Found(True, _("Nobody else is seen to ask your buyers for reviews"))


NEEDS: dict[str, Callable[[Store], Found]] = {
    "orders": _orders,
    "tracking": _tracking,
    "scans": _scans,
    "deliveries": _deliveries,
    "delivery_days": _delivery_days,
    "repeat_buyers": _repeat_buyers,
    "first_buyers": _first_buyers,
    "guests": _accounts,
    "marketing_consent": _marketing_consent,
    "points": _points,
    "rewards": _rewards,
    "cash_on_delivery": _cash_on_delivery,
    "renewals": _renewals,
    "products": _products,
    "no_other_review_mail": _no_double_review,
}
