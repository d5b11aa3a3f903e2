"""Coupons of the shop: mirrored ones and ours."""

import uuid

from django.db import models
from django.db.models import Q

from postpurchase import clock


class Coupon(models.Model):
    """A coupon. Ours begin `pending` without `woo_id` and are written by `stores.coupons`; others by the mirror.

    Our coupon may be told to a shopper only when `live`: pushed, read back and found equal to what was asked for.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Being made"
        LIVE = "live", "Live"
        USED = "used", "Used"
        EXPIRED = "expired", "Expired"
        FAILED = "failed", "Could not be made"
        ATTENTION = "attention", "Needs attention"
        GONE = "gone", "Deleted in the store"

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="coupons")
    customer = models.ForeignKey("stores.Customer", models.SET_NULL, null=True, blank=True, related_name="coupons")
    code = models.CharField(max_length=100)
    ours = models.BooleanField(default=False)
    ref = models.UUIDField(default=uuid.uuid4)
    # What it was made for: "reward:<redemption id>", "flow:<step run id>"; unique, so that a repeat makes no second one.
    source = models.CharField(max_length=120, blank=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.PENDING)
    reason = models.TextField(blank=True)
    kind = models.CharField(max_length=20, default="fixed_cart")
    amount = models.DecimalField(max_digits=15, decimal_places=4)
    minimum = models.DecimalField(max_digits=15, decimal_places=4, null=True, blank=True)
    usage_limit = models.PositiveIntegerField(null=True, blank=True)
    usage_count = models.PositiveIntegerField(default=0)
    emails = models.JSONField(default=list)
    # The last day on which it works, in the store's zone.
    expires_on = models.DateField(null=True, blank=True)
    woo_id = models.BigIntegerField(null=True, blank=True)
    modified_gmt = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now)
    live_at = models.DateTimeField(null=True, blank=True)
    used_at = models.DateTimeField(null=True, blank=True)
    used_order = models.ForeignKey("stores.Order", models.SET_NULL, null=True, blank=True, related_name="+")
    raw = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["store", "woo_id"], condition=Q(woo_id__isnull=False), name="coupon_woo"),
            models.UniqueConstraint(fields=["store", "source"], condition=~Q(source=""), name="coupon_source"),
            models.UniqueConstraint(fields=["store", "code"], condition=Q(ours=True), name="coupon_code"),
        ]
        indexes = [
            models.Index(fields=["store", "-created_at"], name="coupon_recent"),
            models.Index(fields=["store", "code"], name="coupon_by_code"),
        ]

    def __str__(self) -> str:
        return self.code
