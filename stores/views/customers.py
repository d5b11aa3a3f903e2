"""Customers: the list, and one person with all that is known."""

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from postpurchase import clock, exporting, listing
from postpurchase.listing import Cell, Column, Empty, Listing, Tab
from stores import registries, words
from stores.access import CUSTOMERS_PII, StoreRequest, store_view
from stores.insights.person import facts, usual_gap
from stores.models import Customer, Store
from stores.resources import CustomerResource
from stores.views.orders import shipping_badge, timeline_context

ORDERS_SHOWN = 50


def rows(store: Store) -> QuerySet[Customer]:
    """The store's customers, without those who were erased."""
    return store.customers.filter(erased_at=None).select_related("store").defer("raw")


def _name(customer: Customer) -> Cell:
    shown = customer.email if customer.name != customer.email else ""
    return Cell(customer.name, url=reverse("customer", args=[customer.store.slug, customer.pk]), meta=shown)


def _gap(customer: Customer) -> str:
    gap = usual_gap(customer)
    return ngettext("%(n)d day", "%(n)d days", gap) % {"n": gap} if gap else "–"


LISTING = Listing(
    name="customers",
    title=gettext_lazy("Customers"),
    lede=gettext_lazy("Guests and accounts with the same email are one person."),
    rows=rows,
    columns=[
        Column("name", gettext_lazy("Customer"), _name, sort="last_name", export=lambda one: one.name),
        Column("email", gettext_lazy("Kind"), lambda one: _("Account") if one.woo_id else _("Guest"), phone=False),
        Column("orders", gettext_lazy("Orders"), lambda one: one.orders_count, sort="orders_count", number=True),
        Column(
            "spent",
            gettext_lazy("Spent"),
            lambda one: Cell(money=(one.spent, one.store.currency)),
            sort="spent",
            number=True,
        ),
        Column("gap", gettext_lazy("Usual gap"), _gap, number=True, phone=False),
        Column(
            "last",
            gettext_lazy("Last order"),
            lambda one: Cell(at=one.last_order_at) if one.last_order_at else "–",
            sort="last_order_at",
            number=True,
            nullable=True,
        ),
    ],
    counted=lambda n, shown: ngettext("%(n)s customer", "%(n)s customers", n) % {"n": shown},
    sort="-last",
    search=("email_key__icontains", "first_name__icontains", "last_name__icontains"),
    search_hint=gettext_lazy("Name or email"),
    filters=[listing.period("last_order_at", gettext_lazy("Last order at any time"))],
    tabs=[
        Tab("repeat", gettext_lazy("Came back"), lambda q: q.filter(orders_count__gte=2)),
        Tab("once", gettext_lazy("Bought once"), lambda q: q.filter(orders_count=1)),
        Tab(
            "new",
            gettext_lazy("New in 28 days"),
            lambda q: q.filter(first_order_at__gte=clock.now() - timedelta(days=28)),
            counted=True,
        ),
        Tab("none", gettext_lazy("No paid order"), lambda q: q.filter(orders_count=0)),
    ],
    export=exporting.of_resource(CustomerResource),
    empty=Empty(
        gettext_lazy("No customers yet"),
        gettext_lazy("Everybody who orders in your store appears here, guests too."),
        icon="people",
    ),
)


@store_view(CUSTOMERS_PII)
def customers(request: StoreRequest) -> HttpResponse:
    """All customers of the store."""
    return listing.answer(request, LISTING)


@store_view(CUSTOMERS_PII)
def customer(request: StoreRequest, pk: int) -> HttpResponse:
    """One person: a sentence, then the timeline or the orders, and the facts beside it."""
    found = get_object_or_404(request.store.customers, pk=pk)
    found.store = request.store
    tab = "orders" if request.GET.get("tab") == "orders" else "timeline"
    guest_orders = found.orders.filter(raw__customer_id=0).count() if found.woo_id else 0
    context: dict[str, Any] = {
        "customer": found,
        "facts": facts(found),
        "guest_orders": guest_orders,
        "cards": registries.customer_cards(found),
        "coupons": [
            (one, words.coupon_state(one))
            for one in found.coupons.filter(ours=True).order_by("-created_at", "-pk")[:10]
        ],
        "tab": tab,
        "order_count": found.orders.count(),
    }
    if tab == "orders":
        newest = found.orders.prefetch_related("shipments").defer("raw").order_by("-created_gmt", "-pk")[:ORDERS_SHOWN]
        context["orders"] = [(one, words.order_status(one), shipping_badge(one)) for one in newest]
    else:
        context |= timeline_context(registries.customer_timeline(found), request.GET.get("kind", ""))
    return render(request, "stores/customer.html", context)
