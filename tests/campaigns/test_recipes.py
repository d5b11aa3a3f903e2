"""The ready-made flows beyond R01 and R06: who enters, and exactly when each of their mails goes out."""

from datetime import UTC, datetime, timedelta

import pytest

from campaigns import checks_mail, content, library, outbox
from campaigns.channels import email
from campaigns.channels.email import Handed
from campaigns.models import Enrolment
from postpurchase import clock
from reviews import cases
from stores import events
from tests.campaigns.flow_files import happen, run
from tests.campaigns.mails import ana, lut, mail, pots
from tests.factories import NOON, make_order, make_product, make_store

pytestmark = pytest.mark.django_db

# NOON is Friday, 20 November, 14:00 in Bucharest.
SATURDAY_NIGHT = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def letters(monkeypatch):
    sent = []

    def send(message, rendered):
        sent.append((message.template, clock.now()))
        return Handed(True)

    monkeypatch.setattr(email, "send", send)
    clock.freeze(NOON)
    return sent


def work():
    while run() + outbox.run_due():
        pass


def go_to(*moments):
    """Work at each of these moments, and a second before it, so that nothing goes out too early unseen."""
    for moment in moments:
        clock.freeze(moment - timedelta(seconds=1))
        work()
        clock.freeze(moment)
        work()


def started(recipe, event, at=NOON, payload=None, **order):
    clock.freeze(at)
    store = make_store()
    library.install(store, recipe, state="on")
    made = make_order(store, items=[(make_product(store), 1)], **order)
    happen(made, event, at=at, payload=payload or {})
    work()
    return made


WRITTEN = sorted({name for recipe in library.recipes() for name in recipe.templates})


@pytest.mark.parametrize("language", ["en", "ro", "id"])
@pytest.mark.parametrize("name", WRITTEN)
def test_every_text_of_a_recipe_is_there_in_each_language_and_passes_its_checks(name, language):
    store = lut()
    customer = ana(store)
    order = pots(store, customer)
    rendered = mail(store, customer, order, name, language)
    version = content.install(store, name).versions.get(language=language)
    template = version.template
    found = checks_mail.check(checks_mail.Mail(template.klass, language, version.blocks, rendered))
    # The addresses of this made-up shop and person are the renderer's business, not the recipe's.
    wrong = [one for one in found if one.level != checks_mail.OK and one.rule not in {"unsubscribe", "links"}]
    assert wrong == []
    assert rendered.text.strip()


@pytest.mark.parametrize("recipe", list(library.FILES))
def test_a_recipe_says_what_the_library_page_needs(recipe):
    assert library.faults(recipe) == []


@pytest.mark.parametrize(
    ("late_at", "told_at"),
    [
        (datetime(2026, 11, 19, 5, 0, tzinfo=UTC), datetime(2026, 11, 19, 7, 0, tzinfo=UTC)),
        (NOON, datetime(2026, 11, 23, 7, 0, tzinfo=UTC)),
        (SATURDAY_NIGHT, datetime(2026, 11, 23, 7, 0, tzinfo=UTC)),
    ],
)
def test_r03_tells_of_a_late_order_at_nine_on_the_next_working_day(letters, late_at, told_at):
    started("R03", events.ORDER_LATE, late_at, status="processing")
    go_to(told_at)
    clock.freeze(told_at + timedelta(days=30))
    work()
    assert letters == [("R03.delay", told_at)]


def test_r03_says_nothing_when_the_order_arrives_before(letters):
    order = started("R03", events.ORDER_LATE, status="processing")
    type(order).objects.update(delivered_at=NOON + timedelta(hours=5))
    clock.freeze(datetime(2026, 11, 23, 7, 0, tzinfo=UTC))
    work()
    assert letters == []
    assert Enrolment.objects.get().status == "left"


def test_r03_does_not_start_while_a_case_about_the_order_is_open(letters):
    store = make_store()
    library.install(store, "R03", state="on")
    order = make_order(store, items=[(make_product(store), 1)], status="processing")
    cases.open_case(order, kind="not_arrived", key="k")
    happen(order, events.ORDER_LATE, at=NOON)
    work()
    assert Enrolment.objects.count() == 0


def test_r19_tells_of_usable_points_an_hour_later_by_day(letters):
    started("R19", events.POINTS_USABLE, payload={"points": 80}, status="completed")
    go_to(NOON + timedelta(hours=1))
    assert letters == [("R19.points", NOON + timedelta(hours=1))]


def test_r19_waits_for_the_morning_when_points_become_usable_at_night(letters):
    started("R19", events.POINTS_USABLE, SATURDAY_NIGHT, payload={"points": 80}, status="completed")
    morning = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
    go_to(morning)
    assert letters == [("R19.points", morning)]


def test_r19_is_silent_about_few_points(letters):
    started("R19", events.POINTS_USABLE, payload={"points": 49}, status="completed")
    clock.advance(timedelta(days=1))
    work()
    assert letters == []
    assert Enrolment.objects.count() == 0


def test_r24_invites_a_guest_two_days_after_delivery_and_never_again(letters):
    order = started("R24", events.ORDER_DELIVERED, status="completed", delivered_at=NOON)
    at = NOON + timedelta(days=2)
    go_to(at)
    second = make_order(order.store, customer=order.customer, status="completed", delivered_at=at)
    happen(second, events.ORDER_DELIVERED, at=at)
    clock.advance(timedelta(days=5))
    work()
    assert letters == [("R24.invitation", at)]


def test_r24_leaves_whoever_has_made_an_account_meanwhile(letters):
    order = started("R24", events.ORDER_DELIVERED, status="completed", delivered_at=NOON)
    type(order.customer).objects.filter(pk=order.customer_id).update(woo_id=77)
    clock.advance(timedelta(days=3))
    work()
    assert letters == []
    assert Enrolment.objects.get().status == "left"
