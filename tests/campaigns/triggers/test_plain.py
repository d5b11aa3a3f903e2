"""Recorded events as triggers: what starts, with which conditions on the payload, and what would have started."""

from datetime import timedelta

import pytest

from campaigns import definitions, triggers
from campaigns.models import Enrolment
from campaigns.triggers import entering, plain
from postpurchase import clock
from stores import events
from tests.campaigns.flow_files import file, happen, publish, send
from tests.factories import NOON, make_order, make_store

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _noon():
    clock.freeze(NOON)


def start(event, **params):
    made, faults = triggers.build({"event": event, **params})
    assert not faults
    return made


FOUR_STARS = [{"field": "rating", "op": "gte", "value": 4}]


@pytest.mark.parametrize(
    ("trigger", "fault"),
    [
        ({}, "trigger has event and, if wanted, where and the settings of that event."),
        (
            {"event": "review.submitted", "payload": [{"field": "stars", "op": "gte", "value": 4}]},
            "trigger: payload: there is no 'stars'. Known are review, rating, reason.",
        ),
        (
            {"event": "review.submitted", "payload": [{"field": "rating", "op": "gte", "value": "many"}]},
            "trigger: payload: rating cannot be compared with 'many'.",
        ),
        (
            {"event": "review.submitted", "payload": [{"field": "rating", "op": "near", "value": 4}]},
            "trigger: payload: op is one of is, is_not, in, not_in, gte, lte, gt, lt.",
        ),
        ({"event": "review.submitted", "payload": [4]}, "trigger: payload cannot be [4]."),
        ({"event": "order.paid", "days": 3}, "trigger: days is not a setting here. Known are payload."),
        (
            {"event": ["order.paid", "order.placed"], "payload": []},
            "trigger: payload can be set for one event only, not for several.",
        ),
    ],
)
def test_a_fault_of_a_trigger_is_told_in_a_sentence(trigger, fault):
    assert triggers.build(trigger) == (None, [fault])
    assert fault in definitions.faults(file(send(), trigger=trigger))


def test_news_of_the_installation_start_nothing_and_all_else_that_is_recorded_does():
    known = triggers.kinds()
    assert not [name for name in known if name.startswith("store.")]
    assert {"message.accepted", "customer.erased", "customer.merged"}.isdisjoint(known)
    assert {"review.submitted", "coupon.released", "points.taken_back", "order.edited"} <= set(known)


def test_an_event_that_nobody_has_described_starts_flows_under_its_own_name():
    from stores import event_payloads

    told = event_payloads.told("tier.changed")
    assert (told.label, told.group, told.payload) == ("tier changed", "Tier", event_payloads.AnyPayload)
    assert plain.subject_of("tier.changed") == "customer"


def test_a_condition_on_the_payload_lets_only_those_enter_who_meet_it():
    store = make_store()
    publish(store, file(send(), trigger={"event": "review.submitted", "payload": FOUR_STARS}, reentry="always"))
    for stars in (3, 4, 5):
        happen(make_order(store), events.REVIEW_SUBMITTED, payload={"review": stars, "rating": stars})
    happen(make_order(store), events.REVIEW_SUBMITTED, payload={})
    assert sorted(Enrolment.objects.values_list("context__payload__rating", flat=True)) == [4, 5]


def test_amounts_are_compared_as_amounts():
    store = make_store()
    test = [{"field": "amount", "op": "gt", "value": "9.50"}]
    publish(store, file(send(), trigger={"event": "refund.created", "payload": test}))
    for amount in ("9.50", "10.00", "100.00"):
        happen(make_order(store), events.REFUND_CREATED, payload={"amount": amount})
    entered = Enrolment.objects.values_list("context", flat=True)
    assert sorted(each["payload"]["amount"] for each in entered) == ["10.00", "100.00"]


def test_a_trigger_reads_as_a_sentence():
    assert start("order.paid").sentence() == "When an order is paid"
    several = start(["order.paid", "order.placed", "order.status_changed"])
    assert several.sentence() == "When an order is paid, placed or changes its status"
    assert (
        start("review.submitted", payload=FOUR_STARS).sentence()
        == "When a review is written, if the stars is at least 4"
    )


def test_history_tells_the_recorded_moments_of_a_span_in_order_with_historic_ones(django_assert_num_queries):
    store = make_store()
    orders = [make_order(store) for _ in range(4)]
    for order, days in zip(orders, (1, 9, 5, 20), strict=True):
        at = NOON - timedelta(days=days)
        events.record(store, events.ORDER_PAID, subject=order.pk, at=at, order=order, historic=days > 4)
    events.record(store, events.ORDER_PLACED, subject=orders[0].pk, at=NOON - timedelta(days=2), order=orders[0])
    other = make_order(make_store())
    events.record(other.store, events.ORDER_PAID, subject=other.pk, at=NOON, order=other)
    paid = start("order.paid")
    with django_assert_num_queries(1):
        found = list(paid.history(store, NOON - timedelta(days=9), NOON))
    assert [(one.order_id, one.customer_id, one.name) for one in found] == [
        (order.pk, order.customer_id, "order.paid") for order in (orders[1], orders[2], orders[0])
    ]
    both = start(["order.paid", "order.placed"]).history(store, NOON - timedelta(days=6), NOON)
    assert [one.key.partition(":")[0] for one in both] == ["order.paid", "order.placed", "order.paid"]


def test_a_long_history_is_read_in_chunks_and_complete(monkeypatch):
    from campaigns.triggers import base

    monkeypatch.setattr(base, "CHUNK", 3)
    store = make_store()
    order = make_order(store)
    for n in range(8):
        # Several at the same moment, so that a chunk ends among equals.
        at = NOON - timedelta(hours=n // 3)
        events.record(store, events.ORDER_EDITED, subject=order.pk, fact=str(n), at=at, order=order)
    found = list(start("order.edited").history(store, NOON - timedelta(days=1), NOON + timedelta(1)))
    assert len({one.key for one in found}) == len(found) == 8
    assert [one.at for one in found] == sorted(one.at for one in found)


def test_judging_tells_why_somebody_would_not_enter_and_writes_nothing():
    store = make_store()
    where = {"field": "order.payment_method", "op": "is", "value": "cod"}
    flow = publish(store, file(send(), trigger={"event": "order.paid", "where": where}))
    cash, card = make_order(store, payment_method="cod"), make_order(store)
    moments = [
        triggers.Occurrence(NOON, f"order.paid:{order.pk}", order.customer_id, order.pk, name="order.paid")
        for order in (cash, card, cash)
    ]
    moments.append(triggers.Occurrence(NOON, "x", 0, name="order.paid"))
    told = [(one.enters, one.reason) for one in entering.judge(flow, moments)]
    assert told == [
        (True, ""),
        (False, "the flow's condition does not hold"),
        (False, "is in the flow already (once per order)"),
        (False, "the person is not known any more"),
    ]
    assert not Enrolment.objects.exists()
    assert entering.enter(flow, moments) == 1
    assert entering.enter(flow, moments) == 0


def test_who_enters_a_segment_starts_the_flows_of_that_segment_and_not_who_was_in_it():
    from stores import segments
    from tests.factories import make_customer, make_user

    store = make_store()
    big = "big-spenders"
    publish(store, file(send(), trigger={"event": "segment.entered", "segment": big}, exit_when=[]), slug="in")
    publish(store, file(send(), trigger={"event": "segment.left", "segment": big}, exit_when=[]), slug="out")
    was, comes = make_customer(store, spent="900"), make_customer(store, spent="10")
    tree = {"field": "customer.spent", "op": "gte", "value": "500"}
    segment = segments.save(store, None, name="Big spenders", tree=tree, actor=make_user(store))

    def hour(**spent):
        clock.advance(timedelta(hours=1))
        type(comes).objects.filter(pk=comes.pk).update(**spent)
        segments.refresh(segment)
        while events.dispatch():
            pass
        return sorted(Enrolment.objects.values_list("flow__slug", "customer"))

    assert hour() == []
    assert hour(spent="700") == [("in", comes.pk)]
    assert hour(spent="800") == [("in", comes.pk)]
    assert hour(spent="10") == [("in", comes.pk), ("out", comes.pk)]
    past = list(start("segment.entered", segment=big).history(store, NOON, NOON + timedelta(days=1)))
    assert [one.customer_id for one in past] == [comes.pk]
    assert not list(start("segment.entered", segment="other").history(store, NOON, NOON + timedelta(days=1)))
    assert was.pk not in {one.customer_id for one in past}
