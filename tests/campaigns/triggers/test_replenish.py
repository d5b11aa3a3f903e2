"""Replenishment per product and person: whose pause counts, when a product is proven, exact moments."""

from datetime import UTC, datetime, timedelta

import pytest

from campaigns import triggers
from campaigns.models import Enrolment
from campaigns.triggers import planning
from postpurchase import clock
from tests.campaigns.flow_files import file, publish, send
from tests.factories import make_customer, make_order, make_product, make_store

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
NEW_YEAR = datetime(2026, 1, 1, 9, tzinfo=UTC)
SPAN = (datetime(2026, 6, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


def start(**params):
    made, faults = triggers.build({"event": "time.replenish", **params})
    assert not faults, faults
    return made


def bought(store, product, customer, days, quantity=1, **fields):
    at = NEW_YEAR + days * DAY
    return make_order(store, customer, items=[(product, quantity)], created_gmt=at, **{"counted": True, **fields})


@pytest.fixture
def coffee():
    """A product that twenty people bought again after 40 days a piece."""
    store = make_store()
    product = make_product(store)
    for _n in range(20):
        who = make_customer(store)
        bought(store, product, who, 0)
        bought(store, product, who, 40)
    return store, product


def test_who_bought_once_is_reminded_by_the_pause_of_all_times_the_quantity(coffee):
    store, product = coffee
    order = bought(store, product, make_customer(store), 151, quantity=2)
    found = list(start().history(store, *SPAN))
    # 85 % of 2 x 40 days.
    assert [(one.order_id, one.at, one.payload["basis"]) for one in found] == [
        (order.pk, NEW_YEAR + (151 + 68) * DAY, "product")
    ]
    assert (found[0].payload["item"], found[0].line_id) == (product.name, order.lines.get().pk)


def test_after_three_purchases_the_own_median_counts(coffee):
    store, product = coffee
    who = make_customer(store)
    for days, quantity in ((100, 1), (120, 2), (160, 1)):
        last = bought(store, product, who, days, quantity)
    found = [one for one in start().history(store, *SPAN) if one.customer_id == who.pk]
    # A piece lasted 20 days both times.
    assert [(one.order_id, one.at, one.payload["basis"]) for one in found] == [(last.pk, NEW_YEAR + 177 * DAY, "own")]


def test_buying_again_in_time_ends_it_and_a_second_reminder_comes_later(coffee):
    store, product = coffee
    who, other = make_customer(store), make_customer(store)
    bought(store, product, who, 155)
    bought(store, product, who, 195)
    only = bought(store, product, other, 155)
    both = start(percents=[85, 110]).history(store, SPAN[0], NEW_YEAR + 200 * DAY)
    assert [(one.customer_id, one.payload["percent"], one.at) for one in both] == [
        (who.pk, 85, NEW_YEAR + 189 * DAY),
        (other.pk, 85, NEW_YEAR + 189 * DAY),
        (other.pk, 110, NEW_YEAR + 199 * DAY),
    ]
    assert only.customer == other


def test_a_product_that_is_not_proven_starts_nothing(coffee):
    store, product = coffee
    rare = make_product(store)
    for _n in range(19):
        who = make_customer(store)
        bought(store, rare, who, 0)
        bought(store, rare, who, 40)
    wide = make_product(store)
    for n in range(24):
        who = make_customer(store)
        bought(store, wide, who, 0)
        bought(store, wide, who, 10 if n % 2 else 120)
    order = bought(store, product, make_customer(store), 155)
    for each in (rare, wide):
        bought(store, each, make_customer(store), 155)
    assert [one.order_id for one in start().history(store, *SPAN)] == [order.pk]


def test_what_does_not_count_and_two_orders_of_one_day_are_no_pauses(coffee):
    store, product = coffee
    who = make_customer(store)
    bought(store, product, who, 150, counted=False)
    first = bought(store, product, who, 155)
    bought(store, product, who, 155.2)
    found = [one for one in start().history(store, *SPAN) if one.customer_id == who.pk]
    # Two pieces together: 85 % of 80 days.
    assert [(one.order_id, one.at) for one in found] == [(first.pk, NEW_YEAR + (155 + 68) * DAY)]


def test_the_running_flow_reminds_once(coffee):
    store, product = coffee
    clock.freeze(NEW_YEAR + 154 * DAY)
    trigger = {"event": "time.replenish"}
    publish(store, file(send(), klass="M", trigger=trigger, reentry="once_per_line", exit_when=[]))
    order = bought(store, product, make_customer(store), 155)
    for days in range(155, 260, 1):
        clock.freeze(NEW_YEAR + days * DAY + timedelta(hours=1))
        planning.run_due()
    entered = Enrolment.objects.get()
    assert (entered.order, entered.line, entered.context["at"]) == (
        order,
        order.lines.get(),
        (NEW_YEAR + 189 * DAY).isoformat(),
    )


@pytest.mark.parametrize(
    ("params", "fault"),
    [
        ({"percents": []}, "percents are one or more numbers from 10 to 300."),
        ({"percents": 500}, "percents are one or more numbers from 10 to 300."),
        ({"min_buyers": 1}, "min_buyers lies between 5 and 1,000."),
    ],
)
def test_faults_are_told_in_sentences(params, fault):
    assert triggers.build({"event": "time.replenish", **params})[1] == [f"trigger: {fault}"]
