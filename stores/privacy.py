"""Forgetting a person: what the mirror knows is scrubbed, sums stay, and a later sync does not bring the person back."""

import hashlib
import hmac

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from postpurchase import clock
from stores import events
from stores.models import Coupon, Customer, Delivery, Event, Order, Quarantined, Shipment, StoreReview

PREFIX = "erased:"
# What of an order's body says nothing about the person.
_KEPT = (
    "id",
    "number",
    "status",
    "currency",
    "total",
    "total_tax",
    "shipping_total",
    "discount_total",
    "date_created_gmt",
    "date_paid_gmt",
    "date_completed_gmt",
)


def erased_keys(email_key: str) -> list[str]:
    """What stands in `Customer.email_key` once the person of this address was erased, newest link key first."""
    return [
        PREFIX + hmac.new(key.encode(), f"erased:{email_key}".encode(), hashlib.sha256).hexdigest()[:40]
        for key in settings.LINK_KEYS
    ]


def erase_from_mirror(customer: Customer) -> None:
    """The stores' part of `registries.erase`: names, addresses and bodies go; orders keep their sums.

    Runs in the caller's transaction. Erasing again changes nothing.
    """
    if customer.erased_at is not None:
        return
    with transaction.atomic():
        for order in Order.objects.filter(store=customer.store, customer=customer).iterator():
            order.raw = {key: order.raw[key] for key in _KEPT if key in order.raw}
            order.email = order.billing_name = ""
            order.save(update_fields=["raw", "email", "billing_name"])
        # What could not be read was kept whole.
        Quarantined.objects.filter(
            Q(raw__billing__email__iexact=customer.email_key) | Q(raw__email__iexact=customer.email_key),
            store=customer.store,
        ).delete()
        orders = Order.objects.filter(store=customer.store, customer=customer)
        told = Q(topic__startswith="order.", resource_id__in=orders.values("woo_id"))
        if customer.woo_id:
            told |= Q(topic__startswith="customer.", resource_id=customer.woo_id)
        Delivery.objects.filter(told, store=customer.store).delete()
        Shipment.objects.filter(store=customer.store, order__customer=customer).update(number="", url="")
        StoreReview.objects.filter(store=customer.store, customer=customer).update(
            reviewer="", email_key="", raw={}, customer=None
        )
        Coupon.objects.filter(store=customer.store, customer=customer).update(emails=[], raw={})
        Event.objects.filter(store=customer.store, customer=customer).update(payload={})
        customer.email_key = erased_keys(customer.email_key)[0]
        customer.email = customer.first_name = customer.last_name = customer.phone = ""
        customer.region = customer.city = ""
        customer.woo_id = None
        customer.raw = {}
        customer.link_version += 1
        customer.erased_at = clock.now()
        customer.save()
        events.record(
            customer.store,
            events.CUSTOMER_ERASED,
            subject=customer.pk,
            at=customer.erased_at,
            customer=customer,
        )
