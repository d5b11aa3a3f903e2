"""Mails to the team: each member once for a person and step, with a link and nothing about the person."""

from datetime import timedelta

import pytest
from django.core import mail

from campaigns import notices
from campaigns.channels import email
from campaigns.models import StaffNotice, StepRun
from postpurchase import clock
from tests.campaigns.flow_files import file, happen, publish, run
from tests.factories import NOON, make_order, make_store, make_user

pytestmark = pytest.mark.django_db

NOTIFY = {"uid": "tell", "kind": "notify_staff", "subject": "Call this customer", "text": "A large order."}


@pytest.fixture(autouse=True)
def _noon():
    clock.freeze(NOON)


def _planned(store, **extra):
    publish(store, file(NOTIFY | extra, exit_when=[]))
    order = make_order(store)
    happen(order)
    run()
    return order


def test_each_member_with_the_role_is_told_once():
    store = make_store()
    owner, manager = make_user(store), make_user(store, role="manager")
    make_user(store, role="viewer")
    order = _planned(store, roles=["owner", "manager"])
    notices.run_due()
    assert sorted(letter.to[0] for letter in mail.outbox) == sorted([owner.email, manager.email])
    letter = mail.outbox[0]
    assert letter.subject == "Call this customer"
    assert f"/app/{store.slug}/orders/{order.pk}/" in letter.body
    assert order.customer.email not in letter.body
    assert notices.run_due() == 0
    assert StaffNotice.objects.get().state == "done"


def test_who_was_told_is_not_told_again_when_another_failed(monkeypatch):
    store = make_store()
    first, second = make_user(store), make_user(store)
    _planned(store)
    whole, calls = email.connection_for, []

    def fails_the_second_time(store):
        calls.append(store)
        if len(calls) == 2:
            raise OSError("no route")
        return whole(store)

    monkeypatch.setattr(email, "connection_for", fails_the_second_time)
    notices.run_due()
    row = StaffNotice.objects.get()
    assert (row.state, row.sent_to, row.due_at) == ("due", [first.email], NOON + timedelta(minutes=5))
    clock.advance(timedelta(minutes=5))
    notices.run_due()
    assert [letter.to for letter in mail.outbox] == [[first.email], [second.email]]


def test_the_same_step_again_tells_nobody():
    store = make_store()
    make_user(store)
    order = _planned(store)
    row = order.enrolments.get()
    StepRun.objects.all().delete()
    row.status, row.state, row.step = "active", "due", "tell"
    row.save()
    run()
    assert StepRun.objects.get().reason == "your team was told already"
    notices.run_due()
    assert len(mail.outbox) == 1


def test_a_team_without_such_a_member_is_shown_as_such():
    _planned(make_store(), roles=["support"])
    notices.run_due()
    row = StaffNotice.objects.get()
    assert (row.state, row.error) == ("dead", "Nobody in your team has one of these roles.")
