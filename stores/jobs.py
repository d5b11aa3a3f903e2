"""Long work: started once, done in slices, watched, paused, resumed, cancelled. The same for all three doors.

A handler is `run_slice(job, budget_seconds) -> JobProgress`. It saves `job.cursor` in the transaction of the rows that it
stands for, and may be stopped between slices at any moment.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from postpurchase import clock, due, queue
from postpurchase.due import BACKFILL
from postpurchase.errors import BusinessError, RetryLater
from stores.models import Job, Store, User

log = logging.getLogger(__name__)
LEASE = timedelta(seconds=300)


@dataclass(frozen=True)
class JobProgress:
    """Where a slice left the job. `finished` ends it; `result` is kept and shown as its closing sentence."""

    finished: bool
    phase: str
    done: int
    total: int
    last_item: str = ""
    errors: int = 0
    result: dict[str, Any] | None = None


Handler = Callable[[Job, float], JobProgress]
_handlers: dict[str, Handler] = {}


def register(kind: str, handler: Handler) -> None:
    """Name the handler of a kind of job; called from `AppConfig.ready()`."""
    _handlers[kind] = handler


def start(
    store: Store, kind: str, *, params: dict[str, Any] | None = None, user: User | None = None, key: str = ""
) -> Job:
    """Queue a job. While one with the same key is unfinished, that one is returned and nothing new is started."""
    key = key or f"{kind}:{clock.now().isoformat()}"
    open_states = [Job.Status.QUEUED, Job.Status.RUNNING, Job.Status.PAUSED]
    with transaction.atomic():
        found = Job.objects.filter(store=store, kind=kind, params=params or {}, status__in=open_states).first()
        if found:
            return found
        queue.wake("sync")
        try:
            with transaction.atomic():
                return Job.objects.create(
                    store=store, kind=kind, params=params or {}, started_by=user, key=key, priority=BACKFILL
                )
        except IntegrityError:
            return Job.objects.get(store=store, key=key)


def pause(job: Job) -> None:
    """Stop after the running slice; nothing is lost. BusinessError when it has already ended."""
    changed = Job.objects.filter(pk=job.pk, status__in=[Job.Status.QUEUED, Job.Status.RUNNING]).update(
        status=Job.Status.PAUSED
    )
    if not changed:
        raise BusinessError("This job is not running, so it cannot be paused. Nothing was changed.", "job_not_running")
    job.refresh_from_db()


def resume(job: Job) -> None:
    """Go on where it stopped, also after a failure. BusinessError when it is neither paused nor failed."""
    changed = Job.objects.filter(pk=job.pk, status__in=[Job.Status.PAUSED, Job.Status.FAILED]).update(
        status=Job.Status.QUEUED, state=due.State.DUE, due_at=clock.now(), attempts=0, error="", finished_at=None
    )
    if not changed:
        raise BusinessError("This job is not paused, so it cannot go on. Nothing was changed.", "job_not_paused")
    queue.wake("sync")
    job.refresh_from_db()


def cancel(job: Job) -> None:
    """End it. What it has done stays. BusinessError when it has already ended."""
    changed = (
        Job.objects.filter(pk=job.pk)
        .exclude(status__in=[Job.Status.DONE, Job.Status.CANCELLED])
        .update(status=Job.Status.CANCELLED, state=due.State.DONE, finished_at=clock.now())
    )
    if not changed:
        raise BusinessError("This job has already ended. Nothing was changed.", "job_ended")
    job.refresh_from_db()


def run_due(budget_seconds: float = 20.0) -> int:
    """Run one slice of each due job, within the budget; how many slices ran."""
    ends = clock.monotonic() + budget_seconds
    ran = 0
    while clock.monotonic() < ends:
        rows = due.claim(Job, limit=1, lease=LEASE)
        if not rows:
            break
        _run_slice(rows[0], max(ends - clock.monotonic(), 1.0))
        ran += 1
    return ran


def run_one(job_id: int, budget_seconds: float) -> bool:
    """Run one slice of this job; False when it is not due or another worker has it."""
    rows = due.claim(Job, limit=1, lease=LEASE, where=Q(pk=job_id))
    for job in rows:
        _run_slice(job, budget_seconds)
    return bool(rows)


def _run_slice(job: Job, budget: float) -> None:
    if job.status in {Job.Status.PAUSED, Job.Status.CANCELLED}:
        due.hold(job, "paused")
        return
    Job.objects.filter(pk=job.pk, status=Job.Status.QUEUED).update(status=Job.Status.RUNNING)
    begun, done_before = clock.monotonic(), job.done
    try:
        progress = _handlers[job.kind](job, budget)
    except RetryLater as wait:
        due.postpone(job, clock.now() + timedelta(seconds=wait.seconds))
        Job.objects.filter(pk=job.pk).update(error=wait.reason)
        return
    except Exception as error:
        message = error.message if isinstance(error, BusinessError) else f"{type(error).__name__}: {error}"
        log.exception("job %s (%s) failed in a slice", job.pk, job.kind)
        due.retry(job, clock.now() + due.backoff(job.attempts), message, code="slice_failed")
        if job.state == due.State.DEAD:
            Job.objects.filter(pk=job.pk).update(status=Job.Status.FAILED)
        return
    seconds = max(clock.monotonic() - begun, 1e-6)
    Job.objects.filter(pk=job.pk).update(
        phase=progress.phase,
        done=progress.done,
        total=progress.total,
        last_item=progress.last_item[:200],
        errors_count=progress.errors,
        rate=max(progress.done - done_before, 0) / seconds,
        **({"result": progress.result} if progress.result is not None else {}),
    )
    if progress.finished:
        Job.objects.filter(pk=job.pk).exclude(status=Job.Status.CANCELLED).update(status=Job.Status.DONE)
        due.finish(job)
    else:
        due.go_on(job)
