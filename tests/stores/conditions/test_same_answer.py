"""SQL about many and Python about one person give the same answer, whatever is asked, on both databases."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stores import conditions
from stores.conditions import CUSTOMER, EVENT, LINE, ORDER, Field, Subject
from stores.conditions.operators import fitting
from stores.models import Store
from tests.factories import NOON
from tests.stores.conditions.population import make_shop

pytestmark = pytest.mark.django_db
NOW = NOON + timedelta(hours=5)
PROPERTY = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@contextmanager
def _shop(seed: int) -> Iterator[Store]:
    with transaction.atomic():
        yield make_shop(seed)
        transaction.set_rollback(True)


def subjects_of(store: Store, about: str) -> list[tuple[int, Subject]]:
    rows = conditions.find(None, store, about)
    if about == CUSTOMER:
        return [(row.pk, Subject(store, row)) for row in rows]
    if about == ORDER:
        return [(row.pk, Subject(store, row.customer, row)) for row in rows.select_related("customer")]
    found = rows.select_related("order__customer")
    return [(row.pk, Subject(store, row.order.customer, row.order, line=row)) for row in found]


def seen_by(subjects: list[tuple[int, Subject]]) -> dict[str, list[Any]]:
    """What each field tells about somebody, so that values are drawn that meet someone."""
    asked = [one for one in conditions.fields() if one.subject != EVENT]
    rows = conditions.load([one.name for one in asked], [subject for _pk, subject in subjects], now=NOW)
    found: dict[str, list[Any]] = {}
    for one in asked:
        values = [row[one.name] for row in rows if row[one.name] not in (None, [])]
        flat = [each for value in values for each in (value if isinstance(value, list) else [value])]
        found[one.name] = sorted(set(flat), key=str)
    return found


def _scalar(field: Field, seen: list[Any]) -> st.SearchStrategy[Any]:
    kind = field.item_kind
    if kind == "bool":
        return st.booleans()
    if kind in {"number", "money"}:
        near = [str(value + step) for value in seen for step in (0, Decimal("0.0001"), Decimal("-0.1"))]
        return st.sampled_from([*near, "0", "1", "0.3", "-5"])
    if kind == "id":
        return st.sampled_from([*seen, 1, 2, 100])
    parts = [part for value in seen for part in (value, value.upper(), value[:3], value[-2:], value[1:4]) if part]
    return st.sampled_from([*parts, "RO", "%", "_"])


def _value(field: Field, takes: str, seen: list[Any]) -> st.SearchStrategy[Any]:
    if takes == "days":
        return st.integers(0, 400)
    if takes == "date":
        days = [moment.date().isoformat() for moment in seen]
        return st.sampled_from([*days, "2026-11-20", "2026-03-29"])
    if takes == "weekdays":
        return st.lists(st.sampled_from(["mon", "fri", "sun"]), min_size=1, max_size=3)
    if takes == "months":
        return st.lists(st.integers(1, 12), min_size=1, max_size=4)
    one = _scalar(field, seen)
    return st.lists(one, min_size=1, max_size=3) if takes == "values" else one


@st.composite
def _leaf(draw: Any, seen: dict[str, list[Any]]) -> dict[str, Any]:
    field = draw(st.sampled_from([one for one in conditions.fields() if one.subject != EVENT]))
    name, operator = draw(st.sampled_from(sorted(fitting(field).items(), key=lambda pair: pair[0])))
    leaf: dict[str, Any] = {"field": field.name, "op": name}
    if operator.takes_value:
        leaf["value"] = draw(_value(field, operator.takes, seen[field.name]))
    if field.timed and draw(st.booleans()):
        leaf["within"] = draw(st.sampled_from([1, 30, 200, 3650]))
    return leaf


def _trees(seen: dict[str, list[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.recursive(
        _leaf(seen),
        lambda below: st.one_of(
            st.builds(lambda some: {"all": some}, st.lists(below, min_size=1, max_size=3)),
            st.builds(lambda some: {"any": some}, st.lists(below, min_size=1, max_size=3)),
            st.builds(lambda some: {"not": some}, st.lists(below, min_size=1, max_size=2)),
            st.builds(lambda one: {"not": one}, below),
        ),
        max_leaves=6,
    )


@PROPERTY
@given(seed=st.integers(0, 2**32), about=st.sampled_from([CUSTOMER, ORDER, LINE]), data=st.data())
def test_many_and_one_are_answered_alike(seed: int, about: str, data: st.DataObject) -> None:
    with _shop(seed) as store:
        subjects = subjects_of(store, about)
        seen = seen_by(subjects)
        for _round in range(5):
            tree = data.draw(_trees(seen))
            if conditions.faults(tree):
                continue
            values = conditions.load(conditions.fields_of([tree]), [one for _pk, one in subjects], now=NOW)
            one_by_one = {pk for (pk, _s), row in zip(subjects, values, strict=True) if conditions.holds(tree, row)}
            assert set(conditions.find(tree, store, about, now=NOW).values_list("pk", flat=True)) == one_by_one, tree
            against = conditions.find({"not": tree}, store, about, now=NOW)
            assert set(against.values_list("pk", flat=True)) == {pk for pk, _s in subjects} - one_by_one, tree


@pytest.mark.parametrize("about", [CUSTOMER, ORDER, LINE])
def test_every_field_and_operator_is_answered_alike(about: str) -> None:
    """Not by chance: each field with each of its operators, on two shops."""
    for seed in range(2):
        store = make_shop(seed)
        subjects = subjects_of(store, about)
        seen = seen_by(subjects)
        for field in conditions.fields():
            if field.subject == EVENT:
                continue
            for name, operator in fitting(field).items():
                leaf: dict[str, Any] = {"field": field.name, "op": name}
                if operator.takes_value:
                    leaf["value"] = example(field, operator.takes, seen[field.name])
                assert conditions.faults(leaf) == []
                values = conditions.load(conditions.fields_of([leaf]), [one for _pk, one in subjects], now=NOW)
                expected = {pk for (pk, _s), row in zip(subjects, values, strict=True) if conditions.holds(leaf, row)}
                found = set(conditions.find(leaf, store, about, now=NOW).values_list("pk", flat=True))
                assert found == expected, leaf


def example(field: Field, takes: str, seen: list[Any]) -> Any:
    if takes == "days":
        return 100
    if takes == "date":
        return seen[0].date().isoformat() if seen else "2026-11-20"
    if takes == "weekdays":
        return ["mon", "tue", "wed"]
    if takes == "months":
        return [10, 11]
    nothing = {"bool": True, "number": "1", "money": "1", "id": 1}
    one: Any = seen[len(seen) // 2] if seen else nothing.get(field.item_kind, "x")
    return [one] if takes == "values" else one
