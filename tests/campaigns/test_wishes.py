"""A coupon of a flow: made only for a mail that is about to go out, the same again for the next, none for one that is not."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from campaigns import flows, outbox, rechecks
from campaigns.models import Message
from postpurchase import clock
from stores.models import Coupon, Intent
from tests.campaigns.flow_files import file, happen, publish, run, send, wait
from tests.factories import NOON, make_order, make_store

pytestmark = pytest.mark.django_db

COUPON = {"uid": "coupon", "kind": "issue_coupon", "amount": "15.50", "valid_days": 10, "minimum": 50}


@pytest.fixture(autouse=True)
def _late_in_the_evening():
    # 20 November, 23:30 in Bucharest; already the 21st nowhere in the shop.
    clock.freeze(NOON.replace(hour=21, minute=30))


def _planned(*steps, **extra):
    store = make_store()
    publish(store, file(*steps, **extra))
    order = make_order(store)
    happen(order)
    run()
    return order


def _live():
    assert Coupon.objects.filter(state="pending").update(state="live", woo_id=77) == 1


def test_it_is_made_when_the_mail_would_go_and_the_mail_waits_until_it_is_live(post):
    order = _planned(COUPON, send())
    assert Message.objects.get().context["coupon"]["amount"] == "15.50"
    assert not Coupon.objects.exists()
    outbox.run_due()
    coupon = Coupon.objects.get()
    assert (coupon.amount, coupon.minimum, coupon.expires_on) == (Decimal("15.5"), Decimal(50), date(2026, 11, 30))
    assert (coupon.customer, coupon.emails, coupon.state) == (order.customer, [order.customer.email], "pending")
    waits = Message.objects.get()
    assert (waits.status, waits.reason) == ("held", "the coupon is being made in the shop")
    assert post.letters == []
    _live()
    clock.advance(rechecks.COUPON_LOOK)
    outbox.run_due()
    assert Message.objects.get().status == "accepted"
    assert Coupon.objects.count() == 1


def test_a_mail_that_is_skipped_leaves_no_coupon(post):
    order = _planned(COUPON, send())
    type(order).objects.update(status="cancelled")
    outbox.run_due()
    assert Message.objects.get().status == "skipped"
    assert not Coupon.objects.exists()
    assert not Intent.objects.exists()


def test_a_mail_that_waits_for_approval_has_no_coupon_yet(post):
    store = make_store()
    flow = publish(store, file(COUPON, send()), state="review")
    happen(make_order(store))
    run()
    outbox.run_due()
    assert Message.objects.get().status == "approval"
    assert not Coupon.objects.exists()
    assert flow.state == "review"


def test_the_reminder_carries_the_same_coupon(post):
    _planned(COUPON, send(), wait(days=1), send("again"))
    outbox.run_due()
    _live()
    clock.advance(rechecks.COUPON_LOOK)
    outbox.run_due()
    clock.advance(timedelta(days=1))
    run()
    outbox.run_due()
    assert [message.status for message in Message.objects.order_by("pk")] == ["accepted", "accepted"]
    assert Coupon.objects.count() == 1


def test_a_mail_that_is_stopped_after_its_coupon_was_made_takes_it_back(post):
    order = _planned(COUPON, send())
    outbox.run_due()
    _live()
    type(order).objects.update(status="cancelled")
    clock.advance(rechecks.COUPON_LOOK)
    outbox.run_due()
    assert Message.objects.get().status == "skipped"
    assert set(Intent.objects.values_list("kind", flat=True)) == {"coupon.create", "coupon.trash"}


def test_a_coupon_that_was_told_of_is_not_taken_back(post):
    order = _planned(COUPON, send(), wait(days=1), send("again"))
    outbox.run_due()
    _live()
    clock.advance(rechecks.COUPON_LOOK)
    outbox.run_due()
    clock.advance(timedelta(days=1))
    run()
    type(order).objects.update(status="cancelled")
    outbox.run_due()
    assert [message.status for message in Message.objects.order_by("pk")] == ["accepted", "skipped"]
    assert not Intent.objects.filter(kind="coupon.trash").exists()


def test_a_coupon_that_cannot_be_made_stops_the_mail_with_the_reason(post):
    order = _planned(COUPON, send())
    type(order.customer).objects.update(email='"ana maria"@example.com')
    outbox.run_due()
    message = Message.objects.get()
    assert message.status == "skipped"
    assert not Coupon.objects.exists()


def test_a_flow_that_is_switched_off_makes_no_coupon(post):
    order = _planned(COUPON, send())
    flows.set_state(order.store.flows.get(), "off", actor="test")
    outbox.run_due()
    assert not Coupon.objects.exists()
