"""Orders: the list, and one order with all that happened to it."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.contrib import messages
from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from postpurchase import clock, exporting, listing
from postpurchase.errors import BusinessError
from postpurchase.listing import Cell, Column, Empty, Filter, Listing, Tab
from stores import registries, shipments, words
from stores.access import CASES_WORK, CUSTOMERS_PII, ORDERS_CHANGE, ORDERS_VIEW, StoreRequest, store_view
from stores.insights.person import facts
from stores.models import Order, OrderLine, Shipment, Store
from stores.models.orders import WOOCOMMERCE
from stores.resources import OrderResource
from stores.write_backs import STATES, in_shop

# A subquery, because counting by a join would group all orders before the page is cut.
_LINES = OrderLine.objects.filter(order=OuterRef("pk")).order_by().values("order").annotate(n=Count("pk")).values("n")
_ENDED = [Shipment.State.DELIVERED, Shipment.State.RETURNED]


def _today() -> date:
    """The present day where the store is."""
    return timezone.localtime(clock.now()).date()


def _is_late(parcel: Shipment, today: date) -> bool:
    return bool(parcel.promised_to and parcel.promised_to < today and parcel.state not in _ENDED)


def rows(store: Store) -> QuerySet[Order]:
    """The store's orders with what the list shows of them."""
    return (
        store.orders.select_related("customer")
        .prefetch_related("shipments")
        .defer("raw", "customer__raw")
        .annotate(items=Coalesce(Subquery(_LINES), 0))
    )


def late(queryset: QuerySet[Order]) -> QuerySet[Order]:
    """Orders with a parcel past its promise."""
    parcels = Shipment.objects.filter(order=OuterRef("pk"), promised_to__lt=_today()).exclude(state__in=_ENDED)
    return queryset.filter(Exists(parcels), delivered_at__isnull=True)


def shipping_badge(order: Order) -> words.Badge:
    """Where the order's parcels are, in one word; the worst parcel speaks."""
    parcels = list(order.shipments.all())
    today = _today()
    if any(_is_late(one, today) for one in parcels):
        return ("warn", _("Late"), "clock")
    if order.delivered_at:
        return ("ok", _("Delivered"), "check")
    open_parcels = [one for one in parcels if one.state != Shipment.State.DELIVERED]
    if open_parcels:
        return words.shipment_state(open_parcels[0].state)
    if order.status in {"cancelled", "refunded", "failed", "pending"}:
        return ("neutral", _("Nothing to ship"), "skip")
    return ("neutral", _("Not shipped"), "package")


def _number(order: Order) -> Cell:
    channel = order.channel if order.external_id else ""
    return Cell(f"#{order.number}", url=reverse("order", args=[order.store.slug, order.pk]), meta=channel)


def _customer(order: Order) -> Cell:
    return Cell(order.customer.name if order.customer else order.billing_name or _("Guest without an address"))


def _choices(store: Store) -> list[tuple[str, Any]]:
    return [(status, label) for status, (_state, label, _icon) in words.ORDER_STATUS.items()]


def _channels(store: Store) -> list[tuple[str, Any]]:
    return [(WOOCOMMERCE, "WooCommerce"), *((name, name) for name in store.channels.values_list("name", flat=True))]


LISTING = Listing(
    name="orders",
    title=gettext_lazy("Orders"),
    rows=rows,
    columns=[
        Column("number", gettext_lazy("Order"), _number, whole=True),
        Column("date", gettext_lazy("Date"), lambda order: Cell(at=order.created_gmt), sort="created_gmt"),
        Column("customer", gettext_lazy("Customer"), _customer, permission=CUSTOMERS_PII),
        Column("items", gettext_lazy("Items"), lambda order: order.items, number=True, phone=False),
        Column(
            "total",
            gettext_lazy("Total"),
            lambda order: Cell(money=(order.total, order.currency)),
            sort="total",
            number=True,
        ),
        Column("status", gettext_lazy("Status"), lambda order: Cell(badge=words.order_status(order)), sort="status"),
        Column("shipping", gettext_lazy("Shipping"), lambda order: Cell(badge=shipping_badge(order))),
    ],
    counted=lambda n, shown: ngettext("%(n)s order", "%(n)s orders", n) % {"n": shown},
    sort="-date",
    search=("number__istartswith",),
    search_private=(CUSTOMERS_PII, ("email__icontains", "billing_name__icontains")),
    search_hint=gettext_lazy("Order number, customer or email"),
    filters=[
        Filter("status", gettext_lazy("Any status"), _choices, "status"),
        Filter("channel", gettext_lazy("Any channel"), _channels, "channel"),
        listing.period("created_gmt"),
    ],
    tabs=[
        Tab("late", gettext_lazy("Late"), late, counted=True),
        Tab(
            "open",
            gettext_lazy("Not delivered"),
            lambda q: q.filter(status__in=["processing", "on-hold"], delivered_at=None),
        ),
        Tab("delivered", gettext_lazy("Delivered"), lambda q: q.filter(delivered_at__isnull=False)),
        Tab("refunds", gettext_lazy("With refunds"), lambda q: q.filter(refunded__gt=0)),
    ],
    export=exporting.of_resource(OrderResource),
    head="stores/orders_head.html",
    empty=Empty(
        gettext_lazy("No orders yet"),
        gettext_lazy("Once your store is connected its orders appear here, the newest first."),
        icon="orders",
    ),
)


@store_view(ORDERS_VIEW)
def orders(request: StoreRequest) -> HttpResponse:
    """All orders of the store."""
    return listing.answer(request, LISTING)


# Chips above the timeline: the kinds of TimelineItem under the merchant's words.
KINDS = [
    ("message", gettext_lazy("Messages")),
    ("shipping", gettext_lazy("Shipping")),
    ("payment", gettext_lazy("Payments")),
    ("review", gettext_lazy("Reviews")),
    ("case", gettext_lazy("Cases")),
    ("points", gettext_lazy("Points")),
    ("note", gettext_lazy("Notes")),
]


def group_by_time(items: list[registries.TimelineItem]) -> dict[str, list[registries.TimelineItem]]:
    """Planned, today's and earlier items; planned ones the next first."""
    today = _today()
    coming = [item for item in items if item.planned]
    past = [item for item in items if not item.planned]
    of_today = [item for item in past if item.at and timezone.localtime(item.at).date() == today]
    # A planned item without a time waits for something, so it stands last.
    coming.sort(key=lambda item: (item.at is None, item.at or clock.now()))
    return {"coming": coming, "today": of_today, "earlier": [item for item in past if item not in of_today]}


def timeline_context(items: list[registries.TimelineItem], wanted: str) -> dict[str, Any]:
    """The timeline as a template shows it: chips of the kinds that occur, and the items of the chosen one."""
    present = {item.kind for item in items}
    chosen = wanted if wanted in present else ""
    shown = [item for item in items if not chosen or item.kind == chosen]
    return {
        "kinds": [(kind, label) for kind, label in KINDS if kind in present],
        "kind": chosen,
        "timeline": group_by_time(shown),
        "timeline_empty": not shown,
    }


def _totals(order: Order) -> list[tuple[str, Decimal]]:
    """The lines between goods and total that are not nothing."""
    lines: list[tuple[str, Decimal]] = []
    coupons = list(order.coupon_lines.all())
    for coupon in coupons:
        lines.append((_("Coupon %(code)s") % {"code": coupon.code}, -coupon.discount))
    if order.discount and not coupons:
        lines.append((_("Discount"), -order.discount))
    if order.shipping:
        lines.append((_("Shipping"), order.shipping))
    if order.tax:
        lines.append((_("Tax"), order.tax))
    return lines


@store_view(ORDERS_VIEW)
def order(request: StoreRequest, pk: int) -> HttpResponse:
    """One order: what happened, what is planned, and the facts beside it."""
    found = get_object_or_404(
        request.store.orders.select_related("customer").prefetch_related("shipments", "coupon_lines"), pk=pk
    )
    found.store = request.store
    if found.customer:
        found.customer.store = request.store
    lines = list(found.lines.select_related("product").order_by("pk"))
    today = _today()
    context = {
        "order": found,
        "status": words.order_status(found),
        "shipping": shipping_badge(found),
        "lines": [(line, line.subtotal / line.quantity if line.quantity else line.subtotal) for line in lines],
        "item_count": int(sum(line.quantity for line in lines)),
        "totals": _totals(found),
        "refunds": [one for one in found.refund_rows.all() if one.deleted_at is None] if found.refunded else [],
        "shipments": [
            (one, ("warn", _("Late"), "clock") if _is_late(one, today) else words.shipment_state(one.state))
            for one in found.shipments.all()
        ],
        "customer": found.customer,
        "facts": facts(found.customer) if found.customer else "",
        "cards": registries.customer_cards(found.customer) if found.customer else [],
        "people": CUSTOMERS_PII in request.permissions,
        "links": registries.order_links(found) if CUSTOMERS_PII in request.permissions else [],
        "may_deliver": CASES_WORK in request.permissions
        and not found.delivered_at
        and found.status not in shipments.OFF,
        "may_write": ORDERS_CHANGE in request.permissions and request.store.can_write and in_shop(found),
        "statuses": [(one, words.ORDER_STATUS[one][1]) for one in STATES if one != found.status],
        "press": uuid4().hex,
        "woo_url": ""
        if found.external_id
        else f"{request.store.base_url}/wp-admin/admin.php?page=wc-orders&action=edit&id={found.woo_id}",
        **timeline_context(registries.order_timeline(found), request.GET.get("kind", "")),
    }
    return render(request, "stores/order.html", context)


@require_POST
@store_view(CASES_WORK)
def order_delivered(request: StoreRequest, pk: int) -> HttpResponse:
    """The merchant knows that the order has arrived."""
    found = get_object_or_404(request.store.orders, pk=pk)
    try:
        shipments.mark_delivered(found, at=clock.now(), by=request.user)
    except BusinessError as refused:
        messages.error(request, refused.message)
    else:
        messages.success(request, _("Marked as delivered. What waits for the delivery goes on."))
    return redirect("order", store=request.store.slug, pk=pk)
