"""Waiting for a time, a date or an event: exact moments, both days on which clocks change, leap days, and who wakes whom."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns import dates, times
from campaigns.models import Enrolment, Message, StepRun
from campaigns.steps import Done, Leave, Visit, WaitUntil, build
from postpurchase import clock
from stores import events
from stores.models import Coupon
from tests.campaigns.flow_files import file, happen, publish, run, send, wait
from tests.factories import NOON, make_customer, make_order, make_store

BUCHAREST = ZoneInfo("Europe/Bucharest")


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _step(kind, **params):
    step, faults = build(kind, params)
    assert faults == []
    return step


class _Person:
    """What a visit asks of an enrolment."""

    def __init__(self, store, customer=None, order=None):
        self.store, self.customer, self.order, self.flow_id, self.key = store, customer, order, 1, "1:x"
        self.order_id = order.pk if order else None


def _visit(now, *, zone="Europe/Bucharest", context=None, person=None, **more):
    from stores.models import Customer, Store

    person = person or _Person(Store(zone=zone, country="RO"), Customer(country=""))
    return Visit(person, "wait", now, now, {}, context if context is not None else {}, **more)


# 20 November 2026 is a Friday.
@pytest.mark.parametrize(
    ("now", "params", "expected"),
    [
        ("2026-11-20T06:00", {"time": "09:30"}, "2026-11-20T07:30"),
        ("2026-11-20T07:30", {"time": "09:30"}, None),
        ("2026-11-20T07:31", {"time": "09:30"}, "2026-11-21T07:30"),
        ("2026-11-20T07:31", {"time": "09:30", "weekdays": ["tue", "thu"]}, "2026-11-24T07:30"),
        ("2026-11-20T07:31", {"time": "09:30", "weekdays": ["fri"]}, "2026-11-27T07:30"),
        # Clocks go forward on 29 March 2026 at 03:00: 03:30 does not exist, 04:00 does.
        ("2026-03-28T22:00", {"time": "03:30"}, "2026-03-29T01:00"),
        # They go back on 25 October at 04:00: the first 03:30 counts.
        ("2026-10-24T22:00", {"time": "03:30"}, "2026-10-25T00:30"),
    ],
)
def test_waiting_for_a_time_of_day_and_weekday(now, params, expected):
    outcome = _step("wait_for_time", **params).run(_visit(at(now)))
    assert outcome == (WaitUntil(at(expected)) if expected else Done())


@pytest.mark.parametrize(
    ("country", "region", "expected"),
    [
        ("DE", "", "2026-11-21T08:00"),
        ("JP", "", "2026-11-21T00:00"),
        ("US", "CA", "2026-11-20T17:00"),
        # No state: nine in the morning has come everywhere in the country only with the last of its zones.
        ("ID", "", "2026-11-21T02:00"),
    ],
)
def test_the_recipients_own_clocks_count(country, region, expected):
    from stores.models import Customer, Store

    person = _Person(Store(zone="Europe/Bucharest"), Customer(country=country, region=region))
    step = _step("wait_for_time", time="09:00", zone="recipient")
    assert step.run(_visit(at("2026-11-20T12:00"), person=person)) == WaitUntil(at(expected))


@given(
    moment=st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)),
    zone=st.sampled_from(["Europe/Bucharest", "Asia/Jakarta", "America/New_York", "Australia/Lord_Howe", "UTC"]),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    days=st.sets(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"])),
)
def test_the_moment_is_never_past_within_eight_days_and_shows_the_wanted_time(moment, zone, hour, minute, days):
    step = _step("wait_for_time", time=f"{hour:02}:{minute:02}", weekdays=sorted(days))
    outcome = step.run(_visit(moment, zone=zone))
    found = outcome.at if isinstance(outcome, WaitUntil) else moment
    local = found.astimezone(ZoneInfo(zone))
    assert moment <= found <= moment + timedelta(days=8, hours=2)
    assert not days or local.strftime("%a").lower() in days
    if isinstance(outcome, WaitUntil):
        # Only in a gap is it later than it says.
        assert (local.hour, local.minute) >= (hour, minute)
        gap = times.at_wall(datetime.combine(local.date(), times.clock_time(step.time)), ZoneInfo(zone))
        assert found == gap


@given(
    start=st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)),
    months=st.integers(0, 24),
)
def test_months_keep_the_day_or_end_with_the_month(start, months):
    there = times.add_months(start, months, BUCHAREST).astimezone(BUCHAREST)
    here = start.astimezone(BUCHAREST)
    assert (there.year * 12 + there.month) - (here.year * 12 + here.month) == months
    last = (there.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    assert there.day == min(here.day, last.day)


def test_the_end_of_january_comes_back_in_march():
    start = at("2026-01-31T10:00")
    assert times.add_months(start, 1, BUCHAREST) == at("2026-02-28T10:00")
    # Clocks are an hour ahead by then.
    assert times.add_months(start, 2, BUCHAREST) == at("2026-03-31T09:00")
    assert times.add_months(at("2028-01-31T10:00"), 1, BUCHAREST) == at("2028-02-29T10:00")


@pytest.mark.parametrize(
    ("day", "params", "now", "expected"),
    [
        (date(2026, 12, 24), {"days": -3}, "2026-11-20T12:00", "2026-12-21T08:00"),
        (date(2026, 12, 24), {"days": 0, "time": "18:00"}, "2026-11-20T12:00", "2026-12-24T16:00"),
        (at("2026-11-18T22:30"), {"days": 14}, "2026-11-20T12:00", "2026-12-03T08:00"),
        (date(2026, 11, 19), {"days": 0}, "2026-11-20T12:00", None),
        # The moment is over, but not the day.
        (date(2026, 11, 20), {"days": 0, "past": "end"}, "2026-11-20T12:00", None),
    ],
)
def test_waiting_for_a_date(day, params, now, expected):
    step = _step("wait_for_date", date="order.delivered", **params)
    outcome = step.run(_visit(at(now), dates={"order.delivered": day}))
    assert outcome == (WaitUntil(at(expected)) if expected else Done())


def test_a_date_that_is_over_ends_the_flow_where_that_is_wanted():
    step = _step("wait_for_date", date="coupon.expires", days=-3, past="end")
    outcome = step.run(_visit(at("2026-11-20T12:00"), dates={"coupon.expires": date(2026, 11, 22)}))
    assert outcome == Leave("the day was over: the last day of the coupon")


@pytest.mark.parametrize(
    ("born", "now", "expected"),
    [
        (date(1990, 12, 24), "2026-11-20T12:00", "2026-12-21T08:00"),
        (date(1990, 2, 1), "2026-11-20T12:00", "2027-01-29T08:00"),
        (date(1996, 2, 29), "2026-11-20T12:00", "2027-02-25T08:00"),
        (date(1996, 2, 29), "2027-11-20T12:00", "2028-02-26T08:00"),
        (date(2000, 1, 2), "2026-12-30T06:00", "2026-12-30T08:00"),
    ],
)
def test_three_days_before_the_birthday(born, now, expected):
    step = _step("wait_for_date", date="customer.yearly:birthday", days=-3)
    assert step.run(_visit(at(now), dates={"customer.yearly:birthday": born})) == WaitUntil(at(expected))


def test_an_unknown_date_is_waited_for_only_as_long_as_was_said():
    step = _step("wait_for_date", date="order.delivered", days=2, patience=10)
    context = {}
    assert step.run(_visit(NOON, context=context)) == WaitUntil(NOON + timedelta(days=10))
    later = _visit(NOON + timedelta(days=10), context=context, until=NOON + timedelta(days=10))
    assert step.resume(later) == Leave("not known: the day of delivery")
    known = _visit(NOON + timedelta(days=1), context=context, dates={"order.delivered": NOON + timedelta(days=1)})
    assert step.resume(known) == WaitUntil(at("2026-11-23T08:00"))


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("1990-02-28", date(1990, 2, 28)),
        ("19900228", date(1990, 2, 28)),
        ("1990-02-28T00:00:00", date(1990, 2, 28)),
        ("02-29", date(2000, 2, 29)),
        ("1990-02-30", None),
        ("soon", None),
        ("", None),
        (None, None),
        ({"day": 1}, None),
    ],
)
def test_days_are_read_as_plugins_write_them(text, day):
    assert dates.read_day(text) == day


@pytest.mark.django_db
def test_a_field_of_the_shop_is_a_date():
    clock.freeze(NOON)
    store = make_store()
    publish(store, file({"uid": "day", "kind": "wait_for_date", "date": "customer.yearly:bday", "days": -1}, send()))
    born = make_customer(store, raw={"meta_data": [{"key": "bday", "value": "1990-12-24"}]})
    happen(make_order(store, born))
    happen(make_order(store))
    run()
    assert Enrolment.objects.get(customer=born).due_at == at("2026-12-23T08:00")
    other = Enrolment.objects.exclude(customer=born).get()
    assert (other.status, other.reason) == ("left", "not known: the date “bday” in your store")


@pytest.mark.django_db
def test_the_reminder_before_a_coupon_ends_waits_for_the_coupon_to_be_made():
    clock.freeze(NOON)
    store = make_store()
    coupon = {"uid": "coupon", "kind": "issue_coupon", "amount": "10", "valid_days": 20}
    before = {"uid": "before", "kind": "wait_for_date", "date": "coupon.expires", "days": -3, "patience": 14}
    publish(store, file(coupon, send(), before, send("last")))
    order = make_order(store)
    happen(order)
    run()
    waits = Enrolment.objects.get()
    assert waits.due_at == NOON + timedelta(days=14)
    source = waits.context["coupon"]["source"]
    Coupon.objects.create(store=store, code="a", source=source, amount=10, expires_on=date(2026, 12, 10), ours=True)
    clock.advance(timedelta(hours=1))
    happen(order, events.COUPON_ISSUED)
    run()
    assert Enrolment.objects.get().due_at == at("2026-12-07T08:00")


WAIT_FOR_REVIEW = {
    "uid": "opinion",
    "kind": "wait_for_event",
    "event": "review.submitted",
    "within": "7 days",
    "then": [send("thanks")],
    "else": [send("reminder")],
}


def _waiting(**changes):
    clock.freeze(NOON)
    store = make_store()
    publish(store, file(WAIT_FOR_REVIEW | changes, send("after")))
    order = make_order(store)
    happen(order)
    run()
    return order


@pytest.mark.django_db
def test_the_event_ends_the_wait_at_once():
    order = _waiting()
    clock.advance(timedelta(days=2))
    assert run() == 0
    happen(order, events.REVIEW_SUBMITTED)
    run()
    assert [message.step for message in Message.objects.order_by("pk")] == ["thanks", "after"]
    assert Message.objects.first().planned_for == NOON + timedelta(days=2)
    assert (StepRun.objects.get(step="opinion").outcome, StepRun.objects.get(step="opinion").lane) == ("yes", "then")


@pytest.mark.django_db
def test_without_the_event_the_other_way_is_taken_when_the_time_is_over():
    order = _waiting()
    happen(order, events.SHIPMENT_CREATED)
    run()
    clock.freeze(NOON + timedelta(days=7))
    run()
    assert [message.step for message in Message.objects.order_by("pk")] == ["reminder", "after"]
    assert StepRun.objects.get(step="opinion").outcome == "no"


@pytest.mark.django_db
def test_an_event_that_came_but_did_not_wake_is_seen_when_the_time_is_over():
    order = _waiting()
    events.record(order.store, events.REVIEW_SUBMITTED, subject=order.pk, at=clock.now(), order=order)
    clock.freeze(NOON + timedelta(days=7))
    run()
    assert Message.objects.first().step == "thanks"


@pytest.mark.django_db
def test_the_same_of_another_person_or_order_does_not_count():
    order = _waiting(about="order")
    happen(make_order(order.store), events.REVIEW_SUBMITTED)
    happen(make_order(order.store, order.customer), events.REVIEW_SUBMITTED)
    run()
    assert not Message.objects.exists()
    happen(order, events.REVIEW_SUBMITTED)
    run()
    assert Message.objects.first().step == "thanks"


@pytest.mark.django_db
def test_what_happened_before_the_wait_began_does_not_count():
    clock.freeze(NOON)
    store = make_store()
    publish(store, file(wait(days=1), WAIT_FOR_REVIEW))
    order = make_order(store)
    happen(order)
    run()
    clock.advance(timedelta(hours=1))
    happen(order, events.REVIEW_SUBMITTED)
    clock.freeze(NOON + timedelta(days=1))
    run()
    assert Enrolment.objects.get().due_at == NOON + timedelta(days=8)
    assert not Message.objects.exists()


@pytest.mark.django_db
def test_what_started_the_flow_does_not_end_its_wait():
    clock.freeze(NOON)
    store = make_store()
    publish(store, file(WAIT_FOR_REVIEW | {"event": "order.paid"}))
    order = make_order(store)
    happen(order)
    run()
    run()
    assert Enrolment.objects.get().waiting
    happen(make_order(store, order.customer))
    run()
    assert Message.objects.get(enrolment__order=order).step == "thanks"


@pytest.mark.parametrize(
    ("kind", "params", "fault"),
    [
        ("wait_for_time", {"time": "9"}, "9 is not a time of day such as 09:30."),
        (
            "wait_for_time",
            {"time": "09:00", "weekdays": ["mo"]},
            "mo is no day of the week; use mon, tue, ... sun.",
        ),
        ("wait_for_time", {"time": "09:00", "zone": "mars"}, "zone is store or recipient."),
        ("wait_for_date", {"date": "order.paid", "days": 900}, "days lies between -365 and 730."),
        ("wait_for_event", {"event": "order.sung", "within": "2 days"}, "There is no event order.sung."),
        (
            "wait_for_event",
            {"event": "order.paid", "within": "soon"},
            "within is a time such as 12 hours or 7 days, at most 365 days.",
        ),
    ],
)
def test_faults_are_told_in_a_sentence(kind, params, fault):
    assert build(kind, params)[1] == [fault]


@pytest.mark.parametrize(
    ("kind", "params", "sentence"),
    [
        ("wait_for_time", {"time": "09:00"}, "Wait until 09:00, in your store’s time zone"),
        (
            "wait_for_time",
            {"time": "09:00", "weekdays": ["wed", "mon"], "zone": "recipient"},
            "Wait until 09:00 on Monday, Wednesday, in the customer’s time zone",
        ),
        (
            "wait_for_date",
            {"date": "coupon.expires", "days": -3},
            "Wait until 3 days before the last day of the coupon, 10:00",
        ),
        ("wait_for_date", {"date": "order.delivered", "days": 1}, "Wait until 1 day after the day of delivery, 10:00"),
        ("wait", {"months": 1, "days": 2}, "Wait 1 month, 2 days"),
    ],
)
def test_steps_read_as_sentences(kind, params, sentence):
    assert _step(kind, **params).sentence() == sentence
