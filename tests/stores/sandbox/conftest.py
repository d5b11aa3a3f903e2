"""Sandbox stores for tests: in memory, with a handful of goods, a clock that stands still."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import requests

from stores.sandbox import documents
from stores.sandbox.server import Sandbox
from stores.sandbox.wire import BASE

NOON = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


def stock(sandbox: Sandbox) -> None:
    """Two simple products, a variable one with two variations, a category."""
    site = sandbox.store.site
    cups = documents.category(site=site, id=3, name="Cups", slug="cups")
    sandbox.put("category", cups)
    for id, name, price in ((101, "Cup", "40.00"), (102, "Bowl", "60.00")):
        sandbox.put(
            "product",
            documents.product(
                site=site,
                id=id,
                name=name,
                slug=name.lower(),
                created=NOON,
                modified=NOON,
                sku=f"AL-{id}",
                regular_price=Decimal(price),
                categories=[cups] if id == 101 else [],
            ),
        )
    sandbox.put(
        "product",
        documents.product(
            site=site,
            id=103,
            name="Plate",
            slug="plate",
            created=NOON,
            modified=NOON,
            kind="variable",
            variation_prices=[Decimal(80)],
            variations=[104],
        ),
    )
    sandbox.put(
        "variation",
        documents.variation(
            site=site,
            id=104,
            parent_id=103,
            parent_slug="plate",
            created=NOON,
            modified=NOON,
            sku="AL-103-1",
            regular_price=Decimal(80),
            attributes=[(1, "Size", "pa_size", "Large")],
        ),
    )
    sandbox.store.storage.raise_counter("post", 200)
    assert site.base_url == BASE


class Client:
    """Speaks to a sandbox over HTTP with its first key."""

    def __init__(self, sandbox: Sandbox, key: str, secret: str) -> None:
        self.sandbox = sandbox
        self.session = requests.Session()
        self.session.auth = (key, secret)

    def call(self, method: str, path: str, **details: Any) -> requests.Response:
        address = path if path.startswith("/") else f"/wp-json/wc/v3/{path}"
        return self.session.request(method, self.sandbox.url + address, timeout=10, **details)

    def get(self, path: str, **params: Any) -> requests.Response:
        return self.call("GET", path, params=params)

    def post(self, path: str, body: Any = None) -> requests.Response:
        return self.call("POST", path, json=body)

    def put(self, path: str, body: Any = None) -> requests.Response:
        return self.call("PUT", path, json=body)

    def delete(self, path: str, **params: Any) -> requests.Response:
        return self.call("DELETE", path, params=params)

    def ids(self, path: str, **params: Any) -> list[int]:
        return [row["id"] for row in self.get(path, **params).json()]


@pytest.fixture
def make() -> Iterator[Callable[..., Sandbox]]:
    """Starts stocked sandboxes whose clock stands at noon GMT on 24 Nov 2026."""
    started: list[Sandbox] = []

    def start(**details: Any) -> Sandbox:
        sandbox = Sandbox(**{"clock": lambda: NOON, **details})
        stock(sandbox)
        started.append(sandbox.start())
        return sandbox

    yield start
    for sandbox in started:
        sandbox.stop()


@pytest.fixture
def sandbox(make: Callable[..., Sandbox]) -> Sandbox:
    return make()


@pytest.fixture
def client(sandbox: Sandbox) -> Client:
    return Client(sandbox, sandbox.key, sandbox.secret)
