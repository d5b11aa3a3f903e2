"""The flow editor in a real browser: readable for all, no sideways scroll, a clean console, and edited by keyboard alone."""

import re

import pytest
from playwright.sync_api import expect

from campaigns import drafts, engine, library, outbox
from campaigns.models import Flow, Message
from postpurchase import clock
from stores import events

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def filled(shop) -> Flow:
    """The review request with people in it, edited, with one fault."""
    flow = library.install(shop.store, "R06", state="review", actor="owner@example.com")
    for order in shop.store.orders.filter(counted=True)[:12]:
        events.record(shop.store, events.ORDER_DELIVERED, subject=order.pk, at=clock.now(), order=order)
    while events.dispatch():
        pass
    engine.run_due()
    flow.refresh_from_db()
    drafts.change(flow, flow.draft_token, _edit, actor="owner@example.com", what="test", undo="Back.")
    return flow


def _edit(data) -> None:
    lanes = data["steps"][0]
    lanes["else"][0]["days"] = 10
    lanes["else"][4]["template"] = ""


PAGES = (
    "",
    "edit/",
    "edit/steps/request/",
    "edit/steps/after_a_case/",
    "edit/start/",
    "edit/add/?after=after_a_case",
    "edit/file/",
    "edit/compare/",
    "versions/",
    "manage/",
    "turn-on/",
)


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_the_pages_are_readable_fit_and_say_nothing_to_the_console(shop, axe, width, theme):
    flow = filled(shop)
    page = shop.page(width=width, theme=theme)
    for path in ["/app/lut/flows/", "/app/lut/flows/new/", *(f"/app/lut/flows/{flow.slug}/{one}" for one in PAGES)]:
        assert page.goto(path).status == 200
        assert axe(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0, path
    drafts.change(flow, flow.draft_token, _mend, actor="test", what="test")
    assert page.goto(f"/app/lut/flows/{flow.slug}/publish/").status == 200
    assert axe(page) == []
    assert shop.said == []


def _mend(data) -> None:
    data["steps"][0]["else"][4]["template"] = "R06.reminder"


def test_a_step_is_added_moved_changed_and_deleted_by_keyboard_alone(shop):
    flow = library.install(shop.store, "R01", actor="owner@example.com")
    page = shop.page()
    page.goto(f"/app/lut/flows/{flow.slug}/edit/")
    before = page.locator(".step").count()
    focus(page, page.get_by_role("link", name="Add step at the beginning"))
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Add a step at the beginning").wait_for()
    focus(page, page.get_by_role("button", name="Wait", exact=True))
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Step 1: Wait").wait_for()
    focus(page, page.get_by_label("Days", exact=True))
    page.keyboard.press("Control+A")
    page.keyboard.type("4")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Wait 4 days").wait_for()
    expect(page.get_by_role("link", name="Wait 4 days")).to_be_focused()
    focus(page, page.get_by_role("button", name="Move step 1 down"))
    page.keyboard.press("Enter")
    page.get_by_text("Wait 4 days, moved down.").first.wait_for()
    expect(page.get_by_role("button", name="Move step 2 up")).to_be_focused()
    assert page.evaluate(
        "document.getElementById(document.activeElement.getAttribute('aria-describedby')).textContent"
    ) == (f"Step 2 of {before}, Wait 4 days, moved down.")
    focus(page, page.get_by_role("link", name="Wait 4 days"))
    page.keyboard.press("Enter")
    focus(page, page.get_by_role("button", name="Delete step"))
    page.keyboard.press("Enter")
    page.get_by_text("Step 2 is out of the draft: Wait 4 days.").wait_for()
    focus(page, page.get_by_role("button", name="Undo the last change"))
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Wait 4 days").wait_for()
    assert [step["kind"] for step in Flow.objects.get().draft["steps"]][1] == "wait"


def focus(page, element) -> None:
    """Go to the element as a keyboard does, by Tab."""
    wanted = element.element_handle()
    for _ in range(120):
        if page.evaluate("one => one === document.activeElement", wanted):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never reaches {element}")


def test_a_person_publishes_with_the_new_wait_for_those_who_wait(shop):
    flow = filled(shop)
    drafts.change(flow, flow.draft_token, _mend, actor="test", what="test")
    page = shop.page()
    page.goto(f"/app/lut/flows/{flow.slug}/edit/")
    page.get_by_role("link", name="Publish…").click()
    page.get_by_text("12 people are waiting at step").wait_for()
    page.get_by_label("Use the new wait for them").check()
    page.get_by_label("They move to the new version").check()
    page.get_by_role("button", name="Publish version 2").click()
    page.get_by_text("Version 2 of Review request with help path is live.").wait_for()
    assert set(flow.enrolments.values_list("version__number", flat=True)) == {2}


def test_the_list_pauses_a_flow_with_one_press(shop):
    flow = library.install(shop.store, "R01", state="on", actor="owner@example.com")
    outbox.run_due()
    page = shop.page()
    page.goto("/app/lut/flows/")
    page.get_by_role("button", name=re.compile("^Pause ?: Thank you")).click()
    page.get_by_text("is off. People on their way stay where they are.").wait_for()
    flow.refresh_from_db()
    assert flow.state == "off"
    assert not Message.objects.exists()
