"""The outbox: what goes out, what a refusing server does to it, and what is left when a sender dies."""

from datetime import timedelta

import pytest

from campaigns import actions, breaker, outbox
from campaigns.channels.email import Handed
from campaigns.models import Message, SentLedger
from campaigns.rechecks import loading
from postpurchase import clock, due
from stores import events, outgoing
from stores.models import Event
from tests.campaigns.flow_files import file, happen, publish, run, send, wait
from tests.campaigns.letter_box import fresh, planned
from tests.factories import NOON, make_customer, make_order, make_store

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _noon():
    clock.freeze(NOON)


def test_a_planned_message_is_rendered_handed_over_and_recorded(post):
    message = planned()
    assert outbox.run_due() == 1
    sent = fresh(message)
    assert post.letters == [(sent.customer.email, sent.subject)]
    assert (sent.status, sent.state, sent.accepted_at, sent.provider_id) == ("accepted", "done", NOON, "p0")
    assert (sent.language, sent.lease_token, sent.reason) == ("ro", None, "")
    assert "<html" in sent.html
    assert sent.order.number in sent.text
    assert SentLedger.objects.get().key == message.key
    assert Event.objects.filter(name="message.accepted", order=sent.order).count() == 1
    assert all(line[0] for line in sent.trace)
    assert outbox.run_due() == 0


def test_the_message_id_is_fixed_before_the_first_attempt(post):
    message = planned()
    before = message.message_id
    outbox.run_due()
    assert fresh(message).message_id == before
    assert before == f"<{message.uuid}@{message.store.mail_from.split('@')[1]}>"


def test_a_busy_server_is_asked_again_and_again_in_growing_steps(post):
    message = planned()
    post.answers = [Handed(False, error_kind="temporary", error="451 too busy")] * 4
    waits = []
    for _ in range(4):
        outbox.run_due()
        waits.append((fresh(message).due_at - clock.now()).total_seconds() / 60)
        assert (fresh(message).status, fresh(message).reason) == ("retry", "451 too busy")
        clock.freeze(fresh(message).due_at)
    assert waits == [5, 15, 60, 240]
    outbox.run_due()
    assert fresh(message).status == "accepted"


def test_a_refused_address_fails_and_is_not_written_to_again(post):
    message = planned()
    post.answers = [Handed(False, error_kind="permanent", error="550 no such user")]
    outbox.run_due()
    failed = fresh(message)
    assert (failed.status, failed.state, failed.reason, failed.bounced_at) == (
        "failed",
        "dead",
        "550 no such user",
        NOON,
    )
    again = planned(order=make_order(message.store, message.customer), slug="test-flow")
    outbox.run_due()
    assert fresh(again).reason == "address bounced before"


def test_a_refused_account_stops_the_store_and_suppresses_nobody(post):
    store = make_store()
    publish(store, file(send()))
    for _ in range(3):
        happen(make_order(store))
    run()
    other = planned(slug="elsewhere")
    post.answers = [Handed(False, error_kind="account", error="535 sign-in refused")]
    outbox.run_due()
    assert fresh(other).status == "accepted"
    assert sorted(Message.objects.filter(store=store).values_list("status", "reason")) == [
        ("held", "the mail account refuses; tried again soon"),
        ("held", "the mail account refuses; tried again soon"),
        ("retry", "535 sign-in refused"),
    ]
    clock.advance(breaker.ACCOUNT_REST + timedelta(seconds=1))
    outbox.run_due()
    assert Message.objects.filter(store=store, status="accepted").count() == 3


def test_an_unclear_answer_is_never_sent_again_by_itself(post):
    message = planned()
    post.answers = [Handed(False, error_kind="unknown", error="no answer")]
    outbox.run_due()
    clock.advance(timedelta(days=1))
    assert outbox.run_due() == 0
    unclear = fresh(message)
    assert (unclear.status, unclear.state, unclear.reason) == ("unknown", "dead", "no answer")
    assert actions.retry(message.store, Message.objects.all(), actor="test") == 1
    outbox.run_due()
    assert fresh(message).status == "accepted"


def after_a_crash():
    clock.advance(outbox.LEASE + timedelta(seconds=1))
    due.sweep(Message)
    return outbox.run_due()


def test_a_sender_that_dies_before_handing_over_has_sent_nothing_and_it_goes_out_once(post, monkeypatch):
    message = planned()
    whole = outbox.render

    def dies(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(outbox, "render", dies)
    with pytest.raises(KeyboardInterrupt):
        outbox.run_due()
    assert fresh(message).status == "claimed"
    monkeypatch.setattr(outbox, "render", whole)
    after_a_crash()
    assert (fresh(message).status, len(post.letters)) == ("accepted", 1)


@pytest.mark.parametrize("klass", ["T", "S"])
def test_a_sender_that_dies_between_handing_over_and_recording_leaves_it_unclear(post, monkeypatch, klass):
    message = planned(klass=klass)

    def dies(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(outbox, "_record", dies)
    with pytest.raises(KeyboardInterrupt):
        outbox.run_due()
    assert (fresh(message).status, len(post.letters)) == ("handing", 1)
    assert "<html" in fresh(message).html
    monkeypatch.undo()
    after_a_crash()
    unclear = fresh(message)
    assert (unclear.status, unclear.state) == ("unknown", "dead")
    assert unclear.reason == "the sender stopped while handing it over"
    assert len(post.letters) == 1


@pytest.mark.parametrize(
    ("where", "status", "letters", "reason"),
    [
        ("_record", "unknown", 1, "the sender stopped while handing it over"),
        ("render", "failed", 0, "the sender stopped too often before handing it over; it was not sent"),
    ],
)
def test_a_sender_that_dies_on_the_last_attempt_leaves_the_end_that_is_true(
    post, monkeypatch, where, status, letters, reason
):
    message = planned()
    Message.objects.update(attempts=Message.MAX_ATTEMPTS - 1)

    def dies(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(outbox, where, dies)
    with pytest.raises(KeyboardInterrupt):
        outbox.run_due()
    monkeypatch.undo()
    clock.advance(outbox.LEASE + timedelta(seconds=1))
    assert due.sweep(Message) == (0, 1)
    assert (outbox.end_crashed(), outbox.end_crashed()) == (1, 0)
    ended = fresh(message)
    assert (ended.status, ended.state, ended.reason) == (status, "dead", reason)
    assert outbox.run_due() == 0


def test_a_worker_that_lost_its_lease_hands_nothing_over(post):
    message = planned()
    _, ready = outbox._take()
    clock.advance(outbox.LEASE + timedelta(seconds=1))
    due.sweep(Message)
    outbox.run_due()
    outbox._hand_over(ready[0][0], outbox.Batch())
    assert (fresh(message).status, len(post.letters)) == ("accepted", 1)


def test_two_workers_take_different_messages(post):
    store = make_store()
    publish(store, file(send()))
    for _ in range(outbox.BATCH + 5):
        happen(make_order(store))
    run()
    (one, first), (two, second) = outbox._take(), outbox._take()
    assert (one, two) == (outbox.BATCH, 5)
    assert not {each.pk for each, _ in first} & {each.pk for each, _ in second}


def test_a_text_that_cannot_be_written_fails_and_says_so(post):
    message = planned(template="no.such.text")
    outbox.run_due()
    failed = fresh(message)
    assert (failed.status, failed.error_code) == ("failed", "template_missing")
    assert "no.such.text" in failed.reason
    assert post.letters == []


def test_one_message_that_cannot_be_judged_holds_up_no_other(post, monkeypatch):
    bad, good = planned(), planned(slug="other")
    whole = loading.judge_one

    def fails(message, known, *, now):
        if message.pk == bad.pk:
            raise RuntimeError("no luck")
        return whole(message, known, now=now)

    monkeypatch.setattr(loading, "judge_one", fails)
    outbox.run_due()
    assert fresh(good).status == "accepted"
    assert (fresh(bad).status, fresh(bad).reason) == ("retry", "RuntimeError: no luck")


def test_time_that_runs_out_gives_the_rest_back(post, monkeypatch):
    store = make_store()
    publish(store, file(send()))
    for _ in range(3):
        happen(make_order(store))
    run()
    ticks = iter([0.0, 0.0, 0.0, 30.0, 30.0, 30.0])
    monkeypatch.setattr(clock, "monotonic", lambda: next(ticks))
    assert outbox.run_due(20.0) == 3
    assert sorted(Message.objects.values_list("status", "state", "attempts")) == [
        ("accepted", "done", 1),
        ("planned", "due", 0),
        ("planned", "due", 0),
    ]


def test_a_requested_message_goes_out_and_tells_the_asking_app(post):
    order = make_order(make_store())
    payload = {"order": order.pk, "reference": "C-1", "kind": "damaged"}
    asked = outgoing.request_message(
        order.store, kind="case.opened", customer=order.customer, key="case.opened:1", payload=payload
    )
    while events.dispatch():
        pass
    message = Message.objects.get()
    assert (message.key, message.klass, message.order) == ("request:case.opened:1", "T", order)
    outbox.run_due()
    asked.refresh_from_db()
    assert (asked.state, len(post.letters)) == ("accepted", 1)
    assert "C-1" in post.letters[0][1]


def test_a_request_without_a_text_is_told_to_the_asking_app(post):
    customer = make_customer(make_store())
    asked = outgoing.request_message(customer.store, kind="no.such.text", customer=customer, key="x")
    while events.dispatch():
        pass
    asked.refresh_from_db()
    assert (asked.state, Message.objects.count()) == ("failed", 0)
    assert "no.such.text" in asked.reason


def test_the_wait_of_a_person_can_be_cut_short_or_the_way_ended(post):
    store = make_store()
    publish(store, file(wait(days=3), send()))
    happen(make_order(store))
    happen(make_order(store))
    run()
    first, second = store.enrolments.order_by("pk")
    assert actions.hasten(first, actor="test")
    assert actions.stop(second, actor="ana")
    run()
    assert Message.objects.get().enrolment == first
    second.refresh_from_db()
    assert (second.status, second.reason) == ("left", "cancelled by ana")
    assert not actions.stop(second, actor="ana")
