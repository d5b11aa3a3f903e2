"""Pages outside a store: first run, sign-in, the second factor. Readable for all, by keyboard, from start to end."""

import re

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from playwright.sync_api import Page, expect

from stores.models import User
from tests.browser.test_dashboard import LOOKS, complaints

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PASSWORD = "correct horse battery staple"
OUTSIDE = ["/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"]
INSIDE = ["/setup/connect/", "/accounts/reauthenticate/", "/admin/"]


def seen(shop, path: str, axe, *, signed_in: bool) -> dict[str, list[str]]:
    found = {}
    for width, theme in LOOKS:
        page = shop.page(width=width, theme=theme, signed_in=signed_in)
        if complaint := complaints(shop, page, path, axe):
            found[f"{width} {theme}"] = complaint
    return found


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_page_before_the_sign_in_is_readable_for_all(path, shop, axe):
    assert (seen(shop, path, axe, signed_in=False), shop.said) == ({}, [])


@pytest.mark.parametrize("path", INSIDE)
def test_a_page_outside_a_store_is_readable_for_all(path, shop, axe):
    assert (seen(shop, path, axe, signed_in=True), shop.said) == ({}, [])


def test_the_first_person_becomes_the_owner_and_goes_on_to_connect(shop, axe):
    shop.store.delete()
    User.objects.all().delete()
    assert (seen(shop, "/setup/", axe, signed_in=False), shop.said) == ({}, [])
    page = shop.page(signed_in=False)
    page.goto("/setup/")
    page.get_by_label("Name").fill("Ioana")
    page.get_by_label(re.compile("mail", re.I)).fill("ioana@example.com")
    page.get_by_label(re.compile("^Password")).first.fill(PASSWORD)
    page.get_by_role("button", name="Create owner account").press("Enter")
    expect(page).to_have_url(f"{shop.url}/setup/connect/")
    assert User.objects.get().email == "ioana@example.com"


def code_of(page: Page) -> str:
    secret = page.locator("#authenticator_secret, [name=authenticator_secret]").first.input_value()
    return format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))


def test_a_second_factor_is_set_up_and_its_recovery_codes_are_shown(shop, axe):
    shop.owner.set_password(PASSWORD)
    shop.owner.save()
    found: dict[str, list[str]] = {}
    page = shop.page(width=390, signed_in=False)

    def look() -> None:
        if said := axe(page):
            found[page.url] = said
        width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if width > 0:
            found[f"{page.url} sideways"] = [str(width)]

    page.goto("/accounts/login/?next=/accounts/2fa/totp/activate/")
    page.get_by_label(re.compile("mail", re.I)).fill(shop.owner.email)
    page.get_by_label(re.compile("^Password")).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").press("Enter")
    # Whoever changes how one signs in shows once more who they are.
    expect(page).to_have_url(re.compile("reauthenticate"))
    look()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Password").press("Enter")
    expect(page).to_have_url(re.compile("totp/activate"))
    look()
    page.locator("[name=code]").fill("000000")
    page.locator("[name=code]").press("Enter")
    expect(page.locator("[name=code]")).to_be_visible()
    look()
    page.locator("[name=code]").fill(code_of(page))
    page.locator("[name=code]").press("Enter")
    expect(page).to_have_url(re.compile("recovery-codes"))
    look()
    page.goto("/accounts/2fa/")
    look()
    other = shop.page(signed_in=False)
    other.goto("/accounts/login/")
    other.get_by_label(re.compile("mail", re.I)).fill(shop.owner.email)
    other.get_by_label(re.compile("^Password")).fill(PASSWORD)
    other.get_by_role("button", name="Sign in").press("Enter")
    expect(other).to_have_url(re.compile("2fa/authenticate"))
    assert axe(other) == []
    assert (found, shop.said) == ({}, [])
