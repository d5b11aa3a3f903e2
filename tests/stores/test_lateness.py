"""When an order is late, and that it is said once."""

from datetime import UTC, date, datetime, timedelta

import pytest

from stores import lateness
from stores.models import Event, Shipment
from tests.factories import make_order, make_store

pytestmark = pytest.mark.django_db
PROMISED = date(2026, 11, 20)
# Bucharest is two hours ahead: the promised day ends there at 22:00 UTC.
LAST_MINUTE, FIRST_MINUTE = datetime(2026, 11, 20, 21, 59, tzinfo=UTC), datetime(2026, 11, 20, 22, 0, tzinfo=UTC)


@pytest.fixture
def parcel():
    order = make_order(make_store())
    return Shipment.objects.create(
        store=order.store, order=order, state="in_transit", source="tracking_meta", promised_to=PROMISED
    )


def test_an_order_is_late_when_its_promised_day_is_over_where_the_store_is(parcel):
    assert lateness.tick_late(LAST_MINUTE) == 0
    assert lateness.tick_late(FIRST_MINUTE) == 1
    event = Event.objects.get(name="order.late")
    assert (event.at, event.order, event.historic) == (FIRST_MINUTE, parcel.order, False)
    assert event.payload == {"promised_to": "2026-11-20"}


def test_it_is_told_once_however_many_parcels_and_minutes(parcel):
    Shipment.objects.create(
        store=parcel.store, order=parcel.order, parcel=2, state="shipped", source="tracking_meta", promised_to=PROMISED
    )
    assert lateness.tick_late(FIRST_MINUTE) == 1
    assert lateness.tick_late(FIRST_MINUTE + timedelta(days=2)) == 0
    assert Event.objects.filter(name="order.late").count() == 1


@pytest.mark.parametrize("change", ["delivered", "cancelled", "no promise", "long ago"])
def test_what_is_not_late(parcel, change):
    now = FIRST_MINUTE
    if change == "delivered":
        Shipment.objects.update(state="delivered")
    elif change == "cancelled":
        type(parcel.order).objects.update(status="cancelled")
    elif change == "no promise":
        Shipment.objects.update(promised_to=None)
    else:
        now += timedelta(days=60)
    assert lateness.tick_late(now) == 0


def test_a_promise_broken_before_the_connect_is_history(parcel):
    type(parcel.store).objects.update(live_from=FIRST_MINUTE + timedelta(days=1))
    assert lateness.tick_late(FIRST_MINUTE + timedelta(days=2)) == 1
    assert Event.objects.get(name="order.late").historic
