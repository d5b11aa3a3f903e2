"""The API: the key decides the store, scopes decide what may be done, every refusal is a problem with its fix."""

import json
import uuid

import pytest

from loyalty import ledger
from loyalty.models import Entry
from stores.api_keys import create_api_key
from stores.models import Coupon
from tests.factories import make_customer, make_order, make_product, make_store

pytestmark = pytest.mark.django_db
EVERYTHING = [
    "orders:read",
    "customers:read",
    "ledger:read",
    "ledger:write",
    "coupons:read",
    "coupons:write",
    "health:read",
]


@pytest.fixture
def store():
    return make_store()


def ask(client, store, path, *, method="get", scopes=EVERYTHING, idempotency=None, **data):
    _, secret = create_api_key(store, name="test", scopes=scopes)
    headers = {"Authorization": f"Bearer {secret}"}
    if idempotency:
        headers["Idempotency-Key"] = idempotency
    if method == "post":
        return client.post(path, json.dumps(data), content_type="application/json", headers=headers)
    return client.get(path, data, headers=headers)


def test_orders_come_with_lines_money_as_text_and_utc_times(client, store):
    order = make_order(store, items=[(make_product(store), 2)])
    (row,) = ask(client, store, "/api/v1/orders/").json()["results"]
    assert (row["number"], row["total"], row["currency"]) == (order.number, "197.0000", "RON")
    assert row["created_gmt"] == "2026-11-20T12:00:00Z"
    assert row["lines"][0]["quantity"] == "2.0000"


@pytest.mark.parametrize("path", ["orders", "customers", "ledger", "members", "coupons"])
def test_another_stores_objects_do_not_exist_for_a_key(client, store, path):
    other = make_store()
    order = make_order(other)
    ledger.give(other, order.customer, points=5, key="x", reason="y")
    Coupon.objects.create(store=other, code="x", amount=1)
    assert ask(client, store, f"/api/v1/{path}/").json()["results"] == []
    for pk in range(1, 4):
        answer = ask(client, store, f"/api/v1/{path}/{pk}/")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_without_a_key_or_with_a_wrong_one_nothing_is_told(client, store):
    for headers in ({}, {"Authorization": "Bearer pp_0000000000_wrong"}, {"Authorization": "Basic eA=="}):
        answer = client.get("/api/v1/orders/", headers=headers)
        assert answer.status_code == 401
        assert answer["Content-Type"] == "application/problem+json"
        assert answer.json()["fix"]


def test_a_key_without_the_scope_is_refused(client, store):
    assert ask(client, store, "/api/v1/customers/", scopes=["orders:read"]).status_code == 403
    customer = make_customer(store)
    answer = ask(
        client,
        store,
        "/api/v1/ledger/",
        method="post",
        scopes=["ledger:read"],
        customer=customer.pk,
        points=5,
        reason="x",
    )
    assert answer.status_code == 403
    assert not Entry.objects.exists()


def test_orders_cannot_be_written(client, store):
    answer = ask(client, store, "/api/v1/orders/", method="post", scopes=["orders:read"])
    assert answer.status_code in {403, 405}


def test_points_are_given_once_for_one_idempotency_key(client, store):
    customer = make_customer(store)
    body = {"customer": customer.pk, "points": 50, "reason": "Sorry for the wait"}
    key = str(uuid.uuid4())
    first = ask(client, store, "/api/v1/ledger/", method="post", idempotency=key, **body)
    again = ask(client, store, "/api/v1/ledger/", method="post", idempotency=key, **body)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert ledger.balance(customer).usable == 50
    other = ask(client, store, "/api/v1/ledger/", method="post", idempotency=key, **(body | {"points": 51}))
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    missing = ask(client, store, "/api/v1/ledger/", method="post", **body)
    assert (missing.status_code, missing.json()["code"]) == (400, "idempotency_needed")
    assert ledger.balance(customer).usable == 50


def test_bad_fields_are_named_and_nothing_is_stored(client, store):
    foreign = make_customer(make_store())
    answer = ask(client, store, "/api/v1/ledger/", method="post", idempotency="k", customer=foreign.pk, points=-1)
    assert answer.status_code == 400
    problem = answer.json()
    assert problem["code"] == "invalid"
    assert {error["field"] for error in problem["errors"]} == {"customer", "points", "reason"}
    assert not Entry.objects.exists()


def test_pages_follow_each_other_without_gap_or_double(client, store):
    orders = [make_order(store).pk for _ in range(5)]
    seen, path = [], "/api/v1/orders/?page_size=2"
    while path:
        page = ask(client, store, path).json()
        seen += [row["id"] for row in page["results"]]
        path = page["next"]
    assert seen == sorted(orders, reverse=True)


def test_the_description_and_the_error_pages_are_open(client):
    schema = client.get("/api/schema/")
    assert schema.status_code == 200
    assert b"/api/v1/orders/" in schema.content
    assert client.get("/api/docs/errors/not_found/").status_code == 200
