"""Goods and parcels as triggers: lines, products, categories, attributes; states of parcels, and days they should come."""

from datetime import UTC, datetime, timedelta

import pytest

from campaigns import triggers
from campaigns.models import Enrolment
from campaigns.triggers import planning
from postpurchase import clock
from stores import events
from stores.models import Category, Shipment
from tests.campaigns.flow_files import file, happen, publish, send
from tests.factories import NOON, make_order, make_product, make_store

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _noon():
    clock.freeze(NOON)


def start(event, **params):
    made, faults = triggers.build({"event": event, **params})
    assert not faults, faults
    return made


@pytest.fixture
def shop():
    store = make_store()
    for woo_id, parent in ((1, 0), (2, 1), (3, 0)):
        Category.objects.create(store=store, woo_id=woo_id, name=f"C{woo_id}", parent_woo_id=parent)
    mug = make_product(store, category_ids=[2])
    shirt = make_product(store, category_ids=[3])
    blue = make_product(
        store, parent=shirt, kind="variation", raw={"attributes": [{"name": "Color", "option": "Blue"}]}
    )
    return store, mug, shirt, blue


def entered():
    return sorted(Enrolment.objects.values_list("order", "line__name"))


def test_a_flow_begins_once_for_each_line_of_an_order(shop):
    store, mug, shirt, _blue = shop
    publish(store, file(send(), trigger={"event": "line.bought"}, reentry="once_per_line", exit_when=[]))
    order = make_order(store, items=[(mug, 1), (shirt, 2)])
    happen(order)
    happen(order, fact="again")
    assert entered() == sorted([(order.pk, mug.name), (order.pk, shirt.name)])
    assert {each.context["payload"]["quantity"] for each in Enrolment.objects.all()} == {"1", "2"}


def test_a_line_that_was_given_back_begins_nothing(shop):
    store, mug, shirt, _blue = shop
    publish(store, file(send(), trigger={"event": "line.bought", "when": "delivered"}, reentry="once_per_line"))
    order = make_order(store, items=[(mug, 1), (shirt, 2)])
    order.lines.filter(name=mug.name).update(refunded_quantity=1)
    order.lines.filter(name=shirt.name).update(refunded_quantity=1)
    happen(order)
    assert entered() == []
    happen(order, events.ORDER_DELIVERED)
    assert entered() == [(order.pk, shirt.name)]


def test_products_categories_with_those_below_and_attributes_are_found(shop):
    store, mug, shirt, blue = shop
    order = make_order(store, items=[(shirt, 1), (mug, 1)])
    other = make_order(store, items=[(blue, 1)])
    for one in (order, other, make_order(make_store(), items=[])):
        happen(one)

    def told(**params):
        return [(one.order_id, one.payload["item"]) for one in start("product.bought", **params).history(store, *span)]

    span = (NOON - DAY, NOON + DAY)
    assert told(products=[mug.woo_id]) == [(order.pk, mug.name)]
    assert told(categories=[1]) == [(order.pk, mug.name)]
    assert told(categories=[3]) == [(order.pk, shirt.name), (other.pk, blue.name)]
    assert told(attributes=["pa_color=blue"]) == [(other.pk, blue.name)]
    assert told(attributes=["color=red"]) == []
    assert told(categories=[1, 3], attributes=["color=red"]) == [(order.pk, shirt.name), (other.pk, blue.name)]


def test_faults_are_told_in_sentences():
    assert triggers.build({"event": "product.bought"})[1] == ["trigger: Name products, categories or attributes."]
    assert triggers.build({"event": "line.bought", "when": "soon"})[1] == [
        "trigger: when is one of paid, placed, delivered."
    ]
    assert triggers.build({"event": "line.bought", "attributes": ["blue"]})[1] == [
        "trigger: attributes are written name=value, such as color=blue."
    ]
    assert triggers.build({"event": "parcel.reached", "states": ["lost"]})[1][0].startswith(
        "trigger: states are one or"
    )
    assert triggers.build({"event": "parcel.expected", "days": 99})[1] == ["trigger: days lies between 0 and 30."]


def moved(order, state, name=events.SHIPMENT_MOVED, **payload):
    happen(order, name, fact=f"1:{state}", payload={"parcel": 1, "state": state, "estimated": False} | payload)


def test_a_parcel_comes_to_a_state_also_when_it_is_first_seen_there_and_once():
    store = make_store()
    publish(store, file(send(), trigger={"event": "parcel.reached", "states": "out_for_delivery"}, exit_when=[]))
    seen, first = make_order(store), make_order(store)
    moved(seen, "shipped", events.SHIPMENT_CREATED)
    moved(seen, "in_transit")
    assert not Enrolment.objects.exists()
    moved(seen, "out_for_delivery")
    moved(seen, "out_for_delivery")
    moved(first, "out_for_delivery", events.SHIPMENT_CREATED)
    assert {each.order for each in Enrolment.objects.all()} == {seen, first}
    assert Enrolment.objects.count() == 2


@pytest.mark.parametrize(("scans_only", "told"), [(False, [True]), (True, [])])
def test_a_guess_is_told_as_one_or_left_out(scans_only, told):
    store = make_store()
    order = make_order(store)
    moved(order, "shipped", events.SHIPMENT_CREATED, estimated=True)
    found = start("parcel.reached", states=["shipped"], scans_only=scans_only).history(store, NOON - DAY, NOON + DAY)
    assert [one.payload["estimated"] for one in found] == told


@pytest.mark.parametrize(("estimated", "number"), [(None, 2), (True, 1), (False, 1)])
def test_delivered_by_a_scan_and_by_an_estimate_are_told_apart(estimated, number):
    store = make_store()
    publish(store, file(send(), trigger={"event": "order.delivered", "estimated": estimated}))
    for guess in (True, False):
        happen(make_order(store), events.ORDER_DELIVERED, payload={"estimated": guess})
    assert Enrolment.objects.count() == number


def test_without_scans_a_parcel_is_told_of_on_the_day_it_should_come_in_the_zone_of_the_store():
    store = make_store()
    publish(store, file(send(), trigger={"event": "parcel.expected", "at": "08:00"}, exit_when=[]))
    order, scanned = make_order(store), make_order(store)
    # Half past midnight on 24 November in Bucharest.
    late = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
    parcel = Shipment.objects.create(store=store, order=order, source="estimate", state="shipped", expected_at=late)
    Shipment.objects.create(store=store, order=scanned, source="tracking_meta", state="shipped", expected_at=late)
    for at, number in ((datetime(2026, 11, 24, 5, 59, tzinfo=UTC), 0), (datetime(2026, 11, 24, 6, 20, tzinfo=UTC), 1)):
        clock.freeze(at)
        planning.run_due()
        assert Enrolment.objects.count() == number
    told = Enrolment.objects.get()
    assert (told.order, told.context["at"]) == (order, "2026-11-24T06:00:00+00:00")
    assert (told.context["payload"]["estimated"], told.context["payload"]["day"]) == (True, "2026-11-24")
    # When the estimate has become the delivery, the past says the same.
    Shipment.objects.filter(pk=parcel.pk).update(state="delivered", delivered_at=late, expected_at=None)
    past = list(start("parcel.expected").history(store, NOON, NOON + 9 * DAY))
    assert [(one.order_id, one.at.isoformat()) for one in past] == [(order.pk, "2026-11-24T06:00:00+00:00")]
