"""Coupons: those we made and those of the shop, with what became of them."""

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from postpurchase import exporting, listing, money
from postpurchase.listing import Cell, Column, Empty, Filter, Listing, Tab
from postpurchase.templatetags.ui import say_day
from stores import words
from stores.access import CUSTOMERS_PII, ORDERS_VIEW, StoreRequest, store_view
from stores.models import Coupon, Store
from stores.resources import CouponResource

PROBLEM_STATES = [Coupon.State.FAILED, Coupon.State.ATTENTION, Coupon.State.GONE]
_SOURCES = {"reward": gettext_lazy("Reward"), "flow": gettext_lazy("Flow"), "case": gettext_lazy("Help case")}


def rows(store: Store) -> QuerySet[Coupon]:
    """The store's coupons."""
    return store.coupons.select_related("store", "customer", "used_order").defer(
        "raw", "customer__raw", "used_order__raw"
    )


def _state(coupon: Coupon) -> Cell:
    return Cell(badge=words.coupon_state(coupon), meta=coupon.reason)


def _worth(coupon: Coupon) -> str:
    if coupon.kind == "percent":
        return f"{coupon.amount.normalize():f}%"
    return money.show(coupon.amount, coupon.store.currency)


def _person(coupon: Coupon) -> Cell | str:
    if coupon.customer is None:
        return "–" if coupon.ours else _("Anybody")
    return Cell(coupon.customer.name, url=reverse("customer", args=[coupon.store.slug, coupon.customer.pk]))


def _made_for(coupon: Coupon) -> str:
    kind = coupon.source.partition(":")[0]
    return str(_SOURCES.get(kind, kind)) if coupon.ours else _("Made in the shop")


def _used(coupon: Coupon) -> Cell | str:
    if coupon.used_order:
        return Cell(
            f"#{coupon.used_order.number}", url=reverse("order", args=[coupon.store.slug, coupon.used_order.pk])
        )
    return _("%(n)d times") % {"n": coupon.usage_count} if coupon.usage_count else "–"


def _states(store: Store) -> list[tuple[str, Any]]:
    return [(state, label) for state, (_css, label, _icon) in words.COUPON_STATE.items()]


LISTING = Listing(
    name="coupons",
    title=gettext_lazy("Coupons"),
    lede=gettext_lazy("A code is told to a customer only after your store has it exactly as it was meant."),
    rows=rows,
    columns=[
        Column("code", gettext_lazy("Code"), lambda one: Cell(one.code), sort="code", whole=True),
        Column("state", gettext_lazy("State"), _state, sort="state"),
        Column("worth", gettext_lazy("Worth"), _worth, number=True, export=lambda one: one.amount),
        Column("source", gettext_lazy("Made for"), _made_for, phone=False),
        Column("customer", gettext_lazy("Customer"), _person, permission=CUSTOMERS_PII),
        Column("used", gettext_lazy("Used"), _used),
        Column(
            "expires",
            gettext_lazy("Expires"),
            lambda one: say_day(one.expires_on) or _("never"),
            sort="expires_on",
            number=True,
            nullable=True,
            export=lambda one: one.expires_on,
        ),
        Column(
            "made",
            gettext_lazy("Made"),
            lambda one: Cell(at=one.created_at),
            sort="created_at",
            number=True,
            phone=False,
        ),
    ],
    counted=lambda n, shown: ngettext("%(n)s coupon", "%(n)s coupons", n) % {"n": shown},
    sort="-made",
    search=("code__icontains",),
    search_private=(CUSTOMERS_PII, ("customer__email_key__icontains",)),
    search_hint=gettext_lazy("Code or email"),
    filters=[
        Filter(
            "by",
            gettext_lazy("From anywhere"),
            [("us", gettext_lazy("Made by us")), ("shop", gettext_lazy("Made in the shop"))],
            lambda queryset, value: queryset.filter(ours=value == "us"),
        ),
        Filter("state", gettext_lazy("Any state"), _states, "state"),
    ],
    tabs=[
        Tab("problems", gettext_lazy("Problems"), lambda q: q.filter(state__in=PROBLEM_STATES), counted=True),
        Tab("live", gettext_lazy("Live"), lambda q: q.filter(state=Coupon.State.LIVE)),
        Tab("used", gettext_lazy("Used"), lambda q: q.filter(Q(state=Coupon.State.USED) | Q(usage_count__gt=0))),
    ],
    export=exporting.of_resource(CouponResource),
    empty=Empty(
        gettext_lazy("No coupons yet"),
        gettext_lazy("Rewards and flows make single-use codes, which appear here with what became of them."),
        icon="ticket",
    ),
)


@store_view(ORDERS_VIEW)
def coupons(request: StoreRequest) -> HttpResponse:
    """All coupons of the store."""
    return listing.answer(request, LISTING)
