"""Many rows in one go: types survive, repeats are left out, only what is found is counted."""

import uuid

import pytest

from campaigns import bulk
from campaigns.models import Enrolment, Message, SentLedger, StepRun
from postpurchase import clock
from tests.campaigns.flow_files import file, happen, publish, run, send
from tests.factories import NOON, make_order, make_store

pytestmark = pytest.mark.django_db


def test_every_column_comes_back_as_it_was_given():
    clock.freeze(NOON)
    store = make_store()
    publish(store, file(send()))
    happen(make_order(store))
    run()
    written = Message.objects.get()
    copy = Message(**{field.attname: getattr(written, field.attname) for field in Message._meta.concrete_fields})
    copy.pk, copy.key, copy.uuid = None, "copy", uuid.uuid4()
    copy.context, copy.trace, copy.reason = {"ș": [1, None]}, [[True, "Order", "“5%”"]], "100 %s"
    bulk.insert(Message, [copy])
    read = Message.objects.get(key="copy")
    for field in Message._meta.concrete_fields:
        if not field.primary_key:
            assert getattr(read, field.attname) == getattr(copy, field.attname), field.attname


def test_a_row_that_is_there_already_is_left_out_and_the_others_are_written():
    store = make_store()
    bulk.insert(SentLedger, [SentLedger(store=store, key="a")])
    bulk.insert(SentLedger, [SentLedger(store=store, key="a"), SentLedger(store=store, key="b")])
    assert sorted(SentLedger.objects.values_list("key", flat=True)) == ["a", "b"]
    bulk.insert(StepRun, [])


def test_only_rows_that_are_found_are_changed_and_counted():
    store = make_store()
    publish(store, file(send()))
    happen(make_order(store))
    one = Enrolment.objects.get()
    assert bulk.update(Enrolment, ("reason",), ("id", "lease_token"), [("x", one.pk, uuid.uuid4())]) == 0
    assert bulk.update(Enrolment, ("reason", "context"), ("id",), [("x", {"a": 1}, one.pk), ("y", {}, 0)]) == 1
    one.refresh_from_db()
    assert (one.reason, one.context) == ("x", {"a": 1})
    assert bulk.update(Enrolment, ("reason",), ("id",), []) == 0
