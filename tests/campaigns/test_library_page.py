"""The library page: what each recipe promises, needs and would reach, and using one."""

from datetime import timedelta

import pytest
from django.urls import reverse

from campaigns import library
from campaigns.library import needs
from campaigns.models import DryRun, Flow
from campaigns.views.library import cards
from postpurchase import clock
from stores.models import Shipment
from tests.factories import NOON, make_order, make_store, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(client):
    clock.freeze(NOON)
    store = make_store(language="en")
    client.force_login(make_user(store))
    return store


def page(client, store):
    return client.get(reverse("flow_library", args=[store.slug])).content.decode()


@pytest.mark.parametrize("recipe", list(library.FILES))
def test_a_recipe_says_what_the_library_page_needs_and_speaks_our_languages(recipe):
    assert library.faults(recipe) == []
    assert {"en", "id", "ro"} <= set(library.recipe(recipe).languages)


def test_a_card_tells_its_reach_with_the_denominator_and_the_number_of_mails(client, shop):
    make_order(shop, delivered_at=NOON)
    DryRun.objects.create(store=shop, recipe="R06", digest="x", days=90, result={"people": 214, "buyers": 4120})
    html = page(client, shop)
    assert "Would have reached <strong>214 people</strong> in the last 90 days, of 4,120 who bought" in html
    assert "up to 3 emails" in html
    assert "English, Indonesian, Romanian" in html
    assert "Not counted yet for your store" in html


def test_what_cannot_work_here_comes_last_with_the_reason_and_the_fix(client, shop):
    make_order(shop)
    shown = cards(shop)
    assert [(card.recipe.id, card.works) for card in shown if card.recipe.id in {"R01", "R06"}] == [
        ("R01", True),
        ("R06", False),
    ]
    html = page(client, shop)
    assert "Days of delivery: known or estimated for 0% of 1 orders." in html
    assert "Tell your delivery times in the settings" in html
    assert reverse("library_use", args=[shop.slug, "R06"]) not in html


def test_the_recommended_come_first(shop):
    make_order(shop, delivered_at=NOON)
    shown = cards(shop)
    assert [card.recipe.id for card in shown if card.recommended] == ["R03", "R06"]
    assert [card.recipe.id for card in shown[:2]] == ["R03", "R06"]


def test_using_a_recipe_makes_a_flow_that_is_off_with_its_texts(client, shop):
    response = client.post(reverse("library_use", args=[shop.slug, "R01"]))
    flow = Flow.objects.get()
    assert (flow.store, flow.recipe, flow.state) == (shop, "R01", "off")
    assert response["Location"] == reverse("flow_preview", args=[shop.slug, flow.slug])
    assert [each.name for each in shop.message_templates.all()] == ["R01.thank_you"]
    assert "In use: Off" in page(client, shop)


def test_an_unknown_recipe_makes_nothing(client, shop):
    client.post(reverse("library_use", args=[shop.slug, "R99"]))
    assert not Flow.objects.exists()


def test_tracking_is_told_as_a_share_of_the_recent_orders(shop):
    with_number, _without = make_order(shop), make_order(shop)
    make_order(shop, created_gmt=NOON - timedelta(days=200))
    Shipment.objects.create(store=shop, order=with_number, number="RO123", source="merchant")
    found = needs.look(shop, ["tracking"])["tracking"]
    assert (found.met, found.words) == (True, "Tracking data: you have it for 50% of 2 orders")


@pytest.mark.parametrize("name", list(needs.NEEDS))
def test_every_need_can_be_looked_up_in_an_empty_store(name, shop):
    found = needs.NEEDS[name](shop)
    assert found.words
    assert found.met or found.fix


@pytest.mark.parametrize(
    ("part", "whole", "words"), [(0, 0, "0%"), (1, 1000, "<1%"), (999, 1000, "99%"), (2, 2, "100%")]
)
def test_a_share_is_never_nothing_or_all_where_it_is_not(part, whole, words):
    assert needs.share(part, whole) == words
