"""The first reading of a whole shop, against fetching the same pages and writing the same rows with executemany.

The shop is the sandbox in a process of its own, with all pages ready. The floor fetches the pages that ours asked for,
reads them with `json.loads` and writes the rows that ours wrote, page by page and commit by commit; it parses, compares,
hashes and decides nothing.

    sqlite|postgresql SCALE     7,000 orders times SCALE; 10 takes some ten minutes
    memory sqlite|postgresql    the peak at SCALE 10 against that at SCALE 1, each in a process of its own
    peak SCALE KIND             one of these
"""

import json
import subprocess
import sys
import time
from collections import defaultdict
from typing import Any

from bench import harness, stage
from bench.shop import Shop

RUNS = [[kind, scale] for scale in ("1", "10") for kind in ("sqlite", "postgresql")]
RUNS += [["memory", "sqlite"], ["memory", "postgresql"]]
AIM, LIMIT = 3.0, 5.0
MEMORY = 1.1
# Written again and again while it runs, or by the bell; no rows of the shop.
_PASSING = {"stores_store", "stores_job", "stores_heartbeat", "django_q_ormq"}


def connect(shop: Shop) -> Any:
    """The shop, as connecting leaves it."""
    from stores.models import Store

    return Store.objects.create(
        slug="bench",
        name="Bench",
        base_url=shop.url,
        consumer_key=shop.key,
        consumer_secret=shop.secret,
        state=Store.State.CONNECTED,
    )


def ours(store: Any) -> None:
    """The whole backfill as the worker runs it."""
    from stores import jobs
    from stores.models import Job
    from stores.sync import backfill

    job = backfill.start(store)
    for _ in range(1_000):
        jobs.run_due(3600)
        job.refresh_from_db()
        if job.status != Job.Status.RUNNING:
            break
    assert job.status == Job.Status.DONE, (job.status, job.error)


def counts() -> dict[str, int]:
    """How many rows each table of the mirror holds; empty ones are left out."""
    from django.apps import apps

    cursor = stage.raw()
    found = {}
    for model in apps.get_app_config("stores").get_models():
        table = model._meta.db_table
        if table not in _PASSING:
            cursor.execute(f'SELECT COUNT(*) FROM "{table}"')
            if rows := cursor.fetchone()[0]:
                found[table] = rows
    return found


class Floor:
    """The pages that ours asked for, and the rows that it wrote by page."""

    def __init__(self, shop: Shop, pages: list[tuple[str, str]]) -> None:
        import requests

        self.session = requests.Session()
        self.session.auth = (shop.key, shop.secret)
        self.urls = [f"{shop.url}{path}?{query}" for path, query in pages]
        brought = [(path, self._fetch(url)) for (path, _), url in zip(pages, self.urls, strict=True)]
        self.rows = _by_page(brought)

    def _fetch(self, url: str) -> Any:
        return json.loads(self.session.get(url).content)

    def run(self) -> None:
        """Fetch, read and write all of it."""
        cursor = stage.raw()
        for number, url in enumerate(self.urls):
            self._fetch(url)
            if parts := self.rows.get(number):
                stage.begin(cursor)
                for sql, rows in parts:
                    cursor.executemany(sql, rows)
                cursor.execute("COMMIT")


def _by_page(brought: list[tuple[str, Any]]) -> dict[int, list[tuple[str, list[tuple[Any, ...]]]]]:
    """All rows of the mirror, each with the page that first brought it or what it points to."""
    from django.apps import apps

    first: dict[tuple[str, int], int] = {}
    for number, (path, body) in enumerate(brought):
        kind = path.rstrip("/").rpartition("/")[2]
        for one in body if isinstance(body, list) else []:
            first.setdefault((_TABLES.get(kind, ""), one.get("id", 0)), number)
    filled = counts()
    models = {model._meta.db_table: model for model in apps.get_app_config("stores").get_models()}
    pages: dict[int, list[tuple[str, list[tuple[Any, ...]]]]] = defaultdict(list)
    page_of: dict[tuple[str, Any], int] = {}
    # People whom only orders know come with the first of these.
    names = ["customer_id", "woo_id"]
    bought: dict[Any, int] = {}
    for person, woo_id in stage.dump("stores_order", names):
        at = first["stores_order", woo_id]
        bought[person] = min(bought.get(person, at), at)
    for table in sorted(filled, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)):
        columns = stage.columns(models[table])
        links = {
            columns.index(field.column): field.related_model._meta.db_table
            for field in models[table]._meta.concrete_fields
            if field.is_relation
        }
        own = columns.index("woo_id") if "woo_id" in columns else None
        parts: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
        for row in stage.dump(table, columns):
            known = [page_of[to, row[place]] for place, to in links.items() if (to, row[place]) in page_of]
            if own is not None and (table, row[own]) in first:
                known.append(first[table, row[own]])
            elif table == "stores_customer":
                known.append(bought.get(row[0], len(brought) - 1))
            page = max(known, default=len(brought) - 1)
            page_of[table, row[0]] = page
            parts[page].append(row)
        sql = stage.insert_sql(table, columns)
        for page, rows in parts.items():
            pages[page].append((sql, rows))
    return pages


_TABLES = {
    "categories": "stores_category",
    "products": "stores_product",
    "variations": "stores_product",
    "customers": "stores_customer",
    "orders": "stores_order",
    "refunds": "stores_refund",
    "coupons": "stores_coupon",
    "reviews": "stores_storereview",
}
# Tables that others point to, these first.
_ORDER = ["stores_category", "stores_product", "stores_customer", "stores_order", "stores_event"]


def run(kind: str, *, rounds: int = harness.ROUNDS, shop: Shop) -> harness.Comparison:
    """Measure on the present, empty database; asserts that both sides end with the same rows."""
    from stores.models import Order, Store

    store = connect(shop)
    ours(store)
    pages = shop.ask("pages")
    assert Order.objects.count() == shop.orders, (Order.objects.count(), shop.orders)
    written = counts()
    floor = Floor(shop, pages)
    tables = [*written, "stores_job"]
    share: list[float] = []

    def before() -> None:
        stage.clear(*tables)
        Store.objects.filter(pk=store.pk).update(backfilled_at=None, complete_since=None)
        stage.settle()
        shop.ask("seconds")

    def check() -> None:
        assert counts() == written, (counts(), written)

    def our_side() -> None:
        ours(store)
        share.append(shop.ask("seconds"))

    found = harness.compare(
        f"backfill of {shop.orders:,} orders, {kind}",
        aim=AIM,
        limit=LIMIT,
        units=shop.orders,
        unit="orders",
        floor=floor.run,
        ours=our_side,
        before=before,
        after=check,
        rounds=rounds,
    )
    own = sorted(share)[len(share) // 2]
    found.notes.append(
        f"{len(pages):,} pages; the shop's own work in ours {own:.2f} s ({own / found.ours.median:.0%}); "
        f"{sum(written.values()):,} rows in {len(written)} tables"
    )
    return found


def peak(scale: int, kind: str) -> int:
    """Print what one backfill of this size takes of memory, in a database and process of its own."""
    with stage.database(kind), Shop(scale) as shop:
        store = connect(shop)
        harness.forget_peak()
        began = time.perf_counter()
        ours(store)
        seconds = time.perf_counter() - began
        told = {"orders": shop.orders, "peak": harness.peak_rss_kb(), "seconds": seconds, "shop": shop.ask("seconds")}
        print(json.dumps(told), flush=True)
    return 0


def memory(kind: str) -> int:
    """The peaks of both sizes, each in its own process; 1 when the larger takes more than it may."""
    seen = []
    for scale in ("1", "10"):
        asked = [sys.executable, "-m", "bench.backfill", "peak", scale, kind]
        seen.append(json.loads(subprocess.run(asked, check=True, capture_output=True, text=True).stdout))
    ratio = seen[1]["peak"] / seen[0]["peak"]
    told = ", ".join(f"{one['peak'] / 1024:.1f} MB at {one['orders']:,} orders" for one in seen)
    print(f"peak memory of a backfill, {kind}: {told}")
    for one in seen:
        print(
            f"  {one['orders']:,} orders in {one['seconds']:.1f} s, {one['orders'] / one['seconds']:,.0f} orders/s; "
            f"the shop's own work {one['shop']:.1f} s, its pages not yet ready"
        )
    print(f"  ratio {ratio:.3f}x (at most {MEMORY:g}x){' MISSED' if ratio > MEMORY else ' ok'}", flush=True)
    return int(ratio > MEMORY)


def main() -> int:
    kind, *rest = sys.argv[1:]
    if kind == "memory":
        return memory(rest[0])
    if kind == "peak":
        return peak(int(rest[0]), rest[1])
    with stage.database(kind), Shop(int(rest[0])) as shop:
        return harness.show(run(kind, shop=shop))


if __name__ == "__main__":
    sys.exit(main())
