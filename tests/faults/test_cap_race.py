"""Two workers at the same moment with two messages to one person: one slot, one message, on both databases."""

import threading

import pytest
from django.db import connection

from campaigns import consent, outbox, rechecks
from campaigns.models import Message
from campaigns.rechecks import loading
from postpurchase import clock
from tests.campaigns.flow_files import file, happen, publish, run, send
from tests.factories import NOON, make_customer, make_order, make_store

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("rivals", [True, False], ids=["as rivals", "by the lock alone"])
def test_two_workers_never_fill_one_slot_twice(rivals, monkeypatch):
    if not rivals:
        # Two that do not stand in each other's way by rank, such as one that was not due before.
        monkeypatch.setattr(loading, "_rivals", lambda people, now: {})
    clock.freeze(NOON)
    customer = make_customer(make_store())
    consent.set_consent(customer.store, customer, channel="email", purpose="marketing", state="granted", source="test")
    publish(customer.store, file(send(), klass="M"))
    for _ in range(2):
        happen(make_order(customer.store, customer))
    run()
    assert Message.objects.filter(status="planned").count() == 2
    monkeypatch.setattr(outbox, "BATCH", 1)
    judge = rechecks.judge
    judged = threading.Barrier(2)

    def slowly(messages, *, now):
        """Nobody commits before both have judged, where that can be."""
        found = judge(messages, now=now)
        try:
            judged.wait(timeout=3)
        except threading.BrokenBarrierError:
            pass  # the other one is kept waiting, as it should be
        return found

    monkeypatch.setattr(rechecks, "judge", slowly)
    ready, failed = [], []

    def work():
        try:
            ready.append([message.pk for message, _ in outbox._take()[1]])
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for each in workers:
        each.start()
    for each in workers:
        each.join(30)
    assert failed == []
    assert sorted(map(len, ready)) == [0, 1]
    assert sorted(Message.objects.values_list("status", flat=True)) == ["claimed", "held"]
