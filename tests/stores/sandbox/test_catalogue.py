from datetime import UTC, datetime
from decimal import Decimal
from io import BytesIO
from zoneinfo import ZoneInfo

import pytest
from PIL import Image

from stores.sandbox import catalogue, pictures
from stores.sandbox.documents import Site

SITE = Site(base_url="http://127.0.0.1:8100", zone=ZoneInfo("Europe/Bucharest"), prices_include_tax=True)
DAY = datetime(2025, 1, 1, tzinfo=UTC)


def test_catalogue_is_consistent() -> None:
    goods = catalogue.build(site=SITE, created=DAY, modified=DAY)

    ids = [body["id"] for body in goods.products]
    variable = [body for body in goods.products if body["type"] == "variable"]
    assert (len(goods.products), len(goods.variations), len(goods.categories)) == (59, 25, 9)
    assert len({*ids, *(body["id"] for body in goods.variations)}) == 84
    assert [number for body in variable for number in body["variations"]] == [body["id"] for body in goods.variations]
    assert sum(body["count"] for body in goods.categories) == 59
    for body in goods.products:
        linked = {*body["upsell_ids"], *body["cross_sell_ids"], *body["related_ids"]}
        assert linked <= set(ids) - {body["id"]}
    assert [item.price for item in goods.sellables] == sorted(item.price for item in goods.sellables)
    assert len(goods.sellables) == 59 - len(variable) + 25


def test_sales_and_ratings_are_printed_on_the_product() -> None:
    goods = catalogue.build(site=SITE, created=DAY, modified=DAY, sold={101: 7}, ratings={101: (3, 13)})

    first, second = goods.products[:2]
    assert (first["total_sales"], first["rating_count"], first["average_rating"]) == (7, 3, "4.33")
    assert (second["total_sales"], second["rating_count"], second["average_rating"]) == (0, 0, "0.00")


def test_refills_are_products() -> None:
    assert set(catalogue.slugs()) >= catalogue.REFILLS
    assert min(item.price for item in catalogue.build(site=SITE, created=DAY, modified=DAY).sellables) == Decimal(12)


def test_picture_of_every_product_lies_at_the_sandbox_itself() -> None:
    goods = catalogue.build(site=SITE, created=DAY, modified=DAY)

    for body in goods.products:
        assert body["images"][0]["src"] == f"http://127.0.0.1:8100/wp-content/uploads/{body['slug']}.png"
    with Image.open(BytesIO(pictures.picture("slip-vase-terracotta"))) as drawn:
        assert (drawn.format, drawn.size) == ("PNG", (600, 600))
    assert {pictures.picture(slug)[:8] for slug in catalogue.slugs()} == {b"\x89PNG\r\n\x1a\n"}
    with pytest.raises(KeyError):
        pictures.picture("unknown")
