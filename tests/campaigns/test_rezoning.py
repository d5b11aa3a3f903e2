"""A shop's time zone changes: what waits for an hour of the clock waits for that hour in the new zone."""

from datetime import UTC, datetime, timedelta

import pytest

from campaigns.models import Enrolment, Message
from postpurchase import clock
from stores import registries
from tests.campaigns.flow_files import file, happen, publish, run, send, wait
from tests.factories import NOON, make_order, make_store

pytestmark = pytest.mark.django_db


def waiting(store, **how):
    publish(store, file(wait(**how), send()))
    happen(make_order(store))
    run()
    return Enrolment.objects.get()


def rezone(store, zone):
    before, store.zone = store.zone, zone
    store.save()
    registries.zone_changed(store, before)


@pytest.mark.parametrize("how", [{"days": 2, "until": "10:00"}, {"days": 2, "between": ["16:00", "18:00"]}])
def test_a_wait_for_an_hour_keeps_its_hour(how):
    clock.freeze(NOON)
    store = make_store()
    person = waiting(store, **how)
    before = person.due_at.astimezone(store.tz)
    rezone(store, "America/New_York")
    person.refresh_from_db()
    after = person.due_at.astimezone(store.tz)
    assert after.replace(tzinfo=None) == before.replace(tzinfo=None)
    assert person.due_at - before == timedelta(hours=7)
    clock.freeze(person.due_at - timedelta(minutes=1))
    assert (run(), Message.objects.count()) == (0, 0)
    clock.freeze(person.due_at)
    run()
    assert Message.objects.count() == 1


def test_a_span_ends_when_it_ends():
    clock.freeze(NOON)
    store = make_store()
    person = waiting(store, days=2, hours=1)
    before = person.due_at
    rezone(store, "America/New_York")
    person.refresh_from_db()
    assert person.due_at == before


def test_nobody_of_another_store_is_moved():
    clock.freeze(NOON)
    store, other = make_store(), make_store()
    person = waiting(other, until="10:00")
    before = person.due_at
    rezone(store, "America/New_York")
    person.refresh_from_db()
    assert person.due_at == before


def test_a_message_held_for_the_morning_is_judged_again():
    clock.freeze(datetime(2026, 11, 20, 22, 0, tzinfo=UTC))
    store = make_store()
    publish(store, file(send()))
    happen(make_order(store))
    run()
    Message.objects.update(status="held", due_at=clock.now() + timedelta(hours=8))
    rezone(store, "America/New_York")
    assert Message.objects.get().due_at == clock.now()
