"""The first reading of a shop that takes 0.9 s for 100 orders, against a bare loop that fetches as much and throws it away.

Then the shop is what takes the time, and reading ahead has to hide all of our own work. The floor asks for full pages,
four at once from the first moment on, and knows how many there are; ours finds out what the shop bears.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench import harness, stage
from bench.backfill import connect, counts, ours
from bench.shop import Shop

RUNS = [["sqlite"], ["postgresql"]]
SECONDS_AN_ORDER = 0.009
PAGE = 100
AIM = 1.15


def bare(shop: Shop, others: list[tuple[str, str]], at_once: int) -> None:
    """Fetch all pages of orders, and the pages of other lists that ours asks for; read them as JSON."""
    import requests

    session = requests.Session()
    session.auth = (shop.key, shop.secret)
    pages = -(-shop.orders // PAGE)
    urls = [f"{shop.url}{path}?{query}" for path, query in others]
    urls += [
        f"{shop.url}/wp-json/wc/v3/orders?status=any&per_page={PAGE}&page={n}&orderby=date" for n in range(1, pages + 1)
    ]

    def fetch(url: str) -> Any:
        return len(json.loads(session.get(url, timeout=60).content))

    with ThreadPoolExecutor(at_once) as pool:
        read = list(pool.map(fetch, urls))
    assert sum(read[len(others) :]) == shop.orders, read


def run(kind: str, *, shop: Shop, rounds: int = harness.ROUNDS) -> harness.Comparison:
    """Measure on the present, empty database."""
    from stores.models import Order, Store
    from stores.sync import flight

    store = connect(shop)
    ours(store)
    asked = shop.ask("pages")
    others = [(path, query) for path, query in asked if not path.endswith("/orders")]
    written = counts()
    assert Order.objects.count() == shop.orders, (Order.objects.count(), shop.orders)

    def before() -> None:
        stage.clear(*written, "stores_job")
        Store.objects.filter(pk=store.pk).update(backfilled_at=None, complete_since=None)
        stage.settle()

    found = harness.compare(
        f"backfill of {shop.orders:,} orders from a slow shop, {kind}",
        aim=AIM,
        units=shop.orders,
        unit="orders",
        floor=lambda: bare(shop, others, flight.MOST),
        ours=lambda: ours(store),
        before=before,
        rounds=rounds,
    )
    assert counts() == written, (counts(), written)
    found.notes.append(
        f"{len(asked):,} requests of ours, {len(others) + -(-shop.orders // PAGE):,} of the floor's; "
        f"{SECONDS_AN_ORDER * 100:g} s for 100 orders, at most {flight.MOST} at once"
    )
    return found


def main() -> int:
    with stage.database(sys.argv[1]), Shop(1, seconds_an_order=SECONDS_AN_ORDER) as shop:
        return harness.show(run(sys.argv[1], shop=shop))


if __name__ == "__main__":
    sys.exit(main())
