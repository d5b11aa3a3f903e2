"""The recorded exchanges of a running store, and a sandbox that holds the objects they speak of."""

import base64
import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stores.sandbox.auth import Key
from stores.sandbox.server import Sandbox
from stores.sandbox.wire import BASE, Response

PAYLOADS = Path(__file__).parents[2] / "payloads" / "woocommerce"
RECORDED_AT = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)
API = "/wp-json/wc/v3/"
# Kind by the address of a single object or a list of whole ones.
_KINDS = (
    ("products/categories", "category"),
    ("products/reviews", "review"),
    ("products/tags", ""),
    ("products/attributes", ""),
    ("orders", "order"),
    ("customers", "customer"),
    ("coupons", "coupon"),
    ("webhooks", "webhook"),
    ("products", "product"),
)


def load(name: str) -> Any:
    return json.loads((PAYLOADS / f"{name}.json").read_text())


def exchanges() -> Iterator[dict[str, Any]]:
    """All recordings of one request and its answer; summaries and deliveries are none."""
    for path in sorted(PAYLOADS.glob("*.json")):
        found = json.loads(path.read_text())
        if isinstance(found, dict) and {"method", "path", "status"} <= set(found) and found["status"] is not None:
            found["name"] = path.stem
            yield found


def ours(body: Any) -> Any:
    """A recorded document with the sandbox's address."""
    text = json.dumps(body)
    for address in ("https://127.0.0.1:8443", "http://127.0.0.1:8090"):
        text = text.replace(address, BASE)
    return json.loads(text)


def _whole(body: Any) -> list[dict[str, Any]]:
    rows = body if isinstance(body, list) else [body]
    return [row for row in rows if isinstance(row, dict) and "_links" in row and "id" in row]


def corpus() -> dict[tuple[str, int], tuple[dict[str, Any], int | None]]:
    """Every whole object that was read: (kind, id) to (document, parent where it does not name it)."""
    found: dict[tuple[str, int], tuple[dict[str, Any], int | None]] = {}
    for one in exchanges():
        if one["method"] != "GET" or one["status"] != 200 or not one["path"].startswith(API):
            continue
        path = one["path"].removeprefix(API)
        parts = path.split("/")
        for body in _whole(ours(one["body"])):
            parent: int | None = None
            if parts[0] == "orders" and "notes" in parts:
                kind, parent = "note", int(parts[1])
            elif "refunds" in parts:
                kind, parent = "refund", body.pop("parent_id", 0) or int(parts[1])
            elif "variations" in parts:
                kind = "variation"
            else:
                kind = next((kind for prefix, kind in _KINDS if path.startswith(prefix)), "")
            if (kind and body.get("type") != "variation") or kind == "variation":
                found.setdefault((kind, body["id"]), (body, parent))
    return found


_CORPUS = corpus()


def make_store() -> Sandbox:
    """A sandbox as the recorded store was: its zone, money and documents."""
    sandbox = Sandbox(
        zone="America/New_York",
        currency="USD",
        clock=lambda: RECORDED_AT,
        basic_over_http=False,
        prices_include_tax=False,
    )
    storage = sandbox.store.storage
    storage.begin()
    for (kind, _), (body, parent) in _CORPUS.items():
        storage.put(kind, json.loads(json.dumps(body)), parent=parent)
        if kind == "webhook":
            storage.execute(
                "UPDATE objects SET code = ? WHERE kind = 'webhook' AND id = ?", (body["topic"], body["id"])
            )
    # What is read as trashed was alive when the story of most recordings began.
    for kind, name in (
        ("order", "order_delete_to_trash"),
        ("product", "product_delete_to_trash"),
        ("coupon", "coupon_one"),
        ("customer", "customer_delete_force"),
        ("webhook", "webhook_delete_force"),
        ("product", "err_post_to_products_missing_name"),
    ):
        body = ours(load(name)["body"])
        for key in ("generated_slug", "permalink_template"):
            body.pop(key, None)
        storage.put(kind, body)
    for space in ("post", "comment", "user", "term", "webhook"):
        storage.raise_counter(space, 100_000)
    storage.commit()
    return sandbox


def ask(
    sandbox: Sandbox,
    method: str,
    path: str,
    *,
    query: str = "",
    body: Any = None,
    key: Key | None = None,
    scheme: str = "https",
    secret: str = "",
) -> Response:
    """One request in process, with Basic credentials unless there is no key."""
    raw = b""
    kind = ""
    if body is not None:
        text = isinstance(body, str)
        raw = (body if text else json.dumps(body)).encode()
        kind = "application/json" if not text or body.startswith("{") else "application/x-www-form-urlencoded"
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": kind,
        "CONTENT_LENGTH": str(len(raw)),
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:8443" if scheme == "https" else "127.0.0.1:8090",
        "wsgi.url_scheme": scheme,
        "wsgi.input": io.BytesIO(raw),
    }
    if key is not None:
        pair = f"{key.consumer_key}:{secret or key.consumer_secret}".encode()
        environ["HTTP_AUTHORIZATION"] = f"Basic {base64.b64encode(pair).decode()}"
    return sandbox.app.respond(environ)


Setup = Callable[[Sandbox, Key], None]


def gone(kind: str, id: int) -> Setup:
    return lambda sandbox, key: sandbox.store.storage.delete(kind, id)


def first(method: str, path: str, body: Any = None, *, query: str = "") -> Setup:
    """Another request that the recorded one followed."""

    def setup(sandbox: Sandbox, key: Key) -> None:
        answer = ask(sandbox, method, f"{API}{path}", query=query, body=body, key=key)
        assert answer.status < 300, answer.body

    return setup


def only(kind: str, *names: str) -> Setup:
    """Of a kind, nothing but the rows of the named recorded pages."""

    def setup(sandbox: Sandbox, key: Key) -> None:
        ids = [row["id"] for name in names for row in load(name)["body"]]
        marks = ", ".join("?" * len(ids))
        sandbox.store.storage.execute(f"DELETE FROM objects WHERE kind = ? AND id NOT IN ({marks})", (kind, *ids))
        sandbox.store.storage.changed()

    return setup


def put(kind: str, name: str, **changes: Any) -> Setup:
    """A recorded document, changed."""

    def setup(sandbox: Sandbox, key: Key) -> None:
        sandbox.put(kind, {**ours(load(name)["body"]), **changes})

    return setup


def each(names: tuple[str, ...], setups: list[Setup]) -> dict[str, list[Setup]]:
    """The same setups for several recordings."""
    return {name: list(setups) for name in names}


# What was so when the request was recorded, beyond the objects themselves.
SETUPS: dict[str, list[Setup]] = {
    **each(("coupon_create", "coupon_gone"), [gone("coupon", 2287)]),
    **each(
        ("coupon_after_trash_get", "coupon_create_code_of_trashed", "coupon_delete_force"),
        [first("DELETE", "coupons/2287")],
    ),
    **each(("order_gone_get", "order_gone_delete", "order_gone_include"), [gone("order", 2304)]),
    **each(
        (
            *("order_delete_trash_again_410", "order_trashed_get", "order_restore_by_status"),
            *("orders_list_status_trash", "orders_list_include_trash", "orders_list_any_and_trash"),
            "orders_list_any_has_no_trash",
        ),
        [first("DELETE", "orders/2304")],
    ),
    "product_gone": [gone("product", 2305)],
    **each(
        ("product_delete_trash_again", "product_trashed_get", "product_delete_force"),
        [first("DELETE", "products/2305")],
    ),
    **each(("review_create", "review_gone"), [gone("review", 7378)]),
    "review_create_duplicate": [
        gone("review", 7378),
        first("POST", "products/reviews", load("review_create")["request_body"]),
    ],
    "review_delete_trash_again": [first("DELETE", "products/reviews/7378")],
    "err_400_customer_email_exists": [first("POST", "customers", {"email": "rec.one@example.com"})],
    "err_coupon_email_restricted_on_order": [
        first("POST", "coupons", {"code": "seed04", "amount": "5", "email_restrictions": ["a@example.com"]})
    ],
    "err_coupon_expired_on_order": [
        first("POST", "coupons", {"code": "seed08", "amount": "5", "date_expires": "2026-01-01T00:00:00"})
    ],
    "err_sku_exists": [put("product", "product_simple", id=10, sku="S-001")],
    "orders_list_status_trash_empty": [gone("order", 2304)],
    "review_create_verified_buyer": [put("product", "product_simple", id=59)],
    "review_script_admin_key": [put("product", "product_simple", id=2311)],
    "order_status_update": [put("order", "order_status_update", status="processing")],
    "text_order_special": [put("product", "product_simple", id=20, sku="S-011")],
    "coupons_list": [only("coupon", "coupons_list")],
    "customers_list": [only("customer", "customers_list")],
    "customers_list_role_all": [only("customer", "customers_list_role_all")],
    "products_list": [only("product", "products_list")],
    "products_categories": [only("category", "products_categories")],
    "reviews_list": [only("review", "reviews_list")],
    "refunds_all": [only("refund", "refunds_all")],
    "webhooks_list": [only("webhook", "webhooks_list")],
    "orders_list_dp": [only("order", "orders_list_dp")],
    "orders_list_by_modified_asc": [only("order", "orders_list_by_modified_asc")],
    **each(
        ("orders_list_p1", "orders_list_p2", "orders_list_p3"),
        [only("order", "orders_list_p1", "orders_list_p2", "orders_list_p3")],
    ),
}
# Recorded under another key than the administrator's: (permissions, role).
KEYS = {
    "err_401_read_key": ("read", "administrator"),
    "ok_read_key": ("read", "administrator"),
    "err_401_write_key": ("write", "administrator"),
    "err_403_customer_key": ("read_write", "customer"),
    "customer_key": ("read_write", "customer"),
    "shop_manager_key": ("read_write", "shop_manager"),
}
