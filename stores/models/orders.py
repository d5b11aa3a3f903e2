"""Orders with their lines, coupon lines and refunds."""

from decimal import Decimal
from typing import cast

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from stores.models.catalog import Mirrored

WOOCOMMERCE = "woocommerce"


class Order(Mirrored):
    """An order as the shop holds it now, written by `stores.sync.apply` alone; or one from elsewhere, without `woo_id`.

    An order from elsewhere is written by `stores.elsewhere.take_in` alone: the shop does not know it, so nothing that
    asks the shop, compares with it or writes to it may touch it. Its identity is (channel, external id).
    `counted` is paid, not fully refunded, not trashed, not deleted, not a test. Net = total - refunded - tax - shipping.
    """

    class Contact(models.TextChoices):
        """Whether its buyer may be written to by flows; the law's and the person's own word come on top."""

        NONE = "none", _("Never write to its buyers")
        ORDER_ONLY = "order_only", _("Only about the order itself")
        ALL = "all", _("As for orders of the shop")

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="orders")
    # Typed as if it were always there, because all code of the mirror has selected orders by it; None from elsewhere.
    woo_id = cast("models.BigIntegerField[int, int]", models.BigIntegerField(null=True, blank=True))
    customer = models.ForeignKey("stores.Customer", models.SET_NULL, null=True, blank=True, related_name="orders")
    number = models.CharField(max_length=60)
    status = models.CharField(max_length=40)
    currency = models.CharField(max_length=3)
    total = models.DecimalField(max_digits=15, decimal_places=4)
    tax = models.DecimalField(max_digits=15, decimal_places=4, default=0)
    shipping = models.DecimalField(max_digits=15, decimal_places=4, default=0)
    discount = models.DecimalField(max_digits=15, decimal_places=4, default=0)
    refunded = models.DecimalField(max_digits=15, decimal_places=4, default=0)
    email = models.CharField(max_length=254, blank=True)
    billing_name = models.CharField(max_length=200, blank=True)
    country = models.CharField(max_length=2, blank=True)
    language = models.CharField(max_length=8, blank=True)
    payment_method = models.CharField(max_length=60, blank=True)
    payment_title = models.CharField(max_length=200, blank=True)
    shipping_method = models.CharField(max_length=200, blank=True)
    created_via = models.CharField(max_length=40, blank=True)
    channel = models.CharField(max_length=40, default=WOOCOMMERCE)
    # The order's id in its channel; empty for orders of the shop.
    external_id = models.CharField(max_length=120, blank=True, default="", db_default="")
    contact = models.CharField(
        max_length=10, choices=Contact.choices, default=Contact.ALL, db_default=Contact.ALL.value
    )
    created_gmt = models.DateTimeField()
    paid_gmt = models.DateTimeField(null=True, blank=True)
    completed_gmt = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    delivered_estimated = models.BooleanField(default=False)
    counted = models.BooleanField(default=False)
    # First seen by the backfill: its facts build numbers, never messages.
    historic = models.BooleanField(default=False)
    # Made by a subscription rather than by a person at the checkout.
    renewal = models.BooleanField(default=False)
    # Our mark, when we wrote this order (`_postpurchase_ref` in its meta_data).
    ref = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["store", "woo_id"], name="order_woo"),
            models.UniqueConstraint(
                fields=["store", "channel", "external_id"], condition=~Q(external_id=""), name="order_external"
            ),
            models.CheckConstraint(
                condition=Q(woo_id__isnull=False, external_id="") | (Q(woo_id__isnull=True) & ~Q(external_id="")),
                name="order_of_one_world",
            ),
        ]
        indexes = [
            models.Index(fields=["store", "-created_gmt"], name="order_recent"),
            models.Index(fields=["store", "status", "-created_gmt"], name="order_status"),
            models.Index(fields=["store", "customer", "created_gmt"], name="order_customer"),
            models.Index(fields=["store", "number"], name="order_number"),
            # Retention pairs each customer's counted orders from this index alone, without touching the wide rows.
            models.Index(fields=["store", "customer", "created_gmt"], condition=Q(counted=True), name="order_counted"),
        ]

    def __str__(self) -> str:
        return f"#{self.number}"

    @property
    def net(self) -> Decimal:
        """What the goods brought: total - refunds - tax - shipping, in the order's currency; never below zero."""
        return max(self.total - self.refunded - self.tax - self.shipping, Decimal(0))

    @property
    def fully_refunded(self) -> bool:
        return self.status == "refunded" or (self.total > 0 and self.refunded >= self.total)


class OrderLine(models.Model):
    """One product line. Replaced with its order. `refunded_*` are positive sums over the order's refunds.

    `woo_id` is unique in the order only; in an order from elsewhere it is the line's place, from 1.
    """

    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    woo_id = models.BigIntegerField()
    product = models.ForeignKey("stores.Product", models.SET_NULL, null=True, blank=True, related_name="+")
    product_woo_id = models.BigIntegerField(default=0)
    variation_woo_id = models.BigIntegerField(default=0)
    name = models.CharField(max_length=300)
    sku = models.CharField(max_length=120, blank=True)
    quantity = models.DecimalField(max_digits=15, decimal_places=4)
    subtotal = models.DecimalField(max_digits=15, decimal_places=4)
    total = models.DecimalField(max_digits=15, decimal_places=4)
    tax = models.DecimalField(max_digits=15, decimal_places=4, default=0)
    # What the goods of this line cost the merchant, where the shop keeps that.
    cost = models.DecimalField(max_digits=15, decimal_places=4, null=True, blank=True)
    refunded_quantity = models.DecimalField(max_digits=15, decimal_places=4, default=0)
    refunded_total = models.DecimalField(max_digits=15, decimal_places=4, default=0)
    image_url = models.URLField(max_length=500, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["order", "woo_id"], name="order_line_woo")]
        indexes = [models.Index(fields=["product_woo_id"], name="order_line_product")]

    def __str__(self) -> str:
        return f"{self.quantity:g} x {self.name}"


class CouponLine(models.Model):
    """A coupon used on an order: how its use is seen, because the coupon itself does not move."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="coupon_lines")
    code = models.CharField(max_length=100)
    discount = models.DecimalField(max_digits=15, decimal_places=4)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["order", "code"], name="coupon_line_once")]
        indexes = [models.Index(fields=["code"], name="coupon_line_code")]

    def __str__(self) -> str:
        return self.code


class Refund(models.Model):
    """A refund of an order. `amount` is positive. A refund that is gone keeps its row with `deleted_at`.

    An order from elsewhere tells only a sum: it has one row, without `woo_id`.
    """

    store = models.ForeignKey("stores.Store", models.CASCADE, related_name="refunds")
    order = models.ForeignKey(Order, models.CASCADE, related_name="refund_rows")
    woo_id = models.BigIntegerField(null=True, blank=True)
    amount = models.DecimalField(max_digits=15, decimal_places=4)
    reason = models.TextField(blank=True)
    created_gmt = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    # [{"line": woo line id, "product": id, "quantity": "1", "total": "52.65"}], positive; null when not yet fetched.
    lines = models.JSONField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["store", "woo_id"], name="refund_woo")]

    def __str__(self) -> str:
        return f"{self.amount} of {self.order}"
