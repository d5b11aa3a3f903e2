"""Parcels: what was sent, promised and delivered, and how we know."""

from django.db import models

from postpurchase import clock


class Shipment(models.Model):
    """One parcel of an order. Written by `stores.shipments`."""

    class State(models.TextChoices):
        PENDING = "pending", "Not shipped"
        SHIPPED = "shipped", "Shipped"
        IN_TRANSIT = "in_transit", "On the way"
        OUT_FOR_DELIVERY = "out_for_delivery", "Out today"
        PICKUP_READY = "pickup_ready", "Waits for pick-up"
        ATTEMPTED = "attempted", "Delivery attempted"
        DELIVERED = "delivered", "Delivered"
        EXCEPTION = "exception", "Problem"
        RETURNED = "returned", "Returned"

    class Source(models.TextChoices):
        FULFILMENT = "fulfilment", "WooCommerce fulfilment"
        TRACKING_META = "tracking_meta", "Tracking plugin"
        TRACKING_API = "tracking_api", "Carrier"
        MERCHANT = "merchant", "Entered by hand"
        ESTIMATE = "estimate", "Estimate"

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="shipments")
    order = models.ForeignKey("stores.Order", models.CASCADE, related_name="shipments")
    parcel = models.PositiveSmallIntegerField(default=1)
    # [{"line": woo line id, "quantity": "1"}]; empty means the whole order.
    items = models.JSONField(default=list)
    carrier = models.CharField(max_length=80, blank=True)
    number = models.CharField(max_length=80, blank=True)
    url = models.URLField(max_length=500, blank=True)
    state = models.CharField(max_length=20, choices=State.choices, default=State.PENDING)
    promised_from = models.DateField(null=True, blank=True)
    promised_to = models.DateField(null=True, blank=True)
    shipped_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    # When an estimated delivery is to be recorded if nothing better arrives before.
    expected_at = models.DateTimeField(null=True, blank=True)
    source = models.CharField(max_length=20, choices=Source.choices)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["order", "parcel"], name="shipment_parcel")]
        indexes = [
            models.Index(fields=["store", "state", "expected_at"], name="shipment_expected"),
            models.Index(fields=["store", "promised_to"], name="shipment_promised"),
        ]

    def __str__(self) -> str:
        return f"parcel {self.parcel} of {self.order}"
