"""The control: orders from the till, clock, faults, log, state; and who may use it."""

import io
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import requests

from stores.sandbox.app import ConnectionDropped
from stores.sandbox.server import Sandbox
from tests.stores.sandbox.conftest import Client
from tests.stores.sandbox.recordings import load


def act(client: Client, path: str, **body) -> requests.Response:
    return client.call("POST", f"/_control/{path}", json=body)


def test_an_order_is_placed_paid_shipped_and_refunded(client: Client) -> None:
    order = act(client, "orders", email="ana@example.com", items=[{"sku": "AL-101", "quantity": 2}], paid=False).json()
    assert (order["status"], order["billing"]["email"]) == ("pending", "ana@example.com")
    address = f"orders/{order['id']}"
    assert act(client, f"{address}/pay").json()["status"] == "processing"
    assert act(client, f"{address}/ship", number="X1", delivered="2026-11-25T10:00:00Z").json()["status"] == "completed"
    assert act(client, f"{address}/refund", amount="10").json()["amount"] == "10.00"
    assert act(client, f"{address}/cancel").json()["status"] == "cancelled"


def test_a_bad_coupon_is_refused_at_the_till_and_nothing_is_placed(client: Client) -> None:
    answer = act(client, "orders", coupon="none")
    assert (answer.status_code, answer.json()["code"]) == (400, "woocommerce_rest_cart_coupon_error")
    assert client.ids("orders") == []


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("orders/9999/pay", {}, 404),
        ("orders", {"items": [{"sku": "none"}]}, 404),
        ("orders", {"bogus": 1}, 400),
        ("clock", {"now": "yesterday"}, 400),
        ("faults", {"do": "bogus"}, 400),
        ("nothing", {}, 404),
    ],
)
def test_mistakes_are_told(client: Client, path: str, body: dict, status: int) -> None:
    assert act(client, path, **body).status_code == status


def test_the_clock_moves_every_date_of_the_store(client: Client) -> None:
    assert act(client, "clock", now="2026-12-01T00:00:00Z").json() == {"now": "2026-12-01T00:00:00+00:00"}
    assert act(client, "clock", advance={"days": 1}).json() == {"now": "2026-12-02T00:00:00+00:00"}
    order = act(client, "orders").json()
    assert (order["date_created_gmt"], order["date_created"]) == ("2026-12-02T00:00:00", "2026-12-02T02:00:00")


def test_a_shared_clock_is_followed(make) -> None:
    moment = [datetime(2027, 1, 1, tzinfo=UTC)]
    sandbox = make(clock=lambda: moment[0])
    moment[0] = datetime(2027, 3, 1, tzinfo=UTC)
    assert sandbox.place_order()["date_created_gmt"] == "2027-03-01T00:00:00"


def test_the_log_and_the_state_tell_what_happened(client: Client) -> None:
    client.post("coupons", {"code": "x", "amount": "1"})
    ((request),) = client.call("GET", "/_control/requests").json()
    assert (request["method"], request["path"], request["status"]) == ("POST", "/wp-json/wc/v3/coupons", 201)
    assert request["body"] == '{"code": "x", "amount": "1"}'
    state = client.call("GET", "/_control/state").json()
    assert state["counts"] == {"category": 1, "coupon": 1, "product": 3, "variation": 1}
    client.call("DELETE", "/_control/requests")
    assert client.call("GET", "/_control/requests").json() == []


def test_without_the_switch_and_from_elsewhere_there_is_no_control(make, sandbox: Sandbox) -> None:
    closed = make(control=False)
    assert Client(closed, closed.key, closed.secret).call("GET", "/_control/state").status_code == 404
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/_control/state", "REMOTE_ADDR": "192.0.2.1"}
    assert sandbox.app.respond({**environ, "wsgi.input": io.BytesIO()}).status == 404


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        ({"do": "status", "status": 503}, 503, None),
        ({"do": "status", "status": 429, "headers": {"Retry-After": "7"}}, 429, None),
        ({"do": "status", "status": 200, "body": ""}, 200, b""),
        ({"do": "empty_list"}, 200, b"[]"),
    ],
)
def test_false_answers(sandbox: Sandbox, client: Client, fault: dict, status: int, body: bytes | None) -> None:
    sandbox.place_order()
    act(client, "faults", match={"path": "/orders"}, **fault)
    answer = client.get("orders")
    assert answer.status_code == status
    assert body is None or answer.content == body
    assert answer.headers.get("Retry-After") == fault.get("headers", {}).get("Retry-After")
    assert len(client.ids("orders")) == 1


def test_a_prefix_a_header_and_a_short_page(sandbox: Sandbox, client: Client) -> None:
    ids = [sandbox.place_order()["id"] for _ in range(3)]
    sandbox.fault("prefix", path="orders")
    assert client.get("orders").content.startswith(b"\xef\xbb\xbf[")
    sandbox.fault("headers", path="orders", headers={"X-WP-Total": None, "X-Cache": "HIT"})
    answer = client.get("orders")
    assert ("X-WP-Total" in answer.headers, answer.headers["X-Cache"]) == (False, "HIT")
    sandbox.fault("short_page", path="orders")
    short = client.get("orders")
    assert (len(short.json()), short.headers["X-WP-Total"]) == (len(ids) - 1, "3")


def test_a_truncated_answer_breaks_off(sandbox: Sandbox, client: Client) -> None:
    sandbox.place_order()
    sandbox.fault("truncate", path="orders", bytes=20)
    with pytest.raises(requests.exceptions.RequestException):
        client.get("orders")
    assert client.get("orders").status_code == 200


def test_dropped_before_nothing_was_done_dropped_after_it_was(sandbox: Sandbox, client: Client) -> None:
    sandbox.fault("drop_before", method="POST")
    with pytest.raises(requests.ConnectionError):
        client.post("coupons", {"code": "a", "amount": "1"})
    assert client.ids("coupons") == []
    sandbox.fault("drop_after_commit", method="POST")
    with pytest.raises(requests.ConnectionError):
        client.post("coupons", {"code": "b", "amount": "1"})
    assert [row["code"] for row in client.get("coupons").json()] == ["b"]


def test_in_process_a_drop_is_an_exception(sandbox: Sandbox) -> None:
    sandbox.fault("drop_before")
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/wp-json/", "wsgi.input": io.BytesIO()}
    with pytest.raises(ConnectionDropped):
        sandbox.wsgi(environ, lambda *args: None)


def test_stale_reads_show_the_state_before_the_last_change(sandbox: Sandbox, client: Client) -> None:
    order = sandbox.place_order()
    sandbox.complete(order["id"])
    new = sandbox.place_order()
    sandbox.fault("stale", path="orders", times=3)
    assert client.get(f"orders/{order['id']}").json()["status"] == "processing"
    assert client.get(f"orders/{new['id']}").status_code == 404
    assert [(row["id"], row["status"]) for row in client.get("orders").json()] == [(order["id"], "processing")]
    assert client.get(f"orders/{new['id']}").status_code == 200


def test_a_fault_hits_the_nth_request_so_many_times(sandbox: Sandbox, client: Client) -> None:
    sandbox.fault("status", path="orders", nth=2, times=2, status=500)
    assert [client.get("orders").status_code for _ in range(4)] == [200, 500, 500, 200]
    sandbox.fault("status", path="orders", times=0, status=500)
    assert [client.get("orders").status_code for _ in range(3)] == [500, 500, 500]
    sandbox.clear_faults()
    assert client.get("orders").status_code == 200


def test_a_delay_holds_up_its_own_request_only(sandbox: Sandbox, client: Client) -> None:
    sandbox.fault("delay", path="orders", seconds=0.3)
    with ThreadPoolExecutor() as pool:
        started = time.perf_counter()
        slow = pool.submit(client.get, "orders")
        assert requests.get(f"{sandbox.url}/wp-json/", timeout=5).status_code == 200
        assert time.perf_counter() - started < 0.25
        assert slow.result().status_code == 200


def test_many_threads_write_without_loss(sandbox: Sandbox) -> None:
    def order(number: int) -> int:
        with requests.Session() as session:
            session.auth = (sandbox.key, sandbox.secret)
            body = {"line_items": [{"product_id": 101}], "billing": {"email": f"a{number}@example.com"}}
            return session.post(f"{sandbox.url}/wp-json/wc/v3/orders", json=body, timeout=20).json()["id"]

    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(order, range(40)))
    assert len(set(ids)) == 40
    assert sandbox.state()["counts"]["order"] == 40


def test_every_zone_finds_what_was_recorded(make) -> None:
    for row in load("timezone_matrix"):
        sandbox = make(zone=row["timezone"])
        sandbox.set_clock(datetime.fromisoformat(row["order_modified_gmt"] + "+00:00"))
        sandbox.place_order()
        found = Client(sandbox, sandbox.key, sandbox.secret).ids("orders", **row["query"])
        assert bool(found) is row["found"], row
