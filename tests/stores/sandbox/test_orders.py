"""Orders over the API and at the till: dates, states, refunds, trash, on both kinds of storage."""

import pytest

from stores.sandbox.server import Sandbox
from tests.stores.sandbox.conftest import Client


@pytest.mark.parametrize("flavour", ["hpos", "posts"])
def test_what_moves_an_orders_date(make, flavour: str) -> None:
    sandbox = make(flavour=flavour)
    client = Client(sandbox, sandbox.key, sandbox.secret)
    order = sandbox.place_order()
    address = f"orders/{order['id']}"

    def moved(method: str, path: str, body: object = None, **params: str) -> bool:
        before = client.get(address).json()["date_modified_gmt"]
        sandbox.advance(seconds=2)
        answer = client.call(method, path, json=body, params=params)
        assert answer.status_code < 300, answer.text
        return client.get(address).json()["date_modified_gmt"] != before

    hpos = flavour == "hpos"
    assert moved("POST", f"{address}/notes", {"note": "Called"}) is False
    assert moved("PUT", address, {"status": "processing"}) is hpos
    assert moved("PUT", address, {}) is hpos
    assert moved("PUT", address, {"meta_data": [{"key": "_ref", "value": "1"}]}) is hpos
    assert moved("PUT", address, {"billing": {"phone": "123"}}) is True
    assert moved("POST", f"{address}/refunds", {"amount": "1.00", "api_refund": False}) is True
    refund = client.get(f"{address}/refunds").json()[0]["id"]
    assert moved("DELETE", f"{address}/refunds/{refund}", force="true") is False
    assert moved("GET", address) is False
    assert moved("PUT", address, {"status": "on-hold"}) is True


def test_meta_is_merged_by_id_then_key_and_null_removes(client: Client, sandbox: Sandbox) -> None:
    order = sandbox.place_order()
    address = f"orders/{order['id']}"
    first = client.put(
        address, {"meta_data": [{"key": "a", "value": "1"}, {"key": "b", "value": [1, {"x": 2}]}]}
    ).json()
    assert [(m["key"], m["value"]) for m in first["meta_data"]] == [("a", "1"), ("b", [1, {"x": 2}])]
    again = client.put(
        address, {"meta_data": [{"key": "a", "value": "2"}, {"id": first["meta_data"][1]["id"], "value": None}]}
    )
    assert [(m["key"], m["value"]) for m in again.json()["meta_data"]] == [("a", "2")]
    assert again.json()["meta_data"][0]["id"] == first["meta_data"][0]["id"]


def test_names_and_notes_of_orders_stay_raw(client: Client) -> None:
    order = client.post(
        "orders",
        {"billing": {"first_name": "A & <b>B</b>"}, "customer_note": "<script>x</script>", "line_items": []},
    ).json()
    assert (order["billing"]["first_name"], order["customer_note"]) == ("A & <b>B</b>", "<script>x</script>")


def test_an_unknown_product_makes_an_order_all_the_same(client: Client) -> None:
    answer = client.post("orders", {"line_items": [{"product_id": 9999, "name": "Ghost", "total": "5.00"}]})
    line = answer.json()["line_items"][0]
    assert answer.status_code == 201
    assert (line["product_id"], line["sku"], line["price"], answer.json()["total"]) == (0, None, 5, "5.00")


def test_a_refund_leaves_the_total_and_a_full_one_moves_the_state(sandbox: Sandbox, client: Client) -> None:
    order = sandbox.place_order(items=[{"product_id": 101, "quantity": 2}], shipping_total="0")
    line = order["line_items"][0]["id"]
    part = sandbox.refund(order["id"], "40.00", reason="One came broken", items=[{"id": line, "quantity": 1}])
    after = client.get(f"orders/{order['id']}").json()
    assert (part["amount"], part["line_items"][0]["quantity"], part["line_items"][0]["total"]) == (
        "40.00",
        -1,
        "-40.00",
    )
    assert (after["total"], after["status"]) == ("80.00", "processing")
    assert after["refunds"] == [{"id": part["id"], "reason": "One came broken", "total": "-40.00", "total_tax": "0.00"}]
    sandbox.refund(order["id"])
    assert client.get(f"orders/{order['id']}").json()["status"] == "refunded"
    assert client.get("refunds").json()[0]["parent_id"] == order["id"]


def test_too_large_a_refund_is_a_500_with_a_bare_number(sandbox: Sandbox, client: Client) -> None:
    order = sandbox.place_order()
    answer = client.post(f"orders/{order['id']}/refunds", {"amount": "99999", "api_refund": False})
    assert (answer.status_code, answer.json()["data"]) == (500, 500)
    assert client.get(f"orders/{order['id']}/refunds").json() == []


def test_setting_the_state_to_refunded_refunds_what_is_left(sandbox: Sandbox, client: Client) -> None:
    order = sandbox.place_order()
    body = client.put(f"orders/{order['id']}", {"status": "refunded"}).json()
    assert body["refunds"][0]["total"] == f"-{order['total']}"


def test_trash_force_and_back(sandbox: Sandbox, client: Client) -> None:
    order = sandbox.place_order()
    address = f"orders/{order['id']}"
    assert client.delete(address).json()["status"] == "processing"
    assert (client.delete(address).status_code, client.get(address).json()["status"]) == (410, "trash")
    assert client.put(address, {"status": "completed"}).json()["status"] == "completed"
    assert client.delete(address, force="true").status_code == 200
    assert client.get(address).status_code == 404


def test_a_sale_takes_stock_counts_and_moves_the_product_once(sandbox: Sandbox, client: Client) -> None:
    client.put("products/101", {"manage_stock": True, "stock_quantity": 5})
    before = client.get("products/101").json()
    sandbox.advance(minutes=1)
    order = sandbox.place_order(items=[{"product_id": 101, "quantity": 2}])
    sandbox.complete(order["id"])
    after = client.get("products/101").json()
    assert (after["stock_quantity"], after["total_sales"]) == (3, 2)
    assert after["date_modified_gmt"] > before["date_modified_gmt"]


def test_cash_on_delivery_is_paid_when_completed(sandbox: Sandbox) -> None:
    order = sandbox.place_order(payment_method="cod")
    assert (order["status"], order["date_paid"]) == ("processing", None)
    assert sandbox.complete(order["id"])["date_paid_gmt"] == "2026-11-24T12:00:00"


def test_shipping_writes_the_plugins_meta_and_delivery_comes_later(sandbox: Sandbox) -> None:
    order = sandbox.place_order(billing={"country": "DE"})
    shipped = sandbox.ship(order["id"], number="RX1")
    sandbox.advance(days=2)
    delivered = sandbox.ship(order["id"], delivered=True)
    facts = {entry["key"]: entry["value"] for entry in delivered["meta_data"]}
    assert (shipped["status"], shipped["date_completed_gmt"]) == ("completed", "2026-11-24T12:00:00")
    assert [parcel["tracking_number"] for parcel in facts["_wc_shipment_tracking_items"]] == ["RX1"]
    assert facts["_wc_shipment_tracking_items"][0]["custom_tracking_provider"] == "DHL Parcel"
    assert facts["_wc_shipment_tracking_items"][0]["date_shipped"] == "1795521600"
    assert facts["_delivered_at"] == "2026-11-26T12:00:00Z"


def test_an_account_is_found_or_made_at_the_checkout(sandbox: Sandbox, client: Client) -> None:
    first = sandbox.place_order(email="Ana@example.com", account=True)
    second = sandbox.place_order(email="ana@example.com", account=True)
    assert first["customer_id"] == second["customer_id"] != 0
    assert client.get("customers", email="ANA@example.com").json()[0]["is_paying_customer"] is True


def test_customers_keep_their_addresses_to_themselves(client: Client) -> None:
    assert client.post("customers", {"email": "ana@example.com", "first_name": "A & <b>B</b>"}).json()[
        "first_name"
    ] == ("A &amp; B")
    taken = client.post("customers", {"email": "Ana@example.com"})
    assert (taken.status_code, taken.json()["code"]) == (400, "registration-error-email-exists")
    assert client.delete(f"customers/{client.ids('customers')[0]}").status_code == 501


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"status": "bogus"}, "status"),
        ({"customer_id": "abc"}, "customer_id"),
        ({"billing": {"email": "nope"}}, "billing"),
    ],
)
def test_bad_orders_are_refused_by_parameter(client: Client, body: dict, parameter: str) -> None:
    answer = client.post("orders", body)
    assert (answer.status_code, list(answer.json()["data"]["params"])) == (400, [parameter])
    assert client.ids("orders") == []
