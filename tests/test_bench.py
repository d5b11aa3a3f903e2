"""The benchmarks run, and what they assert holds, at small sizes. Times are not looked at."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Each in a process of its own, because a benchmark sets up its own database.
SMALL = {
    "engine": "with stage.database('sqlite'): found = [engine.run('sqlite', 1, count=100, rounds=1)]",
    "hand_over": "with stage.database('sqlite'): found = [hand_over.run('sqlite', messages=5, rounds=1)]",
    "tick": "with stage.database('sqlite'): found = tick.run('sqlite', rows=500, rounds=1)",
    "dry_run": "with stage.database('sqlite'): found = [dry_run.run('sqlite', orders=400, rounds=1)]",
    "accept": "with stage.database('sqlite'): found = [accept.run('sqlite', requests=5, rounds=1)]",
    "rendering": "with stage.database('sqlite'): found = rendering.run(mails=3, rounds=1)",
    "pages": "with stage.database('sqlite'): found = pages.run('sqlite', sizes=(60, 240), rounds=1)",
}
TOLD = {
    "engine": ["100 people through five steps, sqlite, 1 worker"],
    "hand_over": ["5 messages handed over by SMTP, sqlite"],
    "tick": [
        "claim with nothing due, sqlite: 500 waiting against none",
        "tick with nothing due, sqlite: 500 waiting against none",
    ],
    "dry_run": ["dry run of 90 days, 400 orders, sqlite"],
    "accept": ["webhook accepted, sqlite, p50"],
    "rendering": ["3 mails of 30 KB written"],
    "pages": ["home, sqlite", "orders, sqlite", "customers, sqlite", "retention, sqlite"],
}

BACKFILL = """
import json
from bench import backfill, stage

with stage.database("sqlite"):
    from tests.stores.shop import running

    with running(orders=50) as sandbox:
        class Shop:
            url, key, secret, orders = sandbox.url, sandbox.key, sandbox.secret, 50

            def ask(self, command):
                asked = [(one["path"], one["query"]) for one in sandbox.requests]
                sandbox.app.log.clear()
                return asked if command == "pages" else 1.0

        found = backfill.run("sqlite", rounds=1, shop=Shop())
        written = backfill.counts()
print(json.dumps([found.name, written["stores_order"], written["stores_customer"]]))
"""


SLOW_SHOP = """
import json
from bench import slow_shop, stage

with stage.database("sqlite"):
    from tests.stores.shop import running

    with running(orders=50) as sandbox:
        class Shop:
            url, key, secret, orders = sandbox.url, sandbox.key, sandbox.secret, 50

            def ask(self, command):
                asked = [(one["path"], one["query"]) for one in sandbox.requests]
                sandbox.app.log.clear()
                return asked

        found = slow_shop.run("sqlite", rounds=1, shop=Shop())
print(json.dumps(found.name))
"""


def test_a_bare_loop_fetches_as_many_orders_as_a_backfill_of_a_slow_shop() -> None:
    done = subprocess.run([sys.executable, "-c", SLOW_SHOP], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == "backfill of 50 orders from a slow shop, sqlite"


def test_the_rate_of_a_long_run_is_that_of_its_part() -> None:
    from bench.long import rate

    points = [(n * 10, float(n if n < 90 else 90 + (n - 90) * 2)) for n in range(101)]
    assert rate(points, 0.0, 0.1) == 10
    assert rate(points, 0.9, 1.0) == 5


def test_a_backfill_and_its_floor_write_the_same_rows() -> None:
    done = subprocess.run([sys.executable, "-c", BACKFILL], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == ["backfill of 50 orders, sqlite", 50, 7]


@pytest.mark.parametrize("name", sorted(SMALL))
def test_a_benchmark_holds_at_a_small_size(name: str) -> None:
    code = (
        f"import json; from bench import stage, {name}\n{SMALL[name]}\n"
        "print(json.dumps([getattr(one, 'name', None) or one.partition(':')[0] for one in found]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == TOLD[name]


def test_a_shaky_floor_or_few_rounds_give_no_ratio() -> None:
    from bench.harness import Comparison, Series

    def compared(*floor: float) -> float | None:
        return Comparison("x", 2.0, Series(list(floor)), Series([3.0] * len(floor)), 1, "rows", 2.0).ratio

    assert compared(1.0, 1.0, 1.0, 1.0, 1.0) == 3.0
    assert compared(1.0, 1.0) is None
    assert compared(1.0, 1.0, 1.0, 2.0, 2.0) is None


def test_every_completed_order_becomes_one_mail_whatever_the_number_of_workers() -> None:
    code = "from bench import hand_over, stage\nwith stage.database('sqlite'): print(hand_over.yardstick('sqlite', 2, orders=12))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("12 orders completed, sqlite, 2 workers: ")


def test_a_burst_is_one_fetch_for_each_object() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.burst", "sqlite"],
        cwd=ROOT,
        env=os.environ | {"BENCH_BURST": "40"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "  4 fetches (aim at most 4) ok" in done.stdout
