"""The answer for one person: values loaded for many at once, then compared in Python."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from postpurchase import clock
from stores.conditions.base import (
    CUSTOMER,
    LINE,
    MODELS,
    MOMENT,
    ORDER,
    Condition,
    Field,
    Scope,
    Subject,
    children,
    field_of,
    key_of,
    known,
)
from stores.conditions.expressions import fold
from stores.conditions.operators import ABOUT_KNOWING, OPERATORS, Clock, value_of
from stores.models import Store

# What tests get that do not ask the time.
TIMELESS = Clock(datetime.min.replace(tzinfo=UTC), ZoneInfo("UTC"))
# The clock stands among the values of a subject when a condition asks it.
CLOCK = "@clock"


def fields_of(trees: Iterable[Condition]) -> frozenset[str]:
    """What must be loaded to judge conditions: their fields, those with a time frame as "name@days", and the clock."""
    found: set[str] = set()
    for tree in trees:
        below = children(tree)
        if below is not None:
            found |= fields_of(below)
            continue
        found.add(key_of(tree))
        if OPERATORS[tree["op"]].timed:
            found.add(CLOCK)
    return frozenset(found)


def load(names: Iterable[str], subjects: Sequence[Subject], *, now: datetime | None = None) -> list[dict[str, Any]]:
    """The values that `fields_of` names, for each subject.

    However many subjects of a store there are: a query for each kind of row that has to be read, one or two for each
    list, and those that a field's own `load` makes.
    """
    values: list[dict[str, Any]] = [{} for _ in subjects]
    at = now or clock.now()
    by_store: dict[int, list[int]] = defaultdict(list)
    for place, subject in enumerate(subjects):
        by_store[subject.store.pk].append(place)
    read: dict[str, list[str]] = defaultdict(list)
    for name in names:
        if name == CLOCK:
            for row, subject in zip(values, subjects, strict=True):
                row[name] = Clock(at, subject.store.tz)
            continue
        known_field, _within = field_of(name)
        if known_field.load:
            for row, value in zip(values, known_field.load(subjects), strict=True):
                row[name] = _seen(known_field, value)
        else:
            read[known_field.subject].append(name)
    for places in by_store.values():
        some = [subjects[place] for place in places]
        for about, wanted in read.items():
            for place, row in zip(places, _read(about, wanted, some, at), strict=True):
                values[place] |= row
    return values


def pk_of(subject: Subject, about: str) -> int | None:
    """The pk of the row that a field about such a subject is read from."""
    if about == CUSTOMER:
        return subject.customer.pk
    row = subject.order if about == ORDER else subject.line if about == LINE else None
    return row.pk if row else None


def _read(about: str, names: Sequence[str], subjects: Sequence[Subject], now: datetime) -> list[dict[str, Any]]:
    """Values that the database tells, for subjects of one store."""
    store = subjects[0].store
    if about == MOMENT:
        row = {}
        for name in names:
            asked, within = field_of(name)
            row[name] = _seen(asked, asked.sql(Scope(store, now, within)) if asked.sql else None)
        return [dict(row) for _ in subjects]
    pks = [pk_of(subject, about) for subject in subjects]
    wanted = {pk for pk in pks if pk is not None}
    found: dict[str, dict[int, Any]] = {}
    plain = []
    for name in names:
        asked, within = field_of(name)
        if asked.items:
            found[name] = _lists(asked, wanted, Scope(store, now, within))
        elif asked.sql:
            plain.append((name, asked, asked.sql(Scope(store, now, within))))
    if plain and wanted and about in MODELS:
        asked_for = {f"asked_{n}": expression for n, (_n, _f, expression) in enumerate(plain)}
        rows = MODELS[about]._default_manager.filter(pk__in=wanted).annotate(**asked_for)
        for pk, *seen in rows.values_list("pk", *asked_for):
            for (name, asked, _e), value in zip(plain, seen, strict=True):
                found.setdefault(name, {})[pk] = _seen(asked, value)
    return [{name: found.get(name, {}).get(pk) if pk is not None else None for name in names} for pk in pks]


def _lists(asked: Field, owners: set[int], scope: Scope) -> dict[int, list[Any]]:
    items = asked.items
    assert items is not None
    found: dict[int, list[Any]] = {pk: [] for pk in owners}
    if not owners:
        return found
    rows = items.rows(scope).filter(**{f"{items.owner}__in": owners}).order_by()
    pairs = list(rows.values_list(items.owner, items.item).distinct())
    unfold = items.unfold(scope, [raw for _owner, raw in pairs]) if items.unfold else None
    for owner, raw in pairs:
        for one in unfold(raw) if unfold else [raw]:
            if one is not None and one != "":
                found[owner].append(fold(one) if asked.of == "text" else one)
    return found


def _seen(asked: Field, value: Any) -> Any:
    """A value as it is compared: an empty text is not known, free texts are folded."""
    if value is None or value == "":
        return None
    return fold(value) if asked.kind == "text" else value


def holds(tree: Condition, values: Mapping[str, Any]) -> bool:
    """Judge a checked condition. A field about which nothing is known fails every comparison, whatever the operator."""
    for joint, judge in (("all", all), ("any", any)):
        if joint in tree:
            return judge(holds(child, values) for child in tree[joint])
    if "not" in tree:
        return not any(holds(child, values) for child in children(tree) or [])
    asked, operator = known(tree["field"]), OPERATORS[tree["op"]]
    assert asked is not None
    seen = values[key_of(tree)]
    if tree["op"] in ABOUT_KNOWING:
        return operator.test(seen, None, values.get(CLOCK, TIMELESS))
    if seen is None:
        return False
    return operator.test(seen, value_of(asked.item_kind, operator.takes, tree["value"]), values.get(CLOCK, TIMELESS))


def matches(tree: Condition, subject: Subject, *, now: datetime | None = None) -> bool:
    """Load and judge for one subject."""
    return holds(tree, load(fields_of([tree]), [subject], now=now)[0])


def time_values(tree: Condition, store: Store, now: datetime) -> dict[str, Any]:
    """The values of fields that ask the store's clock alone."""
    names = [name for name in fields_of([tree]) if name != CLOCK]
    row = {}
    for name in names:
        asked, within = field_of(name)
        row[name] = _seen(asked, asked.sql(Scope(store, now, within)) if asked.sql else None)
    return {CLOCK: Clock(now, store.tz), **row}
