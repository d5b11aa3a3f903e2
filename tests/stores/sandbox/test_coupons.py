"""WooCommerce's coupon rules, over the API and at the checkout."""

from decimal import Decimal

import pytest

from stores.sandbox.coupons import CouponRefused
from stores.sandbox.server import Sandbox
from tests.stores.sandbox.conftest import Client


def made(client: Client, **coupon) -> dict:
    answer = client.post("coupons", {"code": "thanks", "amount": "10", **coupon})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_gmt_expiry_is_ignored_and_a_local_one_is_in_store_time(client: Client) -> None:
    ignored = made(client, code="a", date_expires_gmt="2026-12-31T23:59:59")
    kept = made(client, code="b", date_expires="2026-12-31T23:59:59")
    assert (ignored["date_expires"], ignored["date_expires_gmt"]) == (None, None)
    assert (kept["date_expires"], kept["date_expires_gmt"]) == ("2026-12-31T23:59:59", "2026-12-31T21:59:59")


def test_bad_addresses_and_amounts_vanish_without_a_word(client: Client) -> None:
    coupon = made(client, amount="abc", email_restrictions=["nope", "Ana@Example.com"])
    assert (coupon["amount"], coupon["email_restrictions"]) == ("0.00", ["ana@example.com"])


@pytest.mark.parametrize(("kind", "amount"), [("percent", "150"), ("fixed_cart", "-5")])
def test_impossible_amounts_are_refused(client: Client, kind: str, amount: str) -> None:
    answer = client.post("coupons", {"code": "x", "discount_type": kind, "amount": amount})
    assert (answer.status_code, answer.json()["code"]) == (400, "coupon_invalid_amount")
    assert client.ids("coupons") == []


def test_a_code_is_taken_in_any_case_until_its_coupon_is_in_the_trash(client: Client) -> None:
    first = made(client)
    again = client.post("coupons", {"code": "THANKS", "amount": "1"})
    assert (again.status_code, again.json()["code"]) == (400, "woocommerce_rest_coupon_code_already_exists")
    client.delete(f"coupons/{first['id']}")
    assert made(client)["id"] != first["id"]
    assert client.delete(f"coupons/{first['id']}").status_code == 410


def test_a_batch_answers_each_item_in_its_place(client: Client) -> None:
    kept = made(client)
    answer = client.post(
        "coupons/batch",
        {
            "create": [{"code": "b1", "amount": "5"}, {"code": "thanks", "amount": "5"}, {"code": "b2", "amount": "5"}],
            "update": [{"id": 9999, "amount": "1"}, {"id": kept["id"], "amount": "12"}],
            "delete": [kept["id"]],
        },
    )
    body = answer.json()
    assert answer.status_code == 200
    assert [row.get("code") for row in body["create"]] == ["b1", None, "b2"]
    assert body["create"][1]["error"]["code"] == "woocommerce_rest_coupon_code_already_exists"
    assert body["update"][0] == {
        "id": 9999,
        "error": {"code": "woocommerce_rest_shop_coupon_invalid_id", "message": "Invalid ID.", "data": {"status": 400}},
    }
    assert body["update"][1]["amount"] == "12.00"
    assert client.get(f"coupons/{kept['id']}").status_code == 404


def test_a_batch_of_101_does_nothing(client: Client) -> None:
    answer = client.post("coupons/batch", {"create": [{"code": f"c{n}", "amount": "1"} for n in range(101)]})
    assert (answer.status_code, answer.json()["code"]) == (413, "woocommerce_rest_request_entity_too_large")
    assert client.ids("coupons") == []
    assert client.post("coupons/batch", {}).json() == []


def test_a_use_is_counted_given_back_and_moves_no_date(sandbox: Sandbox, client: Client) -> None:
    coupon = made(client, usage_limit=1)
    sandbox.advance(hours=1)
    order = sandbox.place_order(email="Ana@example.com", coupon="THANKS")
    used = client.get(f"coupons/{coupon['id']}").json()
    assert (used["usage_count"], used["used_by"]) == (1, ["ana@example.com"])
    assert used["date_modified_gmt"] == coupon["date_modified_gmt"]
    with pytest.raises(CouponRefused, match="has been reached"):
        sandbox.place_order(email="other@example.com", coupon="thanks")
    sandbox.cancel(order["id"])
    free = client.get(f"coupons/{coupon['id']}").json()
    assert (free["usage_count"], free["used_by"]) == (0, [])
    sandbox.place_order(email="other@example.com", coupon="thanks")


@pytest.mark.parametrize(
    ("coupon", "order", "message"),
    [
        ({"code": "other"}, {}, "Coupon &quot;thanks&quot; cannot be applied because it does not exist."),
        ({"date_expires": "2026-11-24T13:59:59"}, {}, "Coupon &quot;thanks&quot; has expired."),
        (
            {"email_restrictions": ["ana@example.com"]},
            {"email": "eve@example.com"},
            "Please enter a valid email at checkout to use coupon code &quot;thanks&quot;.",
        ),
        ({"minimum_amount": "100"}, {}, "The minimum spend for coupon &quot;thanks&quot; is 100.00."),
        ({"product_ids": [102]}, {}, "Sorry, coupon &quot;thanks&quot; is not applicable to selected products."),
        ({"product_categories": [9]}, {}, "Sorry, coupon &quot;thanks&quot; is not applicable to selected products."),
    ],
)
def test_a_checkout_refuses_and_places_nothing(
    sandbox: Sandbox, client: Client, coupon: dict, order: dict, message: str
) -> None:
    made(client, **coupon)
    with pytest.raises(CouponRefused) as refusal:
        sandbox.place_order(items=[{"product_id": 101}], coupon="thanks", **order)
    assert str(refusal.value) == message
    assert client.ids("orders", status="any") == []


def test_over_the_api_a_bad_coupon_leaves_a_draft_behind(client: Client) -> None:
    answer = client.post("orders", {"line_items": [{"product_id": 101}], "coupon_lines": [{"code": "none"}]})
    draft = answer.json()["data"]["new_draft_order_id"]
    assert answer.status_code == 400
    assert client.get(f"orders/{draft}").json()["status"] == "checkout-draft"
    assert client.ids("orders") == []


def test_the_restricted_address_matches_in_any_case_and_by_pattern(sandbox: Sandbox, client: Client) -> None:
    made(client, email_restrictions=["ana@example.com"])
    assert sandbox.place_order(email="ANA@Example.com", coupon="thanks")["coupon_lines"][0]["code"] == "thanks"


@pytest.mark.parametrize(
    ("coupon", "off"),
    [
        ({"discount_type": "percent", "amount": "10"}, "14.00"),
        ({"discount_type": "fixed_cart", "amount": "25"}, "25.00"),
        ({"discount_type": "fixed_cart", "amount": "999"}, "140.00"),
        ({"discount_type": "fixed_product", "amount": "5"}, "15.00"),
        ({"discount_type": "fixed_product", "amount": "5", "product_ids": [102]}, "5.00"),
        ({"discount_type": "percent", "amount": "10", "limit_usage_to_x_items": 1}, "4.00"),
    ],
)
def test_what_each_kind_takes_off(sandbox: Sandbox, client: Client, coupon: dict, off: str) -> None:
    made(client, **coupon)
    order = sandbox.place_order(
        items=[{"product_id": 101, "quantity": 2}, {"product_id": 102}], coupon="thanks", shipping_total="0"
    )
    assert order["discount_total"] == off
    assert Decimal(order["total"]) == Decimal("140.00") - Decimal(off)


def test_each_person_may_use_a_limited_coupon_so_often(sandbox: Sandbox, client: Client) -> None:
    made(client, usage_limit_per_user=1)
    sandbox.place_order(email="ana@example.com", coupon="thanks")
    sandbox.place_order(email="eve@example.com", coupon="thanks")
    with pytest.raises(CouponRefused):
        sandbox.place_order(email="ana@example.com", coupon="thanks")


def test_prices_with_tax_are_taxed_by_country(make) -> None:
    sandbox = make(prices_include_tax=True)
    order = sandbox.place_order(items=[{"product_id": 101}], billing={"country": "RO"}, shipping_total="18")
    assert (order["total"], order["tax_lines"][0]["rate_code"]) == ("58.00", "RO-TVA-1")
    assert order["line_items"][0]["total"] == "33.06"
