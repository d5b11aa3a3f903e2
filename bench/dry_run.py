"""A dry run of 90 days over 100,000 orders, against one pass over the same rows in SQL.

The flow lets in first orders of some value, waits, checks and writes twice. The floor reads each row that the dry run
reads, once, in the order of the people, through the driver and nothing else; it decides and builds nothing.
"""

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from bench import harness, stage

ORDERS = 100_000
RUNS = [["sqlite"], ["postgresql"]]
AIM = 6.0
# More than this beside the same run over a tenth of the orders is not flat.
FLAT_KB = 40_000
QUERIES_A_BATCH = 16

_GONE = {"field": "order.status", "op": "in", "value": ["cancelled", "refunded", "failed", "trash", "deleted"]}
FLOW = {
    "format": 1,
    "name": "Come back",
    "class": "M",
    "trigger": {
        "event": "order.paid",
        "where": {
            "all": [
                {"field": "customer.orders_count", "op": "lte", "value": 1},
                {"field": "order.total", "op": "gte", "value": 80},
            ]
        },
    },
    "exit_when": [_GONE],
    "steps": [
        {"uid": "wait", "kind": "wait", "days": 10, "since": "event", "between": ["10:00", "18:00"]},
        {"uid": "mail", "kind": "send_email", "template": "R01.thank_you", "title": "Come back"},
        {"uid": "later", "kind": "wait", "days": 7},
        {
            "uid": "large",
            "kind": "branch",
            "condition": {"field": "order.total", "op": "gte", "value": 120},
            "then": [{"uid": "last", "kind": "send_email", "template": "R01.thank_you", "title": "A last word"}],
        },
    ],
}


def fill(orders: int) -> Any:
    """A store with this many orders in 90 days of half as many people, each paid and most with a word on consent."""
    from campaigns.models import ConsentEvent
    from postpurchase import clock
    from stores.models import Customer, Event, Order, Store

    now = clock.now()
    begin = now - timedelta(days=90)
    store = Store.objects.create(
        slug="bench",
        name="Bench",
        zone="Europe/Bucharest",
        currency="RON",
        live_from=now - timedelta(days=365),
        soft_opt_in_countries=["RO"],
    )
    people = max(orders // 2, 1)
    person = stage.defaults(Customer, store_id=store.pk, first_name="Ana", last_name="Pop", country="RO", language="ro")
    stage.fill(
        Customer,
        (person | {"id": n, "email": f"p{n}@example.com", "email_key": f"p{n}@example.com"} for n in _upto(people)),
    )
    order = stage.defaults(
        Order, store_id=store.pk, status="completed", currency="RON", customer_id=0, woo_id=0, created_gmt=now,
        paid_gmt=now, total=0, counted=True, payment_method="card", country="RO",
    )  # fmt: skip
    event = stage.defaults(
        Event, store_id=store.pk, name="order.paid", key="", at=now, historic=True, order_id=0, customer_id=0
    )

    def moment(n: int) -> Any:
        return _told(begin + timedelta(seconds=90 * 86400 * n / (orders + 1)))

    stage.fill(
        Order,
        (
            order
            | {
                "id": n,
                "customer_id": 1 + n % people,
                "woo_id": n,
                "number": str(n),
                "total": str(50 + n % 100),
                "created_gmt": (at := moment(n)),
                "paid_gmt": at,
            }
            for n in _upto(orders)
        ),
    )
    stage.fill(
        Event,
        (
            event | {"id": n, "key": f"order.paid:{n}", "order_id": n, "customer_id": 1 + n % people, "at": moment(n)}
            for n in _upto(orders)
        ),
    )
    word = stage.defaults(
        ConsentEvent, store_id=store.pk, customer_id=0, channel="email", purpose="marketing", state="granted",
        source="checkout", at=begin - timedelta(days=1),
    )  # fmt: skip
    stage.fill(
        ConsentEvent,
        (
            word | {"id": n, "customer_id": n, "state": "denied" if n % 10 == 0 else "granted"}
            for n in _upto(people)
            if n % 3
        ),
    )
    stage.tidy()
    stage.settle()
    return store


def _upto(count: int) -> range:
    return range(1, count + 1)


def _told(at: datetime) -> Any:
    from django.db import connection

    return connection.ops.adapt_datetimefield_value(at) if connection.vendor == "sqlite" else at


def asked(store: Any) -> Any:
    """The dry run of the flow over the store's last 90 days."""
    from campaigns import definitions, flows
    from campaigns.simulation.running import Asked

    flow = flows.publish(store, FLOW, actor="bench", state="off")
    return Asked.last(store, flow, definitions.parse(FLOW), version=flow.live)


# What the dry run reads: the table, its columns that are not read, and how a row leads to the person.
_TABLES = (
    ("stores_event", (), "customer_id", "name = 'order.paid'"),
    ("stores_order", ("raw",), "customer_id", ""),
    ("stores_customer", ("raw",), "id", ""),
    ("campaigns_consentevent", ("proof",), "customer_id", ""),
)


class Floor:
    """One pass over the same rows, by person and in their order, a thousand at a time."""

    def __init__(self) -> None:
        from django.apps import apps

        by_table = {model._meta.db_table: model for model in apps.get_models()}
        self.queries = []
        for table, without, person, only in _TABLES:
            names = [name for name in stage.columns(by_table[table]) if name not in without]
            shown = ", ".join(f'"{name}"' for name in names)
            where = f"WHERE {only} " if only else ""
            self.queries.append(f"SELECT {shown} FROM {table} {where}ORDER BY {person}, id")

    def run(self) -> int:
        """How many rows there were."""
        rows = 0
        for query in self.queries:
            rows += sum(len(page) for page in _pages(query))
        return rows


def _pages(query: str) -> Iterator[list[Any]]:
    from django.db import connection

    if connection.vendor == "sqlite":
        cursor = stage.raw()
        cursor.execute(query)
        while page := cursor.fetchmany(1000):
            yield page
        return
    # A cursor of the server, so that the client holds a page and not the table.
    with connection.connection.transaction(), connection.connection.cursor(name="floor") as cursor:
        cursor.itersize = 1000
        cursor.execute(query)
        while page := cursor.fetchmany(1000):
            yield page


def run(kind: str, *, orders: int = ORDERS, rounds: int = harness.ROUNDS) -> harness.Comparison:
    """Measure on the present, empty database; asserts the result, the number of queries and that memory is flat."""
    from campaigns.simulation import running

    store = fill(orders)
    wanted = asked(store)
    floor = Floor()
    with stage.queries() as seen:
        report = running.dry_run(wanted)
    assert report.found == orders, report.found
    assert 0 < report.entered < orders, report.entered
    assert report.sent > 0
    batches = -(-report.found_people // running.BATCH)
    assert len(seen) <= QUERIES_A_BATCH * batches + orders / 1000 + 20, len(seen)
    writes = [sql for sql in seen if sql.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE"))]
    assert not writes, writes[:3]
    harness.forget_peak()
    base = harness.peak_rss_kb()
    running.dry_run(wanted)
    grew = harness.peak_rss_kb() - base
    assert grew < FLAT_KB, f"{grew:,} KB more while it ran"
    found = harness.compare(
        f"dry run of 90 days, {orders:,} orders, {kind}",
        aim=AIM,
        units=orders,
        unit="orders",
        floor=floor.run,
        ours=lambda: _again(wanted, report),
        rounds=rounds,
    )
    found.notes.append(
        f"{report.entered:,} entered, {report.sent:,} messages; {len(seen):,} queries; at most {grew / 1024:.0f} MB more "
        f"memory while it ran (limit {FLAT_KB / 1024:.0f} MB); nothing written"
    )
    return found


def _again(wanted: Any, report: Any) -> None:
    from campaigns.simulation import running

    assert running.dry_run(wanted).as_json() == report.as_json()


def main() -> int:
    kind = sys.argv[1]
    with stage.database(kind):
        return harness.show(run(kind))


if __name__ == "__main__":
    sys.exit(main())
