"""What may be asked about a customer, about all that the customer did, and about the store's clock."""

from collections.abc import Callable
from typing import Any

from django.db.models import Case, CharField, DecimalField, Exists, F, OuterRef, Q, Value, When
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Greatest, StrIndex, Substr
from django.utils.translation import gettext_lazy as _

from stores.conditions import choices, goods, operators
from stores.conditions.base import CUSTOMER, EVENT, MOMENT, Field, Items, Load, Scope, Words, register
from stores.conditions.expressions import DaysBetween, count_of, exact, sum_of, yes_no
from stores.conditions.orders import status_sql
from stores.models import CouponLine, Customer, Order, OrderLine

_CUSTOMER, _HISTORY, _PLACE, _LANGUAGE, _TIME = _("Customer"), _("History"), _("Place"), _("Language"), _("Time")


def of_customer(read: Callable[[Customer], Any]) -> Load:
    """Values read from the customer."""
    return lambda subjects: [read(each.customer) for each in subjects]


def _column(name: str, label: Words, kind: str, column: str, **more: Any) -> Field:
    return Field(
        f"customer.{name}",
        label,
        kind,
        load=of_customer(lambda who: getattr(who, column)),
        sql=lambda scope: F(column),
        **({"group": _CUSTOMER} | more),
    )


def _counted(scope: Scope) -> Any:
    """Counted orders of the store within the time frame."""
    return Order.objects.filter(scope.during("created_gmt"), store=scope.store, counted=True)


def _own(scope: Scope) -> Any:
    return _counted(scope).filter(customer=OuterRef("pk"))


def _lines(scope: Scope) -> Any:
    """Lines of counted orders within the time frame."""
    return OrderLine.objects.filter(scope.during("order__created_gmt"), order__store=scope.store, order__counted=True)


def _average(scope: Scope) -> Any:
    return Case(
        When(
            orders_count__gt=0,
            then=exact(Cast(F("spent"), DecimalField(max_digits=15, decimal_places=4)) / F("orders_count")),
        ),
        output_field=DecimalField(),
    )


# Days between orders on average, one at least; known from the third order on (`insights.person.usual_gap`).
def _gap(days: Any) -> Any:
    return Case(
        When(
            orders_count__gte=3,
            first_order_at__isnull=False,
            last_order_at__isnull=False,
            then=days,
        ),
        output_field=DecimalField(),
    )


def _decimal(value: Any) -> Any:
    return Cast(value, DecimalField(max_digits=15, decimal_places=4))


def _usual(scope: Scope) -> Any:
    whole = _decimal(DaysBetween(F("last_order_at"), F("first_order_at")))
    return Greatest(
        exact(whole / _decimal(F("orders_count") - Value(1))), _decimal(Value(1)), output_field=DecimalField()
    )


def _usual_gap(scope: Scope) -> Any:
    return _gap(_usual(scope))


def _gaps_since(scope: Scope) -> Any:
    since = _decimal(DaysBetween(Value(scope.now), F("last_order_at")))
    return _gap(exact(since / _usual(scope)))


def _shared(scope: Scope) -> Any:
    return Case(
        When(email_key__contains="@", then=Substr(F("email_key"), StrIndex(F("email_key"), Value("@")) + Value(1))),
        output_field=CharField(),
    )


def _address(key: str) -> Callable[[Scope], Any]:
    return lambda scope: KT(f"raw__billing__{key}")


def _clock(name: str, label: Words, kind: str, read: Callable[[Any], Any], known: Any = None) -> Field:
    """A field of the store's clock; its `sql` is a plain value."""
    return Field(
        f"time.{name}",
        label,
        kind,
        sql=lambda scope: read(scope.now.astimezone(scope.store.tz)),
        about=MOMENT,
        choices=known,
        group=_TIME,
    )


def _register() -> None:
    for field in [
        Field(
            "event",
            _("the event"),
            "choice",
            load=lambda subjects: [each.event.get("name") for each in subjects],
            about=EVENT,
            group=_("Event"),
        ),
        _column("orders_count", _("the number of orders"), "number", "orders_count", help=_("Counted orders only.")),
        _column("spent", _("what the customer spent"), "money", "spent"),
        Field("customer.average", _("the customer's average order"), "money", sql=_average, group=_CUSTOMER),
        _column("first_order_at", _("the customer's first order"), "moment", "first_order_at"),
        _column("last_order_at", _("the customer's last order"), "moment", "last_order_at"),
        _column("first_seen_at", _("the customer became known"), "moment", "first_seen_at"),
        Field(
            "customer.usual_gap",
            _("the customer's usual days between orders"),
            "number",
            sql=_usual_gap,
            group=_CUSTOMER,
            help=_("Known from the third order on."),
        ),
        Field(
            "customer.gaps_since",
            _("the time since the last order, in usual gaps"),
            "number",
            sql=_gaps_since,
            group=_CUSTOMER,
            help=_("1 means that the next order is due by this person's own pace. Known from the third order on."),
        ),
        _column(
            "language", _("the customer's language"), "choice", "language", choices=choices.languages, group=_LANGUAGE
        ),
        _column("country", _("the customer's country"), "choice", "country", choices=choices.countries, group=_PLACE),
        _column("region", _("the customer's state or county"), "choice", "region", group=_PLACE),
        _column("city", _("the customer's city"), "text", "city", group=_PLACE),
        Field("customer.postcode", _("the customer's postcode"), "text", sql=_address("postcode"), group=_PLACE),
        Field(
            "customer.account",
            _("the customer has an account"),
            "bool",
            load=of_customer(lambda who: who.woo_id is not None),
            sql=lambda scope: yes_no(Q(woo_id__isnull=False)),
            group=_CUSTOMER,
        ),
        Field(
            "customer.phone_known",
            _("the customer's phone number is known"),
            "bool",
            load=of_customer(lambda who: who.phone != ""),
            sql=lambda scope: yes_no(~Q(phone="")),
            group=_CUSTOMER,
        ),
        Field(
            "customer.email_domain",
            _("the domain of the customer's email"),
            "text",
            sql=_shared,
            group=_CUSTOMER,
            help=_("gmail.com, for instance."),
        ),
        Field(
            "customer.order_count_in",
            _("how often the customer ordered"),
            "number",
            sql=lambda scope: count_of(_own(scope), "customer"),
            group=_HISTORY,
            timed=True,
            help=_("Counted orders, within a number of days if one is given."),
        ),
        Field(
            "customer.spent_in",
            _("for how much the customer ordered"),
            "money",
            sql=lambda scope: sum_of(_own(scope), "customer", F("total") - F("refunded")),
            group=_HISTORY,
            timed=True,
            help=_("Totals of counted orders less refunds, within a number of days if one is given."),
        ),
        Field(
            "customer.open_order",
            _("the customer has an order that is neither completed nor over"),
            "bool",
            sql=lambda scope: yes_no(
                Exists(
                    Order.objects.filter(
                        store=scope.store, customer=OuterRef("pk"), trashed_at=None, deleted_at=None
                    ).filter(status__in=["pending", "processing", "on-hold"])
                )
            ),
            group=_HISTORY,
        ),
        Field(
            "customer.order_statuses",
            _("the statuses of the customer's orders"),
            "list",
            items=Items(
                lambda scope: Order.objects.filter(scope.during("created_gmt"), store=scope.store).annotate(
                    present=status_sql()
                ),
                "customer_id",
                "present",
            ),
            of="choice",
            choices=choices.statuses,
            group=_HISTORY,
            timed=True,
        ),
        Field(
            "customer.coupons",
            _("the coupons that the customer used"),
            "list",
            items=Items(
                lambda scope: CouponLine.objects.filter(
                    scope.during("order__created_gmt"), order__store=scope.store, order__counted=True
                ),
                "order__customer_id",
                "code",
            ),
            of="text",
            group=_HISTORY,
            timed=True,
        ),
        *goods.bought(CUSTOMER, _lines, "order__customer_id", timed=True),
        _clock("now", _("today"), "moment", lambda now: now),
        _clock("hour", _("the hour of the day in the store"), "number", lambda now: now.hour),
        _clock(
            "weekday",
            _("the weekday in the store"),
            "choice",
            lambda now: list(operators.WEEKDAYS)[now.isoweekday() - 1],
            lambda store: list(operators.WEEKDAYS.items()),
        ),
        _clock(
            "month",
            _("the month in the store"),
            "choice",
            lambda now: str(now.month),
            lambda store: list(operators.MONTHS.items()),
        ),
    ]:
        register(field)


_register()
