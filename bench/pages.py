"""The pages that a merchant looks at most, at 1,000 and at 100,000 orders: as many queries, and how long."""

import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from bench import harness, stage

SIZES = (1_000, 100_000)
RUNS = [["sqlite"], ["postgresql"]]
QUERIES = 20
VIEWS = ("home", "orders", "customers", "retention")
GOODS = 40


def fill(store: Any, orders: int, *, begin: int = 0) -> None:
    """Orders number `begin` + 1 to `orders`, two for each customer on average, over two years, with lines and parcels."""
    from postpurchase import clock
    from stores.models import Customer, Event, Order, OrderLine, Product, Shipment

    now = clock.now()
    days = [stage.defaults(Order, created_gmt=now - timedelta(days=n, hours=2))["created_gmt"] for n in range(730)]
    if not begin:
        product = stage.defaults(Product, store_id=store.pk, name="Mug", price="89.00")
        stage.fill(Product, (product | {"id": n, "woo_id": n} for n in range(1, GOODS + 1)))
    person = stage.defaults(
        Customer,
        store_id=store.pk,
        first_name="Ana",
        country="RO",
        language="ro",
        last_order_at=now,
        first_order_at=now,
    )
    order = stage.defaults(
        Order,
        store_id=store.pk,
        customer_id=0,
        woo_id=0,
        status="completed",
        currency="RON",
        total="108.00",
        shipping="19.00",
        country="RO",
        counted=True,
        historic=True,
        created_gmt=now,
        paid_gmt=now,
    )
    line = stage.defaults(
        OrderLine, order_id=0, woo_id=0, product_id=1, name="Mug", quantity="1", subtotal="89.00", total="89.00"
    )
    event = stage.defaults(
        Event, store_id=store.pk, name="order.placed", at=now, historic=True, order_id=0, customer_id=0
    )
    parcel = stage.defaults(Shipment, store_id=store.pk, order_id=0, state="delivered", source="estimate")
    numbers = range(begin + 1, orders + 1)

    def who(n: int) -> int:
        # Every third order is by somebody who came back.
        return n if n % 3 else max(n - 2, 1)

    def when(n: int) -> Any:
        return days[(n * 7919) % len(days)]

    def people() -> Iterator[dict[str, Any]]:
        for n in numbers:
            if n % 3:
                again = int(n % 3 == 1)
                yield person | {
                    "id": n,
                    "last_name": f"Pop {n}",
                    "email": f"p{n}@example.com",
                    "email_key": f"p{n}@example.com",
                    "orders_count": 1 + again,
                    "spent": str(89 * (1 + again)),
                    "first_order_at": min(when(n), when(n + 2)) if again else when(n),
                    "last_order_at": max(when(n), when(n + 2)) if again else when(n),
                }

    stage.fill(Customer, people())
    stage.fill(
        Order,
        (
            order
            | {
                "id": n,
                "woo_id": n,
                "number": str(n),
                "customer_id": who(n),
                "email": f"p{who(n)}@example.com",
                "created_gmt": when(n),
                "paid_gmt": when(n),
                "status": "processing" if n % 10 == 0 else "completed",
            }
            for n in numbers
        ),
    )
    stage.fill(OrderLine, (line | {"id": n, "order_id": n, "woo_id": n, "product_id": n % GOODS + 1} for n in numbers))
    stage.fill(
        Event,
        (
            event | {"id": n, "order_id": n, "customer_id": who(n), "at": when(n), "key": f"order.placed:{n}"}
            for n in numbers
        ),
    )
    stage.fill(Shipment, (parcel | {"id": n, "order_id": n} for n in numbers if n % 10))
    stage.tidy()


def look(store: Any, browser: Any, rounds: int) -> dict[str, tuple[int, harness.Series]]:
    """Each page's queries, and the seconds of each look."""
    from django.urls import reverse

    found = {}
    for name in VIEWS:
        url = reverse(name, args=[store.slug])
        # The first look reads templates and the session; it is not counted.
        browser.get(url)
        with stage.queries() as asked:
            answer = browser.get(url)
        assert answer.status_code == 200, (name, answer.status_code)
        assert b"Ana Pop" in answer.content or name in {"home", "retention"}, name
        assert asked, name
        series = harness.Series()
        for _ in range(rounds):
            began = time.perf_counter()
            browser.get(url)
            series.seconds.append(time.perf_counter() - began)
        found[name] = len(asked), series
    return found


def run(kind: str, *, sizes: tuple[int, int] = SIZES, rounds: int = harness.ROUNDS) -> list[str]:
    """The report's lines, on the present, empty database; asserts that more orders cost no more queries."""
    from django.test import Client

    from postpurchase import clock
    from stores.models import Membership, Store, User

    store = Store.objects.create(
        slug="bench",
        name="Bench",
        zone="Europe/Bucharest",
        currency="RON",
        state="connected",
        base_url="https://bench.example.com",
        live_from=clock.now(),
        polled_at=clock.now(),
        backfilled_at=clock.now(),
    )
    user = User.objects.create_user("owner@example.com")
    Membership.objects.create(store=store, user=user, role="owner")
    browser = Client()
    browser.force_login(user)
    seen = []
    begin = 0
    for size in sizes:
        fill(store, size, begin=begin)
        seen.append(look(store, browser, rounds))
        begin = size
    lines = []
    for name in VIEWS:
        (few, fast), (many, slow) = (each[name] for each in seen)
        lines.append(f"{name}, {kind}: {few} queries; {sizes[0]:,} orders {fast}; {sizes[1]:,} orders {slow}")
        assert few == many, f"{name}: {few} queries at {sizes[0]} orders, {many} at {sizes[1]}"
        assert many <= QUERIES, f"{name}: {many} queries"
    return lines


def main() -> int:
    kind = sys.argv[1]
    with stage.database(kind):
        print("\n".join(run(kind)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
