"""Jobs with their ring, and who writes about what, in a real browser: readable for all, in every look."""

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from postpurchase import clock
from stores.models import Job, Store
from stores.sync.reconcile import identity
from tests.browser.test_orders_import import LOOKS, readable

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
# Where pictures of the pages are kept, when somebody wants to look at them.
PICTURES = os.environ.get("PICTURES", "")


def seen(page: Any, axe: Any, name: str, look: str) -> list[str]:
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}-{look}.png", full_page=True)
    return readable(page, axe, name)


@pytest.mark.parametrize(("width", "theme"), LOOKS)
def test_jobs_choices_and_questions_can_be_read_and_used(width: int, theme: str, shop: Any, axe: Any) -> None:
    look, store = f"{width}-{theme}", shop.store
    store.capabilities |= {
        "others": {"mails": {"customer_processing_order": True}, "features": [], "plugins": ["Judge.me"]}
    }
    store.probed_at = clock.now()
    store.save()
    given = {"store": store, "done": 420, "total": 1000}
    Job.objects.create(**given, kind="reconcile", key="a", status="failed", error="The shop did not answer.")
    Job.objects.create(**given, kind="orders from a file", key="b", status="done", result={"sentence": "Done: 3 new."})
    page = shop.page(width=width, theme=theme)
    page.goto("/app/lut/jobs/")
    assert seen(page, axe, "jobs", look) == []
    expect(page.locator("#ring")).to_be_visible()
    page.goto("/app/lut/settings/overlap/")
    page.get_by_role("group", name="Who writes about: Order received").get_by_label("Use ours").check()
    page.get_by_role("button", name="Save these choices").press("Enter")
    expect(page.get_by_text("Your choices are saved.")).to_be_visible()
    assert seen(page, axe, "overlap", look) == []
    page.get_by_role("button", name="Switch theirs off…").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Order received: switch theirs off?")
    assert seen(page, axe, "overlap-off", look) == []
    page.goto("/app/lut/settings/#s-freshness")
    assert seen(page, axe, "settings", look) == []
    asks = identity.ask(Store.objects.get(pk=store.pk), "The orders at this address are other ones.")
    page.goto(f"/app/lut/settings/system/reconciliations/{asks.pk}/")
    assert seen(page, axe, "question", look) == []
    page.get_by_role("button", name="It is another one: connect where mine is").press("Enter")
    expect(page.get_by_text("as a store of its own")).to_be_visible()
    assert seen(page, axe, "connect", look) == []
    assert shop.said == []
