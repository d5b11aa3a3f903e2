"""Library, preview and "why" in a real browser: readable for all, no sideways scroll, by keyboard, letters in their frames."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from campaigns import library
from campaigns.models import DryRun
from campaigns.simulation import kept
from stores import events
from stores.events import Fact
from tests.browser.test_dashboard import LOOKS, complaints

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PATHS = [
    "flows/library/",
    "flows/r06-review-request/preview/",
    "flows/r06-review-request/preview/?q=Ana",
    "flows/r06-review-request/preview/?look=dark&width=phone",
    "flows/r06-review-request/why/",
    "flows/r06-review-request/why/?customer={customer}",
]


@pytest.fixture
def flows_run(shop):
    """The review request, its facts of the past, and a dry run of it."""
    facts = [
        Fact(events.ORDER_DELIVERED, order.pk, order.delivered_at, "", order.pk, order.customer_id, historic=True)
        for order in shop.store.orders.filter(delivered_at__isnull=False)
    ]
    events.record_many(shop.store, facts)
    flow = library.install(shop.store, "R06")
    library.install(shop.store, "R01")
    assert kept.start(flow, days=365).row
    for recipe, people in (("R01", 52), ("R06", 31)):
        DryRun.objects.create(
            store=shop.store, recipe=recipe, digest="x", days=90, result={"people": people, "buyers": 58}
        )
    return shop


def filled(path: str, shop) -> str:
    order = shop.store.orders.filter(delivered_at__isnull=False).latest("delivered_at")
    return f"/app/lut/{path.format(customer=order.customer_id)}"


@pytest.mark.parametrize(("width", "theme"), LOOKS)
def test_pages_are_readable_for_all_and_fit(flows_run, axe, width, theme):
    page = flows_run.page(width=width, theme=theme)
    found = {}
    for path in PATHS:
        found[path] = complaints(flows_run, page, filled(path, flows_run), axe)
        if folder := os.environ.get("PICTURES"):
            name = path.split("/")[1] + ("-" + path.split("/")[2] if path.count("/") > 2 else "") + str(len(path))
            page.screenshot(path=str(Path(folder) / f"{name}-{width}-{theme}.png"), full_page=True)
    assert {path: said for path, said in found.items() if said} == {}


def test_a_person_is_chosen_and_the_run_is_started_by_keyboard(flows_run):
    page = flows_run.page()
    page.goto(filled("flows/r06-review-request/preview/", flows_run))
    second = page.locator(".picks a").nth(1)
    name = second.inner_text().split("\n")[0].strip()
    second.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".picks a[aria-current]")).to_contain_text(name.split(" #")[0])
    page.get_by_role("button", name="Run again").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("would have entered").first).to_be_visible()


def test_the_letter_is_shown_in_its_frame(flows_run):
    page = flows_run.page()
    page.goto(filled("flows/r06-review-request/preview/", flows_run))
    frame = page.frame_locator("iframe.mail-frame").first
    expect(frame.locator("body")).to_contain_text("Atelier Lut")
