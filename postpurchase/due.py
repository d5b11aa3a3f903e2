"""The due-row pattern, written once: a row is the work item.

Anything that must not be lost is a row with a due time. A worker claims rows with one conditional UPDATE that
counts the attempt, works outside any transaction, and records the end only if it still holds the lease. A row whose
lease ran out goes back to `due`, or to `dead` after too many attempts. Nothing here relies on row locks alone,
because SQLite has none; on PostgreSQL claims add SKIP LOCKED so that workers do not queue behind each other.
"""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from django.db import connection, models, transaction
from django.db.models import F, Min, Q

from postpurchase import clock

WRITE_BACK, TRANSACTIONAL, POLL, MARKETING, BACKFILL = 0, 10, 20, 30, 40

PRIORITIES = [
    (WRITE_BACK, "write-back"),
    (TRANSACTIONAL, "transactional"),
    (POLL, "poll"),
    (MARKETING, "marketing"),
    (BACKFILL, "backfill"),
]


class State(models.TextChoices):
    DUE = "due", "due"
    RUNNING = "running", "running"
    DONE = "done", "done"
    DEAD = "dead", "dead"
    HELD = "held", "held"


class DueRow(models.Model):
    """Abstract work item. Subclasses add `store`, their own columns, and the unique constraint on (store, key).

    A subclass that has states of its own keeps them in `status`; `state` says only whether there is work to do.
    """

    MAX_ATTEMPTS = 8

    state = models.CharField(max_length=8, choices=State.choices, default=State.DUE)
    due_at = models.DateTimeField(default=clock.now)
    priority = models.SmallIntegerField(choices=PRIORITIES, default=MARKETING)
    attempts = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True)
    error_code = models.CharField(max_length=64, blank=True, default="")
    error = models.TextField(blank=True, default="")
    finished_at = models.DateTimeField(null=True, blank=True)
    key = models.CharField(max_length=200)

    class Meta:
        abstract = True
        indexes = [
            models.Index(fields=["priority", "due_at"], condition=Q(state="due"), name="%(class)s_due"),
            models.Index(fields=["lease_until"], condition=Q(state="running"), name="%(class)s_lease"),
        ]


Row = TypeVar("Row", bound=DueRow)


def claim(model: type[Row], *, limit: int, lease: timedelta, where: Q | None = None) -> list[Row]:
    """Take up to `limit` due rows, in order of priority and due time, for the time of `lease`.

    Committed before it returns, unless the caller holds a transaction open. Each row's `attempts` counts this claim.
    """
    token, at = uuid.uuid4(), clock.now()
    taken: list[int] = []
    with transaction.atomic():
        # One priority after the other: then (priority, due_at) is a range of the partial index, and rows that wait
        # for a later time cost nothing.
        for priority, _ in PRIORITIES:
            candidates = model._default_manager.filter(state=State.DUE, priority=priority, due_at__lte=at)
            if where is not None:
                candidates = candidates.filter(where)
            candidates = candidates.order_by("due_at")
            if connection.vendor == "postgresql":
                candidates = candidates.select_for_update(skip_locked=True, of=("self",))
            # The ids first, then the update: as one statement PostgreSQL may run the locking subquery more than once
            # and take more than the limit.
            keys = list(candidates.values_list("pk", flat=True)[: limit - len(taken)])
            if keys:
                model._default_manager.filter(pk__in=keys, state=State.DUE).update(
                    state=State.RUNNING, lease_token=token, lease_until=at + lease, attempts=F("attempts") + 1
                )
                taken += keys
            if len(taken) >= limit:
                break
        if not taken:
            return []
        # By id as well: the token has no index, and a table may hold a million rows.
        return list(model._default_manager.filter(pk__in=taken, lease_token=token).order_by("priority", "due_at"))


def _end(row: DueRow, **changes: object) -> bool:
    """Write the end of a claim, only if its lease is still ours."""
    changes |= {"lease_token": None, "lease_until": None}
    kept = type(row)._default_manager.filter(pk=row.pk, lease_token=row.lease_token).update(**changes)
    if kept:
        for name, value in changes.items():
            setattr(row, name, value)
    return bool(kept)


def finish(row: DueRow) -> bool:
    """The work is done. False when the lease was lost meanwhile: then another worker owns the row."""
    return _end(row, state=State.DONE, finished_at=clock.now(), error="", error_code="")


def finish_all(rows: Sequence[Row]) -> int:
    """`finish` for rows of one claim in one statement; how many were still ours."""
    if not rows:
        return 0
    return (
        type(rows[0])
        ._default_manager.filter(pk__in=[row.pk for row in rows], lease_token=rows[0].lease_token)
        .update(state=State.DONE, finished_at=clock.now(), error="", error_code="", lease_token=None, lease_until=None)
    )


def retry(row: DueRow, at: datetime, error: str = "", *, code: str = "") -> bool:
    """Try again at `at`. After MAX_ATTEMPTS the row is dead instead, with the same error."""
    if row.attempts >= row.MAX_ATTEMPTS:
        return give_up(row, error, code=code)
    return _end(row, state=State.DUE, due_at=at, error=error[:2000], error_code=code)


def postpone(row: DueRow, at: datetime) -> bool:
    """Come back at `at`; not a failure, so the attempt that the claim counted is given back."""
    return _end(row, state=State.DUE, due_at=at, attempts=max(row.attempts - 1, 0))


def go_on(row: DueRow) -> bool:
    """One part is done and the next is due now, with a fresh count of attempts."""
    return _end(row, state=State.DUE, due_at=clock.now(), attempts=0, error="", error_code="")


def hold(row: DueRow, reason: str, *, code: str = "") -> bool:
    """Wait for a person or a fact; `release` makes it due again."""
    return _end(row, state=State.HELD, error=reason[:2000], error_code=code)


def give_up(row: DueRow, error: str, *, code: str = "") -> bool:
    """No further attempt. The row stays, with its reason, where a person can see it."""
    return _end(row, state=State.DEAD, finished_at=clock.now(), error=error[:2000], error_code=code)


def release(rows: Iterable[DueRow], *, at: datetime | None = None) -> int:
    """Make held or dead rows due again with a fresh count of attempts; how many were."""
    done = 0
    for row in rows:
        done += (
            type(row)
            ._default_manager.filter(pk=row.pk, state__in=[State.HELD, State.DEAD])
            .update(state=State.DUE, due_at=at or clock.now(), attempts=0, error="", error_code="", finished_at=None)
        )
    return done


def backoff(attempts: int) -> timedelta:
    """2 s doubled with each attempt, at most 15 minutes. Callers add jitter where many rows fail together."""
    return timedelta(seconds=min(2 * 2 ** max(attempts - 1, 0), 900))


def all_models() -> list[type[DueRow]]:
    """Every kind of due row there is, found by walking the subclasses."""
    found: list[type[DueRow]] = []
    waiting = list(DueRow.__subclasses__())
    while waiting:
        model = waiting.pop()
        waiting += model.__subclasses__()
        if not model._meta.abstract:
            found.append(model)
    return sorted(found, key=lambda model: model._meta.label)


def oldest_due(model: type[DueRow]) -> datetime | None:
    """The due time of the row of this kind that has waited longest beyond it; None when nothing is due."""
    # All priorities by name, so that (priority, due_at) is a range of the partial index and waiting rows cost nothing.
    overdue = model._default_manager.filter(
        state=State.DUE, priority__in=[priority for priority, _ in PRIORITIES], due_at__lte=clock.now()
    )
    return overdue.aggregate(oldest=Min("due_at"))["oldest"]


def sweep(model: type[DueRow]) -> tuple[int, int]:
    """Rows whose lease ran out go back to due, or to dead after MAX_ATTEMPTS. Returns (back to due, dead)."""
    expired = model._default_manager.filter(state=State.RUNNING, lease_until__lt=clock.now())
    dead = expired.filter(attempts__gte=model.MAX_ATTEMPTS).update(
        state=State.DEAD,
        finished_at=clock.now(),
        error="The worker stopped in the middle of this too many times.",
        error_code="crash_loop",
        lease_token=None,
        lease_until=None,
    )
    back = expired.filter(attempts__lt=model.MAX_ATTEMPTS).update(
        state=State.DUE, lease_token=None, lease_until=None, error_code="lease_lost"
    )
    return back, dead
