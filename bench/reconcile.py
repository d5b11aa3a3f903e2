"""Holding a whole mirror against its shop, lightly and in full: requests, time and memory.

The floor is a bare loop over the same windows that fetches and throws away. Memory must not grow with the orders: what
the process gained between the first tenth of the walk and its end is told, and is the aim that can be missed.
"""

import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

from bench import stage
from bench.shop import Shop

# About 100,000 orders at 15.
SCALE = int(os.environ.get("BENCH_RECONCILE_SCALE", "15"))
RUNS = [["sqlite"], ["postgresql"]]
# The allocator wavers; a list of all orders in memory would be far more.
MOST_GROWTH = 40.0


def resident() -> float:
    """Memory of this process now, in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def backfilled(shop: Shop) -> Any:
    """A store of ours with the whole history of the shop."""
    from django.utils import timezone

    from stores import jobs
    from stores.models import Store
    from stores.sync import backfill

    store = Store.objects.create(
        slug="bench",
        name="Bench",
        base_url=shop.url,
        consumer_key=shop.key,
        consumer_secret=shop.secret,
        state=Store.State.CONNECTED,
        live_from=timezone.now(),
    )
    job = backfill.start(store)
    while jobs.run_one(job.pk, 60):
        pass
    store.refresh_from_db()
    assert store.backfilled_at, "the history was not read to its end"
    return store


def walk(store: Any, *, deep: bool) -> tuple[Any, float, float]:
    """One comparison: its run, its seconds, and the growth of memory from the first tenth on, in MB."""
    from stores import jobs
    from stores.models import Job, Order, Reconciliation
    from stores.sync import reconcile

    job = reconcile.start(store, deep=deep)
    orders, early = Order.objects.count(), 0.0
    began, highest = time.perf_counter(), 0.0
    while jobs.run_one(job.pk, 1):
        job.refresh_from_db()
        if not early and job.done > orders / 10:
            early = resident()
        highest = max(highest, resident())
    took = time.perf_counter() - began
    job.refresh_from_db()
    assert job.status == Job.Status.DONE, job.error
    return Reconciliation.objects.latest("pk"), took, highest - (early or highest)


def bare(shop: Shop, paths: list[tuple[str, str]]) -> float:
    """Seconds of the same requests, one after the other, with the answers thrown away."""
    import requests

    session = requests.Session()
    session.auth = (shop.key, shop.secret)
    began = time.perf_counter()
    for path, query in paths:
        session.get(f"{shop.url}{path}?{query}", timeout=60).raise_for_status()
    return time.perf_counter() - began


def main() -> int:
    kind = sys.argv[1]
    missed = 0
    with Shop(SCALE) as shop, stage.database(kind):
        store = backfilled(shop)
        stage.tidy()
        for name, deep in (("light", False), ("in full", True)):
            # Once for the shop to have its pages ready; the second is measured.
            walk(store, deep=deep)
            shop.ask("pages")
            run, took, grown = walk(store, deep=deep)
            paths = [(path, query) for path, query in shop.ask("pages") if path.startswith("/wp-json/wc/")]
            floor = bare(shop, paths)
            assert run.causes == {}, run.causes
            print(
                f"reconciliation {name}, {kind}: {shop.orders:,} orders in the shop, {run.compared:,} objects compared\n"
                f"  {run.requests:,} requests   ours {took:.1f} s   bare fetching of the same {floor:.1f} s   "
                f"{took / floor:.2f}x   {run.compared / took:,.0f} objects/s\n"
                f"  memory grew by {grown:.1f} MB (at most {MOST_GROWTH:g}){' MISSED' if grown > MOST_GROWTH else ' ok'}",
                flush=True,
            )
            missed += grown > MOST_GROWTH
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
