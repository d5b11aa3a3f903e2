"""The outbox in a real browser: states, reasons and guards, readable for all, worked by keyboard, no sideways scroll."""

import os

import pytest
from playwright.sync_api import expect

from campaigns import guards
from campaigns.models import Message
from postpurchase import clock

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
REASONS = [
    ("held", "due", "weekly limit reached, next slot Tue"),
    ("held", "due", "another message had priority"),
    ("held", "due", "on hold: open case"),
    ("held", "due", "quiet hours until 08:00"),
    ("approval", "held", "the flow asks you first"),
    ("retry", "due", "450 greylisted, try again"),
    ("skipped", "done", "order cancelled"),
    ("expired", "done", "too late to be useful (49 hours late)"),
    ("unknown", "dead", "no answer"),
    ("planned", "due", ""),
]


def fill(shop) -> list[int]:
    """A message in each state, and a guard that holds marketing."""
    now = clock.now()
    rows = []
    for number, (status, state, reason) in enumerate(REASONS):
        order = shop.store.orders.exclude(customer=None)[number]
        rows.append(
            Message.objects.create(
                store=shop.store,
                customer=order.customer,
                order=order,
                klass="S",
                purpose="review",
                template="R06.review_request",
                key=f"look:{number}",
                status=status,
                state=state,
                reason=reason,
                trace=[[True, "Flow", "Review request is on, version 2"], [False, "Slot", reason or "-"]],
                planned_for=now,
                due_at=now,
                useful_until=now,
            )
        )
    guards.hold(shop.store, "flood", due=900, usual=12)
    return [row.pk for row in rows]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_outbox_with_all_its_states_is_readable_for_all(shop, axe, width, theme) -> None:
    keys = fill(shop)
    page = shop.page(width=width, theme=theme)
    for name, path in (("list", ""), ("waiting", "?view=waiting"), ("message", f"{keys[0]}/")):
        page.goto(f"/app/{shop.store.slug}/outbox/{path}")
        if where := os.environ.get("PICTURES"):
            page.screenshot(path=f"{where}/outbox-{name}-{width}-{theme}.png", full_page=True)
        assert axe(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert shop.said == []


def test_by_keyboard_many_are_cancelled_and_a_hold_is_released(shop) -> None:
    keys = fill(shop)
    page = shop.page()
    page.goto(f"/app/{shop.store.slug}/outbox/?view=waiting")
    expect(page.get_by_text("900 messages are due at once")).to_be_visible()
    page.get_by_role("button", name="Release").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Released. What is still of use goes out")).to_be_visible()
    assert guards.active(shop.store) == []
    page.goto(f"/app/{shop.store.slug}/outbox/?q={Message.objects.get(pk=keys[0]).order.number}")
    page.get_by_role("checkbox", name="Tick all on this page").focus()
    page.keyboard.press("Space")
    page.locator("#bulk button[value=cancel]").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("It is not sent, now or later.")).to_be_visible()
    page.locator("main form button.danger").last.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 message is cancelled.")).to_be_visible()
    assert Message.objects.get(pk=keys[0]).status == "cancelled"
