"""Shopper pages in a real browser: without script, at any width, by keyboard, clean under axe, and never a cookie."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from loyalty import ledger, programs
from loyalty.models import Account, Redemption
from postpurchase import links
from reviews import asking
from reviews.models import Review
from stores.models import Order

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LOOKS = [(1280, "light"), (390, "dark"), (320, "light")]


@pytest.fixture
def order(shop) -> Order:
    order = Order.objects.filter(store=shop.store, counted=True, delivered_at__isnull=False).latest("created_gmt")
    programs.start(shop.store, actor="test")
    ledger.give(shop.store, order.customer, points=250, key="gift", reason="Welcome")
    return order


def addresses(order: Order) -> dict[str, str]:
    request, account = asking.ask(order.store, order), Account.objects.get(customer=order.customer)
    person = order.customer
    return {
        "review": f"/r/{links.make('r', request.pk, version=request.link_version)}/",
        "help": f"/h/{links.make('h', order.pk)}/",
        "member": f"/l/{links.make('l', account.pk, version=account.link_version)}/",
        "preferences": f"/p/{links.make('p', person.pk, version=person.link_version)}/",
        "problem": "/r/r-1-1-1-nonsense/",
    }


@pytest.mark.parametrize("language", ["en", "ro", "id"])
def test_every_page_is_clean_fits_and_keeps_no_cookie(shop, order, axe: Callable[[Page], list[str]], language):
    found = []
    for width, theme in LOOKS:
        page = shop.page(width=width, theme=theme, signed_in=False)
        for name, path in addresses(order).items():
            page.goto(f"{path}?lang={language}")
            found += [f"{name} {width} {theme}: {one}" for one in axe(page)]
            if page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") > 0:
                found.append(f"{name} {width} {theme}: scrolls sideways")
        assert page.context.cookies() == []
    assert found == []
    assert [one for one in shop.said if "404" not in one] == []


def test_a_review_is_given_without_script(shop, order):
    page = shop.page(width=390, signed_in=False, java_script_enabled=False)
    page.goto(addresses(order)["review"] + "?lang=en")
    page.locator(".stars label").nth(3).click()
    page.get_by_role("button", name="Send review").last.click()
    expect(page.locator("h1")).to_be_visible()
    assert Review.objects.get().rating == 4


def test_stars_are_chosen_by_keyboard(shop, order):
    page = shop.page(signed_in=False)
    page.goto(addresses(order)["review"] + "?lang=en")
    page.locator("input[type=radio]").first.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    assert page.locator("input[type=radio]:checked").first.get_attribute("value") == "5"


def test_points_are_redeemed_in_two_presses_by_keyboard_without_script(shop, order):
    page = shop.page(width=390, signed_in=False, java_script_enabled=False)
    page.goto(addresses(order)["member"] + "?lang=en")
    page.locator("button[name=reward]").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("button[name=confirm]")
    assert Redemption.objects.count() == 0
    page.locator("button[name=confirm]").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("text=The shop is making your code")
    assert Redemption.objects.get().points == 200
