"""What the shop itself tells of an order and of a customer: payments, states, parcels, refunds, coupons."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from django.urls import reverse
from django.utils import formats
from django.utils.translation import gettext as _

from postpurchase import clock, money
from stores import events, registries
from stores.models import Customer, Event, Order, Shipment
from stores.registries import TimelineItem
from stores.words import ORDER_STATUS

_TOLD = (
    events.ORDER_STATUS_CHANGED,
    events.ORDER_CANCELLED,
    events.ORDER_EDITED,
    events.ORDER_LATE,
    events.REFUND_CREATED,
    events.REFUND_DELETED,
    events.COUPON_USED,
    events.COUPON_RELEASED,
)


def register() -> None:
    """Called once from `StoresConfig.ready`."""
    registries.add_order_timeline(order_timeline)
    registries.add_customer_timeline(customer_timeline)


def order_timeline(order: Order) -> Iterable[TimelineItem]:
    """One order, in two queries."""
    total = money.show(order.total, order.currency)
    yield TimelineItem(
        order.created_gmt, "payment", "receipt", _("Order placed"), _("%(total)s in all.") % {"total": total}
    )
    if order.paid_gmt:
        text = _("%(total)s by %(method)s.") % {"total": total, "method": order.payment_title or order.payment_method}
        yield TimelineItem(order.paid_gmt, "payment", "card", _("Paid"), text if order.payment_method else "")
    for event in Event.objects.filter(store=order.store, order=order, name__in=_TOLD):
        yield _event(event, order)
    for parcel in order.shipments.all():
        yield from _parcel(parcel)
    if order.deleted_at:
        yield TimelineItem(order.deleted_at, "note", "trash", _("Deleted in the store"))


def _event(event: Event, order: Order) -> TimelineItem:
    told = event.payload
    if event.name == events.ORDER_STATUS_CHANGED:
        words = {"from": _status(told.get("from")), "to": _status(told.get("to"))}
        return TimelineItem(event.at, "payment", "refresh", _("%(from)s → %(to)s") % words)
    if event.name == events.ORDER_CANCELLED:
        return TimelineItem(event.at, "payment", "x", _("Cancelled"), badge=("neutral", _status(told.get("status"))))
    if event.name == events.ORDER_EDITED:
        return TimelineItem(event.at, "note", "edit", _("Edited in the store"))
    if event.name == events.ORDER_LATE:
        day = formats.date_format(date.fromisoformat(told["promised_to"]), "j N")
        return TimelineItem(
            event.at,
            "shipping",
            "truck",
            _("Late: promised by %(day)s, not delivered") % {"day": day},
            badge=("warn", _("Late")),
        )
    if event.name in (events.REFUND_CREATED, events.REFUND_DELETED):
        amount = {"amount": money.show(Decimal(told["amount"]), order.currency)} if "amount" in told else {"amount": ""}
        if event.name == events.REFUND_CREATED:
            return TimelineItem(event.at, "payment", "refund", _("%(amount)s refunded") % amount)
        return TimelineItem(event.at, "payment", "refund", _("Refund of %(amount)s taken back") % amount)
    code = {"code": told.get("code", "")}
    title = _("Coupon %(code)s used") if event.name == events.COUPON_USED else _("Coupon %(code)s is free again")
    return TimelineItem(event.at, "payment", "ticket", title % code)


def _status(raw: object) -> str:
    known = ORDER_STATUS.get(str(raw))
    return str(known[1]) if known else str(raw or "").replace("-", " ").capitalize()


def _parcel(parcel: Shipment) -> Iterable[TimelineItem]:
    estimated = parcel.source == Shipment.Source.ESTIMATE
    words = {"carrier": parcel.carrier, "number": parcel.number}
    by = _("%(carrier)s %(number)s") % words if parcel.carrier or parcel.number else ""
    if parcel.shipped_at:
        title = _("Completed in the store, so probably shipped") if estimated else _("Shipped")
        yield TimelineItem(parcel.shipped_at, "shipping", "truck", title, by, url=parcel.url)
    if parcel.delivered_at:
        title = _("Should have arrived") if estimated else _("Delivered")
        badge = ("neutral", _("Estimate")) if estimated else ("ok", _("Delivered"))
        yield TimelineItem(parcel.delivered_at, "shipping", "package", title, badge=badge)
    elif parcel.expected_at:
        yield TimelineItem(
            parcel.expected_at,
            "shipping",
            "package",
            _("Should arrive"),
            planned=parcel.expected_at > clock.now(),
            badge=("neutral", _("Estimate")),
        )


def customer_timeline(customer: Customer) -> Iterable[TimelineItem]:
    """A customer's orders and coupons, newest hundred of each, in two queries."""
    for order in Order.objects.filter(store=customer.store, customer=customer).order_by("-created_gmt")[:100]:
        words = {"number": order.number, "total": money.show(order.total, order.currency)}
        yield TimelineItem(
            order.created_gmt,
            "payment",
            "orders",
            _("Order %(number)s for %(total)s") % words,
            badge=("neutral", _status(order.status)),
            url=reverse("order", args=[customer.store.slug, order.pk]),
        )
    for coupon in customer.coupons.filter(store=customer.store, live_at__isnull=False).order_by("-live_at")[:100]:
        yield TimelineItem(coupon.live_at, "points", "ticket", _("Coupon %(code)s given") % {"code": coupon.code})
    yield TimelineItem(customer.first_seen_at, "note", "people", _("First seen in the store"))
