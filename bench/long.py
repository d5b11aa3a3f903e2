"""The first reading of a very large shop, about 700,000 orders, on PostgreSQL: the rate at its end against that at its start.

There is no floor: the run is its own measure. Orders are read newest first, so the last tenth meets full tables and indexes.
Takes half an hour or more; `make bench-long` runs it, `make bench` does not. BENCH_LONG_SCALE makes it shorter.
"""

import os
import sys
import time

from bench import harness, stage
from bench.backfill import connect
from bench.shop import Shop

# 6,919 orders times this.
SCALE = int(os.environ.get("BENCH_LONG_SCALE", "100"))
RUNS: list[list[str]] = []
SLICE = 5.0
SHARE = 0.1
LOSS = 0.15


def rate(points: list[tuple[int, float]], since: float, until: float) -> float:
    """Orders a second between two shares of all orders; `points` are (orders so far, seconds so far)."""
    last = points[-1][0]
    part = [point for point in points if since * last <= point[0] <= until * last]
    (first_count, first_at), (end_count, end_at) = part[0], part[-1]
    return (end_count - first_count) / (end_at - first_at)


def read(shop: Shop) -> list[tuple[int, float]]:
    """The whole backfill in short slices; how many orders had been read after how many seconds."""
    from stores import jobs
    from stores.models import Job, Order
    from stores.sync import backfill

    job = backfill.start(connect(shop))
    points: list[tuple[int, float]] = []
    began, before = time.perf_counter(), -1
    while jobs.run_one(job.pk, SLICE):
        job.refresh_from_db()
        if job.phase == "orders":
            before = job.done if before < 0 else before
            points.append((job.done - before, time.perf_counter() - began))
            if len(points) % 20 == 0:
                print(f"  {points[-1][0]:,} orders in {points[-1][1]:.0f} s", flush=True)
    assert job.status == Job.Status.DONE, job.error
    assert Order.objects.count() == shop.orders, (Order.objects.count(), shop.orders)
    return points


def main() -> int:
    with stage.database("postgresql"), Shop(SCALE, ready=False) as shop:
        harness.forget_peak()
        points = read(shop)
        start, end = rate(points, 0.0, SHARE), rate(points, 1 - SHARE, 1.0)
        missed = end < start * (1 - LOSS)
        print(
            f"backfill of {shop.orders:,} orders, postgresql, {points[-1][1]:,.0f} s for the orders\n"
            f"  first tenth {start:,.0f} orders/s   last tenth {end:,.0f} orders/s   {end / start:.2f} of the start "
            f"(at least {1 - LOSS:g}){' MISSED' if missed else ' ok'}\n"
            f"  peak memory {harness.peak_rss_kb() / 1024:.0f} MB; the shop makes its pages when asked, in a process of its own",
            flush=True,
        )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
