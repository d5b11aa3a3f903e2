"""Webhooks: who is told what and when, signatures, failures."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from stores.sandbox import webhooks
from stores.sandbox.server import Sandbox
from tests.stores.sandbox.conftest import Client
from tests.stores.sandbox.recordings import load

TOPICS = list(webhooks.HOOKS)


class Receiver:
    """Keeps what it gets; answers with `status`."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.status = 200
        self.delivered = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                if "X-WC-Webhook-Topic" in self.headers:
                    outer.delivered.set()
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def take(self) -> list[tuple[str, dict[str, Any]]]:
        """(topic, payload) of what came since the last time; pings are left out."""
        found = [
            (headers["x-wc-webhook-topic"], json.loads(body))
            for _, headers, body in self.got
            if "x-wc-webhook-topic" in headers
        ]
        self.got.clear()
        return found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


def subscribe(client: Client, receiver: Receiver, *topics: str, secret: str = "s3cret & <ë>") -> list[int]:
    made = [
        client.post("webhooks", {"topic": topic, "delivery_url": receiver.url, "secret": secret}).json()["id"]
        for topic in topics
    ]
    receiver.got.clear()
    return made


def test_making_one_pings_inside_the_request_without_a_signature(client: Client, receiver: Receiver) -> None:
    answer = client.post("webhooks", {"topic": "order.created", "delivery_url": receiver.url})
    ((_, headers, body),) = receiver.got
    assert (answer.status_code, body) == (201, f"webhook_id={answer.json()['id']}".encode())
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert not [name for name in headers if name.startswith("x-wc-")]
    assert "secret" not in answer.json()


def test_a_failing_or_unreachable_ping_still_makes_an_active_webhook(client: Client, receiver: Receiver) -> None:
    receiver.status = 500
    for url in (receiver.url, "http://127.0.0.1:9/none"):
        answer = client.post("webhooks", {"topic": "order.created", "delivery_url": url})
        assert (answer.status_code, answer.json()["status"]) == (201, "active")


def test_a_new_address_is_pinged_and_resuming_is_not(client: Client, receiver: Receiver) -> None:
    (id,) = subscribe(client, receiver, "order.created")
    client.put(f"webhooks/{id}", {"status": "paused"})
    client.put(f"webhooks/{id}", {"status": "active"})
    assert receiver.got == []
    client.put(f"webhooks/{id}", {"delivery_url": f"{receiver.url}?v=2"})
    assert len(receiver.got) == 1


def test_a_delivery_is_signed_over_its_raw_ascii_body(sandbox: Sandbox, client: Client, receiver: Receiver) -> None:
    (id,) = subscribe(client, receiver, "order.created", secret="s3cret & <ë>")
    sandbox.place_order(billing={"first_name": "Zoë"})
    (tried,) = sandbox.run_webhooks()
    ((_, headers, body),) = receiver.got
    made = base64.b64encode(hmac.new("s3cret & <ë>".encode(), body, hashlib.sha256).digest()).decode()
    assert headers["x-wc-webhook-signature"] == made
    assert b'"first_name":"Zo\\u00eb"' in body
    assert b"http:\\/\\/127.0.0.1" in body
    assert (headers["content-type"], headers["x-wc-webhook-id"]) == ("application/json", str(id))
    assert headers["x-wc-webhook-source"] == f"{sandbox.url}/"
    assert (tried.status, tried.topic, tried.webhook_id) == (200, "order.created", id)


def test_the_payload_is_made_at_delivery_and_two_changes_are_one(
    sandbox: Sandbox, client: Client, receiver: Receiver
) -> None:
    subscribe(client, receiver, "order.created", "order.updated")
    order = client.post("orders", {"line_items": [{"product_id": 101}]}).json()
    client.put(f"orders/{order['id']}", {"status": "on-hold"})
    client.put(f"orders/{order['id']}", {"customer_note": "x"})
    sandbox.run_webhooks()
    assert [(topic, body["status"]) for topic, body in receiver.take()] == [
        ("order.created", "on-hold"),
        ("order.updated", "on-hold"),
    ]


def test_at_the_checkout_updated_comes_before_created(sandbox: Sandbox, client: Client, receiver: Receiver) -> None:
    subscribe(client, receiver, "order.created", "order.updated")
    sandbox.place_order()
    sandbox.run_webhooks()
    assert [topic for topic, _ in receiver.take()] == ["order.updated", "order.created"]


def test_one_second_shares_one_delivery_id_per_webhook(sandbox: Sandbox, client: Client, receiver: Receiver) -> None:
    subscribe(client, receiver, "order.created")
    for _ in range(3):
        sandbox.place_order()
    tries = sandbox.run_webhooks()
    assert len({one.object_id for one in tries}) == 3
    assert len({one.delivery_id for one in tries}) == 1


def test_deliveries_can_be_lost_shuffled_and_repeated(sandbox: Sandbox, client: Client, receiver: Receiver) -> None:
    subscribe(client, receiver, "order.created")
    ids = [sandbox.place_order()["id"] for _ in range(4)]
    tries = sandbox.run_webhooks(drop=1, shuffle=7, repeat=2)
    assert [one.dropped for one in tries] == [True, True, *[False] * 6]
    came = [body["id"] for _, body in receiver.take()]
    assert len(came) == 6
    assert came[0] == came[1]
    assert set(came) == set(ids) - {tries[0].object_id}
    assert sandbox.run_webhooks() == []


def test_the_seventh_failure_in_a_row_disables_and_reenabling_forgives_nothing(
    sandbox: Sandbox, client: Client, receiver: Receiver
) -> None:
    (id,) = subscribe(client, receiver, "order.created")

    def fail() -> tuple[int, str, int]:
        sandbox.place_order()
        tries = sandbox.run_webhooks()
        state = sandbox.state()["webhooks"][0]
        return len(tries), state["status"], state["failure_count"]

    receiver.status = 500
    assert [fail() for _ in range(8)] == [
        *((1, "active", n) for n in range(1, 7)),
        (1, "disabled", 6),
        (0, "disabled", 6),
    ]
    client.put(f"webhooks/{id}", {"status": "active"})
    assert fail() == (1, "disabled", 6)
    client.put(f"webhooks/{id}", {"status": "active"})
    receiver.status = 302
    assert fail() == (1, "active", 0)


@pytest.mark.parametrize(("status", "failures"), [(201, 0), (204, 0), (301, 0), (303, 1), (307, 1), (410, 1), (429, 1)])
def test_which_answers_count_as_failures(
    sandbox: Sandbox, client: Client, receiver: Receiver, status: int, failures: int
) -> None:
    subscribe(client, receiver, "order.created")
    receiver.status = status
    sandbox.place_order()
    sandbox.run_webhooks()
    assert sandbox.state()["webhooks"][0]["failure_count"] == failures


@pytest.mark.parametrize("topic", ["order.bogus", "order.published", "customer.restored", ""])
def test_unknown_topics_are_refused(client: Client, topic: str) -> None:
    answer = client.post("webhooks", {"topic": topic, "delivery_url": "http://127.0.0.1:9/x"})
    assert (answer.status_code, answer.json()["code"]) == (400, "woocommerce_rest_shop_webhook_invalid_topic")
    assert client.ids("webhooks") == []


def test_a_webhook_cannot_be_trashed(client: Client, receiver: Receiver) -> None:
    (id,) = subscribe(client, receiver, "order.created")
    assert client.delete(f"webhooks/{id}").status_code == 501
    assert client.delete(f"webhooks/{id}", force="true").status_code == 200
    assert client.ids("webhooks") == []


def test_every_event_tells_what_was_recorded(sandbox: Sandbox, client: Client, receiver: Receiver) -> None:
    """Plays the recorded story, event by event, and compares topics, and ids or errors, in their order."""
    subscribe(client, receiver, *TOPICS)
    lines = {"line_items": [{"product_id": 101, "quantity": 1}]}
    ids: dict[str, int] = {}

    def keep(name: str, answer: Any) -> None:
        ids[name] = (answer if isinstance(answer, dict) else answer.json())["id"]

    def at(kind: str, name: str) -> str:
        return f"{kind}/{ids[name]}"

    def made_and_deleted() -> None:
        keep("gone", client.post("orders", lines))
        client.delete(at("orders", "gone"), force="true")

    def trashed_and_forced() -> None:
        client.delete(at("orders", "third"))
        client.delete(at("orders", "third"), force="true")

    paid = {**lines, "status": "processing"}
    keep("second", client.post("orders", lines))
    keep("third", client.post("orders", lines))
    receiver.got.clear()
    sandbox.run_webhooks()
    receiver.got.clear()
    events = {
        "order_create": lambda: keep("order", client.post("orders", lines)),
        "order_status_completed": lambda: client.put(at("orders", "order"), {"status": "completed"}),
        "order_note": lambda: client.post(f"{at('orders', 'order')}/notes", {"note": "x"}),
        "order_meta": lambda: client.put(at("orders", "order"), {"meta_data": [{"key": "k", "value": "v"}]}),
        "order_refund_partial": lambda: keep(
            "refund", client.post(f"{at('orders', 'order')}/refunds", {"amount": "1", "api_refund": False})
        ),
        "order_refund_deleted": lambda: client.delete(f"{at('orders', 'order')}/refunds/{ids['refund']}", force="true"),
        "order_trash_rest": lambda: client.delete(at("orders", "order")),
        "order_untrash_by_rest_status": lambda: client.put(at("orders", "order"), {"status": "completed"}),
        "order_trash_admin": lambda: sandbox.trash(ids["order"]),
        "order_untrash_admin": lambda: sandbox.untrash(ids["order"]),
        "order_force_delete_rest": lambda: client.delete(at("orders", "second"), force="true"),
        "order_trash_then_force": trashed_and_forced,
        "order_created_and_deleted_before_delivery": made_and_deleted,
        "customer_create_rest": lambda: keep("customer", client.post("customers", {"email": "c@example.com"})),
        "customer_update_rest": lambda: client.put(at("customers", "customer"), {"first_name": "C"}),
        "customer_order_placed": lambda: client.post("orders", {**paid, "customer_id": ids["customer"]}),
        "customer_delete_rest": lambda: client.delete(at("customers", "customer"), force="true"),
        "customer_register_shop": lambda: keep("shopper", sandbox.register("d@example.com")),
        "subscriber_created": lambda: sandbox.register("e@example.com", role="subscriber"),
        "product_create": lambda: keep("product", client.post("products", {"name": "Ev", "regular_price": "10"})),
        "product_update": lambda: client.put(at("products", "product"), {"description": "x"}),
        "product_stock_by_order": lambda: client.post(
            "orders", {"status": "processing", "line_items": [{"product_id": ids["product"]}]}
        ),
        "product_review": lambda: client.post(
            "products/reviews",
            {"product_id": ids["product"], "review": "x", "reviewer": "R", "reviewer_email": "r@example.com"},
        ),
        "product_trash": lambda: client.delete(at("products", "product")),
        "product_force_delete": lambda: client.delete(at("products", "product"), force="true"),
        "variation_update": lambda: client.put("products/103/variations/104", {"regular_price": "81"}),
        "coupon_create": lambda: keep("coupon", client.post("coupons", {"code": "ev", "amount": "1"})),
        "coupon_update": lambda: client.put(at("coupons", "coupon"), {"amount": "2"}),
        "coupon_used_on_order": lambda: client.post("orders", {**paid, "coupon_lines": [{"code": "ev"}]}),
        "coupon_trash": lambda: client.delete(at("coupons", "coupon")),
        "coupon_force_delete": lambda: client.delete(at("coupons", "coupon"), force="true"),
    }
    recorded = {row["event"]: row["deliveries"] for row in load("webhook_event_matrix")}
    # Done in the site's back office, which a sandbox has for orders only.
    assert set(recorded) - set(events) == {"customer_delete_admin", "product_untrash", "coupon_untrash"}
    for name, act in events.items():
        act()
        sandbox.run_webhooks()
        told = [(topic, body.get("id") is None) for topic, body in receiver.take()]
        assert told == [(one["topic"], one["id"] is None) for one in recorded[name]], name


def test_on_posts_storage_a_trashed_order_is_told_as_coupon_and_product_too(make, receiver: Receiver) -> None:
    sandbox = make(flavour="posts")
    client = Client(sandbox, sandbox.key, sandbox.secret)
    order = sandbox.place_order()
    subscribe(client, receiver, *TOPICS)
    client.delete(f"orders/{order['id']}")
    sandbox.run_webhooks()
    assert receiver.take() == [(f"{kind}.deleted", {"id": order["id"]}) for kind in ("coupon", "product", "order")]
    client.put(f"orders/{order['id']}", {"status": "completed"})
    sandbox.run_webhooks()
    assert [topic for topic, _ in receiver.take()] == ["order.updated"]


def test_a_store_that_delivers_by_itself_needs_no_asking(make, receiver: Receiver) -> None:
    sandbox = make(auto_deliver=True)
    subscribe(Client(sandbox, sandbox.key, sandbox.secret), receiver, "order.created")
    order = sandbox.place_order()
    assert receiver.delivered.wait(10)
    assert [(topic, body["id"]) for topic, body in receiver.take()] == [("order.created", order["id"])]
