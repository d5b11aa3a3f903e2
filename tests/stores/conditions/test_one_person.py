"""Conditions: a sentence for each fault, a verdict for each person, the same queries for one or many."""

from decimal import Decimal

import pytest

from stores import conditions
from stores.conditions import Subject
from tests.factories import make_order, make_product, make_store

TOTAL = {"field": "order.total", "op": "gt", "value": "100"}


@pytest.mark.parametrize(
    ("tree", "sentence"),
    [
        ("cod", "condition: a condition is a group (all, any, not) or field, op and value, not 'cod'."),
        ({"all": []}, "condition: the group is empty; add a condition or remove it."),
        ({"all": [TOTAL], "any": [TOTAL]}, "condition: a group has one key, all, any or not; this one has all, any."),
        ({**TOTAL, "unit": "RON"}, "condition: unit is not known; a condition has field, op and value."),
        (
            {"field": "order.total", "op": "contains", "value": "1"},
            "condition: 'contains' does not fit the order's total. Use is, is_not, in, not_in, gt, gte, lt, lte, is_set, is_not_set.",
        ),
        ({"field": "order.total", "op": "gt"}, "condition: a value to compare the order's total with is missing."),
        (
            {"field": "order.total", "op": "gt", "value": "much"},
            "condition: the order's total is more than needs an amount, not 'much'.",
        ),
        (
            {"field": "order.total", "op": "gt", "value": "NaN"},
            "condition: the order's total is more than needs an amount, not 'NaN'.",
        ),
        (
            {"field": "order.status", "op": "in", "value": "paid"},
            "condition: the order's status is one of needs a list of values, not 'paid'.",
        ),
        (
            {"field": "order.paid", "op": "is", "value": "yes"},
            "condition: the order is paid is needs true or false, not 'yes'.",
        ),
        ({"field": "order.status", "op": "is_set", "value": 1}, "condition: is_set takes no value."),
        (
            {"all": [TOTAL, {"any": [{**TOTAL, "op": "bigger"}]}]},
            "condition, part 2, part 1: 'bigger' does not fit the order's total."
            " Use is, is_not, in, not_in, gt, gte, lt, lte, is_set, is_not_set.",
        ),
    ],
)
def test_a_fault_is_told_in_a_sentence(tree, sentence):
    assert conditions.faults(tree) == [sentence]


def test_an_unknown_field_is_refused_with_those_that_exist():
    [sentence] = conditions.faults({"field": "order.colour", "op": "is", "value": "red"})
    assert sentence.startswith("condition: there is no field 'order.colour'. Known are customer.account, ")


def test_groups_deeper_than_five_are_refused():
    tree = TOTAL
    for _ in range(5):
        tree = {"all": [tree]}
    assert len(conditions.faults(tree)) == 1
    assert conditions.faults(tree["all"][0]) == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("tree", "verdict"),
    [
        (TOTAL, True),
        ({"field": "order.total", "op": "gt", "value": 119}, False),
        ({"all": [TOTAL, {"field": "order.status", "op": "is", "value": "completed"}]}, False),
        ({"any": [TOTAL, {"field": "order.status", "op": "is", "value": "completed"}]}, True),
        ({"not": TOTAL}, False),
        ({"not": [{"field": "order.country", "op": "in", "value": ["DE", "AT"]}]}, True),
        ({"field": "order.payment_method", "op": "in", "value": ["cod", "card"]}, True),
        ({"field": "order.paid", "op": "is", "value": True}, True),
        ({"field": "order.delivered", "op": "is", "value": False}, True),
        ({"field": "customer.language", "op": "is_set"}, True),
        ({"field": "customer.email_domain", "op": "contains", "value": "EXAMPLE"}, True),
    ],
)
def test_a_condition_is_judged_for_one_order(tree, verdict):
    order = make_order(make_store())
    assert conditions.faults(tree) == []
    assert conditions.matches(tree, Subject(order.store, order.customer, order)) is verdict


@pytest.mark.django_db
def test_what_is_not_known_fails_every_comparison():
    order = make_order(make_store())
    nothing = Subject(order.store, order.customer)
    assert not conditions.matches({"field": "order.status", "op": "is_not", "value": "cancelled"}, nothing)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, "processing"),
        ({"refunded": Decimal("119")}, "refunded"),
        ({"trashed_at": "2026-11-20T12:00Z"}, "trash"),
        ({"deleted_at": "2026-11-20T12:00Z"}, "deleted"),
    ],
)
def test_the_status_tells_of_refunds_and_of_orders_that_are_gone(change, status):
    assert conditions.present_status(make_order(make_store(), **change)) == status


@pytest.mark.django_db
def test_many_people_cost_the_queries_of_one(django_assert_num_queries):
    store = make_store()
    product = make_product(store)
    subjects = [
        Subject(store, order.customer, order)
        for order in [make_order(store, items=[(product, n)]) for n in range(1, 5)]
    ]
    with django_assert_num_queries(1):
        values = conditions.load(["order.items_count", "order.total"], subjects)
    assert [row["order.items_count"] for row in values] == [1, 2, 3, 4]


def test_a_condition_reads_as_words():
    tree = {"all": [TOTAL, {"field": "order.paid", "op": "is", "value": False}, {"not": TOTAL}]}
    assert conditions.describe(tree) == (
        "the order's total is more than 100, and not: the order is paid, and not (the order's total is more than 100)"
    )


def test_what_must_all_hold_is_told_one_by_one() -> None:
    big = {"field": "order.total", "op": "gt", "value": 100}
    paid = {"field": "order.paid", "op": "is", "value": True}
    assert conditions.parts({"all": [big, paid]}) == ["the order's total is more than 100", "the order is paid"]
    assert conditions.parts({"any": [big, paid]}) == ["the order's total is more than 100, or the order is paid"]
    assert conditions.parts(None) == conditions.parts({}) == []
