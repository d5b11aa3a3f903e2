"""What may be asked about an order and about one of its lines."""

from collections.abc import Callable
from typing import Any

from django.db.models import (
    Case,
    CharField,
    DecimalField,
    Exists,
    F,
    OuterRef,
    Q,
    TextField,
    Value,
    When,
)
from django.db.models.fields.json import KT
from django.utils.translation import gettext_lazy as _

from stores.conditions import choices, goods
from stores.conditions.base import ORDER, Choices, Field, Items, Load, Scope, Words, register
from stores.conditions.expressions import count_of, exact, sum_of, yes_no
from stores.models import CouponLine, Order, OrderLine, Shipment

_ORDER, _PLACE, _PRODUCT = _("Order"), _("Place"), _("Product")
# Names of statuses that the shop does not know: what became of the order counts more than what it says.
GONE = {"deleted": _("Deleted in the shop"), "trash": _("In the bin"), "refunded": _("Refunded")}


def present_status(order: Order) -> str:
    """The order's status as a flow should see it: gone and fully refunded orders count as such whatever they say."""
    if order.deleted_at:
        return "deleted"
    if order.trashed_at:
        return "trash"
    return "refunded" if order.fully_refunded else order.status


def status_sql(scope: Scope | None = None) -> Case:
    """`present_status` over orders."""
    return Case(
        When(deleted_at__isnull=False, then=Value("deleted")),
        When(trashed_at__isnull=False, then=Value("trash")),
        When(Q(status="refunded") | Q(total__gt=0, refunded__gte=F("total")), then=Value("refunded")),
        default=F("status"),
        output_field=CharField(),
    )


def of_order(read: Callable[[Order], Any]) -> Load:
    """Values read from the order that is at hand."""
    return lambda subjects: [read(each.order) if each.order else None for each in subjects]


def _of_line(read: Callable[[OrderLine], Any]) -> Load:
    return lambda subjects: [read(each.line) if each.line else None for each in subjects]


def _column(name: str, label: Words, kind: str, column: str, *, choices: Choices | None = None, **more: Any) -> Field:
    return Field(
        f"order.{name}",
        label,
        kind,
        load=of_order(lambda order: getattr(order, column)),
        sql=lambda scope: F(column),
        choices=choices,
        **({"group": _ORDER} | more),
    )


def _dated(name: str, label: Words, column: str) -> Field:
    """Whether a moment has come, as yes or no."""
    return Field(
        f"order.{name}",
        label,
        "bool",
        load=of_order(lambda order: getattr(order, column) is not None),
        sql=lambda scope: yes_no(Q(**{f"{column}__isnull": False})),
        group=_ORDER,
    )


def _lines(scope: Scope) -> Any:
    return OrderLine.objects.filter(order__store=scope.store)


def _own_lines() -> Any:
    return OrderLine.objects.filter(order=OuterRef("pk"))


def _nth(scope: Scope) -> Any:
    """Which counted order of this person it is, by time and not by arrival; uncounted ones have the next one's number."""
    before = Order.objects.filter(customer=OuterRef("customer"), store=scope.store, counted=True).filter(
        Q(created_gmt__lt=OuterRef("created_gmt")) | Q(created_gmt=OuterRef("created_gmt"), pk__lt=OuterRef("pk"))
    )
    return count_of(before, "customer") + Value(1)


def _first(scope: Scope) -> Any:
    before = Order.objects.filter(customer=OuterRef("customer"), store=scope.store, counted=True).filter(
        Q(created_gmt__lt=OuterRef("created_gmt")) | Q(created_gmt=OuterRef("created_gmt"), pk__lt=OuterRef("pk"))
    )
    return yes_no(~Exists(before))


def _physical(scope: Scope) -> Any:
    """A product that is not known is taken for one that has to be sent."""
    return yes_no(Exists(_own_lines().filter(Q(product__isnull=True) | Q(product__virtual=False))))


def _shipping(key: str) -> Callable[[Scope], Any]:
    """A part of the delivery address, else of the billing address."""
    return lambda scope: Case(
        When(~Q(raw__shipping__country="") & Q(raw__shipping__country__isnull=False), then=KT(f"raw__shipping__{key}")),
        default=KT(f"raw__billing__{key}"),
        output_field=TextField(),
    )


def _parcels(scope: Scope) -> Any:
    return Shipment.objects.filter(store=scope.store)


def _refunded_part(scope: Scope) -> Any:
    return yes_no(Q(refunded__gt=0) & ~Q(refunded__gte=F("total")))


_NET = F("total") - F("refunded") - F("tax") - F("shipping")


def _register() -> None:
    for field in [
        _column("total", _("the order's total"), "money", "total"),
        Field(
            "order.net",
            _("what the goods of the order brought"),
            "money",
            load=of_order(lambda order: order.net),
            sql=lambda scope: Case(
                When(total__gt=F("refunded") + F("tax") + F("shipping"), then=exact(_NET)),
                default=Value(0),
                output_field=DecimalField(),
            ),
            group=_ORDER,
            help=_("Total without tax, shipping and refunds."),
        ),
        _column("discount", _("the order's discount"), "money", "discount"),
        _column("shipping_cost", _("what shipping cost"), "money", "shipping"),
        _column("refunded_total", _("what was refunded of the order"), "money", "refunded"),
        Field(
            "order.status",
            _("the order's status"),
            "choice",
            load=of_order(present_status),
            sql=status_sql,
            choices=choices.statuses,
            group=_ORDER,
        ),
        Field(
            "order.partly_refunded",
            _("a part of the order was refunded"),
            "bool",
            load=of_order(lambda order: 0 < order.refunded < order.total),
            sql=_refunded_part,
            group=_ORDER,
        ),
        _column("currency", _("the order's currency"), "choice", "currency", choices=choices.of_orders("currency")),
        _column(
            "payment_method",
            _("the way of paying"),
            "choice",
            "payment_method",
            choices=choices.of_orders("payment_method", "payment_title"),
        ),
        _column(
            "shipping_method",
            _("the way of shipping"),
            "text",
            "shipping_method",
            choices=choices.of_orders("shipping_method"),
        ),
        _column("channel", _("the sales channel"), "choice", "channel", choices=choices.of_orders("channel")),
        _column(
            "created_via",
            _("where the order was made"),
            "choice",
            "created_via",
            choices=choices.of_orders("created_via"),
        ),
        _column("country", _("the order's country"), "choice", "country", choices=choices.countries, group=_PLACE),
        _column("language", _("the order's language"), "choice", "language", choices=choices.languages),
        _column("renewal", _("a subscription made the order"), "bool", "renewal"),
        _dated("paid", _("the order is paid"), "paid_gmt"),
        _dated("delivered", _("the order is delivered"), "delivered_at"),
        _column("delivered_estimated", _("the delivery is only estimated"), "bool", "delivered_estimated"),
        _column("placed_at", _("the day of the order"), "moment", "created_gmt"),
        _column("paid_at", _("the day of payment"), "moment", "paid_gmt"),
        _column("completed_at", _("the day of completion"), "moment", "completed_gmt"),
        _column("delivered_at", _("the day of delivery"), "moment", "delivered_at"),
        Field(
            "order.items_count",
            _("the number of items"),
            "number",
            sql=lambda scope: sum_of(_own_lines(), "order", "quantity"),
            group=_ORDER,
        ),
        Field(
            "order.lines_count",
            _("the number of different items"),
            "number",
            sql=lambda scope: count_of(_own_lines(), "order"),
            group=_ORDER,
        ),
        Field(
            "order.nth",
            _("the number of this order among the customer's"),
            "number",
            sql=_nth,
            group=_ORDER,
            help=_("1 is the first counted order. An order that does not count has the number it would have."),
        ),
        Field("order.first", _("it is the customer's first order"), "bool", sql=_first, group=_ORDER),
        Field(
            "order.guest",
            _("the buyer ordered as a guest"),
            "bool",
            sql=lambda scope: yes_no(Q(raw__customer_id=0)),
            group=_ORDER,
        ),
        Field(
            "order.customer_note",
            _("the buyer's note"),
            "text",
            sql=lambda scope: KT("raw__customer_note"),
            group=_ORDER,
        ),
        Field("order.physical", _("something of the order has to be sent"), "bool", sql=_physical, group=_ORDER),
        Field(
            "order.shipped",
            _("a parcel of the order is on its way or arrived"),
            "bool",
            sql=lambda scope: yes_no(Exists(_parcels(scope).filter(order=OuterRef("pk"), shipped_at__isnull=False))),
            group=_ORDER,
        ),
        Field(
            "order.parcels",
            _("the states of the order's parcels"),
            "list",
            items=Items(_parcels, "order_id", "state"),
            of="choice",
            choices=choices.parcel_states,
            group=_ORDER,
        ),
        Field(
            "order.coupons",
            _("the order's coupons"),
            "list",
            items=Items(lambda scope: CouponLine.objects.filter(order__store=scope.store), "order_id", "code"),
            of="text",
            group=_ORDER,
        ),
        Field("order.region", _("the state or county of delivery"), "choice", sql=_shipping("state"), group=_PLACE),
        Field("order.city", _("the city of delivery"), "text", sql=_shipping("city"), group=_PLACE),
        Field("order.postcode", _("the postcode of delivery"), "text", sql=_shipping("postcode"), group=_PLACE),
        *goods.bought(ORDER, _lines, "order_id"),
    ]:
        register(field)
    for field in [
        Field(
            "line.product",
            _("the item's product"),
            "id",
            load=_of_line(lambda line: line.product_woo_id or None),
            sql=lambda scope: Case(When(product_woo_id__gt=0, then=F("product_woo_id"))),
            choices=choices.products,
            group=_PRODUCT,
        ),
        Field(
            "line.quantity",
            _("the item's quantity"),
            "number",
            load=_of_line(lambda line: line.quantity),
            sql=lambda scope: F("quantity"),
            group=_PRODUCT,
        ),
        Field(
            "line.total",
            _("what was paid for the item"),
            "money",
            load=_of_line(lambda line: line.total),
            sql=lambda scope: F("total"),
            group=_PRODUCT,
        ),
        Field(
            "line.sku",
            _("the item's SKU"),
            "text",
            load=_of_line(lambda line: line.sku),
            sql=lambda scope: F("sku"),
            group=_PRODUCT,
        ),
        Field(
            "line.name",
            _("the item's name"),
            "text",
            load=_of_line(lambda line: line.name),
            sql=lambda scope: F("name"),
            group=_PRODUCT,
        ),
        Field(
            "line.refunded",
            _("the item was refunded"),
            "bool",
            load=_of_line(lambda line: line.refunded_quantity > 0 and line.refunded_quantity >= line.quantity),
            sql=lambda scope: yes_no(Q(refunded_quantity__gt=0, refunded_quantity__gte=F("quantity"))),
            group=_PRODUCT,
            help=_("All pieces of it."),
        ),
        Field(
            "line.in_stock",
            _("the item's product is in stock"),
            "bool",
            sql=lambda scope: yes_no(
                Q(product__stock_status="instock", product__deleted_at=None, product__trashed_at=None)
            ),
            group=_PRODUCT,
        ),
        Field(
            "line.price",
            _("the price of the item's product now"),
            "money",
            sql=lambda scope: F("product__price"),
            group=_PRODUCT,
        ),
        *goods.of_line(_lines),
    ]:
        register(field)


_register()
