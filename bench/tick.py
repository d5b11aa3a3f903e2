"""What the minute costs when nothing is due: a table of 1,000,000 people who wait, against an empty one."""

import sys
from datetime import timedelta
from typing import Any

from bench import engine, harness, stage

WAITING = 1_000_000
CALLS = 200
RUNS = [["sqlite"], ["postgresql"]]
AIM = 2.0
INDEX = "enrolment_due"


def fill(rows: int) -> None:
    """One person in one flow, this many times, all waiting for days to come."""
    from django.db import connection

    from campaigns import flows
    from campaigns.models import Enrolment
    from postpurchase import clock

    store = engine.people(1)
    flow = flows.publish(store, engine.AFTER, actor="bench", state="on")
    row = stage.defaults(
        Enrolment,
        store_id=store.pk,
        flow_id=flow.pk,
        version_id=flow.live_id,
        customer_id=1,
        order_id=1,
        step="second",
        waiting=True,
        priority=30,
        context={"event": "order.delivered"},
    )
    names = [name for name in row if name not in {"key", "due_at"}]
    mark, days = stage.place(), 90
    begin = stage.defaults(Enrolment, due_at=clock.now() + timedelta(days=1))["due_at"]
    if connection.vendor == "sqlite":
        source = f"WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {rows})"
        key, spread = "'k:' || n", f"strftime('%Y-%m-%d %H:%M:%S', {mark}, '+' || (n % {days * 1440}) || ' minutes')"
    else:
        source = f"WITH s AS (SELECT generate_series(1, {rows}) AS n)"
        key, spread = "'k:' || n", f"{mark}::timestamptz + (n %% {days * 1440}) * interval '1 minute'"
    listed = ", ".join(f'"{name}"' for name in [*names, "key", "due_at"])
    values = ", ".join([mark] * len(names))
    cursor = stage.raw()
    typed = ", ".join(f"CAST({mark} AS {_type(Enrolment, name)})" for name in names) if mark == "%s" else values
    cursor.execute(
        f"INSERT INTO {Enrolment._meta.db_table} ({listed}) {source} SELECT {typed}, {key}, {spread} FROM s",
        [*(row[name] for name in names), begin],
    )
    stage.tidy()


def _type(model: Any, column: str) -> str:
    from django.db import connection

    field = next(each for each in model._meta.concrete_fields if each.column == column)
    return str(field.rel_db_type(connection) if field.is_relation else field.db_type(connection))


def claim(calls: int = CALLS) -> None:
    """What each worker asks when the bell rings."""
    from campaigns.models import Enrolment
    from postpurchase import due

    for _ in range(calls):
        assert due.claim(Enrolment, limit=200, lease=timedelta(seconds=120)) == []


def whole() -> None:
    """The whole minute of the flows: the tick with its sweep of every table, then the engine."""
    from campaigns import engine as flows
    from postpurchase import queue

    for _ in range(CALLS // 10):
        queue.tick()
        assert flows.run_due() == 0


def plans() -> list[str]:
    """How the database answers the queries of a claim, a line for each that asks for what is due."""
    from django.db import connection

    asked: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        claim(1)
    explain = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
    found = []
    for sql, params in (each for each in asked if each[0].startswith("SELECT")):
        with connection.cursor() as cursor:
            cursor.execute(explain + sql, params)
            found.append("; ".join(str(row[-1]).strip() for row in cursor.fetchall()))
    return found


def run(kind: str, *, rows: int = WAITING, rounds: int = harness.ROUNDS) -> list[harness.Comparison]:
    """Measure on the present, empty database and on a copy with `rows` waiting people; asserts the index."""
    from django.db import connection

    empty = connection.settings_dict["NAME"]
    with stage.second() as full:
        stage.use(full)
        fill(rows)
        seen = plans()
        assert seen, "a claim asks nothing"
        for plan in seen:
            assert INDEX in plan, plan
        found = []
        for name, job, calls in (("claim", claim, CALLS), ("tick", whole, CALLS // 10)):

            def empty_side(job: Any = job) -> None:
                stage.use(empty)
                job()

            def full_side(job: Any = job) -> None:
                stage.use(full)
                job()

            found.append(
                harness.compare(
                    f"{name} with nothing due, {kind}: {rows:,} waiting against none",
                    aim=AIM,
                    units=calls,
                    unit="calls",
                    floor=empty_side,
                    ours=full_side,
                    rounds=rounds,
                )
            )
        found[0].notes.append(f"plan: {seen[0][:160]}")
        stage.use(empty)
    return found


def main() -> int:
    kind = sys.argv[1]
    with stage.database(kind):
        return harness.show(*run(kind))


if __name__ == "__main__":
    sys.exit(main())
