"""Due steps through the flow engine, against raw SQL that writes the same rows in the same batches and commits.

Half of the people are in a flow of one mail, half come from a wait to a branch, a mail and the next wait: one step for
the first, three for the second. The floor is told what to write; it reads, decides and builds nothing.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

from bench import harness, stage
from bench.workers import Workers

STEPS = 50_000
RUNS = [["sqlite", "1"], ["sqlite", "2"], ["postgresql", "1"], ["postgresql", "2"]]
AIMS = {"sqlite": 10.0, "postgresql": 4.0}
QUERIES_A_STEP = 0.5
COPY = "bench_enrolment"

_GONE = {"field": "order.status", "op": "in", "value": ["cancelled", "refunded", "failed", "trash", "deleted"]}
_BASE = {"format": 1, "reentry": "once_per_order", "exit_when": [_GONE]}
THANKS = {
    **_BASE,
    "name": "Thank you",
    "class": "T",
    "trigger": {"event": "order.paid"},
    "steps": [{"uid": "mail", "kind": "send_email", "template": "R01.thank_you", "title": "Thank you"}],
}
AFTER = {
    **_BASE,
    "name": "After a while",
    "class": "S",
    "trigger": {"event": "order.delivered"},
    "steps": [
        {"uid": "first", "kind": "wait", "days": 13, "since": "event"},
        {
            "uid": "large",
            "kind": "branch",
            "condition": {"field": "order.total", "op": "gte", "value": "100"},
            "then": [{"uid": "much", "kind": "send_email", "template": "R06.review_request", "title": "How was it?"}],
            "else": [{"uid": "some", "kind": "send_email", "template": "R06.reminder", "title": "How was it?"}],
        },
        {"uid": "second", "kind": "wait", "days": 7},
        {"uid": "last", "kind": "send_email", "template": "R06.reminder", "title": "A reminder"},
    ],
}


def people(count: int) -> Any:
    """A store with this many customers, each with a paid order, and no flows; written fast."""
    from postpurchase import clock
    from stores.models import Customer, Order, Store

    now = clock.now()
    store = Store.objects.create(
        slug="bench", name="Bench", zone="Europe/Bucharest", currency="RON", live_from=now - timedelta(days=365)
    )
    person = stage.defaults(Customer, store_id=store.pk, first_name="Ana", last_name="Pop", country="RO", language="ro")
    order = stage.defaults(
        Order,
        store_id=store.pk,
        status="completed",
        currency="RON",
        customer_id=0,
        created_gmt=now - timedelta(days=20),
        paid_gmt=now - timedelta(days=20),
        total=0,
        counted=True,
        woo_id=0,
    )
    stage.fill(
        Customer,
        (person | {"id": n, "email": f"p{n}@example.com", "email_key": f"p{n}@example.com"} for n in _upto(count)),
    )
    stage.fill(
        Order,
        (
            order | {"id": n, "customer_id": n, "woo_id": n, "number": str(n), "total": str(50 + n % 100)}
            for n in _upto(count)
        ),
    )
    return store


def _upto(count: int) -> range:
    return range(1, count + 1)


def enrol(store: Any, steps: int) -> int:
    """Everybody is due, half at the mail and half at the end of a wait; how many steps are due in all."""
    from campaigns import flows
    from campaigns.models import Enrolment
    from postpurchase import clock

    thanks = flows.publish(store, THANKS, actor="bench", state="on")
    after = flows.publish(store, AFTER, actor="bench", state="on")
    now = clock.now()
    since = (now - timedelta(days=13, hours=1)).isoformat()
    blank = {
        flow.pk: stage.defaults(
            Enrolment,
            store_id=store.pk,
            flow_id=flow.pk,
            version_id=flow.live_id,
            customer_id=0,
            order_id=0,
            step=step,
            waiting=waiting,
            priority=priority,
            due_at=now - timedelta(hours=1),
            context={
                "event": event,
                "event_key": f"{event}:1",
                "at": since,
                "payload": {"name": event, "estimated": False},
            },
        )
        for flow, step, waiting, priority, event in (
            (thanks, "mail", False, 10, "order.paid"),
            (after, "first", True, 30, "order.delivered"),
        )
    }

    def rows() -> Iterator[dict[str, Any]]:
        for n in _upto(steps // 2):
            flow = (thanks if n % 2 else after).pk
            yield blank[flow] | {"id": n, "customer_id": n, "order_id": n, "key": f"{flow}:order:{n}"}

    count = stage.fill(Enrolment, rows())
    table = Enrolment._meta.db_table
    stage.raw().execute(f"CREATE TABLE {COPY} AS SELECT * FROM {table}")
    return count // 2 * 4


def back() -> None:
    """Everybody is due again, and nothing has been written yet."""
    from campaigns.models import Enrolment, Message, StepRun

    names = ", ".join(f'"{name}"' for name in stage.columns(Enrolment))
    stage.clear(*(model._meta.db_table for model in (StepRun, Message, Enrolment)))
    stage.raw().execute(f"INSERT INTO {Enrolment._meta.db_table} ({names}) SELECT {names} FROM {COPY}")
    stage.tidy()
    stage.settle()


def ours() -> int:
    """The engine until nothing is due; how many people were moved."""
    from campaigns import engine

    return engine.run_due(3600)


def counted() -> int:
    """The same; how many queries it took."""
    with stage.queries() as seen:
        ours()
    return len(seen)


class Floor:
    """What the engine wrote, kept by person, to be written again by raw SQL."""

    def __init__(self) -> None:
        from campaigns import engine
        from campaigns.models import Enrolment, Message, StepRun

        self.batch = engine.BATCH
        self.written = [name for name in engine._WRITTEN if name not in {"lease_until", "lease_token"}]
        self.table = Enrolment._meta.db_table
        self.progress = {row[-1]: row[:-1] for row in stage.dump(self.table, [*self.written, "id"])}
        self.inserts = []
        for model in (StepRun, Message):
            names = [name for name in stage.columns(model) if name != "id"]
            rows: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
            for row in stage.dump(model._meta.db_table, names):
                rows[row[names.index("enrolment_id")]].append(row)
            self.inserts.append((stage.insert_sql(model._meta.db_table, names), rows))

    def run(self) -> int:
        """Claim, write, commit, batch by batch; how many people were moved."""
        from django.db import connection

        from postpurchase import clock

        mark = stage.place()
        sqlite = connection.vendor == "sqlite"
        now = clock.now()
        at, until = now, now + timedelta(seconds=120)
        if sqlite:
            at, until = (connection.ops.adapt_datetimefield_value(each) for each in (at, until))
        lock = "" if sqlite else " FOR UPDATE SKIP LOCKED"
        pick = (
            f"SELECT id FROM {self.table} WHERE state = 'due' AND due_at <= {mark} "
            f"ORDER BY priority, due_at LIMIT {self.batch}{lock}"
        )
        claim = (
            f"UPDATE {self.table} SET state = 'running', lease_token = {mark}, lease_until = {mark}, "
            f"attempts = attempts + 1 WHERE id = {mark}"
        )
        sets = ", ".join(f'"{name}" = {mark}' for name in self.written)
        move = (
            f"UPDATE {self.table} SET {sets}, lease_token = NULL, lease_until = NULL "
            f"WHERE id = {mark} AND lease_token = {mark}"
        )
        cursor, moved = stage.raw(), 0
        while True:
            token = uuid4().hex if sqlite else uuid4()
            stage.begin(cursor)
            cursor.execute(pick, [at])
            ids = [row[0] for row in cursor.fetchall()]
            if ids:
                cursor.executemany(claim, [(token, until, pk) for pk in ids])
            cursor.execute("COMMIT")
            if not ids:
                return moved
            stage.begin(cursor)
            for sql, rows in self.inserts:
                if found := [row for pk in ids for row in rows[pk]]:
                    cursor.executemany(sql, found)
            cursor.executemany(move, [(*self.progress[pk], pk, token) for pk in ids])
            cursor.execute("COMMIT")
            moved += len(ids)


def run(kind: str, workers: int, *, steps: int = STEPS, rounds: int = harness.ROUNDS) -> harness.Comparison:
    """Measure on the present, empty database; asserts that both sides write all rows and counts the queries."""
    from campaigns.models import Enrolment, Message, StepRun

    store = people(steps // 2)
    due = enrol(store, steps)
    back()

    def check() -> None:
        runs, messages = StepRun.objects.count(), Message.objects.count()
        left = Enrolment.objects.exclude(status="finished").exclude(step="second", waiting=True).count()
        assert (runs, messages, left) == (due, steps // 2, 0), (runs, messages, left)

    with Workers(workers, {"counted": counted}) as counting:
        queries = sum(counting.run("counted"))
    check()
    assert queries <= due * QUERIES_A_STEP, f"{queries} queries for {due} steps"
    floor = Floor()

    def side(job: str) -> None:
        moved = sum(pool.run(job))
        assert moved == steps // 2, moved

    with Workers(workers, {"ours": ours, "floor": floor.run}) as pool:
        found = harness.compare(
            f"{due:,} due steps, {kind}, {workers} worker{'s' if workers > 1 else ''}",
            aim=AIMS[kind],
            units=due,
            unit="steps",
            floor=lambda: side("floor"),
            ours=lambda: side("ours"),
            before=back,
            after=check,
            rounds=rounds,
        )
    found.notes.append(f"{queries / due:.3f} queries a step (at most {QUERIES_A_STEP})")
    return found


def main() -> int:
    kind, workers = sys.argv[1], int(sys.argv[2])
    with stage.database(kind):
        return harness.show(run(kind, workers))


if __name__ == "__main__":
    sys.exit(main())
