"""Lists, totals, dates and fields over HTTP."""

from datetime import UTC, datetime

import pytest

from stores.sandbox.server import Sandbox
from tests.stores.sandbox.conftest import Client


def test_a_page_past_the_end_forgets_the_totals_of_orders_but_not_of_products(sandbox: Sandbox, client: Client) -> None:
    sandbox.place_order()
    orders, products = client.get("orders", page=9), client.get("products", page=9)
    assert (orders.json(), orders.headers["X-WP-Total"], orders.headers["X-WP-TotalPages"]) == ([], "0", "0")
    assert (products.json(), products.headers["X-WP-Total"], products.headers["X-WP-TotalPages"]) == ([], "3", "1")


def test_on_posts_storage_a_page_past_the_end_keeps_the_totals(make) -> None:
    sandbox = make(flavour="posts")
    sandbox.place_order()
    answer = Client(sandbox, sandbox.key, sandbox.secret).get("orders", page=9)
    assert (answer.json(), answer.headers["X-WP-Total"]) == ([], "1")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"modified_after": "2026-11-24T11:59:59", "dates_are_gmt": "true"}, True),
        ({"modified_after": "2026-11-24T12:00:00", "dates_are_gmt": "true"}, False),
        ({"modified_after": "2026-11-24T11:59:59Z"}, True),
        ({"modified_after": "2026-11-24T12:00:00Z"}, False),
        ({"modified_after": "2026-11-24T13:59:59"}, True),
        ({"modified_after": "2026-11-24T14:00:00"}, False),
        # Z and the flag: shifted by the zone's two hours, so the change is lost.
        ({"modified_after": "2026-11-24T11:59:59Z", "dates_are_gmt": "true"}, False),
        ({"modified_after": "2026-11-24T09:59:59Z", "dates_are_gmt": "true"}, True),
        ({"modified_before": "2026-11-24T12:00:01", "dates_are_gmt": "true"}, True),
        ({"modified_before": "2026-11-24T12:00:00", "dates_are_gmt": "true"}, False),
    ],
)
def test_date_limits_are_strict_and_know_the_zone(sandbox: Sandbox, client: Client, query: dict, found: bool) -> None:
    order = sandbox.place_order()
    assert client.ids("orders", **query) == ([order["id"]] if found else [])


@pytest.mark.parametrize("bad", ["2026-11-24", "1762000000", "yesterday"])
def test_what_is_no_date_is_refused(client: Client, bad: str) -> None:
    answer = client.get("orders", modified_after=bad)
    assert answer.status_code == 400
    assert answer.json()["code"] == "rest_invalid_param"
    assert answer.json()["data"]["params"] == {"modified_after": "Invalid date."}


def test_unknown_parameters_change_nothing(sandbox: Sandbox, client: Client) -> None:
    order = sandbox.place_order()
    assert client.ids("orders", billing_email="x@example.com") == [order["id"]]
    assert client.get("customers", modified_after="2030-01-01T00:00:00").status_code == 200


def test_fields_of_a_list_inside_find_nothing(sandbox: Sandbox, client: Client) -> None:
    order = sandbox.place_order(email="a@example.com")
    rows = client.get("orders", _fields="id,billing.email,line_items.sku").json()
    assert rows == [{"id": order["id"], "billing": {"email": "a@example.com"}}]


def test_any_leaves_out_trash_and_drafts_but_they_can_be_read(sandbox: Sandbox, client: Client) -> None:
    gone, live = sandbox.place_order(), sandbox.place_order()
    draft = sandbox.place_order(status="checkout-draft")
    assert client.delete(f"orders/{gone['id']}").status_code == 200
    assert client.ids("orders") == [live["id"]]
    assert client.ids("orders", status="any,trash") == [live["id"]]
    assert client.ids("orders", status="trash") == [gone["id"]]
    assert client.ids("orders", include=gone["id"]) == []
    assert client.get(f"orders/{gone['id']}").json()["status"] == "trash"
    assert client.get(f"orders/{draft['id']}").status_code == 200


def test_head_gives_the_totals(sandbox: Sandbox, client: Client) -> None:
    sandbox.place_order()
    answer = client.call("HEAD", "orders?per_page=1")
    assert (answer.status_code, answer.headers["X-WP-Total"], answer.content) == (200, "1", b"")


def test_every_order_comes_once_over_the_pages_whatever_the_order(sandbox: Sandbox, client: Client) -> None:
    made = []
    for minute in range(15):
        sandbox.set_clock(datetime(2026, 11, 24, 12, minute // 3, tzinfo=UTC))
        made.append(sandbox.place_order()["id"])
    for orderby in ("date", "id", "modified"):
        for order in ("asc", "desc"):
            seen: list[int] = []
            for page in range(1, 4):
                seen += client.ids("orders", per_page=7, page=page, orderby=orderby, order=order)
            assert sorted(seen) == made


def test_a_missing_order_is_told_differently_by_each_route(client: Client) -> None:
    assert client.get("orders/9999").status_code == 404
    assert client.put("orders/9999", {"status": "completed"}).status_code == 400
    assert client.get("orders/9999/refunds").json() == []
    assert client.get("products/9999/variations").json() == []
    assert client.get("orders/9999/notes").status_code == 404
    assert client.get("orders/abc").json()["code"] == "rest_no_route"
    assert client.call("PATCH", "orders").json()["code"] == "rest_no_route"


def test_variations_are_found_by_their_id_and_sku_but_not_by_include(client: Client) -> None:
    assert client.get("products/104").json()["type"] == "variation"
    assert client.ids("products", include=104) == []
    assert client.ids("products", sku="al-103-1") == [104]


def test_pages_are_kept_until_something_changes(sandbox: Sandbox, client: Client) -> None:
    order = sandbox.place_order()
    for _ in range(2):
        assert client.get("orders", per_page=100).json()[0]["status"] == "processing"
    sandbox.complete(order["id"])
    assert client.get("orders", per_page=100).json()[0]["status"] == "completed"


def test_a_generated_past_can_be_read(make) -> None:
    sandbox = make(seed=3)
    client = Client(sandbox, sandbox.key, sandbox.secret)
    answer = client.get("orders", per_page=100, page=2)
    assert len(answer.json()) == 100
    assert int(answer.headers["X-WP-Total"]) > 4000
    assert client.get("/wp-json/").json()["timezone_string"] == "Europe/Bucharest"
    picture = answer.json()[0]["line_items"][0]["image"]["src"]
    assert client.get(picture.removeprefix(sandbox.url)).headers["Content-Type"] == "image/png"
