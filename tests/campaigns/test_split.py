"""A split: the same person the same way, shares as weighed, and no winner before the plan is fulfilled."""

from collections import Counter
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from campaigns import definitions, flows, results
from campaigns.models import Enrolment, Message, StepRun
from campaigns.steps import build
from postpurchase import clock
from stores import events
from tests.campaigns.flow_files import file, happen, publish, run, send
from tests.factories import NOON, make_order, make_store, make_user

VARIANTS = [{"name": "A", "weight": 1, "steps": [send("first")]}, {"name": "B", "weight": 3, "steps": []}]
SPLIT = {
    "uid": "test",
    "kind": "split",
    "variants": VARIANTS,
    "goal": "order.placed",
    "within": "14 days",
    "sample": 50,
}


def _split(**changes):
    step, faults = build("split", definitions.params_of(SPLIT | changes))
    assert faults == []
    return step


def test_weights_are_kept_and_a_person_stays_on_the_way():
    step = _split()
    ways = Counter(step.variant_of(f"1:order:{n}", "test") for n in range(10_000))
    assert 2300 < ways["A"] < 2700
    assert ways["A"] + ways["B"] == 10_000
    assert {step.variant_of("1:order:7", "test") for _ in range(5)} == {step.variant_of("1:order:7", "test")}
    # Another split of the same flow draws anew.
    assert [step.variant_of(f"1:order:{n}", "other") for n in range(50)] != [
        step.variant_of(f"1:order:{n}", "test") for n in range(50)
    ]


@given(key=st.text(max_size=60), weights=st.lists(st.integers(1, 1000), min_size=2, max_size=5))
def test_everybody_goes_one_of_the_ways(key, weights):
    step = _split(variants=[{"name": f"V{n}", "weight": weight} for n, weight in enumerate(weights)])
    assert step.variant_of(key, "test") in step.lanes()


@pytest.mark.django_db
def test_each_way_has_its_steps_and_both_come_back():
    clock.freeze(NOON)
    store = make_store()
    flow = publish(store, file(SPLIT, send("after")))
    for _ in range(20):
        happen(make_order(store))
    run()
    lanes = dict(StepRun.objects.filter(step="test").values_list("enrolment_id", "lane"))
    assert set(lanes.values()) == {"A", "B"}
    for enrolment, lane in lanes.items():
        steps = list(Message.objects.filter(enrolment=enrolment).order_by("pk").values_list("step", flat=True))
        assert steps == (["first", "after"] if lane == "A" else ["after"])
    assert definitions.dump(flow.live.definition) == flows.export_file(
        flows.import_file(make_store(), flows.export_file(flow), actor="test")
    )


def test_faults_lie_in_sentences_and_in_the_steps_below():
    one = file(SPLIT | {"variants": [{"name": "A", "steps": []}], "goal": "order.sung", "sample": 3})
    assert definitions.faults(one) == [
        "Step 1: A split has 2 to 5 variants.",
        "Step 1: There is no event order.sung.",
        "Step 1: sample lies between 50 and 1,000,000 people.",
    ]
    below = file(SPLIT | {"variants": [VARIANTS[1], {"name": "C", "steps": [send("Mail!")]}]})
    assert definitions.faults(below) == ["Step 1a: uid is a short name of small letters, digits and _."]
    strange = file(SPLIT | {"variants": [VARIANTS[1], {"name": "C", "wait": 3}]})
    assert definitions.faults(strange)[0].startswith("Step 1: variants cannot be")


def test_a_split_reads_as_a_sentence():
    assert _split().sentence() == "Split by chance: A 25%, B 75%; measured by: an order is placed within 14 days"


def _went(flow, lane, n, *, at, won=0):
    """`n` people who went this way, of whom `won` placed an order the day after."""
    for i in range(n):
        order = make_order(flow.store)
        row = Enrolment.objects.create(
            store=flow.store, flow=flow, version=flow.live, customer=order.customer, key=f"{flow.pk}:{order.pk}"
        )
        StepRun.objects.create(enrolment=row, step="test", kind="split", at=at, lane=lane)
        if i < won:
            events.record(
                flow.store, "order.placed", subject=f"won{order.pk}", at=at + timedelta(days=1), customer=order.customer
            )


@pytest.mark.django_db
def test_there_is_no_winner_before_the_planned_number_has_been_through():
    clock.freeze(NOON)
    flow = publish(make_store(), file(SPLIT))
    _went(flow, "A", 49, at=NOON - timedelta(days=20), won=40)
    _went(flow, "B", 60, at=NOON - timedelta(days=20))
    # Went, but has still two days to order.
    _went(flow, "A", 5, at=NOON - timedelta(days=12), won=5)
    found = results.results(flow, "test", _split())
    assert [(way.name, way.people, way.successes, way.waiting) for way in found.ways] == [
        ("A", 49, 40, 5),
        ("B", 50, 0, 10),
    ]
    assert (found.is_complete, found.better) == (False, "")
    assert found.sentence() == "Too early to say: 49 of 50 people have been through the smallest way."


@pytest.mark.django_db
def test_the_planned_people_decide_and_later_ones_change_nothing():
    clock.freeze(NOON)
    flow = publish(make_store(), file(SPLIT))
    _went(flow, "A", 50, at=NOON - timedelta(days=30), won=25)
    _went(flow, "B", 50, at=NOON - timedelta(days=30), won=5)
    before = results.results(flow, "test", _split())
    assert (before.is_complete, before.better) == (True, "A")
    _went(flow, "B", 40, at=NOON - timedelta(days=20), won=40)
    after = results.results(flow, "test", _split())
    assert after.better == "A"
    assert [(way.people, way.successes) for way in after.ways] == [(50, 25), (50, 5)]


def test_ways_that_hardly_differ_have_no_winner():
    found = results.judge([("A", 1000, 50, 0), ("B", 1000, 45, 0)], planned=1000)
    assert (found.is_complete, found.better) == (True, "")
    assert found.sentence() == "No way is better than the others, as far as 1000 people each can tell."


def test_intervals_are_those_of_the_books():
    # Newcombe (1998), Statistics in Medicine 17: 81 of 263 (Wilson), and 56/70 against 48/80 (method 10).
    assert [round(each, 4) for each in results.wilson(81, 263)] == [0.2553, 0.3662]
    assert [round(each, 4) for each in results.difference(56, 70, 48, 80)] == [0.0524, 0.3339]
    assert results.wilson(0, 0) == (0.0, 1.0)


def test_without_a_difference_a_winner_is_found_in_about_one_case_of_twenty():
    import random

    dice = random.Random(11)
    found = 0
    for _ in range(1000):
        won = [sum(dice.random() < 0.1 for _ in range(200)) for _ in range(2)]
        found += bool(results.judge([("A", 200, won[0], 0), ("B", 200, won[1], 0)], planned=200).better)
    assert found < 70


def test_the_number_of_people_needed_is_told():
    # From 5 % to 6 %: the usual answer of the tables is about 8,150.
    assert 8100 < results.people_needed(0.05, 0.06) < 8200


@pytest.mark.django_db
def test_the_page_of_a_flow_shows_what_came_of_its_split():
    clock.freeze(NOON)
    store = make_store()
    flow = publish(store, file(SPLIT))
    client = Client()
    client.force_login(make_user(store))
    page = reverse("flow", args=[store.slug, flow.slug])
    assert "Too early to say: 0 of 50 people have been through the smallest way." in client.get(page).content.decode()
    _went(flow, "A", 50, at=NOON - timedelta(days=30), won=25)
    _went(flow, "B", 50, at=NOON - timedelta(days=30), won=5)
    text = client.get(page).content.decode()
    assert "“A” is better, by 22.5 to 54.5 percentage points." in text
    assert "50.0%" in text
