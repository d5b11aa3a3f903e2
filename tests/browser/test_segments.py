"""Segments in a real browser: rows are added and fields changed without a reload, counted while one types."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from stores import conditions, segments
from stores.models import Segment

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LOOKS = [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")]
TREE = {
    "all": [
        {"field": "customer.orders_count", "op": "gte", "value": "2"},
        {"field": "customer.last_order_at", "op": "on_weekday", "value": ["mon", "sun"]},
        {
            "any": [
                {"field": "customer.country", "op": "in", "value": ["RO"]},
                {"field": "customer.order_count_in", "op": "gt", "value": "1", "within": 365},
            ]
        },
    ]
}


@pytest.mark.parametrize(("width", "theme"), LOOKS)
def test_the_pages_are_readable_for_all(shop, axe, width, theme):
    assert conditions.faults(TREE) == []
    made = segments.save(shop.store, None, name="Loyal", tree=TREE, actor=shop.owner)
    page = shop.page(width=width, theme=theme)
    for name, path in [("list", ""), ("new", "new/"), ("vip", "new/?from=vip"), ("one", f"{made.pk}/")]:
        page.goto(f"/app/lut/segments/{path}")
        if folder := os.environ.get("PICTURES"):
            page.screenshot(path=Path(folder) / f"segments-{name}-{width}-{theme}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert axe(page) == [], path
    assert shop.said == []


def test_a_segment_is_built_by_keyboard(shop):
    page = shop.page()
    page.goto("/app/lut/segments/new/")
    page.get_by_label("Name").fill("Twice")
    page.get_by_role("button", name="Add a row").press("Enter")
    # Each choice draws the row anew; what is typed meanwhile would go with the old one.
    with page.expect_response("**/conditions/**"):
        page.get_by_label("Row 1: what").select_option("customer.orders_count")
    expect(page.get_by_label("Row 1: rule")).to_have_value("is")
    with page.expect_response("**/conditions/**"):
        page.get_by_label("Row 1: rule").select_option("gte")
    page.wait_for_load_state("networkidle")
    page.get_by_label("Row 1: value").fill("2")
    page.get_by_label("Row 1: value").press("Tab")
    meant = shop.store.customers.filter(orders_count__gte=2).count()
    expect(page.locator("#segment-people")).to_contain_text(f"{meant} people")
    expect(page.get_by_label("Name")).to_have_value("Twice")
    page.get_by_role("button", name="Save segment").press("Enter")
    expect(page.get_by_role("heading", name="Twice", level=1)).to_be_visible()
    assert Segment.objects.get().conditions == {"field": "customer.orders_count", "op": "gte", "value": "2"}
    assert shop.said == []
