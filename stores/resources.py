"""What orders, customers and coupons look like as files. The mirror is only read: WooCommerce is where it is written."""

from typing import Any

from import_export import fields, resources

from postpurchase.errors import BusinessError
from stores.models import Coupon, Customer, Order


class ExportOnly(resources.ModelResource):
    """A resource that cannot be imported, and says why."""

    def import_data(self, *args: Any, **kwargs: Any) -> Any:
        raise BusinessError(
            f"{self._meta.model._meta.verbose_name_plural.capitalize()} come from the store and cannot be imported here. "
            "Nothing was changed. Change them in WooCommerce; they arrive by themselves.",
            "read_only",
        )


class OrderResource(ExportOnly):
    """One row an order."""

    customer = fields.Field(attribute="customer__email", column_name="customer")
    net = fields.Field(attribute="net", column_name="net")

    class Meta:
        model = Order
        fields = (
            "number",
            "status",
            "created_gmt",
            "paid_gmt",
            "delivered_at",
            "customer",
            "country",
            "currency",
            "total",
            "net",
            "tax",
            "shipping",
            "discount",
            "refunded",
            "payment_method",
            "woo_id",
            "channel",
            "external_id",
        )
        export_order = fields


class CustomerResource(ExportOnly):
    """One row a customer."""

    class Meta:
        model = Customer
        fields = (
            "email",
            "first_name",
            "last_name",
            "phone",
            "country",
            "city",
            "language",
            "orders_count",
            "spent",
            "first_order_at",
            "last_order_at",
            "woo_id",
        )
        export_order = fields


class CouponResource(ExportOnly):
    """One row a coupon."""

    customer = fields.Field(attribute="customer__email", column_name="customer")
    used_order = fields.Field(attribute="used_order__number", column_name="used_order")

    class Meta:
        model = Coupon
        fields = (
            "code",
            "state",
            "kind",
            "amount",
            "minimum",
            "usage_limit",
            "usage_count",
            "expires_on",
            "customer",
            "created_at",
            "used_at",
            "used_order",
        )
        export_order = fields
