"""Keys: Basic, query string, OAuth as the woocommerce package signs, and the answers to wrong ones."""

import pytest
import requests
from woocommerce import API
from woocommerce.oauth import OAuth

from stores.sandbox.server import Sandbox
from tests.stores.sandbox.conftest import Client


@pytest.fixture
def strict(make) -> Sandbox:
    """A store that, like every real one, wants OAuth over plain http."""
    return make(basic_over_http=False)


def package(sandbox: Sandbox, **details) -> API:
    return API(sandbox.url, details.pop("key", sandbox.key), details.pop("secret", sandbox.secret), **details)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"per_page": 2, "_fields": "id,name"},
        {"search": "gift box"},
        {"modified_after": "2026-11-01T00:00:00"},
        {"modified_after": "2026-11-01T00:00:00+00:00"},
        {"include": "101,102"},
        {"search": "Zoë"},
        {"on_sale": True},
    ],
)
def test_the_package_reads_over_plain_http(strict: Sandbox, params: dict) -> None:
    assert package(strict).get("products", params=params).status_code == 200


def test_the_package_writes_over_plain_http(strict: Sandbox) -> None:
    api = package(strict)
    made = api.post("coupons", {"code": "oauth", "amount": "5"}).json()
    assert api.put(f"coupons/{made['id']}", {"amount": "6"}).json()["amount"] == "6.00"
    assert api.delete(f"coupons/{made['id']}", params={"force": True}).status_code == 200
    assert api.get("customers", params={"email": "a+b@example.com"}).json() == []


def test_a_python_list_breaks_the_signature(strict: Sandbox) -> None:
    answer = package(strict).get("products", params={"include": [101, 102]})
    assert answer.status_code == 401
    assert answer.json()["message"] == "Invalid signature - provided signature does not match."


def test_a_repeated_parameter_keeps_its_last_value_only(client: Client) -> None:
    assert [row["id"] for row in client.call("GET", "products?include=101&include=102").json()] == [102]
    assert [row["id"] for row in client.call("GET", "products?include[]=101&include[]=102").json()] == [102, 101]


@pytest.mark.parametrize(
    ("details", "message"),
    [
        ({"secret": "cs_wrong"}, "Invalid signature - provided signature does not match."),
        ({"key": "ck_wrong"}, "Consumer key is invalid."),
    ],
)
def test_wrong_oauth_is_told_apart(strict: Sandbox, details: dict, message: str) -> None:
    answer = package(strict, **details).get("products")
    assert answer.status_code == 401
    assert (answer.json()["code"], answer.json()["message"]) == ("woocommerce_rest_authentication_error", message)


def test_plain_http_ignores_basic_and_query_keys(strict: Sandbox) -> None:
    address = f"{strict.url}/wp-json/wc/v3/orders"
    keys = {"consumer_key": strict.key, "consumer_secret": strict.secret}
    for answer in (
        requests.get(address, auth=(strict.key, strict.secret), timeout=5),
        requests.get(address, params=keys, timeout=5),
        requests.get(address, auth=(strict.key, strict.secret), headers={"X-Forwarded-Proto": "https"}, timeout=5),
    ):
        assert answer.status_code == 401
        assert answer.json()["code"] == "woocommerce_rest_cannot_view"


def test_a_signed_request_works_once(strict: Sandbox) -> None:
    signed = package(strict).get("products").request.url
    again = requests.get(str(signed), timeout=5)
    assert again.status_code == 401
    assert again.json()["message"] == "Invalid nonce - nonce has already been used."


def test_an_old_signature_is_refused(strict: Sandbox) -> None:
    signer = OAuth(
        f"{strict.url}/wp-json/wc/v3/products",
        strict.key,
        strict.secret,
        version="wc/v3",
        method="GET",
        oauth_timestamp=1_600_000_000,
    )
    answer = requests.get(signer.get_oauth_url(), timeout=5)
    assert (answer.status_code, answer.json()["message"]) == (401, "Invalid timestamp.")


def test_query_keys_work_where_basic_does(sandbox: Sandbox) -> None:
    keys = {"consumer_key": sandbox.key, "consumer_secret": sandbox.secret}
    answer = requests.get(f"{sandbox.url}/wp-json/wc/v3/orders", params=keys, timeout=5)
    assert answer.status_code == 200


def test_keys_of_a_store_do_not_open_its_other_doors(client: Client) -> None:
    assert client.call("GET", "/?rest_route=/wc/v3/orders").status_code == 401
    other = client.call("GET", "/wp-json/wp/v2/posts")
    assert (other.status_code, other.json()["code"]) == (401, "rest_not_logged_in")


@pytest.mark.parametrize(
    ("permissions", "method", "message"),
    [
        ("read", "POST", "The API key provided does not have write permissions."),
        ("write", "GET", "The API key provided does not have read permissions."),
    ],
)
def test_a_key_that_may_not_is_401(sandbox: Sandbox, permissions: str, method: str, message: str) -> None:
    key = sandbox.add_key(permissions)
    before = sandbox.state()["counts"]
    answer = Client(sandbox, key.consumer_key, key.consumer_secret).call(method, "coupons", json={"code": "x"})
    assert (answer.status_code, answer.json()["message"]) == (401, message)
    assert sandbox.state()["counts"] == before


def test_a_customers_key_is_403_and_a_managers_works(sandbox: Sandbox) -> None:
    customer, manager = sandbox.add_key(role="customer"), sandbox.add_key(role="shop_manager")
    refused = Client(sandbox, customer.consumer_key, customer.consumer_secret).get("orders")
    assert (refused.status_code, refused.json()["code"]) == (403, "woocommerce_rest_cannot_view")
    assert Client(sandbox, manager.consumer_key, manager.consumer_secret).get("settings/general").status_code == 200


def test_the_index_needs_no_key(sandbox: Sandbox) -> None:
    answer = requests.get(f"{sandbox.url}/wp-json/wc/v3", timeout=5)
    assert (answer.status_code, answer.json()["namespace"]) == (200, "wc/v3")
