"""The shop's customers: guests and accounts are one person by e-mail address."""

from functools import reduce
from typing import Any

from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Replace, Right

from postpurchase import clock

# Signs that people write into phone numbers; and of how many digits at the end two spellings of a number agree,
# whether they begin with +40, 0040 or 0.
PHONE_SIGNS = " -()./+"
PHONE_DIGITS = 7


def _phone_key() -> Any:
    bare: Any = F("phone")
    return Right(reduce(lambda text, sign: Replace(text, Value(sign), Value("")), PHONE_SIGNS, bare), PHONE_DIGITS)


class Customer(models.Model):
    """One person of one shop. Written by `stores.sync.apply`, by `stores.elsewhere.take_in` and by erasure.

    `email_key` is the trimmed, lower-cased address and the identity; `woo_id` the account, where there is one. Who is
    known only by the phone number of an order from elsewhere has "phone:<digits>" there and no address.
    The counters are caches over counted orders (paid, not fully refunded, not trashed), refreshed with each order.
    """

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="customers")
    email_key = models.CharField(max_length=254)
    email = models.CharField(max_length=254)
    woo_id = models.BigIntegerField(null=True, blank=True)
    first_name = models.CharField(max_length=120, blank=True)
    last_name = models.CharField(max_length=120, blank=True)
    phone = models.CharField(max_length=40, blank=True)
    # The end of the number without signs, to find a person by it however it is written.
    phone_key = models.GeneratedField(
        expression=_phone_key(), output_field=models.CharField(max_length=40), db_persist=True
    )
    country = models.CharField(max_length=2, blank=True)
    region = models.CharField(max_length=60, blank=True)
    city = models.CharField(max_length=120, blank=True)
    language = models.CharField(max_length=8, blank=True)
    link_version = models.PositiveIntegerField(default=1)
    first_seen_at = models.DateTimeField(default=clock.now)
    orders_count = models.PositiveIntegerField(default=0)
    spent = models.DecimalField(max_digits=15, decimal_places=4, default=0)
    first_order_at = models.DateTimeField(null=True, blank=True)
    last_order_at = models.DateTimeField(null=True, blank=True)
    erased_at = models.DateTimeField(null=True, blank=True)
    raw = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["store", "email_key"], name="customer_email"),
            models.UniqueConstraint(fields=["store", "woo_id"], condition=Q(woo_id__isnull=False), name="customer_woo"),
        ]
        indexes = [
            models.Index(fields=["store", "-last_order_at"], name="customer_recent"),
            models.Index(fields=["store", "first_order_at"], name="customer_first"),
            models.Index(fields=["store", "-spent"], name="customer_spent"),
            models.Index(fields=["store", "phone_key"], condition=~Q(phone=""), name="customer_phone"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """Full name, else the address."""
        return f"{self.first_name} {self.last_name}".strip() or self.email
