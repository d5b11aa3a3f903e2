"""The bell: wakes workers to drain due rows. It may ring late, twice or not at all; the rows are the truth.

Each app registers its drains in `AppConfig.ready()`. A drain takes a budget in seconds and says how many rows it worked
off. One code-owned schedule calls `tick` each minute: it sweeps, runs what the apps registered for it, and rings.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.apps import apps
from django.db import connection, models, transaction

from postpurchase import clock, due

log = logging.getLogger(__name__)

Drain = Callable[[float], int]
CLUSTERS = ("postpurchase", "sync")
DRAIN_SECONDS = 20.0
# A drain gets its budget in parts: so none holds up the others for long, and a stopping worker is soon done.
PART_SECONDS = 5.0
# A wake-up that was asked for this long ago and has not begun is taken for lost.
WANTED_FOR = timedelta(seconds=30)
TICK = "tick"

_drains: dict[str, list[tuple[str, Drain]]] = {name: [] for name in CLUSTERS}
_ticks: list[tuple[str, Callable[[], object]]] = []


def _never() -> bool:
    return False


_stopping: Callable[[], bool] = _never


@dataclass(frozen=True)
class Round:
    """What one call of the drains did: rows worked off, drains that raised, and whether nothing was left due."""

    worked: int
    failed: tuple[str, ...]
    idle: bool


def register_drain(name: str, drain: Drain, *, cluster: str = "postpurchase") -> None:
    """Add a drain. Cluster `sync` is for work that may take minutes (backfill); all else is `postpurchase`."""
    _drains[cluster].append((name, drain))


def register_tick(name: str, function: Callable[[], object]) -> None:
    """Have `function()` called each minute: for what becomes due by time alone. It must be quick and repeatable."""
    _ticks.append((name, function))


def stop_when(stopping: Callable[[], bool]) -> None:
    """Tell this process how to find out that it should stop after the present part of its work."""
    global _stopping
    _stopping = stopping


def drain_round(cluster: str, budget_seconds: float) -> Round:
    """Run the drains of a cluster until nothing is due, the budget is spent or the worker stops.

    A drain that raises is logged and does not hold up the others.
    """
    ends = clock.monotonic() + budget_seconds
    total = 0
    failed: set[str] = set()
    while True:
        worked = 0
        for name, run in _drains[cluster]:
            left = ends - clock.monotonic()
            if left <= 0 or _stopping():
                return Round(total + worked, tuple(sorted(failed)), idle=False)
            try:
                worked += run(min(left, PART_SECONDS))
            except Exception:
                log.exception("drain %s failed", name)
                failed.add(name)
        total += worked
        if not worked:
            return Round(total, tuple(sorted(failed)), idle=True)


def drain(cluster: str = "postpurchase", budget_seconds: float = DRAIN_SECONDS) -> int:
    """`drain_round`, telling only how many rows were worked off."""
    return drain_round(cluster, budget_seconds).worked


def answer(cluster: str) -> int:
    """What a worker does when the bell rings: drain, and ring again when time ran out before the work."""
    # Taken down first: whoever adds a row from here on rings anew.
    _heartbeats().filter(name=_wanted(cluster)).update(at=_LONG_AGO)
    beat(worker_name(cluster))
    done = drain_round(cluster, DRAIN_SECONDS)
    if not done.idle:
        ring(cluster)
    return done.worked


def run_until_idle(*, rounds: int = 100) -> int:
    """Drain both clusters in this process until nothing is due: `worker --once`, the demo and tests."""
    total = 0
    for _ in range(rounds):
        worked = sum(drain(cluster, 3600) for cluster in CLUSTERS)
        total += worked
        if not worked:
            break
    return total


def tick() -> None:
    """Each minute: take back what dead workers left, do what time alone makes due, tidy, and ring both clusters.

    A part that raises is logged and does not hold up the others; the heartbeat comes last, so that it vouches for all.
    """
    for model in due.all_models():
        back, dead = due.sweep(model)
        if back or dead:
            log.warning("%s: %s rows came back from a stopped worker, %s gave up", model.__name__, back, dead)
    for name, function in _ticks:
        try:
            function()
        except Exception:
            log.exception("tick function %s failed", name)
    for cluster in CLUSTERS:
        ring(cluster)
    beat(TICK)


def worker_name(cluster: str) -> str:
    """The name of the sign of life of a cluster's workers."""
    return f"worker:{cluster}"


def beat(name: str, note: str = "") -> None:
    """Write a sign of life."""
    _heartbeats().update_or_create(name=name, defaults={"at": clock.now(), "note": note[:200]})


def last_beat(name: str = TICK) -> datetime | None:
    """When this sign of life was last written."""
    return _heartbeats().filter(name=name).values_list("at", flat=True).first()


def wake(cluster: str = "postpurchase") -> None:
    """Ring after the present transaction commits. Losing the bell costs at most the minute until the next tick."""
    transaction.on_commit(lambda: ring(cluster), robust=True)


def ring(cluster: str) -> None:
    """Ask for one drain, unless one is already asked for and has not begun. Never raises."""
    from django_q.tasks import async_task

    try:
        # Read before writing: under a burst all but the first find the flag up and write nothing.
        if _is_wanted(cluster):
            return
        beat(_wanted(cluster))
        async_task("postpurchase.queue.answer", cluster, cluster=cluster)
    except Exception:
        log.warning("the worker could not be woken; the next tick does it", exc_info=True)


_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def _wanted(cluster: str) -> str:
    return f"wanted:{cluster}"


def _is_wanted(cluster: str) -> bool:
    """Whether a drain is asked for and has not begun. Plain SQL: each webhook asks this, and building a query costs more."""
    now = clock.now()
    span = [connection.ops.adapt_datetimefield_value(at) for at in (now - WANTED_FOR, now)]
    table = connection.ops.quote_name(_heartbeats().model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT 1 FROM {table} WHERE name = %s AND at > %s AND at <= %s",  # noqa: S608
            [_wanted(cluster), *span],
        )
        return cursor.fetchone() is not None


def _heartbeats() -> "models.Manager[models.Model]":
    # By name, because shared helpers import no app.
    return apps.get_model("stores", "Heartbeat")._default_manager


def ensure_schedule() -> None:
    """The one schedule of the installation. A second, malformed one could stop this one, so there is no other."""
    from django_q.models import Schedule

    Schedule.objects.update_or_create(
        name=TICK,
        defaults={
            "func": "postpurchase.queue.tick",
            "schedule_type": Schedule.MINUTES,
            "minutes": 1,
            "repeats": -1,
            "cluster": None,
        },
    )
