"""Webhooks: topics, the queue, deliveries with signatures, and how they fail."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import random
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .rest.products import find_product
from .store import Store
from .wire import Body, encode, with_base

HOOKS: dict[str, list[str]] = {
    "coupon.created": ["woocommerce_process_shop_coupon_meta", "woocommerce_new_coupon"],
    "coupon.updated": ["woocommerce_process_shop_coupon_meta", "woocommerce_update_coupon"],
    "coupon.deleted": ["wp_trash_post"],
    "coupon.restored": ["untrashed_post"],
    "customer.created": ["user_register", "woocommerce_created_customer", "woocommerce_new_customer"],
    "customer.updated": ["profile_update", "woocommerce_update_customer"],
    "customer.deleted": ["delete_user"],
    "order.created": ["woocommerce_new_order"],
    "order.updated": ["woocommerce_update_order", "woocommerce_order_refunded"],
    "order.deleted": ["wp_trash_post", "woocommerce_trash_order"],
    "order.restored": ["untrashed_post", "woocommerce_untrash_order"],
    "product.created": ["woocommerce_process_product_meta", "woocommerce_new_product"],
    "product.updated": ["woocommerce_process_product_meta", "woocommerce_update_product"],
    "product.deleted": ["wp_trash_post"],
    "product.restored": ["untrashed_post"],
}
_GONE = {
    "order": ("woocommerce_rest_shop_order_invalid_id", "Invalid ID."),
    "product": ("woocommerce_rest_product_invalid_id", "Invalid ID."),
    "coupon": ("woocommerce_rest_shop_coupon_invalid_id", "Invalid ID."),
    "customer": ("wc_user_invalid_id", "Invalid user ID."),
}
_AGENT = "WooCommerce/11.0.1 Hookshot (WordPress/7.1)"
DELIVERY_SECONDS = 60
PING_SECONDS = 5
# The count stays at this value; one failure more disables the webhook.
MOST_FAILURES = 6


@dataclass(frozen=True)
class Delivery:
    """One try to deliver: `status` None means that nobody answered, or that it was dropped on purpose."""

    webhook_id: int
    topic: str
    object_id: int
    delivery_id: str
    status: int | None
    dropped: bool = False


def send(url: str, *, headers: dict[str, str], body: bytes, timeout: float) -> int | None:
    """POSTs and gives the status, or None when there was no answer. Redirects are not followed."""
    parts = urlsplit(url)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, timeout=timeout, context=ssl.create_default_context()
        )
    else:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request("POST", target, body=body, headers={**headers, "Connection": "close"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def ping(webhook_id: int, url: str) -> int | None:
    """The unsigned hello that a new address gets, inside the request that sets it."""
    headers = {"User-Agent": _AGENT, "Accept": "*/*", "Content-Type": "application/x-www-form-urlencoded"}
    return send(url, headers=headers, body=f"webhook_id={webhook_id}".encode(), timeout=PING_SECONDS)


def signature(secret: str, body: bytes) -> str:
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def _payload(store: Store, topic: str, id: int) -> Body:
    resource, _, event = topic.partition(".")
    if event == "deleted":
        return {"id": id}
    body = find_product(store, id) if resource == "product" else store.storage.get(resource, id)
    if body is None:
        code, message = _GONE[resource]
        return {"code": code, "message": message, "data": {"status": 404}}
    return body


def waiting(store: Store) -> list[tuple[int, int, str, int]]:
    """(seq, webhook id, topic, object id) of what is queued, oldest first."""
    with store.storage.lock:
        return store.storage.execute(
            "SELECT q.seq, q.webhook, o.code, q.object FROM queue q JOIN objects o ON o.kind = 'webhook'"
            " AND o.id = q.webhook ORDER BY q.seq"
        ).fetchall()


def run(
    store: Store, *, base: str, drop: int | list[int] = 0, shuffle: bool | int = False, repeat: int = 1
) -> list[Delivery]:
    """Delivers everything that waits, with payloads made now; returns what was tried, in order.

    `drop`: how many of the first, or which places, get lost on the way. `shuffle`: out of order (a number seeds it).
    `repeat`: how often each is sent.
    """
    with store.storage.lock:
        rows = waiting(store)
        store.storage.execute("DELETE FROM queue WHERE seq <= ?", (rows[-1][0] if rows else 0,))
    if shuffle is not False:
        random.Random(None if shuffle is True else shuffle).shuffle(rows)  # noqa: S311
    lost = set(range(drop)) if isinstance(drop, int) else set(drop)
    tries: list[Delivery] = []
    for place, (_, webhook_id, topic, object_id) in enumerate(rows):
        for _ in range(repeat):
            done = _deliver(store, webhook_id, topic, object_id, base=base, lost=place in lost)
            if done is not None:
                tries.append(done)
    return tries


def _deliver(store: Store, webhook_id: int, topic: str, object_id: int, *, base: str, lost: bool) -> Delivery | None:
    with store.storage.lock:
        webhook = store.storage.get("webhook", webhook_id)
        if webhook is None or webhook["status"] != "active":
            return None
        secret = store.storage.flags("webhook", webhook_id).get("secret", "")
        body = with_base(encode(_payload(store, topic, object_id)), base).encode("ascii")
        second = int(store.now.timestamp())
    # WooCommerce hashes the webhook's id with the second: not unique, on purpose here as there.
    delivery_id = hashlib.md5(f"{webhook_id}{second}".encode(), usedforsecurity=False).hexdigest()
    if lost:
        return Delivery(webhook_id, topic, object_id, delivery_id, None, dropped=True)
    resource, _, event = topic.partition(".")
    headers = {
        "User-Agent": _AGENT,
        "Accept": "*/*",
        "Content-Type": "application/json",
        "X-WC-Webhook-Source": f"{base}/",
        "X-WC-Webhook-Topic": topic,
        "X-WC-Webhook-Resource": resource,
        "X-WC-Webhook-Event": event,
        "X-WC-Webhook-Signature": signature(secret, body),
        "X-WC-Webhook-ID": str(webhook_id),
        "X-WC-Webhook-Delivery-ID": delivery_id,
    }
    status = send(webhook["delivery_url"], headers=headers, body=body, timeout=DELIVERY_SECONDS)
    _note_result(store, webhook_id, ok=status is not None and 200 <= status <= 302)
    return Delivery(webhook_id, topic, object_id, delivery_id, status)


def _note_result(store: Store, webhook_id: int, *, ok: bool) -> None:
    with store.storage.lock:
        webhook = store.storage.get("webhook", webhook_id)
        if webhook is None:
            return
        failures = int(store.storage.flags("webhook", webhook_id).get("failures", 0))
        if ok:
            if failures:
                store.storage.set_flags("webhook", webhook_id, failures=0)
        elif failures >= MOST_FAILURES:
            webhook["status"] = "disabled"
            save(store, webhook)
        else:
            store.storage.set_flags("webhook", webhook_id, failures=failures + 1)


def save(store: Store, webhook: Body) -> None:
    """Writes a webhook, findable by its topic."""
    store.save("webhook", webhook)
    store.storage.execute(
        "UPDATE objects SET code = ? WHERE kind = 'webhook' AND id = ?", (webhook["topic"], webhook["id"])
    )


def failures(store: Store) -> list[dict[str, Any]]:
    """Every webhook with its count of failures in a row, for the control."""
    with store.storage.lock:
        rows = store.storage.execute("SELECT body, flags FROM objects WHERE kind = 'webhook' ORDER BY id").fetchall()
    found = []
    for text, flags in rows:
        body = json.loads(text)
        known = {name: body[name] for name in ("id", "name", "status", "topic", "delivery_url")}
        found.append({**known, "failure_count": json.loads(flags).get("failures", 0)})
    return found
