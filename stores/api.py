"""API resources of the mirror: orders, customers, coupons (read), coupons by hand (write), health."""

from dataclasses import asdict
from decimal import Decimal
from typing import Any

import django_filters
from django.core.exceptions import ValidationError as DjangoValidationError
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request
from rest_framework.response import Response

from stores import coupons, doctor
from stores.api_base import Idempotent, ReadOnly, StoreViewSet
from stores.elsewhere.channels import open_channel
from stores.elsewhere.taking import take_in
from stores.models import Channel, Coupon, CouponLine, Customer, Order, OrderLine, Refund, Shipment, Store
from stores.sync import figures


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


class ElsewhereLine(serializers.Serializer[Any]):
    sku = serializers.CharField(required=False)
    name = serializers.CharField(required=False)
    quantity = serializers.CharField(default="1")
    total = serializers.CharField(help_text="Without tax.")


class ElsewhereOrder(serializers.Serializer[Any]):
    """An order of another channel as it is now. Amounts are texts, times RFC 3339; one of email and phone is needed."""

    external_id = serializers.CharField(max_length=120)
    created_at = serializers.CharField()
    total = serializers.CharField(help_text="With tax and shipping.")
    email = serializers.CharField(required=False)
    phone = serializers.CharField(required=False)
    number = serializers.CharField(required=False)
    status = serializers.CharField(required=False, help_text="completed if it is left out")
    currency = serializers.CharField(required=False)
    tax = serializers.CharField(required=False)
    shipping = serializers.CharField(required=False)
    discount = serializers.CharField(required=False)
    refunded = serializers.CharField(required=False)
    paid_at = serializers.CharField(required=False)
    delivered_at = serializers.CharField(required=False)
    first_name = serializers.CharField(required=False)
    last_name = serializers.CharField(required=False)
    country = serializers.CharField(required=False)
    region = serializers.CharField(required=False)
    city = serializers.CharField(required=False)
    language = serializers.CharField(required=False)
    payment_method = serializers.CharField(required=False)
    shipping_method = serializers.CharField(required=False)
    lines = ElsewhereLine(many=True, required=False)


class NewOrder(ElsewhereOrder):
    channel = serializers.CharField(max_length=40)
    contact = serializers.ChoiceField(choices=Order.Contact.choices, required=False)


class OrderBatch(serializers.Serializer[Any]):
    channel = serializers.CharField(max_length=40)
    contact = serializers.ChoiceField(choices=Order.Contact.choices, required=False)
    orders = serializers.ListField(child=serializers.DictField(), min_length=1, max_length=500)


class BatchAnswer(serializers.Serializer[Any]):
    new = serializers.IntegerField()
    changed = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    refused = serializers.ListField(
        child=serializers.DictField(), help_text="[{index, external_id, errors: [{field, code, detail}]}]"
    )
    orders = serializers.DictField(child=serializers.IntegerField())


class OrderViewSet(Idempotent, mixins.ListModelMixin, mixins.RetrieveModelMixin, StoreViewSet):
    """Orders as the store holds them now, with lines, refunds, shipments and coupon use.

    POST tells the present state of an order that was made elsewhere (a marketplace, a till). It is never sent to
    WooCommerce. The same again changes nothing; another state updates the order of this channel and external id.
    """

    scope = "orders"
    model = Order
    serializer_class = OrderSerializer
    filterset_class = OrderFilter
    prefetched = ("lines", "coupon_lines", "refund_rows", "shipments")

    @extend_schema(request=NewOrder, responses={200: OrderSerializer, 201: OrderSerializer})
    def create(self, request: Request) -> Response:
        told = _told(request, ("channel", "contact"), NewOrder)

        def act() -> tuple[dict[str, Any], int]:
            channel = _channel(self.store, told)
            values = {name: value for name, value in dict(request.data).items() if name not in {"channel", "contact"}}
            done = take_in(self.store, [(0, values)], channel=channel)
            if done.refused:
                raise serializers.ValidationError(
                    {fault.field: [ErrorDetail(fault.detail, fault.code)] for fault in done.refused[0].faults}
                )
            order = self.get_queryset().get(pk=next(iter(done.orders.values())))
            return dict(OrderSerializer(order).data), 201 if done.new else 200

        return self.once(request, act)

    @extend_schema(request=OrderBatch, responses=BatchAnswer)
    @action(detail=False, methods=["post"])
    def batch(self, request: Request) -> Response:
        """Up to 500 orders of one channel at once. Those that cannot be read are named; the others are taken."""
        told = _told(request, ("channel", "contact", "orders"), OrderBatch)

        def act() -> tuple[dict[str, Any], int]:
            done = take_in(self.store, list(enumerate(told["orders"])), channel=_channel(self.store, told))
            refused = [
                {"index": one.row, "external_id": one.external_id, "errors": [asdict(fault) for fault in one.faults]}
                for one in done.refused
            ]
            counts = {"new": done.new, "changed": done.changed, "unchanged": done.unchanged}
            return counts | {"refused": refused, "orders": done.orders}, 200

        return self.once(request, act)


def _told(request: Request, names: tuple[str, ...], form: type[serializers.Serializer[Any]]) -> dict[str, Any]:
    """These fields of the body, checked; what an order says is read by `take_in`, the same way as from a file."""
    if not isinstance(request.data, dict):
        raise serializers.ValidationError({"": ["Send one object."]})
    fields = form().fields
    checked = type("Told", (serializers.Serializer,), {name: fields[name] for name in names})(data=request.data)
    checked.is_valid(raise_exception=True)
    found: dict[str, Any] = checked.validated_data
    return found


def _channel(store: Store, told: dict[str, Any]) -> Channel:
    try:
        return open_channel(store, told["channel"], contact=told.get("contact"))
    except DjangoValidationError as error:
        raise serializers.ValidationError({"channel": error.messages}) from error


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


class MirrorSerializer(serializers.Serializer[Any]):
    entity = serializers.CharField()
    as_of = serializers.DateTimeField(allow_null=True)


class HooksSerializer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=["healthy", "late", "off"])
    last_at = serializers.DateTimeField(allow_null=True)


class RequestsSerializer(serializers.Serializer[Any]):
    requests = serializers.IntegerField()
    failed = serializers.DictField(child=serializers.IntegerField())
    told_to_wait_seconds = serializers.IntegerField()


class DriftSerializer(serializers.Serializer[Any]):
    night = serializers.DateField()
    differences = serializers.IntegerField()
    causes = serializers.DictField(child=serializers.IntegerField())


class FigureSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    words = serializers.CharField()
    number = serializers.IntegerField()
    reason = serializers.CharField()


class HealthSerializer(serializers.Serializer[Any]):
    """`ok` is false when a check fails that is not a mere warning."""

    ok = serializers.BooleanField()
    state = serializers.CharField()
    reason = serializers.CharField()
    next_probe_at = serializers.DateTimeField(allow_null=True)
    waits_until = serializers.DateTimeField(allow_null=True)
    mirror = MirrorSerializer(many=True)
    complete_since = serializers.DateTimeField(allow_null=True)
    history_complete = serializers.BooleanField()
    webhooks = HooksSerializer()
    last_24_hours = RequestsSerializer()
    could_not_be_read = serializers.IntegerField()
    drift = DriftSerializer(allow_null=True)
    write_backs_needing_attention = serializers.IntegerField()
    messages = FigureSerializer(many=True)
    checks = CheckSerializer(many=True)


class HealthViewSet(StoreViewSet):
    """The figures of the System page for the key's store."""

    scope = "health"
    model = Order
    serializer_class = HealthSerializer
    pagination_class = None

    @extend_schema(responses=HealthSerializer)
    def list(self, request: Request) -> Response:
        checks = doctor.store_checks(self.store)
        ok = all(check.ok or check.level == "warn" for check in checks)
        return Response(HealthSerializer({**figures.of(self.store), "ok": ok, "checks": checks}).data)
