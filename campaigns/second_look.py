"""Has anything that was judged changed since? Asked with one query right before each message is handed over.

A batch is judged at once and handed over one by one, which takes seconds; a person who unsubscribes meanwhile, an order
that is cancelled, a flow or all sending that is stopped must still count.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import Count, Exists, IntegerField, Max, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from campaigns.models import Consent, ConsentEvent, Message, SendingHold, Suppression
from reviews.models import Case, Review

Stamp = tuple[Any, ...]
_ONE = -987654321


def _last(rows: QuerySet[Any], by: str, column: str) -> Subquery:
    found = rows.order_by().values(by).annotate(seen=Max(column)).values("seen")
    return Subquery(found)


def _query(ids: Sequence[int]) -> QuerySet[Any]:
    person = OuterRef("customer_id")
    open_cases = Case.objects.filter(customer_id=person, state=Case.State.OPEN).order_by().values("customer_id")
    return Message.objects.filter(pk__in=ids).values_list(
        "pk",
        "store__sending_paused",
        "store__test_mode",
        "store__email_url",
        "flow__state",
        "customer__erased_at",
        "customer__email",
        "customer__orders_count",
        "order__status",
        "order__refunded",
        "order__trashed_at",
        "order__deleted_at",
        "order__delivered_at",
        _last(ConsentEvent.objects.filter(customer_id=person), "customer_id", "pk"),
        _last(Consent.objects.filter(customer_id=person), "customer_id", "paused_until"),
        # Any new suppression in the shop: the digest of one address cannot be compared in SQL.
        _last(Suppression.objects.filter(store_id=OuterRef("store_id")), "store_id", "pk"),
        _last(Review.objects.filter(order_id=OuterRef("order_id")), "order_id", "pk"),
        Coalesce(Subquery(open_cases.annotate(n=Count("pk")).values("n")), Value(0), output_field=IntegerField()),
        Exists(SendingHold.objects.filter(store_id=OuterRef("store_id"), released_at=None)),
        Exists(SendingHold.objects.filter(store=None, released_at=None)),
    )


@cache
def _sql(vendor: str) -> tuple[str, tuple[Any, ...]]:
    sql, params = _query([_ONE]).query.sql_with_params()
    return sql, params


def stamp(pk: int) -> Stamp | None:
    """The same for one message, as raw values. Building the query costs more than asking it, so it is built once."""
    sql, params = _sql(connection.vendor)
    with connection.cursor() as cursor:
        cursor.execute(sql, [pk if value == _ONE else value for value in params])
        found = cursor.fetchone()
    return tuple(found) if found else None


def stamps(ids: Sequence[int]) -> dict[int, Stamp]:
    """What the verdicts on these messages rest on, as raw values, to be compared later."""
    if not ids:
        return {}
    sql, params = _query(list(ids)).query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return {row[0]: tuple(row) for row in cursor.fetchall()}
