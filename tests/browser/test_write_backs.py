"""The pages of write-backs in a real browser: readable for all, no sideways scroll, a clean console, and a choice made."""

import pytest

from postpurchase import clock, due
from stores import write_backs
from stores.models import Intent

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def wishes(shop) -> Intent:
    """Write-backs of several states; the one that waits for a choice."""
    orders = list(shop.store.orders.filter(status="processing")[:3]) or list(shop.store.orders.all()[:3])
    for number, (order, status) in enumerate(zip(orders, ("attention", "failed", "planned"), strict=True)):
        intent = write_backs.set_status(order, "on-hold", key=str(number), by="owner")
        reason = "The order was moved to “Cancelled” in the store meanwhile, so it was not moved to “On hold”."
        ended = {"state": due.State.DONE, "finished_at": clock.now(), "error": reason, "attempts": 1}
        Intent.objects.filter(pk=intent.pk).update(status=status, **(ended if status != "planned" else {}))
        write_backs.add_note(order, "Called her.\nA neighbour takes it.", key=str(number), by="owner")
    return Intent.objects.get(status="attention")


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_the_pages_are_readable_fit_and_say_nothing_to_the_console(shop, axe, width, theme):
    asked = wishes(shop)
    page = shop.page(width=width, theme=theme)
    for path in (
        "settings/system/write-backs/",
        f"settings/system/write-backs/{asked.pk}/",
        f"orders/{asked.subject_id}/",
    ):
        assert page.goto(f"/app/lut/{path}").status == 200
        for summary in page.locator("details > summary").all():
            summary.click()
        assert axe(page) == []
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert shop.said == []


def test_a_person_accepts_what_the_store_has(shop):
    asked = wishes(shop)
    page = shop.page()
    page.goto("/app/lut/settings/system/write-backs/?view=attention")
    page.get_by_role("link", name="Order state").click()
    page.get_by_role("button", name="Accept what the store has").click()
    page.get_by_text("What the store has counts from now on.").first.wait_for()
    asked.refresh_from_db()
    assert asked.status == "confirmed"
