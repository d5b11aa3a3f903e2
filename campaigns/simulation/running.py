"""A dry run over many people: what a flow would have done in the last days, on the store's own history.

Occurrences come by time, people are simulated one by one. Between the two lies a temporary file of the process, sorted
by person, so that memory stays flat; what is added up is small. Nothing is written to the database.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice
from typing import Any

from campaigns.definitions import Definition
from campaigns.models import Flow, FlowVersion, SentLedger
from campaigns.simulation import world as worlds
from campaigns.simulation.course import UNKNOWN, Course, Plan, Runner
from campaigns.simulation.knowing import Knower
from campaigns.simulation.report import AGAIN_WITHIN, Report
from campaigns.triggers import Occurrence
from postpurchase import clock
from stores.conditions import Subject
from stores.models import OrderLine, Store

DAYS = 90
# People simulated together: their rows are loaded with one query for each kind.
BATCH = 250
_CHUNK = 1_000


@dataclass(frozen=True)
class Asked:
    """What is to be run: a flow as a definition, over [since, until). `flow` may be unsaved (a recipe of the library)."""

    store: Store
    flow: Flow
    definition: Definition
    since: datetime
    until: datetime
    version: FlowVersion | None = None

    @classmethod
    def last(
        cls,
        store: Store,
        flow: Flow,
        definition: Definition,
        *,
        days: int = DAYS,
        until: datetime | None = None,
        version: FlowVersion | None = None,
    ) -> "Asked":
        """The last days up to now."""
        end = until or clock.now()
        return cls(store, flow, definition, end - timedelta(days=days), end, version)


def dry_run(asked: Asked) -> Report:
    """The whole run at once."""
    report = begin(asked)
    with spooled(asked) as spool:
        for world, courses in run(asked, spool.people()):
            add(report, asked, world, courses)
    return report


def begin(asked: Asked) -> Report:
    """An empty report, with what one query tells."""
    buyers = asked.store.orders.filter(
        counted=True, created_gmt__gte=asked.since, created_gmt__lt=asked.until, customer__isnull=False
    )
    report = Report(asked.since, asked.until, asked.store.zone)
    report.buyers = buyers.order_by().values("customer").distinct().count()
    report.undated = Knower(Plan.of(asked.flow, asked.definition).asked).undated
    return report


class Spool:
    """Occurrences of one run, sorted by person, in a temporary file."""

    def __init__(self, kept: sqlite3.Connection) -> None:
        self.kept = kept

    def count(self) -> int:
        """How many people there are."""
        return int(self.kept.execute("SELECT count(DISTINCT customer) FROM moment").fetchone()[0])

    def people(self, after: int = 0) -> Iterator[tuple[int, list[Occurrence]]]:
        """Each person's occurrences in their order; those with an id after the given one."""
        rows = self.kept.execute("SELECT * FROM moment WHERE customer > ? ORDER BY customer, n", [after])
        for customer, group in groupby(rows, key=lambda row: row[0]):
            yield customer, [_moment(row) for row in group]


def _moment(row: Sequence[Any]) -> Occurrence:
    customer, _n, at, key, order, line, payload, name = row
    return Occurrence(
        datetime.fromtimestamp(at / 1_000_000, UTC), key, customer, order, line, json.loads(payload), name
    )


@contextmanager
def spooled(asked: Asked) -> Iterator[Spool]:
    """Read what the trigger finds into a temporary file. It is gone afterwards."""
    # An empty name: a private database that SQLite keeps in a file of its own once it grows.
    with closing(sqlite3.connect("")) as kept:
        kept.execute(
            "CREATE TABLE moment (customer INTEGER, n INTEGER PRIMARY KEY, at INTEGER, key TEXT, order_id INTEGER, "
            "line_id INTEGER, payload TEXT, name TEXT)"
        )
        found = asked.definition.start.history(asked.store, asked.since, asked.until)
        while page := list(islice(found, _CHUNK)):
            kept.executemany(
                "INSERT INTO moment (customer, at, key, order_id, line_id, payload, name) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        one.customer_id,
                        round(one.at.timestamp() * 1_000_000),
                        one.key,
                        one.order_id,
                        one.line_id,
                        json.dumps(dict(one.payload)),
                        one.name,
                    )
                    for one in page
                ],
            )
        kept.commit()
        yield Spool(kept)


def run(
    asked: Asked, people: Iterator[tuple[int, list[Occurrence]]]
) -> Iterator[tuple[worlds.World, dict[int, list[Course]]]]:
    """Simulate people in batches: for each the world that was loaded and everybody's courses."""
    plan = Plan.of(asked.flow, asked.definition, asked.version)
    knower = Knower(plan.asked)
    while batch := dict(islice(people, BATCH)):
        yield simulate(asked, plan, knower, batch)


def simulate(
    asked: Asked, plan: Plan, knower: Knower, batch: dict[int, list[Occurrence]]
) -> tuple[worlds.World, dict[int, list[Course]]]:
    """These people, together; nothing is written."""
    store, definition = asked.store, asked.definition
    world = worlds.load(store, batch.keys(), since=asked.since, awaited=definition.awaited, without_flow=asked.flow.pk)
    ids = {one.line_id for moments in batch.values() for one in moments if one.line_id}
    lines = OrderLine.objects.filter(order__store=store).in_bulk(ids) if ids else {}
    runner = Runner(plan, world, knower, asked.until, lines)
    known = {pk: (world.people[pk], moments) for pk, moments in batch.items() if pk in world.people}
    subjects: list[Subject] = []
    for person, moments in known.values():
        subjects += [found for one in moments if (found := runner.subject(person, one, one.at))]
    knower.meet(subjects)
    courses = {pk: runner.run(person, moments) for pk, (person, moments) in known.items()}
    gone = {pk: [Course(one, refused=UNKNOWN) for one in moments] for pk, moments in batch.items() if pk not in known}
    return world, courses | gone


def add(report: Report, asked: Asked, world: worlds.World, courses: dict[int, list[Course]]) -> None:
    """A batch into the report, and who of them bought again by themselves."""
    written = _really_written_to(asked, list(courses))
    for pk, own in courses.items():
        report.add(own, asked.definition)
        person = world.people.get(pk)
        if person is None:
            continue
        report.erased += person.row.erased_at is not None
        entered = [course for course in own if course.entered]
        report.undated_orders += len(
            {
                course.moment.order_id
                for course in own
                if (past := person.order(course.moment.order_id)) and past.undated
            }
        )
        first = next((course for course in entered if course.moment.at + AGAIN_WITHIN <= asked.until), None)
        if first is None:
            continue
        if pk in written:
            report.written_to += 1
            continue
        report.watched += 1
        at = first.moment.at
        report.again += person.bought_again(at, at + AGAIN_WITHIN, but=first.moment.order_id)


def _really_written_to(asked: Asked, customers: list[int]) -> set[int]:
    """Who of them got a message of this flow for real: what they did then is not what they do by themselves."""
    if not asked.flow.pk:
        return set()
    sent = SentLedger.objects.filter(flow=asked.flow, customer_id__in=customers)
    return {pk for pk in sent.values_list("customer_id", flat=True) if pk}
