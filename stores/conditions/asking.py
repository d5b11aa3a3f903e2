"""The answer for many people: the same tree as SQL, parametrised, over customers, orders or order lines."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import F, Q, QuerySet
from django.db.models.lookups import Exact, In

from postpurchase import clock
from postpurchase.errors import BusinessError
from stores.conditions.base import (
    CUSTOMER,
    LINE,
    MODELS,
    MOMENT,
    ORDER,
    Condition,
    Field,
    Scope,
    children,
    known,
)
from stores.conditions.expressions import EVERYBODY, NOBODY, Folded, two_valued
from stores.conditions.judging import holds, time_values
from stores.conditions.operators import OPERATORS, Clock, Operator, for_sql, value_of
from stores.models import Customer, Order, OrderLine, Store

# From a row to the row above it that a field is read from.
_UP = {(ORDER, CUSTOMER): "customer_id", (LINE, ORDER): "order_id", (LINE, CUSTOMER): "order__customer_id"}


def as_q(tree: Condition, store: Store, subject: str = CUSTOMER, *, now: datetime | None = None) -> Q:
    """A checked condition as a filter over the store's customers, orders or lines (`subject`).

    Holds for exactly the rows for which `holds` says so about that row's customer, order and line at `now`, without
    an event. BusinessError `not_in_sql` when it asks something that only a running flow can know.
    """
    return _q(tree, store, subject, now or clock.now())


def find(
    tree: Condition | None, store: Store, subject: str = CUSTOMER, *, now: datetime | None = None
) -> QuerySet[Any]:
    """The store's customers, orders or lines for which the condition holds; all of them when there is none.

    Erased people, and orders without a person, are nobody that a condition could be judged about.
    """
    rows: QuerySet[Any]
    if subject == CUSTOMER:
        rows = Customer.objects.filter(store=store, erased_at=None)
    elif subject == ORDER:
        rows = Order.objects.filter(store=store, customer__isnull=False, customer__erased_at=None)
    else:
        rows = OrderLine.objects.filter(
            order__store=store, order__customer__isnull=False, order__customer__erased_at=None
        )
    return rows.filter(as_q(tree, store, subject, now=now)) if tree else rows


def _abouts(tree: Condition) -> set[str]:
    below = children(tree)
    if below is not None:
        return {about for child in below for about in _abouts(child)}
    asked = known(tree["field"])
    assert asked is not None
    return {asked.subject}


def _q(tree: Condition, store: Store, subject: str, now: datetime) -> Q:
    abouts = _abouts(tree)
    # What asks only about the row above is asked there, once for the whole group.
    if len(abouts) == 1 and (path := _UP.get((subject, next(iter(abouts))))):
        above = next(iter(abouts))
        rows = MODELS[above]._default_manager.filter(store=store).filter(_q(tree, store, above, now))
        return Q(**{f"{path}__in": rows.order_by().values("pk")})
    for joint in ("all", "any"):
        if joint in tree:
            parts = [_q(child, store, subject, now) for child in tree[joint]]
            return Q(*parts, _connector=Q.AND if joint == "all" else Q.OR)
    if "not" in tree:
        below = [_q(child, store, subject, now) for child in children(tree) or []]
        return ~two_valued(Q(*below, _connector=Q.OR))
    return _leaf(tree, store, subject, now)


def _leaf(leaf: Condition, store: Store, subject: str, now: datetime) -> Q:
    asked, operator = known(leaf["field"]), OPERATORS[leaf["op"]]
    assert asked is not None
    if asked.subject == MOMENT:
        return EVERYBODY if holds(leaf, time_values(leaf, store, now)) else NOBODY
    if asked.subject != subject:
        # There is no such order, line or event: nothing is known about it.
        return EVERYBODY if leaf["op"] == "is_not_set" else NOBODY
    scope = Scope(store, now, leaf.get("within"))
    value = value_of(asked.item_kind, operator.takes, leaf["value"]) if operator.takes_value else None
    if asked.items:
        return _list(asked, leaf["op"], value, scope)
    if asked.sql is None:
        raise BusinessError(
            f"“{asked.label}” is known only inside a running flow. Nothing was counted; ask for something else here.",
            "not_in_sql",
        )
    return _compared(asked, operator, asked.sql(scope), value, scope)


def _compared(asked: Field, operator: Operator, seen: Any, value: Any, scope: Scope) -> Q:
    seen = Folded(seen) if asked.kind == "text" else seen
    found = operator.sql(seen, for_sql(value), Clock(scope.now, scope.store.tz))
    if asked.kind not in {"text", "choice"}:
        return found
    empty = OPERATORS["is"].sql(seen, "", Clock(scope.now, scope.store.tz))
    if operator.negative:
        return found & ~empty
    return found | empty if operator is OPERATORS["is_not_set"] else found


def _list(asked: Field, op: str, value: Any, scope: Scope) -> Q:
    items = asked.items
    assert items is not None

    def has(values: Sequence[Any]) -> Q:
        if items.match:
            where = items.match(scope, values)
        elif asked.of == "text":
            where = Q(In(Folded(F(items.item)), list(values)))
        else:
            where = Q(**{f"{items.item}__in": list(values)})
        return Q(pk__in=items.owners(scope, where))

    if op in {"is_set", "is_not_set"}:
        where = items.some or Q(**{f"{items.item}__isnull": False})
        if items.some is None and asked.of in {"text", "choice"}:
            where &= ~Q(Exact(F(items.item), ""))
        some = Q(pk__in=items.owners(scope, where))
        return some if op == "is_set" else ~some
    if op == "all_of":
        return Q(*[has([one]) for one in value])
    if op == "none_of":
        return ~has(value)
    return has(value if isinstance(value, list) else [value])
