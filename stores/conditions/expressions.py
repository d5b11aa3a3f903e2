"""Pieces of SQL that mean the same on SQLite and PostgreSQL, and the same as Python."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.db.models import (
    BooleanField,
    Case,
    Count,
    DecimalField,
    Expression,
    F,
    Func,
    IntegerField,
    Q,
    QuerySet,
    Subquery,
    Sum,
    TextField,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Round

NOBODY = Q(pk__in=[])
EVERYBODY = ~NOBODY
_FOLDING = {n: n + 32 for n in range(ord("A"), ord("Z") + 1)}


def fold(text: str) -> str:
    """Small letters for A to Z alone: the one folding on which Python and both databases agree."""
    return text.translate(_FOLDING)


class Folded(Func):
    """`fold` in SQL."""

    function = "LOWER"
    output_field = TextField()

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template='LOWER((%(expressions)s)::text COLLATE "C")', **extra)


class DaysBetween(Func):
    """Whole days from the second time to the first, counted in whole seconds, cut towards zero."""

    arity = 2
    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        (later, one), (earlier, other) = [compiler.compile(each) for each in self.source_expressions]
        seconds = f"CAST(strftime('%%s', {later}) AS INTEGER) - CAST(strftime('%%s', {earlier}) AS INTEGER)"
        return f"(({seconds}) / 86400)", (*one, *other)

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        (later, one), (earlier, other) = [compiler.compile(each) for each in self.source_expressions]
        seconds = f"FLOOR(EXTRACT(EPOCH FROM {later})) - FLOOR(EXTRACT(EPOCH FROM {earlier}))"
        return f"TRUNC(({seconds}) / 86400)::integer", (*one, *other)


class JSONHas(Func):
    """Whether the JSON array in a column, or under a key of it, has an element: a scalar, or an object with some keys."""

    output_field = BooleanField()
    conditional = True

    def __init__(self, column: str, wanted: object, *, key: str = "", **extra: Any) -> None:
        super().__init__(F(column), **extra)
        self.wanted, self.key = wanted, key

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        column, params = compiler.compile(self.source_expressions[0])
        path = f"$.{json.dumps(self.key)}" if self.key else "$"
        if isinstance(self.wanted, Mapping):
            keys = " AND ".join("json_extract(json_each.value, %s) = %s" for _ in self.wanted)
            # What is no object may be no JSON either; SQLite keeps the order of CASE, not that of AND.
            tests = f"CASE WHEN json_each.type = 'object' THEN {keys} ELSE 0 END"
            values = [each for name, value in self.wanted.items() for each in (f"$.{json.dumps(name)}", value)]
        else:
            tests, values = "json_each.value = %s", [self.wanted]
        found = f"EXISTS(SELECT 1 FROM json_each({column}, %s) WHERE {tests})"  # noqa: S608 - placeholders only
        return found, (*params, path, *values)

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        column, params = compiler.compile(self.source_expressions[0])
        array = f"({column} -> %s)" if self.key else column
        keys = (self.key,) if self.key else ()
        return f"COALESCE({array} @> %s::jsonb, FALSE)", (*params, *keys, json.dumps([self.wanted]))


def number(value: Decimal | int) -> Value:
    """A number to compare with, of the same sort on both sides."""
    return Value(Decimal(value), output_field=DecimalField())


def two_valued(condition: Q) -> Q:
    """The condition with NULL taken as false, so that its negation holds where nothing is known."""
    return Q(Case(When(condition, then=Value(True)), default=Value(False), output_field=BooleanField()))


def yes_no(condition: Q | Any) -> Case:
    """A condition as a value that is never NULL."""
    return Case(When(condition, then=Value(True)), default=Value(False), output_field=BooleanField())


def exact(value: Expression | Any) -> Round:
    """A sum or quotient of money, cut where SQLite's binary fractions would show."""
    return Round(value, precision=4, output_field=DecimalField())


def count_of(rows: QuerySet[Any], owner: str) -> Coalesce:
    """How many of `rows` there are; they are filtered by `owner=OuterRef("pk")` already."""
    counted = rows.order_by().values(owner).annotate(n_of_owner=Count("pk")).values("n_of_owner")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


def sum_of(rows: QuerySet[Any], owner: str, value: Any) -> Round:
    """The sum of `value` over such rows; 0 where there are none."""
    summed = rows.order_by().values(owner).annotate(sum_of_owner=Sum(value)).values("sum_of_owner")
    return exact(
        Coalesce(Subquery(summed, output_field=DecimalField()), Value(Decimal(0)), output_field=DecimalField())
    )


def first_of(rows: QuerySet[Any], column: str, output: Any) -> Subquery:
    """`column` of the first of such rows in their order; NULL where there are none."""
    return Subquery(rows.values(column)[:1], output_field=output)
