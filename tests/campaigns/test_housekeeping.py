"""Letters go after 90 days or with the person; the facts stay."""

from datetime import timedelta

import pytest

from campaigns import engine, housekeeping, outbox
from campaigns.channels import email
from campaigns.channels.email import Handed
from campaigns.models import Enrolment, Message, SentLedger
from postpurchase import clock
from tests.campaigns.flow_files import file, happen, publish, run, send, wait
from tests.factories import NOON, make_order, make_store

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(monkeypatch):
    clock.freeze(NOON)
    monkeypatch.setattr(email, "send", lambda message, rendered: Handed(True))
    store = make_store()
    publish(store, file(send(), wait(days=300), send("late")))
    happen(make_order(store))
    run()
    outbox.run_due()
    return Message.objects.get()


def test_a_letter_is_kept_for_90_days_and_its_facts_for_good(sent):
    clock.advance(timedelta(days=90))
    assert housekeeping.tidy() == 0
    clock.advance(timedelta(seconds=1))
    assert housekeeping.tidy() == 1
    assert housekeeping.tidy() == 0
    kept = Message.objects.get()
    assert (kept.html, kept.text) == ("", "")
    assert (kept.subject, kept.to, kept.accepted_at, kept.trace) == (sent.subject, sent.to, NOON, sent.trace)
    assert SentLedger.objects.count() == 1


def test_an_erased_person_leaves_no_letter_and_gets_no_other(sent):
    housekeeping.forget(sent.customer)
    type(sent.customer).objects.update(erased_at=NOON)
    kept = Message.objects.get()
    assert (kept.to, kept.subject, kept.html, kept.text, kept.trace) == ("", "", "", "", [])
    assert (kept.status, kept.accepted_at) == ("accepted", NOON)
    assert (Enrolment.objects.get().status, Enrolment.objects.get().context) == ("left", {})
    clock.advance(timedelta(days=301))
    assert engine.run_due() == 0
    assert Message.objects.count() == 1
