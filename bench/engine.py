"""People through a flow of five steps with the clock moved, against raw SQL that writes the same rows in the same batches.

Everybody enters at once: a wait to a branch, a mail, the next wait and a last mail. The clock is moved twice, to the end of
each wait, so that everybody is moved three times and takes five steps. The floor is told what to write; it reads, decides and
builds nothing. What it writes is kept per person and stage, with equal values shared.
"""

import sys
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from bench import harness, stage
from bench.workers import Workers

PEOPLE = 100_000
STEPS = 5
RUNS = [["sqlite", "1"], ["sqlite", "2"], ["postgresql", "1"], ["postgresql", "2"]]
AIMS = {"sqlite": 8.0, "postgresql": 3.0}
QUERIES_A_STEP = 0.3
# A worker may grow by so much from its tenth batch to its last.
GROWTH_KB = 20 * 1024
WARM = 10
COPY = "bench_enrolment"
ENTERED = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
# When everybody is due again: at the beginning and at the end of each wait.
STAGES = (timedelta(), timedelta(days=13, hours=1), timedelta(days=20, hours=2))

_GONE = {"field": "order.status", "op": "in", "value": ["cancelled", "refunded", "failed", "trash", "deleted"]}
AFTER = {
    "format": 1,
    "reentry": "once_per_order",
    "exit_when": [_GONE],
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


def enrol(store: Any, count: int) -> None:
    """Everybody stands at the first step of the flow, which is due."""
    from campaigns import flows
    from campaigns.models import Enrolment

    flow = flows.publish(store, AFTER, actor="bench", state="on")
    blank = stage.defaults(
        Enrolment,
        store_id=store.pk,
        flow_id=flow.pk,
        version_id=flow.live_id,
        customer_id=0,
        order_id=0,
        step="first",
        priority=30,
        due_at=ENTERED,
        entered_at=ENTERED,
        context={
            "event": "order.delivered",
            "event_key": "order.delivered:1",
            "at": ENTERED.isoformat(),
            "payload": {"name": "order.delivered", "estimated": False},
        },
    )
    stage.fill(
        Enrolment,
        (blank | {"id": n, "customer_id": n, "order_id": n, "key": f"{flow.pk}:order:{n}"} for n in _upto(count)),
    )
    stage.raw().execute(f"CREATE TABLE {COPY} AS SELECT * FROM {Enrolment._meta.db_table}")


def back() -> None:
    """Everybody is at the beginning again, and nothing has been written yet."""
    from campaigns.models import Enrolment, Message, StepRun

    names = ", ".join(f'"{name}"' for name in stage.columns(Enrolment))
    stage.clear(*(model._meta.db_table for model in (StepRun, Message, Enrolment)))
    stage.raw().execute(f"INSERT INTO {Enrolment._meta.db_table} ({names}) SELECT {names} FROM {COPY}")
    stage.tidy()
    stage.settle()


def ours(number: int) -> int:
    """The engine until nothing is due at this stage; how many people were moved."""
    from campaigns import engine
    from postpurchase import clock

    with clock.frozen(ENTERED + STAGES[number]):
        return engine.run_due(3600)


def counted(number: int) -> tuple[int, int]:
    """The same; how many queries it took, and by how many KB the process grew after its first batches."""
    from campaigns import engine
    from postpurchase import clock

    whole, seen = engine._run, [0]

    def noted(rows: Any) -> None:
        whole(rows)
        seen[0] += 1
        if seen[0] == WARM:
            harness.forget_peak()
            seen.append(harness.peak_rss_kb())

    engine._run = noted
    try:
        # Counted, not kept: the texts of all queries would be the growth that is looked for.
        queries = _Count()
        with queries, clock.frozen(ENTERED + STAGES[number]):
            engine.run_due(3600)
    finally:
        engine._run = whole
    return queries.sent, harness.peak_rss_kb() - seen[1] if len(seen) > 1 else 0


class _Count:
    """How many statements Django sends in the block."""

    sent = 0

    def __enter__(self) -> None:
        from django.db import connection

        self._wrapped = connection.execute_wrapper(self._note)
        self._wrapped.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._wrapped.__exit__(*error)

    def _note(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self.sent += 1
        return execute(sql, params, many, context)


class Floor:
    """What the engine wrote at each stage, kept by person, to be written again by raw SQL."""

    def __init__(self) -> None:
        from campaigns import engine
        from campaigns.models import Enrolment, Message, StepRun

        self.batch = engine.BATCH
        self.written = [name for name in engine._WRITTEN if name not in {"lease_until", "lease_token"}]
        self.table = Enrolment._meta.db_table
        self.progress: list[dict[int, tuple[Any, ...]]] = []
        self.inserts: list[list[tuple[str, dict[int, list[tuple[Any, ...]]]]]] = []
        self._models = (StepRun, Message)
        self._last = [0] * len(self._models)
        self._same: dict[Any, Any] = {}

    def learn(self) -> None:
        """The engine has just done one stage: keep what it wrote."""
        names = [*self.written, "id"]
        self.progress.append({row[-1]: self._shared(row[:-1]) for row in stage.dump(self.table, names)})
        found = []
        for place, model in enumerate(self._models):
            names = ["id", *(name for name in stage.columns(model) if name != "id")]
            rows: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
            who = names.index("enrolment_id")
            for row in stage.dump(model._meta.db_table, names, where=f"id > {self._last[place]}"):
                rows[row[who]].append(self._shared(row[1:]))
                self._last[place] = max(self._last[place], row[0])
            found.append((stage.insert_sql(model._meta.db_table, names[1:]), rows))
        self.inserts.append(found)

    def _shared(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(self._same.setdefault((type(value), value), value) for value in row)

    def run(self, number: int) -> int:
        """Claim, write, commit, batch by batch; how many people were moved."""
        from django.db import connection

        mark = stage.place()
        sqlite = connection.vendor == "sqlite"
        at = ENTERED + STAGES[number]
        until = at + timedelta(seconds=120)
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
        cursor, moved, progress = stage.raw(), 0, self.progress[number]
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
            for sql, rows in self.inserts[number]:
                if found := [row for pk in ids for row in rows.get(pk, ())]:
                    cursor.executemany(sql, found)
            cursor.executemany(move, [(*progress[pk], pk, token) for pk in ids])
            cursor.execute("COMMIT")
            moved += len(ids)


def run(kind: str, workers: int, *, count: int = PEOPLE, rounds: int = harness.ROUNDS) -> harness.Comparison:
    """Measure on the present, empty database; asserts that both sides write all rows, the queries, and flat memory."""
    from campaigns.models import Enrolment, Message, StepRun

    store = people(count)
    enrol(store, count)
    back()
    steps = count * STEPS

    def check() -> None:
        runs, messages = StepRun.objects.count(), Message.objects.count()
        left = Enrolment.objects.exclude(status="finished").count()
        assert (runs, messages, left) == (steps, 2 * count, 0), (runs, messages, left)

    floor, queries, growth = Floor(), 0, 0
    stages = range(len(STAGES))
    with Workers(workers, {f"counted {n}": lambda n=n: counted(n) for n in stages}) as counting:
        for number in stages:
            found = counting.run(f"counted {number}")
            queries += sum(sent for sent, _grew in found)
            growth = max(growth, *(grew for _sent, grew in found))
            floor.learn()
    check()
    assert queries <= steps * QUERIES_A_STEP, f"{queries} queries for {steps} steps"
    assert growth <= GROWTH_KB, f"a worker grew by {growth:,} KB"

    def side(job: str) -> None:
        for number in stages:
            moved = sum(pool.run(f"{job} {number}"))
            assert moved == count, moved

    jobs = {f"ours {n}": lambda n=n: ours(n) for n in stages} | {f"floor {n}": lambda n=n: floor.run(n) for n in stages}
    with Workers(workers, jobs) as pool:
        told = harness.compare(
            f"{count:,} people through five steps, {kind}, {workers} worker{'s' if workers > 1 else ''}",
            aim=AIMS[kind],
            units=steps,
            unit="steps",
            floor=lambda: side("floor"),
            ours=lambda: side("ours"),
            before=back,
            after=check,
            rounds=rounds,
        )
    told.notes.append(f"{queries / steps:.3f} queries a step (at most {QUERIES_A_STEP})")
    told.notes.append(f"a worker grew by at most {growth / 1024:.1f} MB after its first {WARM} batches of a stage")
    return told


def main() -> int:
    kind, workers = sys.argv[1], int(sys.argv[2])
    with stage.database(kind):
        return harness.show(run(kind, workers))


if __name__ == "__main__":
    sys.exit(main())
