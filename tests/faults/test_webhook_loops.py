"""An object that a shop changes without end (C45) is asked for less and less often; a calm one at once."""

from datetime import datetime, timedelta

import pytest

from postpurchase import clock
from postpurchase.due import State
from stores.models import Store, SyncTask
from stores.sync import tasks
from tests.factories import make_store

pytestmark = pytest.mark.django_db


def _fetched(store: Store, at: datetime) -> None:
    SyncTask.objects.filter(store=store).update(state=State.DONE, finished_at=at)


def _told(store: Store) -> datetime:
    tasks.arm(store, [("order", 7)])
    return SyncTask.objects.get(store=store).due_at


def test_c45_the_time_between_two_fetches_doubles_up_to_five_minutes() -> None:
    store, waits = make_store(), []
    _told(store)
    for _time in range(8):
        at = clock.now()
        _fetched(store, at)
        waits.append((_told(store) - at).total_seconds())
        # The loop goes on: the next hint comes at once after the next fetch.
        SyncTask.objects.filter(store=store).update(due_at=at)
    assert waits == [10, 20, 40, 80, 160, 300, 300, 300]


def test_c45_an_object_that_has_calmed_down_is_fetched_at_once_again() -> None:
    store = make_store()
    _told(store)
    for _time in range(3):
        _fetched(store, clock.now())
        _told(store)
    _fetched(store, clock.now() - timedelta(seconds=100))
    assert _told(store) <= clock.now()
    assert SyncTask.objects.get().params["again"] == 0


def test_c45_a_loop_of_one_object_does_not_hold_up_another() -> None:
    store = make_store()
    _told(store)
    for _time in range(5):
        _fetched(store, clock.now())
        _told(store)
    tasks.arm(store, [("order", 8)])
    assert SyncTask.objects.get(key="order:8").due_at <= clock.now()
