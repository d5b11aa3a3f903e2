"""API resources of the mirror: orders, customers, coupons (read), coupons by hand (write), health."""

from decimal import Decimal
from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from stores import coupons, registries
from stores.api_base import Idempotent, ReadOnly, StoreViewSet
from stores.models import Coupon, CouponLine, Customer, Order, OrderLine, Refund, Shipment


class LineSerializer(serializers.ModelSerializer[OrderLine]):
    class Meta:
        model = OrderLine
        fields = ["woo_id", "product_woo_id", "variation_woo_id", "name", "sku", "quantity", "total", "refunded_total"]


class CouponLineSerializer(serializers.ModelSerializer[CouponLine]):
    class Meta:
        model = CouponLine
        fields = ["code", "discount"]


class RefundSerializer(serializers.ModelSerializer[Refund]):
    class Meta:
        model = Refund
        fields = ["woo_id", "amount", "reason", "created_gmt", "deleted_at"]


class ShipmentSerializer(serializers.ModelSerializer[Shipment]):
    class Meta:
        model = Shipment
        fields = ["parcel", "carrier", "number", "state", "shipped_at", "delivered_at", "source"]


class OrderSerializer(serializers.ModelSerializer[Order]):
    net = serializers.DecimalField(max_digits=15, decimal_places=4, read_only=True)
    lines = LineSerializer(many=True, read_only=True)
    coupon_lines = CouponLineSerializer(many=True, read_only=True)
    refunds = RefundSerializer(source="refund_rows", many=True, read_only=True)
    shipments = ShipmentSerializer(many=True, read_only=True)

    class Meta:
        model = Order
        fields = [
            "id",
            "woo_id",
            "channel",
            "external_id",
            "contact",
            "number",
            "status",
            "currency",
            "total",
            "net",
            "refunded",
            "tax",
            "shipping",
            "discount",
            "customer",
            "email",
            "country",
            "language",
            "payment_method",
            "created_gmt",
            "paid_gmt",
            "completed_gmt",
            "delivered_at",
            "delivered_estimated",
            "counted",
            "lines",
            "coupon_lines",
            "refunds",
            "shipments",
        ]


class OrderFilter(django_filters.FilterSet):
    created_after = django_filters.IsoDateTimeFilter(field_name="created_gmt", lookup_expr="gt")
    created_before = django_filters.IsoDateTimeFilter(field_name="created_gmt", lookup_expr="lt")

    class Meta:
        model = Order
        fields = ["number", "status", "customer", "counted", "channel", "external_id"]


class OrderViewSet(ReadOnly):
    """Orders as the store holds them now, with lines, refunds, shipments and coupon use."""

    scope = "orders"
    model = Order
    serializer_class = OrderSerializer
    filterset_class = OrderFilter
    prefetched = ("lines", "coupon_lines", "refund_rows", "shipments")


class CustomerSerializer(serializers.ModelSerializer[Customer]):
    class Meta:
        model = Customer
        fields = [
            "id",
            "woo_id",
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
        ]


class CustomerFilter(django_filters.FilterSet):
    email = django_filters.CharFilter(method="by_email", label="E-mail address, any letter case")

    class Meta:
        model = Customer
        fields = ["country", "woo_id"]

    def by_email(self, rows: Any, name: str, value: str) -> Any:
        return rows.filter(email_key=value.strip().lower())


class CustomerViewSet(ReadOnly):
    """Customers: guests and accounts are one person by e-mail address."""

    scope = "customers"
    model = Customer
    serializer_class = CustomerSerializer
    filterset_class = CustomerFilter


class CouponSerializer(serializers.ModelSerializer[Coupon]):
    class Meta:
        model = Coupon
        fields = [
            "id",
            "woo_id",
            "code",
            "ours",
            "state",
            "reason",
            "kind",
            "amount",
            "minimum",
            "usage_limit",
            "usage_count",
            "emails",
            "expires_on",
            "customer",
            "created_at",
            "live_at",
            "used_at",
            "used_order",
        ]


class NewCoupon(serializers.Serializer[Any]):
    """A single-use coupon for one customer."""

    customer = serializers.PrimaryKeyRelatedField(queryset=Customer.objects.none())
    amount = serializers.DecimalField(max_digits=15, decimal_places=4, min_value=Decimal("0.01"))
    kind = serializers.ChoiceField(choices=["fixed_cart", "percent"], default="fixed_cart")
    minimum = serializers.DecimalField(max_digits=15, decimal_places=4, required=False, allow_null=True)
    expires_on = serializers.DateField(required=False, allow_null=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        store = self.context.get("store")
        if store is not None:
            self.fields["customer"].queryset = Customer.objects.filter(store=store)  # type: ignore[attr-defined]


class CouponViewSet(Idempotent, mixins.ListModelMixin, mixins.RetrieveModelMixin, StoreViewSet):
    """Coupons of the store. POST makes one for a customer; it may be told to the shopper once its state is `live`."""

    scope = "coupons"
    model = Coupon
    serializer_class = CouponSerializer
    filterset_fields = ["state", "ours", "code", "customer"]

    @extend_schema(request=NewCoupon, responses={201: CouponSerializer})
    def create(self, request: Request) -> Response:
        form = NewCoupon(data=request.data, context={"store": self.store})
        form.is_valid(raise_exception=True)
        wanted = form.validated_data

        def act() -> tuple[dict[str, Any], int]:
            coupon = coupons.issue(
                self.store,
                source=f"api:{request.headers['Idempotency-Key'].strip()}"[:120],
                amount=wanted["amount"],
                kind=wanted["kind"],
                customer=wanted["customer"],
                emails=[wanted["customer"].email],
                minimum=wanted.get("minimum"),
                expires_on=wanted.get("expires_on"),
            )
            return dict(CouponSerializer(coupon).data), 201

        return self.once(request, act)


class CheckSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    ok = serializers.BooleanField()
    sentence = serializers.CharField()
    fix = serializers.CharField()


class HealthViewSet(StoreViewSet):
    """The figures of the System page for the key's store."""

    scope = "health"
    model = Order
    serializer_class = CheckSerializer
    pagination_class = None

    @extend_schema(responses=CheckSerializer(many=True))
    def list(self, request: Request) -> Response:
        return Response(CheckSerializer(registries.checks(self.store), many=True).data)
