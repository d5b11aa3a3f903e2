"""Segments: who is in them, who entered and left, circles refused, numbers of this store, the pages."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from postpurchase import clock
from postpurchase.errors import BusinessError
from stores import conditions, events, presets, registries, segments
from stores.conditions import Subject
from stores.models import Event, Segment, SegmentDay, SegmentStay, Store, User
from tests.factories import NOON, make_customer, make_order, make_store, make_user

pytestmark = pytest.mark.django_db
TWICE = {"field": "customer.orders_count", "op": "gte", "value": "2"}


@pytest.fixture(autouse=True)
def _noon() -> None:
    clock.freeze(NOON)


def made(store: Store, name: str = "Loyal", tree: Any = None, actor: User | None = None) -> Segment:
    return segments.save(store, None, name=name, tree=tree or TWICE, actor=actor or make_user(store))


def asks(slug: str) -> dict[str, Any]:
    return {"field": "customer.segment", "op": "any_of", "value": [slug]}


def test_who_was_there_when_it_was_made_did_not_enter() -> None:
    store = make_store()
    loyal = make_customer(store, orders_count=2)
    make_customer(store, orders_count=1)
    make_customer(make_store(), orders_count=5)
    segment = made(store)
    assert (segment.slug, segment.size) == ("loyal", 1)
    assert list(SegmentStay.objects.values_list("customer", "quiet")) == [(loyal.pk, True)]
    assert not Event.objects.filter(name__startswith="segment.").exists()


def test_entering_and_leaving_is_recorded_once() -> None:
    store = make_store()
    comes, goes = make_customer(store, orders_count=1), make_customer(store, orders_count=3)
    segment = made(store)
    store.customers.filter(pk=comes.pk).update(orders_count=2)
    store.customers.filter(pk=goes.pk).update(orders_count=0)
    later = NOON + timedelta(hours=2)
    assert segments.tick(later) == 1
    assert segments.tick(later) == 0
    found = Event.objects.filter(name__startswith="segment.").order_by("name")
    assert [(one.name, one.customer_id, one.payload, one.historic) for one in found] == [
        (events.SEGMENT_ENTERED, comes.pk, {"segment": "loyal"}, False),
        (events.SEGMENT_LEFT, goes.pk, {"segment": "loyal"}, False),
    ]
    assert list(segments.changes(segment, NOON, later + timedelta(seconds=1))) == [
        segments.Change(later, comes.pk, True),
        segments.Change(later, goes.pk, False),
    ]
    assert list(segments.changes(segment, NOON, later)) == []
    assert list(SegmentDay.objects.values_list("size", flat=True)) == [1]


def test_a_changed_condition_makes_nobody_enter() -> None:
    store = make_store()
    make_customer(store, orders_count=1)
    segment = made(store)
    one = {**TWICE, "value": "1"}
    segments.save(store, segment, name="Buyers", tree=one, actor=make_user(store))
    segment.refresh_from_db()
    assert (segment.name, segment.slug, segment.size) == ("Buyers", "loyal", 1)
    assert not Event.objects.filter(name=events.SEGMENT_ENTERED).exists()


def test_flows_and_segments_ask_for_a_segment() -> None:
    store = make_store()
    inside, outside = make_customer(store, orders_count=2), make_customer(store)
    made(store)
    assert conditions.faults(asks("loyal")) == []
    assert conditions.matches(asks("loyal"), Subject(store, inside))
    assert not conditions.matches(asks("loyal"), Subject(store, outside))
    assert list(conditions.find(asks("loyal"), store)) == [inside]
    assert list(conditions.find({"not": asks("loyal")}, store)) == [outside]


def test_a_segment_that_asks_for_itself_is_refused() -> None:
    store = make_store()
    user = make_user(store)
    first = made(store, "First", actor=user)
    made(store, "Second", {"not": {"any": [asks("first"), TWICE]}}, user)
    for tree in (asks("first"), {"all": [TWICE, asks("second")]}):
        with pytest.raises(BusinessError, match="The segment would ask for itself: first"):
            segments.save(store, first, name="First", tree=tree, actor=user)
    first.refresh_from_db()
    assert first.conditions == TWICE
    with pytest.raises(BusinessError, match="“Second” asks for this segment"):
        segments.delete(first, actor=user)
    assert Segment.objects.count() == 2


def test_segments_that_others_ask_for_are_looked_at_first() -> None:
    store = make_store()
    user = make_user(store)
    inner = made(store, "Inner", actor=user)
    outer = made(store, "Outer", asks("inner"), user)
    # Made in the other order, so that the number does not decide.
    Segment.objects.filter(pk=inner.pk).update(conditions=asks("last"))
    made(store, "Last", TWICE, user)
    comes = make_customer(store, orders_count=2)
    segments.tick(NOON + timedelta(hours=2))
    assert set(SegmentStay.objects.filter(customer=comes).values_list("segment__slug", flat=True)) == {
        "inner",
        "outer",
        "last",
    }
    assert Segment.objects.get(pk=outer.pk).size == 1


@pytest.mark.parametrize(
    ("name", "tree", "code"),
    [
        (" ", TWICE, "segment_name"),
        ("A", None, "segment_faults"),
        ("A", {"field": "x", "op": "is"}, "segment_faults"),
    ],
)
def test_what_is_not_right_is_not_saved(name: str, tree: Any, code: str) -> None:
    store = make_store()
    with pytest.raises(BusinessError) as refusal:
        segments.save(store, None, name=name, tree=tree, actor=make_user(store))
    assert refusal.value.code == code
    assert not Segment.objects.exists()


def test_an_erased_person_was_in_no_segment() -> None:
    store = make_store()
    gone = make_customer(store, orders_count=2)
    segment = made(store)
    registries.erase(gone)
    assert not SegmentStay.objects.exists()
    segments.refresh(segment)
    assert not Event.objects.filter(name=events.SEGMENT_LEFT).exists()


def test_vips_are_the_tenth_of_this_store_that_spent_most() -> None:
    store = make_store()
    for n in range(1, 31):
        make_customer(store, orders_count=1, spent=Decimal(n * 10), first_order_at=NOON, last_order_at=NOON)
    vip = presets.preset(store, "vip")
    assert vip.tree == {"field": "customer.spent", "op": "gte", "value": "280"}
    assert vip.why.startswith("The tenth of your 30 buyers who spent most spent 280")
    assert segments.people(store, vip.tree).count() == 3


def test_at_risk_is_past_the_own_gap_else_past_the_stores() -> None:
    store = make_store()
    for _n in range(25):
        buyer = make_customer(store)
        for days in (40, 20):
            make_order(store, buyer, created_gmt=NOON - timedelta(days=days))
    risk = presets.preset(store, "at-risk")
    assert "within 20 days" in risk.why
    late = make_customer(
        store, orders_count=3, first_order_at=NOON - timedelta(days=50), last_order_at=NOON - timedelta(days=30)
    )
    early = make_customer(
        store, orders_count=3, first_order_at=NOON - timedelta(days=90), last_order_at=NOON - timedelta(days=30)
    )
    new = make_customer(store, orders_count=1, first_order_at=NOON, last_order_at=NOON - timedelta(days=21))
    people = set(segments.people(store, risk.tree))
    assert {late, new} <= people
    assert early not in people


def test_every_ready_made_one_can_be_asked() -> None:
    store = make_store()
    for one in presets.presets(store):
        assert one.why
        assert one.tree is None or conditions.faults(one.tree) == []


def _sent(**more: str) -> dict[str, str]:
    row = {"was": "customer.orders_count", "field": "customer.orders_count", "op": "gte", "value": "2"}
    return {"name": "Loyal", "who-g0-rows": "0", **{f"who-0-{name}": value for name, value in row.items()}, **more}


def test_a_segment_is_built_counted_saved_and_exported_without_a_script(client: Client) -> None:
    store = make_store()
    make_customer(store, orders_count=2, first_name="Ioana")
    client.force_login(make_user(store))
    address = reverse("segment_new", args=[store.slug])
    assert client.get(address).status_code == 200
    added = client.post(address, {"name": "Loyal", "who-do": "add-0"}).content.decode()
    assert added.count('class="rule"') == 1
    counted = client.post(address, _sent(act="count")).content.decode()
    assert "1 person" in counted
    assert "Ioana" in counted
    assert not Segment.objects.exists()
    saved = client.post(address, _sent(act="save"))
    segment = Segment.objects.get()
    assert saved["Location"] == reverse("segment", args=[store.slug, segment.pk])
    page = client.get(saved["Location"]).content.decode()
    assert "Size over time" in page
    rows = b"".join(client.get(reverse("segment_export", args=[store.slug, segment.pk])).streaming_content).decode()
    assert rows.count("\r\n") == 2
    assert "Ioana" in rows
    fragment = client.post(reverse("segment_count", args=[store.slug]), _sent()).content.decode()
    assert "1 person" in fragment
    assert "<html" not in fragment
    client.post(reverse("segment_delete", args=[store.slug, segment.pk]))
    assert not Segment.objects.exists()


def test_a_fault_stands_on_the_page_and_nothing_is_saved(client: Client) -> None:
    store = make_store()
    client.force_login(make_user(store))
    address = reverse("segment_new", args=[store.slug])
    page = client.post(address, _sent(act="save", **{"who-0-value": "often"})).content.decode()
    assert "Row 1: the number of orders is at least needs a number, not &#x27;often&#x27;." in page
    assert not Segment.objects.exists()


def test_who_may_not_edit_may_look_and_saves_nothing(client: Client) -> None:
    store = make_store()
    segment = made(store)
    client.force_login(make_user(store, role="support"))
    address = reverse("segment", args=[store.slug, segment.pk])
    assert client.get(address).status_code == 200
    assert client.post(address, _sent(act="save", name="Other")).status_code == 403
    assert Segment.objects.get().name == "Loyal"


def test_the_list_costs_the_same_for_many(client: Client, django_assert_max_num_queries: Any) -> None:
    store = make_store()
    user = make_user(store)
    for n in range(6):
        made(store, f"Segment {n}", actor=user)
    client.force_login(user)
    with django_assert_max_num_queries(25):
        page = client.get(reverse("segments", args=[store.slug])).content.decode()
    assert page.count("the number of orders is at least 2") == 6
    assert "At risk" in page
