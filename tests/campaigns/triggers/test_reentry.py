"""How often one person may enter: each rule, repeated, reordered and by two workers at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection, connections

from campaigns import definitions
from campaigns.models import Enrolment
from campaigns.triggers import Entry, Occurrence, Reentry, entering, reentry
from postpurchase import clock
from tests.campaigns.flow_files import file, publish, send
from tests.factories import NOON, make_customer, make_order, make_store


@pytest.fixture(autouse=True)
def _noon():
    clock.freeze(NOON)


def moment(days=0, *, key="custom.x:1", order=None, name="custom.x", customer=7, **payload):
    return Occurrence(NOON + timedelta(days=days), key, customer, order, None, payload, name)


@pytest.mark.parametrize(
    ("rule", "scope"),
    [
        ("once", "customer:7"),
        ("once_per_order", "order:3"),
        ("once_per_order_and_event", "order:3:custom.x"),
        ("once_per_line", "line:3:12"),
        ("always", "custom.x:1"),
    ],
)
def test_the_rule_says_for_what_one_enters(rule, scope):
    assert Reentry(rule).scope(moment(order=3, line=12)) == scope
    assert Reentry(rule).scope(moment(order=3, line=12), [Entry(scope, NOON)]) is None


def test_without_an_order_or_a_line_the_next_wider_thing_counts():
    assert Reentry("once_per_line").scope(moment(order=3)) == "order:3"
    assert Reentry("once_per_order").scope(moment()) == "custom.x:1"


def test_a_long_key_is_shortened_and_stays_unique():
    long, other = moment(key="k" * 400), moment(key="k" * 399 + "x")
    scopes = {Reentry("always").scope(long), Reentry("always").scope(other)}
    assert [len(scope) for scope in scopes] == [180, 180]


def test_every_so_many_days_counts_from_the_earlier_entries_in_both_directions():
    rule = Reentry("every_days", 30)
    first = Entry("customer:7:1", NOON)
    assert rule.scope(moment()) == "customer:7:1"
    assert rule.scope(moment(29.9), [first]) is None
    assert rule.scope(moment(30), [first]) == "customer:7:2"
    # What happened earlier and is heard later: too near to what was entered since, or far enough before it.
    assert rule.scope(moment(-10), [first]) is None
    assert rule.scope(moment(-31), [first]) == "customer:7:2"
    # Repeated after a long time it is still the same moment.
    assert rule.scope(moment(0), [first]) is None
    # A number that was given once is not given again.
    assert rule.scope(moment(90), [Entry("customer:7:5", NOON)]) == "customer:7:6"


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        ("often", True),
        ("every_days", True),
        ({"every_days": 0}, True),
        ({"every_days": True}, True),
        ({"every_days": 30, "hours": 2}, True),
        ({"every_days": 30}, False),
        ("once_per_line", False),
    ],
)
def test_a_rule_is_checked_and_reads_as_words(raw, fault):
    assert bool(reentry.faults(raw)) is fault
    assert bool(definitions.faults(file(send(), reentry=raw))) is fault
    if not fault:
        assert reentry.parse(raw).sentence() in {"at most once in 30 days", "once per line of an order"}


@pytest.mark.django_db
def test_every_so_many_days_lets_a_person_in_again_after_them():
    store = make_store()
    flow = publish(store, file(send(), event="custom.x", reentry={"every_days": 30}))
    who = make_customer(store)
    for days, entered in ((0, 1), (0, 0), (29, 0), (-40, 1), (30, 1), (31, 0), (61, 1)):
        again = moment(days, key=f"custom.x:{days}", customer=who.pk)
        assert entering.enter(flow, [again, again]) == entered, days
    assert Enrolment.objects.count() == 4


@pytest.mark.django_db
def test_a_file_with_a_rule_in_days_is_the_same_after_export_and_import():
    data = file(send(), event="custom.x", reentry={"every_days": 30})
    assert definitions.load(definitions.dump(data)) == data


RULES = ["once", "once_per_order", {"every_days": 30}, "always"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_two_workers_at_once_enter_a_person_once(rule):
    store = make_store()
    flow = publish(store, file(send(), reentry=rule))
    order = make_order(store)
    same = Occurrence(NOON, f"order.paid:{order.pk}", order.customer_id, order.pk, name="order.paid")
    barrier = Barrier(2)

    def enter(_):
        try:
            barrier.wait(timeout=10)
            return entering.enter(flow, [same])
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as workers:
        list(workers.map(enter, range(2)))
    assert Enrolment.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "postgresql", reason="on SQLite one writes after the other")
def test_two_moments_within_the_days_judged_at_the_same_time_enter_once():
    store = make_store()
    flow = publish(store, file(send(), event="custom.x", reentry={"every_days": 30}))
    who = make_customer(store)
    barrier = Barrier(2)
    judge = entering.judge

    def judged_together(*args, **kwargs):
        found = judge(*args, **kwargs)
        barrier.wait(timeout=10)
        return found

    def enter(days):
        try:
            return entering.enter(flow, [moment(days, key=f"custom.x:{days}", customer=who.pk)])
        finally:
            connections.close_all()

    entering.judge = judged_together
    try:
        with ThreadPoolExecutor(2) as workers:
            list(workers.map(enter, (0, 1)))
    finally:
        entering.judge = judge
    assert Enrolment.objects.get().key == f"{flow.pk}:customer:{who.pk}:1"
