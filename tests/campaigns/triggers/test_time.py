"""What time brings: silence, dates and anniversaries, at exact moments, over DST and leap days, once, after downtime."""

from datetime import UTC, date, datetime, timedelta

import pytest

from campaigns import flows, triggers
from campaigns.models import Enrolment, TriggerPlan
from campaigns.triggers import dates, planning
from postpurchase import clock
from stores.models import AuditEvent, Coupon, Customer, Shipment
from tests.campaigns.flow_files import file, publish, send
from tests.factories import NOON, make_customer, make_order, make_store

pytestmark = pytest.mark.django_db
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture(autouse=True)
def _noon():
    clock.freeze(NOON)


def start(event, **params):
    made, faults = triggers.build({"event": event, **params})
    assert not faults, faults
    return made


def bought(store, customer, at, **fields):
    return make_order(store, customer, created_gmt=at, counted=True, **fields)


def timed(store, event, *, reentry="once_per_order", state="on", **params):
    return publish(
        store, file(send(), klass="M", trigger={"event": event, **params}, reentry=reentry, exit_when=[]), state=state
    )


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


def test_win_back_comes_after_days_of_silence_at_the_same_time_of_day_over_both_dst_changes():
    store = make_store()
    # Bucharest: +2 in winter, +3 from 28 March to 25 October 2026.
    spring = bought(store, None, utc(2026, 3, 20, 12))
    autumn = bought(store, None, utc(2026, 10, 20, 12))
    found = list(start("time.win_back", days=10).history(store, utc(2026, 1, 1), utc(2027, 1, 1)))
    assert [(one.order_id, one.at) for one in found] == [
        (spring.pk, utc(2026, 3, 30, 11)),
        (autumn.pk, utc(2026, 10, 30, 13)),
    ]


def test_a_time_of_day_that_the_change_of_clocks_skips_is_the_next_minute():
    store = make_store()
    bought(store, None, utc(2026, 3, 19, 1, 30))
    found = list(start("time.win_back", days=10).history(store, utc(2026, 3, 1), utc(2026, 5, 1)))
    assert [one.at for one in found] == [utc(2026, 3, 29, 1, 0)]


def test_a_new_order_ends_the_silence_and_one_that_does_not_count_does_not():
    store = make_store()
    who, other = make_customer(store), make_customer(store)
    bought(store, who, NOON)
    last = bought(store, who, NOON + 9 * DAY)
    only = bought(store, other, NOON)
    make_order(store, other, created_gmt=NOON + 5 * DAY, counted=False)
    found = list(start("time.win_back", days=10).history(store, NOON, NOON + 30 * DAY))
    assert [(one.order_id, one.at) for one in found] == [(only.pk, NOON + 10 * DAY), (last.pk, NOON + 19 * DAY)]


def test_win_back_repeats_as_often_as_it_was_told_until_an_order():
    store = make_store()
    clock.freeze(NOON - DAY)
    timed(store, "time.win_back", days=60, again_every=14, times=3)
    who, back = make_customer(store), make_customer(store)
    bought(store, who, NOON)
    bought(store, back, NOON)
    bought(store, back, NOON + 70 * DAY)
    for day in range(120):
        clock.freeze(NOON + day * DAY + HOUR)
        planning.run_due()
    rows = Enrolment.objects.filter(context__payload__last_order_at=NOON.isoformat()).order_by("entered_at")
    told = [(each.customer, each.context["at"][:10], each.context["payload"]["attempt"]) for each in rows]
    assert [each for each in told if each[0] == who] == [
        (who, "2027-01-19", 1),
        (who, "2027-02-02", 2),
        (who, "2027-02-16", 3),
    ]
    assert [each for each in told if each[0] == back] == [(back, "2027-01-19", 1)]


def test_the_running_flow_enters_whom_history_tells_and_nobody_twice():
    store = make_store()
    clock.freeze(NOON - DAY)
    timed(store, "time.win_back", days=5)
    for n in range(12):
        bought(store, None, NOON + n * 7 * HOUR)
    for hours in range(0, 24 * 12, 5):
        clock.freeze(NOON + hours * HOUR)
        planning.run_due()
    told = start("time.win_back", days=5).history(store, NOON - DAY, clock.now())
    entered = Enrolment.objects.order_by("pk").values_list("context__event_key", flat=True)
    assert list(entered) == [one.key for one in told]
    TriggerPlan.objects.update(until=NOON - DAY, begun_at=NOON - DAY, state="due", due_at=NOON)
    planning.run_due()
    assert Enrolment.objects.count() == 12


def test_what_came_due_before_the_flow_was_switched_on_starts_nothing():
    store = make_store()
    bought(store, None, NOON - 10 * DAY - HOUR)
    flow = timed(store, "time.win_back", days=10)
    soon = bought(store, None, NOON - 10 * DAY + HOUR)
    clock.advance(HOUR * 2)
    planning.run_due()
    assert Enrolment.objects.get().order == soon
    # Off for three days: what falls into them is nobody's.
    flows.set_state(flow, "off", actor="test")
    assert not TriggerPlan.objects.exists()
    bought(store, None, NOON - 9 * DAY)
    clock.advance(3 * DAY)
    flows.set_state(flow, "on", actor="test")
    clock.advance(DAY)
    planning.run_due()
    assert Enrolment.objects.count() == 1


def test_another_trigger_counts_from_when_it_was_published():
    store = make_store()
    flow = timed(store, "time.win_back", days=30)
    bought(store, None, NOON - 20 * DAY)
    later = bought(store, None, NOON - 10 * DAY + HOUR)
    clock.advance(HOUR / 2)
    timed(store, "time.win_back", days=10)
    assert TriggerPlan.objects.get(flow=flow).begun_at == clock.now()
    clock.advance(DAY)
    planning.run_due()
    assert Enrolment.objects.get().order == later


def test_a_flow_that_was_switched_on_behind_its_back_gets_its_clock_within_a_minute():
    store = make_store()
    flow = timed(store, "time.win_back", days=10, state="off")
    assert (planning.keep(), TriggerPlan.objects.count()) == (0, 0)
    type(flow).objects.update(state="on")
    assert (planning.keep(), planning.keep(), TriggerPlan.objects.count()) == (1, 0, 1)


def test_after_downtime_it_catches_up_for_two_days_and_says_what_it_left_out():
    store = make_store()
    timed(store, "time.win_back", days=10)
    for days in range(1, 8):
        bought(store, None, NOON - 10 * DAY + days * DAY - HOUR)
    clock.advance(7 * DAY)
    planning.run_due()
    assert sorted(Enrolment.objects.values_list("context__at", flat=True)) == [
        "2026-11-26T11:00:00+00:00",
        "2026-11-27T11:00:00+00:00",
    ]
    # They are late by what they are late, which the outbox judges.
    assert sorted(Enrolment.objects.values_list("due_at", flat=True))[0] == utc(2026, 11, 26, 11)
    missed = AuditEvent.objects.get(action="flow.time_missed")
    assert missed.diff == {"from": "2026-11-20T12:00:00+00:00", "to": "2026-11-25T12:00:00+00:00"}


def test_a_long_list_is_entered_in_parts_and_goes_on_where_it_stopped(monkeypatch):
    monkeypatch.setattr(planning, "BATCH", 2)
    store = make_store()
    timed(store, "time.win_back", days=10)
    for n in range(7):
        bought(store, None, NOON - 10 * DAY + (n // 2) * HOUR)
    clock.advance(6 * HOUR)
    assert planning.run_due(budget_seconds=0.0) == 0
    ends = clock.monotonic()
    counts = []
    for _ in range(5):
        plan = planning.due.claim(TriggerPlan, limit=1, lease=planning.LEASE)
        if plan:
            planning._run(plan[0], ends)
        counts.append(Enrolment.objects.count())
    assert counts == [2, 4, 6, 7, 7]


def test_a_worker_that_lost_its_clock_writes_nothing_over_it():
    store = make_store()
    timed(store, "time.win_back", days=10)
    plan = planning.due.claim(TriggerPlan, limit=1, lease=planning.LEASE)[0]
    TriggerPlan.objects.update(lease_token=None)
    clock.advance(DAY)
    planning._run(plan, clock.monotonic() + 5)
    assert TriggerPlan.objects.get().until == NOON


def test_the_own_rhythm_is_twice_the_median_pause_and_the_store_tells_for_others():
    store = make_store()
    for n in range(25):
        who = make_customer(store)
        bought(store, who, utc(2026, 1, 1))
        bought(store, who, utc(2026, 1, 1) + (n + 1) * DAY)
    # With the first pause of the next one, before August there were 26: 80 % of them were over after 21 days.
    regular = make_customer(store)
    for days in (0, 30, 62, 90):
        bought(store, regular, utc(2026, 6, 1, 9) + days * DAY)
    new = bought(store, None, utc(2026, 8, 1, 9))
    rhythm = start("time.own_rhythm", at_least_store=False)
    found = list(rhythm.history(store, utc(2026, 8, 1), utc(2027, 1, 1)))
    by_order = {one.order_id: (one.at, one.payload["basis"]) for one in found}
    assert by_order[new.pk] == (utc(2026, 8, 22, 9), "store")
    last = regular.orders.latest("created_gmt")
    # Pauses of 30, 32 and 28 days: the median is 30.
    assert by_order[last.pk] == (utc(2026, 8, 30, 9) + 60 * DAY, "own")
    assert len(found) == 2


def test_nobody_is_called_silent_before_the_pause_of_the_store_is_over():
    store = make_store()
    for _n in range(20):
        who = make_customer(store)
        bought(store, who, utc(2026, 1, 1))
        bought(store, who, utc(2026, 3, 1))
    quick = make_customer(store)
    for days in (0, 7, 14):
        last = bought(store, quick, utc(2026, 6, 1) + days * DAY)
    found = list(start("time.own_rhythm").history(store, utc(2026, 6, 1), utc(2027, 1, 1)))
    assert [(one.order_id, one.at, one.payload["basis"]) for one in found] == [
        (last.pk, utc(2026, 6, 15) + 59 * DAY, "store")
    ]


def test_a_store_with_few_returning_customers_tells_nothing_for_those_of_few_orders():
    store = make_store()
    bought(store, None, NOON - 300 * DAY)
    assert not list(start("time.own_rhythm").history(store, NOON - DAY * 400, NOON))


def test_the_anniversary_of_the_first_order_comes_each_year_and_on_the_28th_for_leap_days():
    store = make_store()
    leap = make_customer(store, first_order_at=utc(2024, 2, 29, 8))
    late_evening = make_customer(store, first_order_at=utc(2024, 5, 10, 22, 30))
    never = make_customer(store)
    found = list(start("time.first_order_anniversary", at="10:00").history(store, utc(2024, 1, 1), utc(2028, 12, 31)))
    of_leap = [one.at for one in found if one.customer_id == leap.pk]
    assert of_leap == [utc(2025, 2, 28, 8), utc(2026, 2, 28, 8), utc(2027, 2, 28, 8), utc(2028, 2, 29, 8)]
    # In Bucharest that order was placed on 11 May.
    of_evening = [one.at for one in found if one.customer_id == late_evening.pk]
    assert of_evening == [utc(year, 5, 11, 7) for year in (2025, 2026, 2027, 2028)]
    assert [one.payload["years"] for one in found if one.customer_id == leap.pk] == [1, 2, 3, 4]
    assert never.pk not in {one.customer_id for one in found}


def test_days_before_an_anniversary_cross_the_year():
    store = make_store()
    make_customer(store, first_order_at=utc(2025, 1, 2, 9))
    found = list(
        start("time.first_order_anniversary", days=-3, at="10:00").history(store, utc(2025, 6, 1), utc(2027, 6, 1))
    )
    assert [one.at for one in found] == [utc(2025, 12, 30, 8), utc(2026, 12, 30, 8)]


def test_any_date_starts_a_flow_days_before_or_after_it():
    store = make_store()
    order = make_order(store, delivered_at=utc(2026, 11, 1, 16, 45))
    Shipment.objects.create(store=store, order=order, promised_to=date(2026, 11, 10), source="merchant")
    coupon = Coupon.objects.create(
        store=store,
        customer=order.customer,
        code="x",
        state="live",
        expires_on=date(2026, 11, 30),
        source="t:1",
        amount=5,
    )
    span = (utc(2026, 10, 1), utc(2027, 1, 1))

    def told(**params):
        return [(one.at, one.customer_id) for one in start("time.date", **params).history(store, *span)]

    who = order.customer_id
    assert told(field="order.delivered", days=3) == [(utc(2026, 11, 4, 16, 45), who)]
    assert told(field="order.delivered", days=3, at="09:30") == [(utc(2026, 11, 4, 7, 30), who)]
    assert told(field="parcel.promised", days=1, at="09:00") == [(utc(2026, 11, 11, 7), who)]
    before = list(start("time.date", field="coupon.expires", days=-3, at="08:00").history(store, *span))
    assert [(one.at, one.payload["coupon"]) for one in before] == [(utc(2026, 11, 27, 6), coupon.pk)]


def test_every_date_that_can_be_chosen_can_be_read():
    store = make_store()
    order = make_order(store, delivered_at=NOON, completed_gmt=NOON, paid_gmt=NOON, created_gmt=NOON)
    Customer.objects.update(first_order_at=NOON, first_seen_at=NOON)
    Shipment.objects.create(store=store, order=order, promised_to=NOON.date(), source="merchant")
    Coupon.objects.create(
        store=store, customer=order.customer, code="x", state="live", expires_on=NOON.date(), source="t:1", amount=5
    )
    make_order(make_store(), delivered_at=NOON)
    for field in dates.SOURCES:
        found = list(start("time.date", field=field, days=1).history(store, NOON - DAY, NOON + 3 * DAY))
        assert [one.customer_id for one in found] == [order.customer_id], field
        yearly = list(start("time.date", field=field, yearly=True).history(store, NOON, NOON + 400 * DAY))
        assert [one.at.year for one in yearly] == [2027], field


@pytest.mark.parametrize(
    ("event", "params", "fault"),
    [
        ("time.win_back", {"days": 0}, "days lies between 1 and 1,095."),
        (
            "time.win_back",
            {"days": 30, "times": 2},
            "again_every and times go together: every how many days, and how often in all.",
        ),
        ("time.own_rhythm", {"percent": 10}, "percent lies between 100 and 1,000."),
        ("time.date", {"field": "order.placed", "at": "25:00"}, "at is a time of day such as 10:00."),
        ("time.first_order_anniversary", {"days": 9999}, "days lies between -730 (before) and 3,650 (after)."),
    ],
)
def test_faults_are_told_in_sentences(event, params, fault):
    assert triggers.build({"event": event, **params})[1] == [f"trigger: {fault}"]


def test_times_read_as_sentences():
    assert start("time.win_back", days=60).sentence() == "When a customer has not ordered for 60 days"
    assert (
        start("time.first_order_anniversary", days=-3).sentence()
        == "When it is 3 days before the anniversary of the first order, at 10:00"
    )


def test_a_birthday_comes_each_year_days_before_it_with_or_without_a_year_and_for_leap_days():
    store = make_store()

    def born(text, key="birthday"):
        return make_customer(store, raw={"meta_data": [{"key": key, "value": text}]})

    leap, plain, short, new_year = born("1992-02-29"), born("1980-05-11"), born("05-11"), born("1990-01-02")
    for nothing in (born("soon"), born("1990-02-30"), born("1980-05-11", "wedding")):
        assert nothing.pk
    found = list(start("time.birthday", days=-3).history(store, utc(2026, 1, 15), utc(2028, 12, 31)))
    by_person = {
        who.pk: [one.at for one in found if one.customer_id == who.pk] for who in (leap, plain, short, new_year)
    }
    assert by_person == {
        leap.pk: [utc(2026, 2, 25, 8), utc(2027, 2, 25, 8), utc(2028, 2, 26, 8)],
        plain.pk: [utc(year, 5, 8, 7) for year in (2026, 2027, 2028)],
        short.pk: [utc(year, 5, 8, 7) for year in (2026, 2027, 2028)],
        new_year.pk: [utc(2026, 12, 30, 8), utc(2027, 12, 30, 8), utc(2028, 12, 30, 8)],
    }
    assert len(found) == 12
    # Nobody's year of birth is told.
    assert all(one.payload == {} for one in found)
    assert {one.key for one in found if one.customer_id == plain.pk} == {
        f"time.birthday:{plain.pk}:{year}" for year in (2026, 2027, 2028)
    }


def test_the_running_flow_congratulates_once_a_year():
    store = make_store()
    timed(store, "time.birthday")
    make_customer(store, raw={"meta_data": [{"key": "birthday", "value": "1980-11-22"}]})
    for day in range(0, 400, 2):
        clock.freeze(NOON + day * DAY)
        planning.run_due()
    at = Enrolment.objects.order_by("pk").values_list("context__at", flat=True)
    assert list(at) == ["2026-11-22T08:00:00+00:00", "2027-11-22T08:00:00+00:00"]


def test_a_date_that_a_plugin_keeps_with_an_order_or_a_customer_starts_a_flow():
    store = make_store()
    order = make_order(store, raw={"meta_data": [{"key": "visit", "value": "2026-12-01"}]})
    who = make_customer(store, raw={"meta_data": [{"key": "card_ends", "value": "20261215"}]})
    visit = list(
        start("time.date", field="order.meta:visit", days=-1, at="09:00").history(store, NOON, NOON + 40 * DAY)
    )
    assert [(one.order_id, one.at) for one in visit] == [(order.pk, utc(2026, 11, 30, 7))]
    card = list(start("time.date", field="customer.meta:card_ends", days=-30).history(store, NOON - 9 * DAY, NOON))
    assert [(one.customer_id, one.at) for one in card] == [(who.pk, utc(2026, 11, 15, 8))]
    # Which day it was stands neither in the key nor in what is told.
    assert "20261215" not in card[0].key
    assert card[0].payload == {"field": "customer.meta:card_ends"}
