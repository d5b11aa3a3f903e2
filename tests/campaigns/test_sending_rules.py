"""Caps, holds, catching up, the second look and the ledger, on messages that the outbox really sends or does not."""

import itertools
from datetime import timedelta

import pytest

from campaigns import consent, flows, outbox, rechecks
from campaigns.channels.email import Handed
from campaigns.models import Enrolment, Flow, MailAccount, Message, SendingRules, SentLedger, Suppression
from postpurchase import clock, due
from reviews.models import Case
from stores import events
from stores.models import Customer, Order
from tests.campaigns.flow_files import file, happen, publish, run, send
from tests.campaigns.letter_box import fresh, planned
from tests.factories import NOON, make_customer, make_order, make_store

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def _noon():
    clock.freeze(NOON)


def agreed(store=None, **fields):
    customer = make_customer(store or make_store(), **fields)
    consent.set_consent(
        customer.store, customer, channel="email", purpose="marketing", state="granted", source="test", text_version="1"
    )
    return customer


def offer(customer, slug, *, recipe="", klass="M", **extra):
    """A message of a flow of its own; what other flows plan for the same order is taken away again."""
    order = make_order(customer.store, customer)
    planned(klass=klass, order=order, slug=slug, **extra)
    Message.objects.filter(order=order).exclude(flow__slug=slug).delete()
    Flow.objects.filter(store=customer.store, slug=slug).update(recipe=recipe, name=slug)
    return Message.objects.get(order=order)


def state(message):
    found = fresh(message)
    return found.status, found.reason


def test_one_cap_over_all_flows_and_the_loser_says_who_won(post):
    customer = agreed()
    first, second = offer(customer, "win back", recipe="R15"), offer(customer, "reorder", recipe="R13")
    outbox.run_due()
    assert state(second) == ("accepted", "")
    assert state(first) == ("held", "another message had priority")
    loser = fresh(first)
    assert [False, "Priority", "“reorder” (replenishment) goes first"] in loser.trace
    assert (loser.due_at, loser.owed_at) == (NOON + DAY, NOON + DAY)
    clock.freeze(NOON + DAY)
    outbox.run_due()
    assert state(first) == ("accepted", "")
    third = offer(customer, "dates")
    clock.freeze(NOON + 3 * DAY)
    Message.objects.filter(pk=third.pk).update(planned_for=clock.now(), due_at=clock.now())
    outbox.run_due()
    assert state(third) == ("held", "weekly limit reached, next slot Fri")
    assert fresh(third).due_at == NOON + 7 * DAY


def test_what_two_workers_have_in_hand_counts_for_the_cap(post):
    customer = agreed()
    first, second = offer(customer, "one"), offer(customer, "two")
    Message.objects.filter(pk=second.pk).update(due_at=NOON + HOUR)
    _, ready = outbox._take()
    assert [message.pk for message, _ in ready] == [first.pk]
    Message.objects.filter(pk=second.pk).update(due_at=NOON)
    outbox.run_due()
    assert state(second)[0] == "held"
    assert post.letters == []


def test_clearing_the_log_neither_sends_twice_nor_frees_a_slot(post):
    customer = agreed()
    sent = offer(customer, "offers")
    order = sent.order
    outbox.run_due()
    assert len(post.letters) == 1
    Message.objects.all().delete()
    Enrolment.objects.all().delete()
    happen(order, fact="again")
    run()
    outbox.run_due()
    assert (Message.objects.get().status, Message.objects.get().reason) == ("skipped", "already sent")
    other = offer(customer, "others")
    outbox.run_due()
    assert state(other) == ("held", "daily limit reached, next slot Sat")
    assert len(post.letters) == 1


def test_what_may_have_gone_out_is_not_sent_again_after_the_log_is_cleared(post):
    message = planned()
    post.answers = [Handed(False, error_kind="unknown", error="no answer")]
    outbox.run_due()
    assert [(row.key, row.sure) for row in SentLedger.objects.all()] == [(message.key, False)]
    Message.objects.all().delete()
    message.enrolment.delete()
    happen(message.order, fact="again")
    run()
    outbox.run_due()
    assert Message.objects.get().reason == "it may have been sent already"
    assert len(post.letters) == 1


def test_a_shop_sets_its_caps_and_hours(post):
    customer = agreed()
    SendingRules.objects.create(store=customer.store, marketing_per_day=2, day_to="14:30", day_from="14:00")
    first, second = offer(customer, "one"), offer(customer, "two")
    outbox.run_due()
    assert (state(first)[0], state(second)[0]) == ("accepted", "accepted")
    third = offer(customer, "three", klass="S")
    clock.advance(HOUR)
    outbox.run_due()
    assert state(third) == ("held", "quiet hours until 14:00")


def test_quiet_hours_are_those_of_the_person_and_not_of_the_shop(post):
    store = make_store()
    bali = make_customer(store, country="ID", region="BA", orders_count=1)
    message = planned(klass="S", order=make_order(store, bali, country="ID"))
    clock.freeze(NOON.replace(hour=13))  # 15:00 in Bucharest, 21:00 in Bali
    outbox.run_due()
    assert state(message) == ("held", "quiet hours until 08:00")
    assert fresh(message).due_at == NOON.replace(hour=0) + DAY


def test_a_late_order_holds_offers_and_questions_until_it_arrives(post):
    customer = agreed()
    late = make_order(customer.store, customer)
    happen(late, events.ORDER_LATE)
    offered = offer(customer, "offers")
    asked = offer(customer, "ask", klass="S", purpose="review")
    tips = offer(customer, "tips", klass="S")
    outbox.run_due()
    assert state(offered) == state(asked) == ("held", "on hold: order late")
    assert state(tips) == ("accepted", "")
    Order.objects.filter(pk=late.pk).update(delivered_at=NOON + HOUR)
    clock.advance(HOUR)
    outbox.run_due()
    assert (state(offered)[0], state(asked)[0]) == ("accepted", "accepted")


def test_a_return_in_progress_holds_by_its_name(post):
    customer = agreed()
    offered = offer(customer, "offers")
    Case.objects.create(
        store=customer.store, order=offered.order, customer=customer, key="k", kind="return", state="open"
    )
    outbox.run_due()
    assert state(offered) == ("held", "on hold: return in progress")


def test_c59_after_an_outage_the_late_leave_at_the_catch_up_rate_and_the_fresh_at_once(post):
    store = make_store()
    SendingRules.objects.create(store=store, catch_up_per_minute=3)
    publish(store, file(send()))
    for _ in range(8):
        happen(make_order(store))
    run()
    Message.objects.update(planned_for=NOON - 30 * HOUR, due_at=NOON - 30 * HOUR)
    fresh_one = planned(store)
    outbox.run_due()
    assert state(fresh_one) == ("accepted", "")
    # The fresh one counts for the minute, too.
    went = [len(post.letters)]
    for _ in range(4):
        clock.advance(timedelta(seconds=61))
        outbox.run_due()
        went.append(len(post.letters))
    assert went[0] <= 4
    assert all(later - before <= 3 for before, later in itertools.pairwise(went))
    assert went[-1] == 9
    assert not Message.objects.exclude(status="accepted").exists()


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (lambda message: consent.stop_all(message.customer, source="test"), "objected to these messages"),
        (lambda message: Order.objects.filter(pk=message.order_id).update(status="cancelled"), "order cancelled"),
        (lambda message: Order.objects.filter(pk=message.order_id).update(refunded="119"), "order refunded"),
        (
            lambda message: consent.suppress(message.store, message.customer.email, reason="bounce"),
            "address bounced before",
        ),
        (lambda message: Customer.objects.filter(pk=message.customer_id).update(erased_at=NOON), "customer erased"),
        (lambda message: flows.set_state(message.flow, "off", actor="test"), "flow is off"),
        (lambda message: flows.pause_sending(message.store, actor="test"), "all sending is paused"),
    ],
)
def test_c57_what_happens_during_a_running_batch_still_stops_the_message(post, happens, reason):
    message = planned(klass="S")
    _, ready = outbox._take()
    assert [each.pk for each, _ in ready] == [message.pk]
    happens(message)
    mine, seen = ready[0]
    assert not outbox._is_unchanged(mine, seen)
    found = fresh(message)
    assert (found.status, found.reason) == ("held" if "paused" in reason else "skipped", reason)
    assert post.letters == []


def test_the_second_look_costs_one_query_when_nothing_changed(post, django_assert_num_queries):
    planned()
    _, [(message, seen)] = outbox._take()
    outbox.second_look.stamp(message.pk)
    with django_assert_num_queries(1):
        assert outbox._is_unchanged(message, seen)


def test_c63_a_busy_server_rests_for_all_and_costs_no_message_an_attempt(post):
    store = make_store()
    publish(store, file(send()))
    for _ in range(3):
        happen(make_order(store))
    run()
    post.answers = [Handed(False, error_kind="busy", error="421 too busy", rest_seconds=900)]
    outbox.run_due()
    assert sorted(Message.objects.values_list("status", "attempts")) == [("held", 0), ("held", 0), ("retry", 0)]
    assert MailAccount.objects.get(store=store).open_until == NOON + timedelta(seconds=900)
    clock.advance(timedelta(seconds=901))
    outbox.run_due()
    assert set(Message.objects.values_list("status", flat=True)) == {"accepted"}
    assert not Suppression.objects.exists()
    assert MailAccount.objects.get(store=store).failures == 0


def test_c63_one_text_that_is_refused_stops_nobody_but_three_in_a_row_rest_the_account(post):
    store = make_store()
    publish(store, file(send()))
    for _ in range(5):
        happen(make_order(store))
    run()
    refusal = Handed(False, error_kind="account", error="554 5.7.1 spam", alone=True)
    post.answers = [refusal]
    outbox.run_due()
    assert sorted(Message.objects.values_list("status", flat=True)) == ["accepted"] * 4 + ["retry"]
    for _ in range(5):
        happen(make_order(store))
    run()
    post.answers = [refusal] * 9
    outbox.run_due()
    statuses = sorted(Message.objects.exclude(status="accepted").values_list("status", flat=True))
    assert statuses == ["held"] * 2 + ["retry"] * 4
    assert not Suppression.objects.exists()


def test_a_batch_of_offers_costs_the_same_queries_for_three_people_as_for_twelve(post, django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def queries(n):
        store = make_store()
        publish(store, file(send(), klass="M"))
        for _ in range(n):
            happen(make_order(store, agreed(store)))
        run()
        rows = due.claim(Message, limit=50, lease=outbox.LEASE)
        from django.db.models import prefetch_related_objects

        prefetch_related_objects(rows, "store", "flow", "enrolment__version", "customer", "order", "request")
        with CaptureQueriesContext(connection) as asked:
            assert {found.action for found in rechecks.judge(rows, now=NOON)} == {"send"}
        return len(asked)

    assert queries(3) == queries(12)
