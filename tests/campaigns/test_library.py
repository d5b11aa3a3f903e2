"""The ready-made flows: installed once, exact in time, read back as they were written."""

from datetime import UTC, datetime, timedelta

import pytest

from campaigns import definitions, library, outbox
from campaigns.channels import email
from campaigns.channels.email import Handed
from campaigns.models import Enrolment, Message
from postpurchase import clock
from postpurchase.errors import BusinessError
from reviews import cases
from reviews.models import ReviewRequest
from stores import events
from tests.campaigns.flow_files import happen, publish, run
from tests.factories import NOON, make_order, make_product, make_store

pytestmark = pytest.mark.django_db

# 20 November, 14:00 in Bucharest.
DELIVERED = NOON


@pytest.fixture(autouse=True)
def letters(monkeypatch):
    sent = []

    def send(message, rendered):
        sent.append((clock.now(), message.template))
        return Handed(True)

    monkeypatch.setattr(email, "send", send)
    clock.freeze(NOON)
    return sent


def work():
    while run() + outbox.run_due():
        pass


@pytest.mark.parametrize("recipe", list(library.FILES))
def test_a_recipe_has_no_faults_and_comes_back_the_same(recipe):
    data = library.read(recipe)
    assert definitions.faults(data) == []
    assert definitions.load(definitions.dump(data)) == data


def test_installing_twice_changes_nothing_and_keeps_the_merchants_version():
    store = make_store()
    flow = library.install(store, "R06", state="on")
    assert (flow.slug, flow.recipe, flow.state, flow.klass) == ("r06-review-request", "R06", "on", "S")
    edited = library.read("R06") | {"name": "Ours"}
    publish(store, edited, slug=flow.slug, state="on")
    again = library.install(store, "R06")
    assert (again.pk, again.name, again.live.number, again.state) == (flow.pk, "Ours", 2, "on")
    assert {template.name for template in store.message_templates.all()} == {
        "R06.review_request",
        "R06.reminder",
        "R06.again",
    }


def test_an_unknown_recipe_is_refused():
    with pytest.raises(BusinessError) as refusal:
        library.install(make_store(), "R99")
    assert refusal.value.code == "recipe_missing"


@pytest.mark.parametrize(
    ("order", "event", "thanked"),
    [
        ({}, events.ORDER_PAID, True),
        ({"payment_method": "cod", "paid_gmt": None}, events.ORDER_PLACED, True),
        ({"payment_method": "bacs", "status": "on-hold", "paid_gmt": None}, events.ORDER_PLACED, True),
        ({"payment_method": "card", "status": "pending", "paid_gmt": None}, events.ORDER_PLACED, False),
        ({"payment_method": "cod", "status": "cancelled", "paid_gmt": None}, events.ORDER_PLACED, False),
        ({"total": 0}, events.ORDER_PAID, False),
        ({"created_via": "subscription"}, events.ORDER_PAID, False),
        ({"historic": True, "payment_method": "cod"}, events.ORDER_PAID, False),
        ({"historic": True}, events.ORDER_STATUS_CHANGED, False),
    ],
)
def test_r01_thanks_when_an_order_is_paid_or_accepted(letters, order, event, thanked):
    store = make_store()
    library.install(store, "R01", state="on")
    happen(make_order(store, **order), event)
    work()
    assert letters == ([(NOON, "R01.thank_you")] if thanked else [])


def test_r01_thanks_once_when_a_cash_order_is_paid_later(letters):
    store = make_store()
    library.install(store, "R01", state="on")
    order = make_order(store, payment_method="cod", paid_gmt=None)
    happen(order, events.ORDER_PLACED)
    work()
    type(order).objects.update(paid_gmt=NOON)
    happen(order, events.ORDER_PAID)
    happen(order, events.ORDER_STATUS_CHANGED, fact="1", payload={"from": "processing", "to": "completed"})
    work()
    assert len(letters) == 1


def delivered(at=DELIVERED):
    clock.freeze(at)
    store = make_store()
    library.install(store, "R06", state="on")
    order = make_order(store, items=[(make_product(store), 1)], status="completed", delivered_at=at)
    happen(order, events.ORDER_DELIVERED, at=at)
    work()
    return order


@pytest.mark.parametrize(
    ("at", "asked", "reminded"),
    [
        (DELIVERED, datetime(2026, 12, 3, 12, 0, tzinfo=UTC), datetime(2026, 12, 10, 12, 0, tzinfo=UTC)),
        (
            datetime(2026, 3, 14, 22, 0, tzinfo=UTC),
            datetime(2026, 3, 28, 8, 0, tzinfo=UTC),
            datetime(2026, 4, 4, 7, 0, tzinfo=UTC),
        ),
    ],
)
def test_r06_asks_13_days_after_delivery_by_day_and_reminds_once_a_week_later(letters, at, asked, reminded):
    delivered(at)
    for moment in (asked, reminded, reminded + timedelta(days=30)):
        clock.freeze(moment - timedelta(seconds=1))
        work()
        clock.freeze(moment)
        work()
    assert letters == [(asked, "R06.review_request"), (reminded, "R06.reminder")]
    assert ReviewRequest.objects.count() == 1
    assert Enrolment.objects.get().status == "finished"


def test_r06_leaves_when_everything_is_reviewed(letters):
    delivered()
    clock.advance(timedelta(days=13))
    work()
    ReviewRequest.objects.update(state="answered")
    clock.advance(timedelta(days=7))
    work()
    assert [template for _, template in letters] == ["R06.review_request"]
    assert (Enrolment.objects.get().status, Enrolment.objects.get().reason) == ("left", "every item is reviewed")


def test_r06_asks_nobody_whose_order_was_refunded(letters):
    order = delivered()
    type(order).objects.update(refunded=order.total)
    clock.advance(timedelta(days=13))
    work()
    assert letters == []
    assert Enrolment.objects.get().reason == "order refunded"
    assert not ReviewRequest.objects.exists()


def test_r06_skips_an_order_with_nothing_to_review(letters):
    order = delivered()
    order.lines.all().delete()
    clock.advance(timedelta(days=13))
    work()
    run_ = Enrolment.objects.get().runs.get(step="ask")
    assert run_.outcome == "skipped"
    assert "has nothing that can be reviewed" in run_.reason
    assert letters == []
    assert not Message.objects.exists()


def backfilled_cash_order(store, **fields):
    return make_order(store, payment_method="cod", paid_gmt=None, **fields)


def test_r01_is_silent_for_an_order_that_was_there_before_the_connection(letters):
    store = make_store(live_from=NOON - timedelta(days=1))
    library.install(store, "R01", state="on")
    old = NOON - timedelta(days=3)
    for fields in ({"historic": True}, {"created_gmt": old}):
        order = backfilled_cash_order(store, **fields)
        type(order).objects.filter(pk=order.pk).update(status="completed", paid_gmt=NOON)
        order.refresh_from_db()
        happen(order, events.ORDER_PAID)
        happen(order, events.ORDER_STATUS_CHANGED, fact="1", payload={"from": "processing", "to": "completed"})
    work()
    assert letters == []
    new = backfilled_cash_order(store)
    happen(new, events.ORDER_PLACED)
    type(new).objects.filter(pk=new.pk).update(status="completed", paid_gmt=NOON)
    happen(new, events.ORDER_STATUS_CHANGED, fact="1", payload={"from": "processing", "to": "completed"})
    work()
    assert letters == [(NOON, "R01.thank_you")]


def heard():
    while events.dispatch():
        pass
    work()


def hours(count):
    for _ in range(count):
        clock.advance(timedelta(hours=1))
        work()


def templates(letters):
    return [template for _, template in letters if template.startswith("R06")]


def test_r06_waits_while_a_case_is_open_and_asks_once_more_a_week_after_it_is_solved(letters):
    order = delivered()
    clock.advance(timedelta(days=13))
    work()
    clock.advance(timedelta(days=1))
    case = cases.open_case(order, kind="damaged", key="k")
    heard()
    clock.advance(timedelta(days=3))
    cases.resolve(case, by="support")
    heard()
    cases.confirm(case)
    cases.confirm(case)
    heard()
    solved = clock.now()
    assert events.Event.objects.filter(name="case.confirmed_solved").count() == 1
    clock.freeze(solved + timedelta(days=7) - timedelta(seconds=1))
    work()
    assert templates(letters) == ["R06.review_request"]
    clock.freeze(solved + timedelta(days=7))
    hours(24 * 10)
    assert templates(letters) == ["R06.review_request", "R06.again"]
    assert {one.status for one in Enrolment.objects.all()} == {"finished"}


def test_r06_keeps_a_planned_reminder_for_the_time_after_the_case(letters):
    order = delivered()
    clock.advance(timedelta(days=13))
    work()
    clock.advance(timedelta(days=6))
    case = cases.open_case(order, kind="damaged", key="k")
    heard()
    clock.advance(timedelta(days=1))
    work()
    held = Message.objects.get(template="R06.reminder")
    assert (held.status, held.reason) == ("held", "on hold: open case")
    cases.resolve(case, by="support")
    heard()
    cases.confirm(case)
    heard()
    hours(24 * 6)
    assert templates(letters) == ["R06.review_request"]
    hours(24 * 10)
    assert templates(letters) == ["R06.review_request", "R06.reminder"]


def test_resolving_a_case_sends_the_question_whether_it_is_solved(letters):
    order = delivered()
    case = cases.open_case(order, kind="damaged", key="k")
    heard()
    cases.resolve(case, by="support", answer="A new one is on its way.")
    heard()
    assert [template for _, template in letters] == ["case.opened", "case.resolved"]
    assert Message.objects.get(template="case.resolved").status == "accepted"
    assert "A new one is on its way." in Message.objects.get(template="case.resolved").text
