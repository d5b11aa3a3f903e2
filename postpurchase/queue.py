"""The bell: wakes workers to drain due rows. It may ring late, twice or not at all; the rows are the truth.

Each app registers its drains in `AppConfig.ready()`. A drain takes a budget in seconds and says how many rows it worked off.
"""

import logging
from collections.abc import Callable

from django.db import transaction

from postpurchase import clock

log = logging.getLogger(__name__)

Drain = Callable[[float], int]
DRAIN_SECONDS = 20.0
_drains: dict[str, list[tuple[str, Drain]]] = {"postpurchase": [], "sync": []}


def register_drain(name: str, drain: Drain, *, cluster: str = "postpurchase") -> None:
    """Add a drain. Cluster `sync` is for work that may take minutes (backfill); all else is `postpurchase`."""
    _drains[cluster].append((name, drain))


def drain(cluster: str = "postpurchase", budget_seconds: float = DRAIN_SECONDS) -> int:
    """Run the drains of a cluster until nothing is due or the budget is spent; how many rows were worked off.

    A drain that raises is logged and does not hold up the others.
    """
    ends = clock.monotonic() + budget_seconds
    total = 0
    while True:
        worked = 0
        for name, run in _drains[cluster]:
            left = ends - clock.monotonic()
            if left <= 0:
                return total + worked
            try:
                worked += run(left)
            except Exception:
                log.exception("drain %s failed", name)
        total += worked
        if not worked:
            return total


def run_until_idle(*, rounds: int = 100) -> int:
    """Drain both clusters in this process until nothing is due: `worker --once`, the demo and tests."""
    total = 0
    for _ in range(rounds):
        worked = drain("postpurchase", 3600) + drain("sync", 3600)
        total += worked
        if not worked:
            break
    return total


def wake(cluster: str = "postpurchase") -> None:
    """Ring after the present transaction commits. Losing the bell costs at most the minute until the next tick."""
    transaction.on_commit(lambda: _ring(cluster))


def _ring(cluster: str) -> None:
    from django_q.tasks import async_task

    try:
        async_task("postpurchase.queue.drain", cluster, cluster=cluster)
    except Exception:
        log.warning("the worker could not be woken; the next tick does it", exc_info=True)
