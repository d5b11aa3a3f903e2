"""The message editor in a real browser: by keyboard and by buttons, live, without script, readable for all."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from campaigns import content
from campaigns.models import TemplateDraft, TemplateVersion

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LOOKS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]


@pytest.fixture(autouse=True)
def _own_address(shop: Any, settings: Any) -> None:
    # Example pictures are addressed as recipients would reach them.
    settings.PUBLIC_URL = shop.url


def readable(page: Any, axe: Any, name: str) -> list[str]:
    if shots := os.environ.get("SHOTS"):
        width = page.viewport_size["width"]
        dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        page.screenshot(path=str(Path(shots) / f"{name}-{width}-{'dark' if dark else 'light'}.png"), full_page=True)
    width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [*axe(page), *([f"{name} scrolls sideways by {width} px"] if width > 0 else [])]


@pytest.mark.parametrize(("width", "theme"), LOOKS)
def test_every_page_of_messages_is_readable(width: int, theme: str, shop: Any, axe: Any) -> None:
    for name in ("R01.thank_you", "R06.review_request"):
        content.install(shop.store, name)
    made = shop.store.message_templates.get(name="R01.thank_you")
    page = shop.page(width=width, theme=theme)
    page.goto("/app/lut/messages/")
    assert readable(page, axe, "list") == []
    page.goto("/app/lut/messages/new/")
    assert readable(page, axe, "new") == []
    page.goto(f"/app/lut/messages/{made.pk}/?lang=en&at=b2")
    expect(page.frame_locator(".mail-frame").get_by_role("heading", level=1)).to_have_text("Thank you, Ana")
    assert readable(page, axe, "editor") == []
    page.locator("summary", has_text="Variables").click()
    page.locator(".vars details > summary", has_text="order").click()
    expect(page.get_by_text("What the customer pays, with the currency")).to_be_visible()
    assert readable(page, axe, "variables") == []
    page.get_by_label("Subject", exact=True).fill("Hello {{ order.nothing }}")
    expect(page.get_by_text("order.nothing is undefined")).to_be_visible()
    assert readable(page, axe, "faults") == []
    page.get_by_role("button", name="Put to use").click()
    expect(page.get_by_text("Not put to use; your work is kept.")).to_be_visible()
    page.get_by_label("Subject", exact=True).fill("Hello {{ customer.first_name }}")
    page.get_by_role("button", name="Put to use").click()
    expect(page.get_by_text("Version 2 is in use.")).to_be_visible()
    page.goto(f"/app/lut/messages/{made.pk}/versions/")
    assert readable(page, axe, "versions") == []
    assert shop.said == []


def test_what_is_typed_is_shown_and_kept_while_typing(shop: Any) -> None:
    made = content.install(shop.store, "R01.thank_you")
    page = shop.page()
    page.goto(f"/app/lut/messages/{made.pk}/?lang=en")
    page.locator("#b-b1 summary").first.press("Enter")
    field = page.locator("#f-b1-text")
    field.press("End")
    field.press_sequentially(" from the studio", delay=20)
    expect(page.frame_locator(".mail-frame").get_by_role("heading", level=1)).to_have_text(
        "Thank you, Ana from the studio"
    )
    expect(field).to_be_focused()
    assert "from the studio" in TemplateDraft.objects.get().content["languages"]["en"]["words"]["b1"]["text"]
    page.locator("select[name=look]").select_option("dark")
    expect(page.locator(".mail-frame")).to_have_attribute("src", re.compile("look=dark"))
    page.locator("select[name=look]").select_option("text")
    expect(page.locator("pre.mail-text")).to_contain_text("from the studio")
    assert TemplateVersion.objects.filter(number=2).count() == 0
    assert shop.said == []


def test_blocks_move_by_keyboard_and_the_focus_stays_with_them(shop: Any) -> None:
    made = content.install(shop.store, "R01.thank_you")
    page = shop.page()
    page.goto(f"/app/lut/messages/{made.pk}/?lang=en")
    page.get_by_role("button", name="Move down: 1 Heading").press("Enter")
    expect(page.locator(".mail-blocks > li").nth(1)).to_have_attribute("id", "b-b1")
    expect(page.locator("#b-b1 summary").first).to_be_focused()
    page.get_by_label("Kind").select_option("image")
    page.get_by_role("button", name="Add block").press("Enter")
    expect(
        page.get_by_text("Still empty: Words for those who do not see the picture, Address of the picture.").first
    ).to_be_visible()
    page.get_by_role("button", name="Delete: 3 Image").press("Enter")
    expect(
        page.get_by_text("Still empty: Words for those who do not see the picture, Address of the picture.")
    ).to_have_count(0)


def test_without_script_a_button_shows_the_preview(shop: Any) -> None:
    made = content.install(shop.store, "R01.thank_you")
    page = shop.page(java_script_enabled=False)
    page.goto(f"/app/lut/messages/{made.pk}/?lang=en")
    page.get_by_label("Subject", exact=True).fill("Hello there")
    page.locator("select[name=width]").select_option("phone")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator(".mail-line b")).to_have_text("Hello there")
    expect(page.locator(".mail-frame.phone")).to_have_count(1)


def test_a_second_window_is_told_and_keeps_its_words(shop: Any) -> None:
    made = content.install(shop.store, "R01.thank_you")
    one, other = shop.page(), shop.page()
    for page in (one, other):
        page.goto(f"/app/lut/messages/{made.pk}/?lang=en")
    one.get_by_label("Subject", exact=True).fill("From the first")
    expect(one.locator(".mail-line b")).to_have_text("From the first")
    other.get_by_label("Subject", exact=True).fill("From the second")
    expect(other.get_by_text("was changed in another window meanwhile")).to_be_visible()
    expect(other.get_by_label("Subject", exact=True)).to_have_value("From the second")
    assert TemplateDraft.objects.get().content["languages"]["en"]["subject"] == "From the first"
    other.get_by_role("button", name="Keep mine").click()
    expect(other.locator(".mail-line b")).to_have_text("From the second")
