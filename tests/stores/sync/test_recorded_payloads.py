"""What two generations of shops really answered (WooCommerce 11 and 8.6) passes client, readers and mirror.

Nothing is put aside but what should be.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from stores.models import Category, Coupon, Order, Product, Quarantined, Refund, Store, StoreReview
from stores.sync.apply import apply
from stores.woo.client import Client
from tests.factories import make_store
from tests.stores.fake_shop import Shop, serve
from tests.stores.sandbox.recordings import exchanges

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LISTS = {
    "products/categories": "category",
    "products": "product",
    "customers": "customer",
    "orders": "order",
    "refunds": "refund",
    "coupons": "coupon",
    "products/reviews": "review",
}


def _entity(path: str) -> str:
    parts = path.partition("/wc/v3/")[2].strip("/").split("/")
    if parts[-1].isdecimal():
        parts = parts[:-1]
    if len(parts) == 3 and parts[0] == "orders" and parts[2] == "refunds":
        return "refund"
    if len(parts) == 3 and parts[2] == "variations":
        return "variation"
    return LISTS.get("/".join(parts), "")


def readings() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every successful reading of whole objects, with the entity that it was of."""
    for one in exchanges():
        body, entity = one.get("body"), _entity(one["path"])
        if entity and one["method"] == "GET" and one["status"] == 200 and isinstance(body, dict | list):
            rows = body if isinstance(body, list) else [body]
            # Whole objects only: what was cut by `_fields` has no links.
            if rows and all(isinstance(row, dict) and {"id", "_links"} <= set(row) for row in rows):
                yield entity, one


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with serve() as found:
        yield found


def test_everything_that_was_recorded_is_mirrored_and_nothing_is_put_aside(shop: Shop) -> None:
    store = make_store(currency="EUR")
    client = Client(shop.url, key="ck_1", secret="cs_1")
    seen: dict[str, set[int]] = defaultdict(set)
    found = list(readings())
    for entity in ("category", "product", "variation", "customer", "order", "refund", "coupon", "review"):
        for of, one in found:
            if of == entity:
                seen[entity] |= _through(store, client, shop, entity, one)
    assert {name: len(ids) > 0 for name, ids in seen.items()} == dict.fromkeys(
        ("category", "product", "variation", "customer", "order", "refund", "coupon", "review"), True
    )
    assert list(Quarantined.objects.values_list("entity", "woo_id", "reason")) == []
    assert set(Order.objects.values_list("woo_id", flat=True)) == seen["order"]
    assert set(Product.objects.values_list("woo_id", flat=True)) == seen["product"] | seen["variation"]
    assert set(Category.objects.values_list("woo_id", flat=True)) == seen["category"]
    assert set(Coupon.objects.values_list("woo_id", flat=True)) == seen["coupon"]
    assert set(StoreReview.objects.values_list("woo_id", flat=True)) == seen["review"]
    assert set(store.customers.exclude(woo_id=None).values_list("woo_id", flat=True)) <= seen["customer"]
    assert Refund.objects.filter(lines__isnull=False).exists()


def _through(store: Store, client: Client, shop: Shop, entity: str, one: dict[str, Any]) -> set[int]:
    """A recorded answer over HTTP through the client into the mirror; the ids that were in it."""
    told = {k: str(v) for k, v in (one.get("headers") or {}).items() if k.lower().startswith("x-wp-")}
    shop.will((200, {"Content-Type": "application/json", **told}, json.dumps(one["body"]).encode()))
    path = one["path"].partition("/wc/v3/")[2].partition("?")[0]
    rows = client.page(path).rows if isinstance(one["body"], list) else [client.get(path)]
    parent = path.split("/")[1] if path.count("/") >= 2 else ""
    if entity in {"refund", "variation"} and parent.isdecimal():
        for row in rows:
            row.setdefault("parent_id", int(parent))
    apply(store, entity, rows, fetched_at=AT)
    return {row["id"] for row in rows}


def test_an_older_generation_without_the_newer_fields_is_mirrored_too(shop: Shop) -> None:
    """WooCommerce 8.6 prints the same documents with fewer keys; the list of its keys was recorded."""
    from tests.bodies import FOLDER

    keys = json.loads((FOLDER / "compare_wc86_posts_storage.json").read_text())["order_key_list"]
    line_keys = json.loads((FOLDER / "compare_wc86_posts_storage.json").read_text())["line_item_keys"]
    store, client, ids = make_store(), Client(shop.url, key="ck_1", secret="cs_1"), set()
    for entity, one in readings():
        if entity != "order":
            continue
        rows = one["body"] if isinstance(one["body"], list) else [one["body"]]
        older = [
            {key: row[key] for key in keys if key in row}
            | {"line_items": [{key: line[key] for key in line_keys if key in line} for line in row["line_items"]]}
            for row in rows
        ]
        shop.will((200, {"Content-Type": "application/json"}, json.dumps(older).encode()))
        apply(store, "order", client.page("orders").rows, fetched_at=AT)
        ids |= {row["id"] for row in rows}
    assert set(Order.objects.values_list("woo_id", flat=True)) == ids
    assert not Quarantined.objects.exists()


def test_recorded_refusals_and_error_pages_change_nothing(shop: Shop) -> None:
    from stores.woo.errors import WooError

    store, client, refused = make_store(), Client(shop.url, key="ck_1", secret="cs_1"), 0
    for one in exchanges():
        if one["method"] != "GET" or one["status"] < 400 or not _entity(one["path"]):
            continue
        body = one.get("body")
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        kind = "text/html" if isinstance(body, str) else "application/json"
        shop.will((one["status"], {"Content-Type": kind}, content))
        with pytest.raises(WooError):
            client.page(one["path"].partition("/wc/v3/")[2].partition("?")[0])
        refused += 1
    assert refused >= 10
    assert Order.objects.count() + Quarantined.objects.filter(store=store).count() == 0
