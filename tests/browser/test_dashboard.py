"""The dashboard in a real browser: readable for all, no sideways scroll, a clean console, keyboard and Back."""

import re

import pytest
from playwright.sync_api import Page, expect

from stores.models import Job, Order

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LOOKS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]
# Pages of the shell and of this app; each app's browser tests add their own.
PATHS = [
    "",
    "orders/",
    "orders/?status=completed&q=Ana&sort=total",
    "orders/?q=nothing-like-this",
    "orders/{order}/",
    "customers/",
    "customers/{customer}/",
    "customers/{customer}/?tab=orders",
    "coupons/",
    "insights/retention/",
    "search/?q=Ana",
    "settings/",
    "settings/developers/",
    "settings/system/",
    "settings/system/audit/",
    "settings/system/deliveries/",
    "settings/system/deliveries/{delivery}/",
    "settings/system/quarantine/",
    "jobs/{job}/",
    "flows/",
    "outbox/",
    "reviews/",
    "cases/",
    "loyalty/",
]
OWN = ["/account/", "/accounts/2fa/", "/accounts/password/change/", "/accounts/logout/", "/app/no-such-store/"]


def filled_in(path: str, shop) -> str:
    return path.format(
        order=Order.objects.filter(store=shop.store, coupon_lines__isnull=False).latest("created_gmt").pk,
        customer=shop.store.customers.filter(orders_count__gte=2).first().pk,
        job=Job.objects.get().pk,
        delivery=shop.store.deliveries.first().pk,
    )


def sideways(page: Page) -> int:
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def complaints(shop, page: Page, path: str, axe) -> list[str]:
    status = page.goto(path).status
    # The browser itself reports the status of the page that is meant to be missing.
    shop.said[:] = [one for one in shop.said if not (status == 404 and "404" in one)]
    found = [f"status {status}"] if status >= 500 else []
    found += axe(page)
    if sideways(page) > 0:
        found.append(f"scrolls sideways by {sideways(page)} px")
    return found


@pytest.mark.parametrize("path", PATHS)
def test_a_store_page_is_readable_for_all_in_every_look(path, shop, axe):
    path, found = filled_in(path, shop), {}
    for width, theme in LOOKS:
        page = shop.page(width=width, theme=theme)
        if complaint := complaints(shop, page, f"/app/lut/{path}", axe):
            found[width, theme] = complaint
        page.context.close()
    assert found == {}, "\n".join(f"{look}: {one}" for look, said in found.items() for one in said)
    assert shop.said == []


@pytest.mark.parametrize("path", OWN)
def test_a_persons_own_page_is_readable_for_all_in_every_look(path, shop, axe):
    found = {}
    for width, theme in LOOKS:
        page = shop.page(width=width, theme=theme)
        if complaint := complaints(shop, page, path, axe):
            found[width, theme] = complaint
        page.context.close()
    assert found == {}
    assert shop.said == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_signing_in_works_and_is_readable_for_all(theme, shop, axe):
    page = shop.page(width=390, theme=theme, signed_in=False)
    assert complaints(shop, page, "/accounts/login/", axe) == []
    page.get_by_label("Email").fill("owner@example.com")
    page.get_by_label("Password").fill("wrong-word-9")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_focused()
    assert axe(page) == []
    page.get_by_label("Email").fill("owner@example.com")
    page.get_by_label("Password", exact=True).fill("pass-word-1")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Home")
    assert shop.said == []


@pytest.mark.parametrize("width", [320, 360, 768, 1024, 1440])
def test_no_width_scrolls_sideways(width, shop):
    page = shop.page(width=width)
    for path in PATHS:
        page.goto("/app/lut/" + filled_in(path, shop))
        assert (path, sideways(page)) == (path, 0)


def test_searching_a_list_keeps_the_focus_says_the_result_and_back_restores(shop):
    page = shop.page()
    page.goto("/app/lut/orders/")
    box = page.get_by_role("searchbox", name="Order number, customer or email")
    box.press_sequentially("1000")
    expect(page.locator("tbody tr")).to_have_count(10)
    expect(page).to_have_url(re.compile(r"q=1000"))
    expect(box).to_be_focused()
    expect(page.locator("#live")).to_have_text("10 orders, sorted by Date, descending")
    page.go_back()
    expect(page.locator("tbody tr")).to_have_count(25)
    assert shop.said == []


def test_sorting_by_a_heading_keeps_the_focus_on_it(shop):
    page = shop.page()
    page.goto("/app/lut/orders/")
    page.get_by_role("link", name="Total").click()
    expect(page.get_by_role("columnheader", name="Total")).to_have_attribute("aria-sort", "descending")
    expect(page.get_by_role("link", name="Total")).to_be_focused()
    assert shop.said == []


def test_opening_an_order_from_a_filtered_list_and_going_back_finds_the_list_as_it_was(shop):
    page = shop.page()
    page.goto("/app/lut/orders/?status=completed&size=50")
    before = page.locator("tbody tr").count()
    page.locator("tbody th a").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Order #")
    page.go_back()
    expect(page.locator("tbody tr")).to_have_count(before)
    assert shop.said == []


def test_lists_work_without_script(shop):
    page = shop.page(java_script_enabled=False)
    page.goto("/app/lut/orders/")
    page.get_by_role("searchbox", name="Order number, customer or email").fill("1000")
    page.locator("form.filters button").click()
    expect(page.locator("tbody tr")).to_have_count(10)
    page.get_by_role("link", name="Clear filters").click()
    expect(page.locator("tbody tr")).to_have_count(25)


def test_the_first_tab_stop_skips_to_the_content(shop):
    page = shop.page()
    page.goto("/app/lut/orders/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_the_theme_is_switched_from_the_account_menu_and_stays(shop):
    page = shop.page()
    page.goto("/app/lut/orders/")
    page.get_by_role("button", name="Account: Ioana Pop").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page).to_have_url(re.compile(r"/app/lut/orders/$"))
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(17, 20, 22)"


def test_open_menus_are_readable_for_all(shop, axe):
    for width, button in ((1280, "Account: Ioana Pop"), (390, "Menu")):
        page = shop.page(width=width)
        page.goto("/app/lut/")
        page.get_by_role("button", name=button).click()
        assert axe(page) == []
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name=button)).to_be_focused()
    assert shop.said == []


def test_controls_on_a_phone_are_large_enough_to_hit(shop):
    page = shop.page(width=390)
    page.goto("/app/lut/orders/")
    small = page.evaluate(
        "[...document.querySelectorAll('main a, main button, main select, main input:not([type=hidden]), .tabbar *')]"
        ".filter(e => e.matches('a, button, select, input') && e.offsetParent)"
        ".map(e => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])"
        ".filter(([, box]) => box.width < 24 || box.height < 24).map(([html]) => html)"
    )
    assert small == []
