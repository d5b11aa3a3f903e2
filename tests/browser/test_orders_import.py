"""The import of orders in a real browser: by keyboard, readable for all, in every look."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from stores import jobs
from stores.models import Order

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LOOKS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]
FILE = "Order ID,Order date,Total,Email\nM-1,2026-11-20 10:00,119.00,new@example.com\nM-2,soon,1.00,x@example.com\n"


def readable(page: Any, axe: Any, name: str) -> list[str]:
    width = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [*axe(page), *([f"{name} scrolls sideways by {width} px"] if width > 0 else [])]


@pytest.mark.parametrize(("width", "theme"), LOOKS)
def test_a_file_is_imported_by_keyboard(
    width: int, theme: str, shop: Any, axe: Any, settings: Any, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": "django.core.files.storage.FileSystemStorage"}}
    path = tmp_path / "market.csv"
    path.write_text(FILE)
    page = shop.page(width=width, theme=theme)
    page.goto("/app/lut/orders/import/")
    assert readable(page, axe, "upload") == []
    page.get_by_label("Sales channel").fill("market")
    page.get_by_label("CSV file").set_input_files(path)
    page.get_by_role("button", name="Upload and look at it").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("market.csv")
    assert readable(page, axe, "mapping") == []
    page.get_by_role("button", name="Try it; nothing is changed").press("Enter")
    expect(page.get_by_text("It is being tried")).to_be_visible()
    jobs.run_due()
    page.reload()
    expect(page.get_by_role("heading", name="What the import would do")).to_be_visible()
    assert readable(page, axe, "tried") == []
    page.get_by_role("button", name="Import", exact=True).press("Enter")
    expect(page.get_by_text("The import has begun.")).to_be_visible()
    jobs.run_due()
    assert Order.objects.get(channel="market").external_id == "M-1"
    page.goto("/app/lut/orders/?channel=market")
    expect(page.locator("tbody tr")).to_have_count(1)
    assert readable(page, axe, "list") == []
    assert shop.said == []
