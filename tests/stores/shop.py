"""A sandbox store with some goods and orders, and a store of ours that is connected to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from stores.models import Store
from stores.sandbox.server import Sandbox
from tests.factories import NOON, make_store
from tests.stores.sandbox.conftest import stock


@contextmanager
def running(*, orders: int = 0, apart: timedelta = timedelta(hours=5), **options: Any) -> Iterator[Sandbox]:
    """A running sandbox whose clock begins at NOON less the time that its orders take."""
    begin = NOON - apart * orders
    with Sandbox(clock=lambda: begin, **options) as sandbox:
        stock(sandbox)
        for number in range(orders):
            place(sandbox, number)
            sandbox.advance(seconds=apart.total_seconds())
        yield sandbox


def place(sandbox: Sandbox, number: int = 0, **details: Any) -> dict[str, Any]:
    """One paid order by one of seven shoppers."""
    given: dict[str, Any] = {"items": [{"product_id": 101}], "email": f"shopper{number % 7}@example.com"}
    return sandbox.place_order(**(given | details))


def joined(sandbox: Sandbox, **fields: Any) -> Store:
    """A store of ours with the sandbox's keys, without the ceremony of connecting."""
    given: dict[str, Any] = {
        "base_url": sandbox.url,
        "consumer_key": sandbox.key,
        "consumer_secret": sandbox.secret,
        "live_from": NOON - timedelta(days=365),
        "backfilled_at": NOON,
        "zone": sandbox.clock.zone_name,
    }
    return make_store(**(given | fields))


def asked(sandbox: Sandbox, path: str) -> list[dict[str, Any]]:
    """The requests for a path (its end), oldest first."""
    return [one for one in sandbox.requests if one["path"].endswith(path)]


def gmt(text: str) -> datetime:
    """A naive GMT text of the store as an aware moment."""
    from datetime import UTC

    return datetime.fromisoformat(text).replace(tzinfo=UTC)
