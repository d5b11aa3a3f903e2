"""Orders from elsewhere by the API."""

import json
from typing import Any

import pytest
from django.test import Client

from postpurchase import clock
from stores.api_keys import create_api_key
from stores.models import Channel, Order, Store
from tests.factories import NOON, make_store

pytestmark = pytest.mark.django_db

ORDER = {
    "external_id": "T-1",
    "created_at": "2026-11-20T10:00:00Z",
    "total": "119.00",
    "email": "ana@example.com",
    "lines": [{"sku": "MUG", "quantity": "1", "total": "100.00"}],
}


@pytest.fixture(autouse=True)
def _noon() -> None:
    clock.freeze(NOON)


def post(store: Store, path: str, data: Any, *, key: str = "k-1", scopes: tuple[str, ...] = ("orders:write",)) -> Any:
    _, secret = create_api_key(store, name="till", scopes=list(scopes))
    headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": key}
    return Client().post(path, json.dumps(data), content_type="application/json", headers=headers)


def test_an_order_is_taken_once_and_changed_by_another_state() -> None:
    store = make_store()
    first = post(store, "/api/v1/orders/", {"channel": "till", "contact": "all", **ORDER})
    assert first.status_code == 201
    assert {name: first.json()[name] for name in ("woo_id", "channel", "external_id", "contact", "total")} == {
        "woo_id": None,
        "channel": "till",
        "external_id": "T-1",
        "contact": "all",
        "total": "119.0000",
    }
    again = post(store, "/api/v1/orders/", {"channel": "till", "contact": "all", **ORDER})
    assert (again.status_code, again.json()) == (201, first.json())
    other = post(store, "/api/v1/orders/", {"channel": "till", **ORDER, "status": "cancelled"}, key="k-2")
    assert (other.status_code, other.json()["status"], other.json()["id"]) == (200, "cancelled", first.json()["id"])
    assert Order.objects.get().contact == "all"


def test_what_is_wrong_is_a_problem_with_its_fields_and_nothing_is_stored() -> None:
    answer = post(make_store(), "/api/v1/orders/", {"channel": "till", **ORDER, "total": "abc", "created_at": ""})
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert answer.json()["errors"] == [
        {"field": "created_at", "code": "missing", "detail": "It is missing. An order needs it."},
        {"field": "total", "code": "no_amount", "detail": "“abc” is no amount of money."},
    ]
    assert not Channel.objects.exists()
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (ORDER, "channel"),
        ({"channel": "Not a name!", **ORDER}, "channel"),
        ({"channel": "till", "contact": "maybe", **ORDER}, "contact"),
    ],
)
def test_a_channel_that_cannot_be_one_is_a_problem(data: dict[str, Any], field: str) -> None:
    answer = post(make_store(), "/api/v1/orders/", data)
    assert (answer.status_code, [error["field"] for error in answer.json()["errors"]]) == (400, [field])


def test_the_shop_itself_is_no_channel() -> None:
    answer = post(make_store(), "/api/v1/orders/", {"channel": "woocommerce", **ORDER})
    assert (answer.status_code, answer.json()["code"]) == (409, "channel_taken")


@pytest.mark.parametrize("data", [[ORDER], "x", 5, None])
def test_a_body_that_is_no_object_is_a_problem(data: Any) -> None:
    assert post(make_store(), "/api/v1/orders/", data).status_code == 400


def test_a_batch_takes_what_it_can_and_names_the_rest() -> None:
    store = make_store()
    rows = [ORDER, ORDER | {"external_id": "T-2", "total": ""}, ORDER | {"external_id": "T-3"}]
    answer = post(store, "/api/v1/orders/batch/", {"channel": "till", "orders": rows})
    ids = dict(Order.objects.values_list("external_id", "pk"))
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "new": 2,
            "changed": 0,
            "unchanged": 0,
            "refused": [
                {
                    "index": 1,
                    "external_id": "T-2",
                    "errors": [{"field": "total", "code": "missing", "detail": "It is missing. An order needs it."}],
                }
            ],
            "orders": ids,
        },
    )
    again = post(store, "/api/v1/orders/batch/", {"channel": "till", "orders": [ORDER]}, key="k-2")
    assert again.json()["unchanged"] == 1


def test_it_needs_the_scope_and_an_idempotency_key() -> None:
    store = make_store()
    body = {"channel": "till", **ORDER}
    assert post(store, "/api/v1/orders/", body, scopes=("orders:read",)).status_code == 403
    assert post(store, "/api/v1/orders/", body, key="").json()["code"] == "idempotency_needed"
    assert not Order.objects.exists()
