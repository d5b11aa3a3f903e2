"""The numbers of the Retention page, against purchases that one can count by hand."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from postpurchase import clock
from stores.insights import retention
from tests.factories import make_customer, make_order, make_store

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def store():
    return make_store(zone="Europe/Bucharest")


@pytest.fixture(autouse=True)
def _now():
    with clock.frozen(NOW):
        yield


def buys(store, *days_ago, **fields):
    person = make_customer(store)
    for days in days_ago:
        make_order(store, person, created_gmt=NOW - timedelta(days=days), **fields)
    return person


def test_the_rate_is_end_less_new_by_start(store):
    buys(store, 500, 100)  # active at start and end
    buys(store, 500)  # active at start, lost
    buys(store, 400, 30)  # kept
    buys(store, 60)  # new
    buys(store, 50, 20)  # new, twice
    rate = retention.rates(store)[-1]
    assert (rate.start, rate.end, rate.new, rate.kept) == (3, 4, 2, 2)
    assert rate.percent == pytest.approx(66.667, abs=0.001)


def test_no_rate_without_anybody_at_the_start(store):
    buys(store, 10)
    assert retention.rates(store)[-1].percent is None


def test_orders_that_do_not_count_and_those_of_other_stores_change_nothing(store):
    buys(store, 500, 100)
    buys(store, 500, counted=False)
    buys(make_store(), 500, 100)
    rate = retention.rates(store)[-1]
    assert (rate.start, rate.end, rate.new) == (1, 1, 0)


def test_rates_agree_with_counting_person_by_person(store):
    dice, bought = random.Random(3), {}
    for _n in range(60):
        days = sorted({dice.randint(1, 1100) for _ in range(dice.randint(1, 5))}, reverse=True)
        bought[buys(store, *days).pk] = [NOW - timedelta(days=one) for one in days]
    for rate in retention.rates(store):
        start = retention._months_before(rate.at, 12)
        before = retention._months_before(rate.at, 24)
        active_then = sum(any(before < at <= start for at in times) for times in bought.values())
        active_now = sum(any(start < at <= rate.at for at in times) for times in bought.values())
        new = sum(start < min(times) <= rate.at for times in bought.values())
        assert (rate.start, rate.end, rate.new) == (active_then, active_now, new)


def test_a_cohort_counts_those_who_came_back_by_each_month(store):
    def order(person, *moment):
        make_order(store, person, created_gmt=datetime(*moment, tzinfo=UTC))

    early, late, never, same = (make_customer(store) for _ in range(4))
    order(early, 2026, 8, 3)
    order(early, 2026, 9, 10)
    order(late, 2026, 8, 20)
    order(late, 2026, 10, 5)
    order(never, 2026, 8, 30)
    order(same, 2026, 8, 1)
    order(same, 2026, 8, 28)
    august = next(one for one in retention.cohorts(store) if one.month.month == 8)
    assert august.size == 4
    assert [(cell.again, cell.finished) for cell in august.cells] == [(2, True), (3, True), (3, False)]
    assert all(cell.few for cell in august.cells)


def test_months_are_those_of_the_stores_zone(store):
    # 31 August 22:30 UTC is 1 September in Bucharest.
    make_order(store, created_gmt=datetime(2026, 8, 31, 22, 30, tzinfo=UTC))
    sizes = {one.month.month: one.size for one in retention.cohorts(store)}
    assert (sizes[8], sizes[9]) == (0, 1)


def test_first_orders_before_the_table_are_in_no_cohort(store):
    buys(store, 700, 20)
    assert sum(one.size for one in retention.cohorts(store)) == 0


def test_the_repeat_rate_counts_buyers_with_two_orders_or_more(store):
    buys(store, 700, 20)
    buys(store, 30)
    buys(store, 800, 790)  # did not buy in the last 365 days
    found = retention.repeat_rate(store)
    assert (found.repeaters, found.buyers, found.percent) == (1, 2, 50)


def test_time_to_second_order_has_median_and_middle_half(store):
    for gap in (10, 20, 30, 40):
        buys(store, 400, 400 - gap)
    buys(store, 400)  # did not come back
    buys(store, 400, 100)  # came back after 300 days, too late for the curve
    buys(store, 100, 90)  # too young to be counted
    found = retention.time_to_second(store)
    assert (found.buyers, found.came_back) == (6, 4)
    assert (found.quarter, found.median, found.three_quarters) == (10, 20, 30)
    assert found.share[9] == 0
    assert found.share[10] == pytest.approx(100 / 6)
    assert found.share[180] == pytest.approx(400 / 6)


def test_the_90_day_rate_leaves_out_those_who_had_not_90_days_yet(store):
    buys(store, 100, 50)
    buys(store, 120)
    buys(store, 80, 10)
    buys(store, 150, 50)  # came back after 100 days
    points = retention.repeat_within_90_days(store)
    assert len(points) == 12
    assert (points[-1].part, points[-1].whole) == (1, 3)


@pytest.mark.parametrize("number", ["rates", "cohorts", "repeat_rate", "time_to_second", "repeat_within_90_days"])
def test_each_number_is_one_query(store, number):
    buys(store, 500, 100)
    with CaptureQueriesContext(connection) as seen:
        getattr(retention, number)(store)
    assert len(seen) == 1


@pytest.mark.parametrize("number", ["rates", "cohorts", "repeat_rate", "time_to_second", "repeat_within_90_days"])
def test_an_empty_store_has_no_numbers_and_no_errors(store, number):
    assert getattr(retention, number)(store) is not None
