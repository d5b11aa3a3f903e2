"""Connecting in a real browser: from the address over the shop's approval back to the connected store, without a reload."""

import pytest
from django.test import override_settings
from playwright.sync_api import expect

from stores.models import Store
from tests.browser.test_dashboard import LOOKS, complaints
from tests.stores.shop import running

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_one_approval_in_the_shop_ends_at_the_connected_store(shop, axe):
    with running(orders=1, http_callbacks=True) as sandbox, override_settings(PUBLIC_URL=shop.url):
        page = shop.page()
        page.goto("/setup/connect/")
        page.get_by_label("Store address").fill(sandbox.url)
        page.keyboard.press("Enter")
        page.get_by_role("link", name="Connect in WooCommerce").click()
        page.get_by_role("link", name="Approve").click()
        expect(page.get_by_role("heading", name="Connected", exact=True)).to_be_visible(timeout=30_000)
        # The shop's own pages have no icon.
        assert [one for one in shop.said if "404" not in one] == []
        shop.said.clear()
        made = Store.objects.exclude(pk=shop.store.pk).get()
        found = {}
        for path in (f"/app/{made.slug}/connect/result/", f"/app/{made.slug}/connect/"):
            for width, theme in LOOKS:
                if complaint := complaints(shop, shop.page(width=width, theme=theme), path, axe):
                    found[path, width, theme] = complaint
        assert (found, shop.said) == ({}, [])


def test_a_return_without_keys_is_readable_for_all(shop, axe):
    with running(orders=1) as sandbox, override_settings(PUBLIC_URL=shop.url):
        page = shop.page()
        page.goto("/setup/connect/")
        page.get_by_label("Store address").fill(sandbox.url)
        page.keyboard.press("Enter")
        asked = page.get_by_role("link", name="Connect in WooCommerce").get_attribute("href")
        token = asked.partition("user_id=")[2].partition("&")[0]
        page.goto(f"/setup/connect/return/?success=1&user_id={token}")
        expect(page.get_by_text("No keys have come from the store yet.")).to_be_visible()
        cookies = page.context.cookies()
        found = {}
        for width, theme in LOOKS:
            other = shop.page(width=width, theme=theme)
            other.context.add_cookies(cookies)
            if complaint := complaints(shop, other, page.url.removeprefix(shop.url), axe):
                found[width, theme] = complaint
        assert (found, shop.said) == ({}, [])
