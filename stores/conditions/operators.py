"""The comparisons. Each says which kinds it fits, what value it takes, and is written twice: for Python and for SQL.

A test never sees None, except those of `is_set` and `is_not_set`; SQL is NULL where nothing is known. Free texts are
compared without regard to capital letters (A to Z): both sides come here folded.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q, Value
from django.db.models.functions import ExtractIsoWeekDay, ExtractMonth, Left, Right, StrIndex
from django.db.models.lookups import Exact, GreaterThan, GreaterThanOrEqual, In, IsNull, LessThan, LessThanOrEqual
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from stores.conditions.base import Field
from stores.conditions.expressions import fold, number

NUMBERS, TEXTS = ("number", "money"), ("text", "choice")
EXACT = (*NUMBERS, *TEXTS, "id")
KINDS = (*EXACT, "moment", "bool", "list")
MAX_DAYS, MAX_LIST, MAX_TEXT, MAX_NUMBER = 36_500, 500, 500, Decimal(10) ** 11
WEEKDAYS = {
    "mon": _("Monday"),
    "tue": _("Tuesday"),
    "wed": _("Wednesday"),
    "thu": _("Thursday"),
    "fri": _("Friday"),
    "sat": _("Saturday"),
    "sun": _("Sunday"),
}
MONTHS = {
    str(n): name
    for n, name in enumerate(
        [
            _("January"),
            _("February"),
            _("March"),
            _("April"),
            _("May"),
            _("June"),
            _("July"),
            _("August"),
            _("September"),
            _("October"),
            _("November"),
            _("December"),
        ],
        1,
    )
}


@dataclass(frozen=True)
class Clock:
    """The time at which a condition is judged, and the store's zone."""

    now: datetime
    zone: ZoneInfo


Test = Callable[[Any, Any, Clock], bool]
# From the field's expression, the value ready for SQL, and the clock.
AsQ = Callable[[Any, Any, Clock], Q]


@dataclass(frozen=True)
class Operator:
    """A comparison: its words, the kinds it fits, its test and its SQL.

    `takes` says what stands in `value`: "value" (one of the field's kind), "values" (a list of such), "nothing", "days"
    (whole days), "date" (an ISO date), "weekdays" or "months" (a list). `negative` ones would hold for an empty text.
    """

    words: str | Promise
    kinds: tuple[str, ...]
    takes: str
    test: Test
    sql: AsQ
    negative: bool = False

    @property
    def takes_value(self) -> bool:
        return self.takes != "nothing"

    @property
    def takes_list(self) -> bool:
        return self.takes in {"values", "weekdays", "months"}

    @property
    def timed(self) -> bool:
        """Whether its answer depends on the clock."""
        return self.kinds == ("moment",)


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a day in a zone."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def _next_day(day: date, zone: ZoneInfo) -> datetime:
    return day_start(day + timedelta(days=1), zone)


def _compare(lookup: Any) -> AsQ:
    return lambda seen, value, _clock: Q(lookup(seen, value))


def _one_of(seen: Any, values: list[Any], _clock: Clock) -> Q:
    # Each by itself: SQLite compares a number in a list as text with what is not a column.
    return Q(*[Q(Exact(seen, value)) for value in values], _connector=Q.OR)


def _not(positive: AsQ) -> AsQ:
    return lambda seen, value, clock: ~positive(seen, value, clock)


def _contains(seen: Any, value: str, _clock: Clock) -> Q:
    return Q(GreaterThan(StrIndex(seen, Value(value)), 0))


def _on_day(seen: Any, day: date, clock: Clock) -> Q:
    start, end = day_start(day, clock.zone), _next_day(day, clock.zone)
    return Q(GreaterThanOrEqual(seen, start)) & Q(LessThan(seen, end))


def _days(n: int) -> timedelta:
    return timedelta(days=n)


OPERATORS: dict[str, Operator] = {
    "is": Operator(_("is"), (*EXACT, "bool"), "value", lambda seen, value, _c: seen == value, _compare(Exact)),
    "is_not": Operator(
        _("is not"),
        (*EXACT, "bool"),
        "value",
        lambda seen, value, _c: seen != value,
        _not(_compare(Exact)),
        negative=True,
    ),
    "in": Operator(_("is one of"), EXACT, "values", lambda seen, value, _c: seen in value, _one_of),
    "not_in": Operator(
        _("is none of"), EXACT, "values", lambda seen, value, _c: seen not in value, _not(_one_of), negative=True
    ),
    "gt": Operator(_("is more than"), NUMBERS, "value", lambda seen, value, _c: seen > value, _compare(GreaterThan)),
    "gte": Operator(
        _("is at least"), NUMBERS, "value", lambda seen, value, _c: seen >= value, _compare(GreaterThanOrEqual)
    ),
    "lt": Operator(_("is less than"), NUMBERS, "value", lambda seen, value, _c: seen < value, _compare(LessThan)),
    "lte": Operator(
        _("is at most"), NUMBERS, "value", lambda seen, value, _c: seen <= value, _compare(LessThanOrEqual)
    ),
    "contains": Operator(_("contains"), ("text", "list"), "value", lambda seen, value, _c: value in seen, _contains),
    "contains_not": Operator(
        _("does not contain"),
        ("text",),
        "value",
        lambda seen, value, _c: value not in seen,
        _not(_contains),
        negative=True,
    ),
    "starts_with": Operator(
        _("begins with"),
        ("text",),
        "value",
        lambda seen, value, _c: seen.startswith(value),
        lambda seen, value, _c: Q(Exact(Left(seen, len(value)), value)),
    ),
    "ends_with": Operator(
        _("ends with"),
        ("text",),
        "value",
        lambda seen, value, _c: seen.endswith(value),
        lambda seen, value, _c: Q(Exact(Right(seen, len(value)), value)),
    ),
    # A list asks the database through its rows (`asking`), never through an expression.
    "any_of": Operator(
        _("has one of"), ("list",), "values", lambda seen, value, _c: any(one in seen for one in value), _one_of
    ),
    "all_of": Operator(
        _("has all of"), ("list",), "values", lambda seen, value, _c: all(one in seen for one in value), _one_of
    ),
    "none_of": Operator(
        _("has none of"), ("list",), "values", lambda seen, value, _c: not any(one in seen for one in value), _one_of
    ),
    "within_days": Operator(
        _("was in the last days:"),
        ("moment",),
        "days",
        lambda seen, n, clock: clock.now - _days(n) <= seen <= clock.now,
        lambda seen, n, clock: Q(GreaterThanOrEqual(seen, clock.now - _days(n))) & Q(LessThanOrEqual(seen, clock.now)),
    ),
    "days_ago": Operator(
        _("was more days ago than"),
        ("moment",),
        "days",
        lambda seen, n, clock: seen < clock.now - _days(n),
        lambda seen, n, clock: Q(LessThan(seen, clock.now - _days(n))),
    ),
    "next_days": Operator(
        _("is in the next days:"),
        ("moment",),
        "days",
        lambda seen, n, clock: clock.now < seen <= clock.now + _days(n),
        lambda seen, n, clock: Q(GreaterThan(seen, clock.now)) & Q(LessThanOrEqual(seen, clock.now + _days(n))),
    ),
    "before": Operator(
        _("is before"),
        ("moment",),
        "date",
        lambda seen, day, clock: seen < day_start(day, clock.zone),
        lambda seen, day, clock: Q(LessThan(seen, day_start(day, clock.zone))),
    ),
    "after": Operator(
        _("is after"),
        ("moment",),
        "date",
        lambda seen, day, clock: seen >= _next_day(day, clock.zone),
        lambda seen, day, clock: Q(GreaterThanOrEqual(seen, _next_day(day, clock.zone))),
    ),
    "on": Operator(
        _("is on"),
        ("moment",),
        "date",
        lambda seen, day, clock: day_start(day, clock.zone) <= seen < _next_day(day, clock.zone),
        _on_day,
    ),
    "on_weekday": Operator(
        _("is on a"),
        ("moment",),
        "weekdays",
        lambda seen, days, clock: seen.astimezone(clock.zone).isoweekday() in days,
        lambda seen, days, clock: Q(In(ExtractIsoWeekDay(seen, tzinfo=clock.zone), days)),
    ),
    "in_month": Operator(
        _("is in the month"),
        ("moment",),
        "months",
        lambda seen, months, clock: seen.astimezone(clock.zone).month in months,
        lambda seen, months, clock: Q(In(ExtractMonth(seen, tzinfo=clock.zone), months)),
    ),
    "is_set": Operator(
        _("is known"),
        KINDS,
        "nothing",
        lambda seen, _v, _c: seen is not None and seen != [],
        lambda seen, _v, _c: Q(IsNull(seen, False)),
        negative=True,
    ),
    "is_not_set": Operator(
        _("is not known"),
        KINDS,
        "nothing",
        lambda seen, _v, _c: seen is None or seen == [],
        lambda seen, _v, _c: Q(IsNull(seen, True)),
    ),
}
# Those whose test wants to see None.
ABOUT_KNOWING = ("is_set", "is_not_set")


def fitting(asked: Field) -> dict[str, Operator]:
    """The operators that fit a field, by name."""
    return {name: each for name, each in OPERATORS.items() if asked.kind in each.kinds and name not in asked.without}


def value_of(kind: str, takes: str, raw: Any) -> Any:
    """The value of a leaf, ready to compare; ValueError or InvalidOperation when it is none. `kind` is that of one item."""
    if takes in {"values", "weekdays", "months"}:
        if not isinstance(raw, list) or not 0 < len(raw) <= MAX_LIST:
            raise ValueError(raw)
        if takes == "weekdays":
            return [list(WEEKDAYS).index(one) + 1 for one in raw]
        if takes == "months":
            if not all(_is_whole(one) and 1 <= int(one) <= 12 for one in raw):
                raise ValueError(raw)
            return [int(one) for one in raw]
        return [_scalar(kind, one) for one in raw]
    if takes == "days":
        if not _is_whole(raw) or not 0 <= int(raw) <= MAX_DAYS:
            raise ValueError(raw)
        return int(raw)
    if takes == "date":
        if isinstance(raw, date):
            return raw
        day = date.fromisoformat(raw if isinstance(raw, str) else "")
        if not 1900 <= day.year <= 2999:
            raise ValueError(raw)
        return day
    return _scalar(kind, raw)


def _is_whole(raw: Any) -> bool:
    """A whole number, as such or in digits."""
    if isinstance(raw, str):
        return raw.isascii() and raw.isdigit() and len(raw) < 19
    return isinstance(raw, int) and not isinstance(raw, bool)


def _scalar(kind: str, raw: Any) -> Any:
    if kind == "bool":
        if not isinstance(raw, bool):
            raise ValueError(raw)
        return raw
    if kind == "id":
        if not _is_whole(raw) or not 0 <= int(raw) < 2**63:
            raise ValueError(raw)
        return int(raw)
    if kind in NUMBERS:
        if isinstance(raw, bool | float) or not isinstance(raw, int | str | Decimal):
            raise ValueError(raw)
        found = Decimal(raw)
        if not found.is_finite() or abs(found) >= MAX_NUMBER:
            raise ValueError(raw)
        return found
    if not isinstance(raw, str) or not raw or len(raw) > MAX_TEXT or "\x00" in raw:
        raise ValueError(raw)
    return fold(raw) if kind == "text" else raw


def for_sql(value: Any) -> Any:
    """A value of `value_of` as the right side of a comparison in SQL."""
    if isinstance(value, list):
        return [for_sql(one) for one in value]
    return number(value) if isinstance(value, Decimal) else value
