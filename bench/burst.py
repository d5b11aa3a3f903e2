"""A burst of deliveries: 1,000 for 100 orders, from several callers at once, and then what the worker asks the shop for.

Every order must have been asked for, and no order twice. The fetches begin when the burst is over: a hint that comes after
its order was fetched is news, and rightly costs another request ten seconds later. The accept times are those of the whole
WSGI application with all callers in one process, as threads of a web server.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench import harness, stage
from bench.accept import Caller
from bench.shop import Shop

DELIVERIES = int(os.environ.get("BENCH_BURST", "1000"))
EACH = 10
CALLERS = 4
RUNS = [["sqlite"], ["postgresql"]]


class Burst(Caller):
    """Sends the deliveries that it is given, one after the other."""

    def deliver(self, bodies: list[bytes]) -> list[float]:
        """The seconds of each; the thread's connection is closed afterwards."""
        from django.db import connection

        took = []
        for body in bodies:
            signature = base64.b64encode(hmac.new(self.secret, body, hashlib.sha256).digest()).decode()
            environ = self._environ(body) | {"HTTP_X_WC_WEBHOOK_SIGNATURE": signature}
            status: list[str] = []
            began = time.perf_counter()
            answer = self.application(environ, lambda told, headers, seen=status: seen.append(told))
            for _part in answer:
                pass
            answer.close()
            took.append(time.perf_counter() - began)
            assert status == ["200 OK"], status
        connection.close()
        return took


def deliveries(store: Any, count: int) -> list[bytes]:
    """`EACH` deliveries for each of so many orders of the shop, mixed, each with a body of its own."""
    from stores.woo.client import client_for

    orders = client_for(store).page("orders", per_page=max(count // EACH, 1)).rows
    assert len(orders) == max(count // EACH, 1), "the shop has too few orders"
    return [json.dumps(order | {"customer_note": f"change {n}"}).encode() for n in range(EACH) for order in orders]


def main() -> int:
    kind = sys.argv[1]
    with Shop(1) as shop, stage.database(kind):
        from stores import inbox
        from stores.models import Delivery, Order, Store, WebhookEndpoint
        from stores.sync import tasks

        store = Store.objects.create(
            slug="bench",
            name="Bench",
            base_url=shop.url,
            consumer_key=shop.key,
            consumer_secret=shop.secret,
            state=Store.State.CONNECTED,
        )
        endpoint = WebhookEndpoint.objects.create(store=store, topic="order.updated", secret="s3cret " * 4)
        bodies = deliveries(store, DELIVERIES)
        callers = [Burst(f"/hooks/woo/{endpoint.token}/", endpoint.secret, 0) for _ in range(CALLERS)]
        shop.ask("pages")
        began = time.perf_counter()
        with ThreadPoolExecutor(CALLERS) as pool:
            parts = [bodies[n::CALLERS] for n in range(CALLERS)]
            took = [one for part in pool.map(Burst.deliver, callers, parts) for one in part]
        accepted = time.perf_counter() - began
        assert Delivery.objects.count() == len(bodies), Delivery.objects.count()
        began = time.perf_counter()
        while inbox.run_due():
            pass
        read = time.perf_counter() - began
        tasks.run_due(600)
        fetched = time.perf_counter() - began - read
        asked = [path for path, _query in shop.ask("pages") if re.search(r"/orders/\d+$", path)]
        orders = len(bodies) // EACH
        assert len(set(asked)) == Order.objects.count() == orders, (len(set(asked)), Order.objects.count())
        missed = len(asked) > orders
        print(
            f"burst of {len(bodies):,} deliveries for {orders} orders, {kind}\n"
            f"  {len(asked)} fetches (aim at most {orders}){' MISSED' if missed else ' ok'}\n"
            f"  accepted by {CALLERS} callers at once in {accepted:.2f} s: p50 {harness.percentile(took, 0.5) * 1000:.1f} ms, "
            f"p99 {harness.percentile(took, 0.99) * 1000:.1f} ms\n"
            f"  read in {read:.2f} s, fetched in {fetched:.2f} s",
            flush=True,
        )
        return int(missed)


if __name__ == "__main__":
    sys.exit(main())
