"""What the last look before sending stops, holds or asks about, and why."""

from datetime import timedelta

import pytest

from campaigns import actions, consent, flows, outbox, rechecks
from campaigns.models import Message, SentLedger
from postpurchase import clock, due
from reviews.models import Case
from stores import events
from stores.models import AuditEvent, Coupon
from tests.campaigns.flow_files import file, happen, publish, run, send
from tests.campaigns.letter_box import fresh, planned
from tests.factories import NOON, make_customer, make_order, make_store, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _noon():
    clock.freeze(NOON)


@pytest.mark.parametrize(
    ("change", "reason", "code"),
    [
        ({"status": "cancelled"}, "order cancelled", "order_cancelled"),
        ({"status": "failed"}, "order failed", "order_failed"),
        ({"refunded": "119"}, "order refunded", "order_refunded"),
        ({"trashed_at": NOON}, "was deleted in the shop", "order_gone"),
        ({"deleted_at": NOON}, "was deleted in the shop", "order_gone"),
    ],
)
def test_what_happened_to_the_order_after_planning_stops_the_message(post, change, reason, code):
    message = planned()
    type(message.order).objects.update(**change)
    outbox.run_due()
    skipped = fresh(message)
    assert (skipped.status, skipped.state, skipped.error_code) == ("skipped", "done", code)
    assert skipped.reason.endswith(reason)
    assert skipped.trace[-1] == [False, "Order", skipped.reason]
    assert post.letters == []
    assert not SentLedger.objects.exists()


def test_a_flow_about_the_end_of_an_order_still_writes(post):
    store = make_store()
    publish(store, file(send(), event="order.cancelled", exit_when=[]))
    happen(make_order(store, status="cancelled"), events.ORDER_CANCELLED)
    run()
    outbox.run_due()
    assert len(post.letters) == 1


def test_a_flow_switched_off_skips_what_it_planned(post):
    message = planned()
    flows.set_state(message.flow, "off", actor="test")
    outbox.run_due()
    assert (fresh(message).status, fresh(message).reason) == ("skipped", "flow is off")
    assert post.letters == []


def test_an_exit_condition_is_looked_at_again(post):
    store = make_store()
    loyal = {"field": "customer.orders_count", "op": "gt", "value": 1}
    publish(store, file(send(), exit_when=[loyal]))
    order = make_order(store)
    happen(order)
    run()
    type(order.customer).objects.update(orders_count=2)
    outbox.run_due()
    skipped = Message.objects.get()
    assert (skipped.status, skipped.reason) == ("skipped", "the number of orders is more than 1")
    assert skipped.trace[-1][:2] == [False, "Still needed"]


def test_no_consent_or_a_bounced_address_skips_with_the_words_of_consent(post):
    market = planned(klass="M")
    bounced = planned(slug="other")
    consent.suppress(bounced.store, bounced.customer.email, reason="bounce")
    outbox.run_due()
    assert (fresh(market).status, fresh(market).reason) == ("skipped", "no consent for marketing")
    assert (fresh(bounced).status, fresh(bounced).reason) == ("skipped", "address bounced before")
    assert post.letters == []


@pytest.mark.parametrize(("email_", "reason"), [("", "no usable email address"), ("ana@@b", "no usable email address")])
def test_a_person_without_a_usable_address_is_skipped(post, email_, reason):
    message = planned()
    type(message.customer).objects.update(email=email_)
    outbox.run_due()
    assert (fresh(message).status, fresh(message).reason) == ("skipped", reason)


def test_erased_people_get_nothing(post):
    message = planned()
    type(message.customer).objects.update(erased_at=NOON)
    outbox.run_due()
    assert (fresh(message).status, fresh(message).reason) == ("skipped", "customer erased")


def test_test_mode_sends_nothing(post):
    message = planned(make_store(test_mode=True))
    outbox.run_due()
    assert (fresh(message).status, fresh(message).reason) == ("skipped", "test mode")


def test_paused_sending_holds_and_resuming_sends(post):
    message = planned()
    flows.pause_sending(message.store, actor="test")
    outbox.run_due()
    held = fresh(message)
    assert (held.status, held.state, held.reason) == ("held", "due", "all sending is paused")
    assert (held.due_at, held.attempts, held.planned_for) == (NOON + rechecks.PAUSE_LOOK, 0, NOON)
    flows.resume_sending(message.store, actor="test")
    outbox.run_due()
    assert fresh(message).status == "accepted"


def test_an_open_case_holds_service_messages_until_it_is_solved_and_no_others(post):
    message = planned(klass="S")
    publish(message.store, file(send(), klass="T"))
    other = planned(order=make_order(message.store, message.customer))
    Case.objects.create(
        store=message.store, order=message.order, customer=message.customer, key="k", kind="damaged", state="open"
    )
    outbox.run_due()
    assert fresh(other).status == "accepted"
    held = fresh(message)
    assert (held.status, held.reason, held.due_at) == ("held", "on hold: open case", NOON + rechecks.LOOK_AGAIN)
    Case.objects.update(state="resolved")
    clock.advance(rechecks.LOOK_AGAIN)
    outbox.run_due()
    assert fresh(message).status == "accepted"


def test_a_hold_that_outlasts_the_use_of_the_message_ends_it(post):
    message = planned(klass="S")
    Case.objects.create(
        store=message.store, order=message.order, customer=message.customer, key="k", kind="damaged", state="open"
    )
    for _ in range(32):
        outbox.run_due()
        clock.freeze(max(fresh(message).due_at, clock.now() + timedelta(days=1)))
        Message.objects.filter(state="due").update(due_at=clock.now())
    expired = fresh(message)
    assert (expired.status, expired.reason) == ("expired", "too late to be useful (on hold: open case)")


def test_service_mail_waits_for_the_morning_and_transactional_mail_does_not(post):
    clock.freeze(NOON.replace(hour=19))  # 21:00 in Bucharest
    service, receipt = planned(klass="S"), planned(slug="receipts")
    outbox.run_due()
    assert fresh(receipt).status == "accepted"
    held = fresh(service)
    assert (held.status, held.reason) == ("held", "quiet hours until 08:00")
    assert held.due_at == (NOON + timedelta(days=1)).replace(hour=6)


@pytest.mark.parametrize(
    ("klass", "hours", "status", "reason"),
    [
        ("T", 71, "accepted", ""),
        ("T", 73, "approval", "73 hours late; send it all the same?"),
        ("S", 47, "accepted", ""),
        ("S", 49, "approval", "49 hours late; send it all the same?"),
    ],
)
def test_a_late_message_is_sent_or_asked_about_by_its_class(post, klass, hours, status, reason):
    message = planned(klass=klass)
    clock.advance(timedelta(hours=hours))
    if klass == "S":  # by day
        Message.objects.update(planned_for=NOON - timedelta(hours=hours))
        clock.freeze(NOON)
    outbox.run_due()
    assert (fresh(message).status, fresh(message).reason) == (status, reason)


def test_late_marketing_expires(post):
    order = make_order(make_store())
    consent.set_consent(
        order.store,
        order.customer,
        channel="email",
        purpose="marketing",
        state="granted",
        source="test",
        text_version="1",
    )
    message = planned(klass="M", order=order)
    Message.objects.update(planned_for=NOON - timedelta(hours=49))
    outbox.run_due()
    assert (fresh(message).status, fresh(message).reason) == ("expired", "too late to be useful (49 hours late)")


def test_a_fact_that_reached_us_days_late_asks_before_it_writes(post):
    store = make_store()
    publish(store, file(send()))
    happen(make_order(store), at=NOON - timedelta(days=5))
    run()
    outbox.run_due()
    assert Message.objects.get().status == "approval"
    assert post.letters == []


def test_review_first_asks_and_approval_sends(post):
    message = planned(state="review")
    outbox.run_due()
    waiting = fresh(message)
    assert (waiting.status, waiting.state, waiting.reason) == ("approval", "held", "the flow asks you first")
    assert outbox.run_due() == 0
    person = make_user(message.store)
    assert actions.approve(message.store, Message.objects.all(), actor=person) == 1
    outbox.run_due()
    assert fresh(message).status == "accepted"
    assert AuditEvent.objects.get(action="message.approve").user == person


def test_approving_sends_nothing_that_has_become_wrong(post):
    message = planned(state="review")
    outbox.run_due()
    type(message.order).objects.update(status="cancelled")
    actions.approve(message.store, Message.objects.all(), actor="test")
    outbox.run_due()
    assert (fresh(message).status, post.letters) == ("skipped", [])


def test_a_cancelled_message_is_not_sent(post):
    message = planned()
    assert actions.cancel(message.store, Message.objects.all(), actor="ana") == 1
    assert outbox.run_due() == 0
    assert (fresh(message).status, fresh(message).reason) == ("cancelled", "by ana")
    assert actions.cancel(message.store, Message.objects.all(), actor="ana") == 0


def test_actions_touch_no_message_of_another_store_and_none_in_a_workers_hand(post):
    message = planned()
    assert actions.cancel(make_store(), Message.objects.all(), actor="test") == 0
    due.claim(Message, limit=1, lease=outbox.LEASE)
    assert actions.cancel(message.store, Message.objects.all(), actor="test") == 0
    assert fresh(message).status == "planned"


def test_send_now_passes_quiet_hours_but_not_the_order(post):
    clock.freeze(NOON.replace(hour=21))
    message = planned(klass="S")
    outbox.run_due()
    assert actions.send_now(message.store, Message.objects.all(), actor="test") == 1
    outbox.run_due()
    assert fresh(message).status == "accepted"


def test_what_once_went_out_is_not_sent_again_when_the_outbox_is_cleared(post):
    message = planned()
    outbox.run_due()
    message.enrolment.delete()
    Message.objects.all().delete()
    happen(message.order, fact="again")
    run()
    outbox.run_due()
    assert (Message.objects.get().status, Message.objects.get().reason) == ("skipped", "already sent")
    assert len(post.letters) == 1


def test_two_questions_for_an_opinion_keep_three_days_apart(post):
    customer = make_customer(make_store())
    first = planned(klass="S", order=make_order(customer.store, customer), purpose="review")
    second = planned(klass="S", order=make_order(customer.store, customer), purpose="review")
    outbox.run_due()
    assert (fresh(first).status, fresh(second).status) == ("accepted", "held")
    clock.advance(rechecks.LOOK_AGAIN)
    outbox.run_due()
    assert fresh(second).due_at == NOON + rechecks.Limits().ask_gap
    clock.freeze(NOON + rechecks.Limits().ask_gap)
    outbox.run_due()
    assert fresh(second).status == "accepted"


def test_a_coupon_is_told_only_when_live(post):
    message = planned()
    coupon = Coupon.objects.create(store=message.store, code="ana-10", ours=True, source="flow:x", amount="10")
    Message.objects.update(context={"coupon_id": coupon.pk})
    outbox.run_due()
    assert (fresh(message).status, fresh(message).reason) == ("held", "the coupon is being made in the shop")
    Coupon.objects.update(state="failed")
    clock.advance(rechecks.COUPON_LOOK)
    outbox.run_due()
    assert (fresh(message).status, fresh(message).reason) == ("skipped", "no live coupon: could not be made")
