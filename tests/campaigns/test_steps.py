"""The steps that give something: once for each person, in the shop's days, and nothing promised that cannot be kept."""

import pytest

from campaigns import library
from campaigns.models import Enrolment, Message, StepRun
from loyalty import ledger
from postpurchase import clock
from stores.models import Coupon
from tests.campaigns.flow_files import file, happen, publish, run, send
from tests.factories import NOON, make_order, make_store

pytestmark = pytest.mark.django_db

COUPON = {"uid": "coupon", "kind": "issue_coupon", "amount": "15.50", "valid_days": 10, "minimum": 50}
POINTS = {"uid": "points", "kind": "give_points", "points": 50}


@pytest.fixture(autouse=True)
def _late_in_the_evening():
    # 20 November, 23:30 in Bucharest; already the 21st nowhere in the shop.
    clock.freeze(NOON.replace(hour=21, minute=30))


def test_a_store_that_cannot_be_written_to_promises_no_coupon():
    store = make_store(can_write=False)
    publish(store, file(COUPON, send()))
    happen(make_order(store))
    run()
    left = Enrolment.objects.get()
    assert left.status == "left"
    assert left.reason.startswith("The keys of this store may only read")
    assert not Message.objects.exists()
    assert not Coupon.objects.exists()


def test_points_are_given_once_whatever_the_version():
    store = make_store()
    flow = publish(store, file(POINTS, reentry="always"))
    order = make_order(store)
    happen(order)
    run()
    assert ledger.balance(order.customer).usable == 50
    Enrolment.objects.all().delete()
    publish(store, file(POINTS, send(), reentry="always"))
    Enrolment.objects.create(
        store=store,
        flow=flow,
        version=flow.versions.latest("number"),
        customer=order.customer,
        order=order,
        step="points",
        key=f"{flow.pk}:order.paid:{order.pk}",
        context={"at": NOON.isoformat()},
    )
    run()
    assert ledger.balance(order.customer).usable == 50
    assert StepRun.objects.get(step="points").reason == "these points were given already"


def test_no_effect_of_a_step_stays_when_the_batch_fails(monkeypatch):
    from campaigns import engine

    store = make_store()
    publish(store, file(POINTS, COUPON, send()))
    order = make_order(store)
    happen(order)

    def fails(moves):
        raise RuntimeError("no luck")

    monkeypatch.setattr(engine, "_write", fails)
    run()
    assert ledger.balance(order.customer).usable == 0
    assert not Coupon.objects.exists()
    assert not StepRun.objects.exists()


def test_every_recipe_gives_only_what_its_texts_exist_for():
    store = make_store()
    for recipe in library.FILES:
        flow = library.install(store, recipe)
        wanted = {step["template"] for step in flow.live.definition["steps"] if "template" in step}
        assert wanted <= set(store.message_templates.values_list("name", flat=True))
