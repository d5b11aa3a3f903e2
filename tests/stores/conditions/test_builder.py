"""The condition builder: from a tree to rows and back, row by row, without a script."""

from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client
from django.urls import reverse

from stores import conditions
from stores.conditions import CUSTOMER, ORDER
from stores.conditions.builder import Builder
from stores.models import Store
from tests.factories import make_customer, make_product, make_store, make_user

pytestmark = pytest.mark.django_db
BIG = {"field": "order.total", "op": "gt", "value": "100"}
PAID = {"field": "order.paid", "op": "is", "value": True}
DAYS = {"field": "order.placed_at", "op": "on_weekday", "value": ["mon", "sun"]}
BOUGHT = {"field": "customer.products", "op": "any_of", "value": [7, 9], "within": 90}


def sent(builder: Builder, **more: str) -> QueryDict:
    """What a browser would send for the builder as it is shown."""
    found = QueryDict(mutable=True)
    prefix = builder.prefix
    found[f"{prefix}-groups"] = builder.group_numbers
    if builder.kept is not None:
        found[f"{prefix}-kept"] = builder.kept_text
    for group in builder.shown:
        found[f"{prefix}-g{group.group.n}-joint"] = group.group.joint
        found[f"{prefix}-g{group.group.n}-rows"] = group.numbers
        for row in group.rows:
            found[f"{row.name}-was"] = found[f"{row.name}-field"] = row.row.field
            found[f"{row.name}-op"] = row.row.op
            found[f"{row.name}-within"] = row.row.within
            if row.control in {"select", "selects", "checks", "bool"}:
                found.setlist(f"{row.name}-value", [value for value, _words, chosen in row.options if chosen])
            elif row.control != "none":
                found[f"{row.name}-value"] = row.text
    for name, value in more.items():
        found[f"{prefix}-{name.replace('_', '-')}"] = value
    return found


def again(store: Store, builder: Builder, **more: str) -> Builder:
    data = sent(builder, **more)
    return Builder.read(data, store=store, subject=builder.subject, prefix=builder.prefix)


@pytest.mark.parametrize(
    "tree",
    [
        BIG,
        {"all": [BIG, PAID, DAYS]},
        {"any": [BIG, {"all": [PAID, DAYS]}, {"not": [BOUGHT]}]},
        {"not": [BIG, PAID]},
        {"all": [{"field": "customer.city", "op": "in", "value": ["Cluj", "Iași"]}, BOUGHT]},
        {"all": [{"field": "order.placed_at", "op": "within_days", "value": 30}, BIG]},
        {"all": [{"field": "order.placed_at", "op": "before", "value": "2026-12-24"}, BIG]},
        {
            "all": [
                {"field": "order.coupons", "op": "is_set"},
                {"field": "order.status", "op": "is", "value": "on-hold"},
            ]
        },
        {"all": [{"field": "order.total", "op": "in", "value": ["5", "7.5"]}, PAID]},
        {"all": [{"field": "order.placed_at", "op": "in_month", "value": [1, 12]}, PAID]},
    ],
)
def test_what_is_shown_and_sent_is_what_it_was(tree: Any) -> None:
    assert conditions.faults(tree) == []
    store = make_store()
    for woo_id in (7, 9):
        make_product(store, woo_id=woo_id)
    builder = Builder.of(tree, store=store, subject=ORDER, prefix="where")
    assert builder.kept is None
    back = again(store, builder)
    assert (back.tree, back.faults, back.acted) == (tree, [], False)


def test_rows_and_groups_are_added_and_taken_away_by_buttons() -> None:
    store = make_store()
    builder = Builder.of(BIG, store=store, subject=ORDER, prefix="where")
    builder = again(store, builder, do="add-0")
    assert builder.acted
    assert [row.row.field for row in builder.shown[0].rows] == ["order.total", ""]
    assert builder.tree == BIG
    builder = again(store, builder, do="group")
    assert [len(group.rows) for group in builder.shown] == [2, 1]
    builder = again(store, builder, do="remove-0")
    assert [len(group.rows) for group in builder.shown] == [1, 1]
    builder = again(store, builder, do="remove-2")
    assert [len(group.rows) for group in builder.shown] == [1]
    assert builder.tree is None


def test_another_field_brings_its_own_rules_and_no_old_value() -> None:
    store = make_store()
    builder = Builder.of(BIG, store=store, subject=ORDER, prefix="where")
    builder = again(store, builder, **{"0_field": "order.country", "do": "show"})
    [row] = builder.shown[0].rows
    assert (row.row.op, row.text) == ("is", "")
    assert dict(row.rules)["not_in"] == "is none of"
    assert [value for value, _words, _chosen in row.options] == ["RO"]


def test_a_row_that_is_wrong_says_so_beside_itself() -> None:
    store = make_store()
    builder = again(
        store, Builder.of({"all": [PAID, BIG]}, store=store, subject=ORDER, prefix="w"), **{"1_value": "much"}
    )
    assert builder.faults == ["Row 2: the order's total is more than needs an amount, not 'much'."]
    assert [row.row.fault != "" for row in builder.shown[0].rows] == [False, True]
    empty = again(store, Builder.of(BIG, store=store, subject=ORDER, prefix="w"), **{"0_value": " "})
    assert empty.faults == ["Row 1: a value to compare the order's total with is missing."]


def test_amounts_may_be_written_with_a_comma() -> None:
    store = make_store()
    builder = again(store, Builder.of(BIG, store=store, subject=ORDER, prefix="w"), **{"0_value": "1 250,5"})
    assert builder.tree == {**BIG, "value": "1250.5"}


def test_what_lies_deeper_than_rows_is_kept_and_told_in_words() -> None:
    store = make_store()
    tree = {"all": [{"any": [{"all": [BIG, PAID]}, PAID]}]}
    builder = Builder.of(tree, store=store, subject=ORDER, prefix="w")
    assert builder.sentence == "(the order's total is more than 100, and the order is paid), or the order is paid"
    assert again(store, builder).tree == tree
    afresh = again(store, builder, do="afresh")
    assert (afresh.tree, afresh.acted) == (None, True)


def test_what_was_sent_is_not_believed() -> None:
    store = make_store()
    data = QueryDict(mutable=True)
    data["w-kept"] = '{"field": "order.total", "op": "gt", "value": {"$where": 1}}'
    assert len(Builder.read(data, store=store, subject=ORDER, prefix="w").faults) == 1
    data["w-kept"] = "["
    assert Builder.read(data, store=store, subject=ORDER, prefix="w").tree is None
    data = QueryDict("w-g0-rows=0,0,x,-1,99999999999999999999&w-0-field=order.total&w-0-op=gt&w-0-was=order.total")
    builder = Builder.read(data, store=store, subject=CUSTOMER, prefix="w")
    assert builder.tree is None, "a field that is not offered for customers is not taken"


def test_only_what_fits_the_subject_is_offered() -> None:
    store = make_store()

    def names(subject: str, *, running: bool = False) -> set[str]:
        builder = Builder(store, subject, "w", running=running)
        return {one.name for _group, some in builder.offered for one in some}

    assert "order.total" not in names(CUSTOMER)
    assert {"order.total", "customer.spent", "time.hour"} <= names(ORDER)
    assert "event" not in names(ORDER)
    assert "event" in names(ORDER, running=True)


def test_the_builder_alone_is_redrawn(client: Client) -> None:
    store = make_store()
    make_customer(store, country="DE")
    client.force_login(make_user(store))
    builder = Builder.of(PAID, store=store, subject=ORDER, prefix="where")
    data = sent(builder, do="add-0")
    data["where-subject"] = "order-running"
    address = reverse("conditions", args=[store.slug])
    answer = client.post(f"{address}?prefix=where", data.urlencode(), content_type="application/x-www-form-urlencoded")
    page = answer.content.decode()
    assert answer.status_code == 200
    assert page.count('class="rule"') == 2
    assert 'value="order.paid" selected' in page
    assert "<html" not in page
    assert client.post(f"{address}?prefix=%3Cb%3E").status_code == 400


def test_the_page_asks_each_choice_once(django_assert_max_num_queries: Any, client: Client) -> None:
    store = make_store()
    rows = [{"field": "order.country", "op": "is", "value": "RO"}] * 8
    builder = Builder.of({"any": rows}, store=store, subject=ORDER, prefix="w")
    with django_assert_max_num_queries(1):
        assert all(row.options for row in builder.shown[0].rows)
