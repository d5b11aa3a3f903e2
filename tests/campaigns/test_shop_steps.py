"""The steps that write into the shop: as intents, once, guarded, and with a reason when it is not possible."""

import pytest

from campaigns.models import Enrolment, StepRun
from campaigns.steps import build, kinds
from postpurchase import clock
from stores.models import Intent
from tests.campaigns.flow_files import file, happen, publish, run
from tests.factories import NOON, make_customer, make_order, make_store

pytestmark = pytest.mark.django_db

NOTE = {"uid": "note", "kind": "add_note", "text": "Gift wrapped?"}
TAG = {"uid": "tag", "kind": "add_tag", "tag": "vip"}
META = {"uid": "meta", "kind": "set_meta", "name": "tier", "value": "gold", "on": "order"}
STATUS = {"uid": "status", "kind": "change_status", "status": "completed", "only_from": ["processing"]}


@pytest.fixture(autouse=True)
def _noon():
    clock.freeze(NOON)


def _run(*steps, store=None, order=None, **extra):
    store = store or make_store()
    publish(store, file(*steps, exit_when=[], **extra))
    order = order or make_order(store, make_customer(store, woo_id=5))
    happen(order)
    run()
    return order


def test_each_is_an_intent_that_the_shop_is_asked_for():
    order = _run(NOTE, TAG, META, STATUS)
    found = {intent.kind: intent for intent in Intent.objects.all()}
    assert found["order.note"].params == {"text": "Gift wrapped?", "to_customer": False}
    assert (found["customer.meta"].subject_id, found["customer.meta"].params) == (
        order.customer_id,
        {"name": "tag_vip", "value": "yes"},
    )
    assert (found["order.meta"].subject_id, found["order.meta"].params) == (
        order.pk,
        {"name": "tier", "value": "gold"},
    )
    assert found["order.status"].params == {"status": "completed", "seen": "processing"}
    assert set(StepRun.objects.values_list("outcome", flat=True)) == {"done"}


def test_the_same_step_again_asks_only_once():
    order = _run(NOTE, STATUS)
    row = Enrolment.objects.get()
    StepRun.objects.all().delete()
    Enrolment.objects.filter(pk=row.pk).update(status="active", state="due", step="note", finished_at=None)
    run()
    assert Intent.objects.filter(subject_id=order.pk).count() == 2


def test_an_order_in_another_state_is_left_alone():
    store = make_store()
    order = make_order(store, status="on-hold")
    _run(STATUS, store=store, order=order)
    assert StepRun.objects.get().reason == "the order is “On hold”"
    assert not Intent.objects.exists()


def test_a_store_that_cannot_be_written_to_is_told_at_the_step_and_the_flow_goes_on():
    store = make_store(can_write=False)
    _run(NOTE, TAG, META, STATUS, store=store)
    assert Enrolment.objects.get().status == "finished"
    runs = StepRun.objects.all()
    assert {each.outcome for each in runs} == {"skipped"}
    assert not Intent.objects.exists()


def test_a_guest_has_no_account_to_tag():
    store = make_store()
    _run(TAG, store=store, order=make_order(store))
    assert StepRun.objects.get().reason == "the customer has no account in the store"


@pytest.mark.parametrize(
    ("kind", "params", "fault"),
    [
        ("add_note", {"text": " "}, "A note has 1 to 2000 characters."),
        ("add_tag", {"tag": "V I P"}, "tag is a short name of small letters, digits and _."),
        (
            "set_meta",
            {"name": "ref", "value": ""},
            "name is a short name of small letters, digits and _, and not ref.",
        ),
        (
            "change_status",
            {"status": "refunded", "only_from": ["processing"]},
            "status is one of pending, processing, on-hold, completed, cancelled, failed.",
        ),
        (
            "change_status",
            {"status": "completed", "only_from": []},
            "only_from needs at least one state that the order may be moved from.",
        ),
        ("notify_staff", {"subject": "a\nb"}, "subject is one line of 1 to 200 characters."),
        (
            "call_webhook",
            {"url": "http://example.com/"},
            "The address begins with https://, because what is sent names your customers.",
        ),
        (
            "call_webhook",
            {"url": "https://a:b@example.com/"},
            "The address needs a host, and no name or password before it.",
        ),
    ],
)
def test_faults_are_told_in_a_sentence(kind, params, fault):
    assert build(kind, params)[1] == [fault]


def test_every_kind_can_be_offered_in_a_palette_and_its_settings_in_a_form():
    import dataclasses

    from campaigns.steps.base import GROUPS

    for kind in kinds().values():
        assert kind.group in GROUPS
        assert str(kind.label)
        assert (kind.params.__doc__ or "").strip()
        for field in dataclasses.fields(kind.params):
            assert str(field.metadata["label"]), f"{kind.name}.{field.name}"
            choices = field.metadata["choices"]
            assert all(len(pair) == 2 for pair in (choices() if callable(choices) else choices))
