"""Long work: started once, done in slices, watched, paused, resumed, cancelled. The same for all three doors.

A handler is `run_slice(job, budget_seconds) -> JobProgress`. It keeps its cursor with `save` in the transaction of the rows
that it stands for, ends early when `wanted` says so, and may be killed at any moment.
"""

import csv
import io
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from postpurchase import clock, due, exporting, queue
from postpurchase.due import BACKFILL
from postpurchase.errors import BusinessError, RetryLater
from stores import turns
from stores.models import Job, Store, User
from stores.sync import health
from stores.sync.tasks import LeaseLost
from stores.woo import counts

log = logging.getLogger(__name__)
LEASE = timedelta(seconds=300)
OPEN = (Job.Status.QUEUED, Job.Status.RUNNING, Job.Status.PAUSED)
# The time left is reckoned over about so many steps, and told once so much of the work is done.
STEPS, FEW_STEPS = 20, 5
SHORTEST = 0.05


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
# What was put aside: (object, id, reason, when).
Errors = Callable[[Job], Iterable[tuple[str, str, str, str]]]
Starter = Callable[..., Job]
_handlers: dict[str, Handler] = {}
_errors: dict[str, Errors] = {}
_labels: dict[str, Any] = {}
starters: dict[str, Starter] = {}
_asking: set[str] = set()


def register(
    kind: str,
    handler: Handler,
    *,
    errors: Errors | None = None,
    starter: Starter | None = None,
    asks_shop: bool = False,
    label: Any = "",
) -> None:
    """Name the handler of a kind of job; called from `AppConfig.ready()`. `label` is what people read.

    `errors` tells what a job put aside, where it writes no `error_file`. With `starter(store, user=)` the kind may be
    started by its name alone, from the API. One that asks the shop is not begun while the shop does not answer.
    """
    _handlers[kind] = handler
    if errors:
        _errors[kind] = errors
    if starter:
        starters[kind] = starter
    if asks_shop:
        _asking.add(kind)
    if label:
        _labels[kind] = label


def label(kind: str) -> str:
    """What people read for a kind of job."""
    return str(_labels.get(kind) or kind[:1].upper() + kind[1:].replace("_", " "))


def labels() -> list[tuple[str, str]]:
    """Every kind there is with its label, by label."""
    return sorted(((kind, label(kind)) for kind in _handlers), key=lambda pair: pair[1])


def errors_of(job: Job) -> Iterable[tuple[str, str, str, str]]:
    """What the job put aside so far: (object, id, reason, when)."""
    return _errors[job.kind](job) if job.kind in _errors else ()


def start(
    store: Store, kind: str, *, params: dict[str, Any] | None = None, user: User | None = None, key: str = ""
) -> Job:
    """Queue a job. While one with the same key is unfinished, that one is returned and nothing new is started."""
    key = key or f"{kind}:{clock.now().isoformat()}"
    with transaction.atomic():
        found = Job.objects.filter(store=store, kind=kind, params=params or {}, status__in=OPEN).first()
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
    """Stop after the step in hand; nothing is lost. BusinessError when it has already ended."""
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
    """End it. What it has done stays; the step in hand is rolled back. BusinessError when it has already ended."""
    changed = (
        Job.objects.filter(pk=job.pk)
        .exclude(status__in=[Job.Status.DONE, Job.Status.CANCELLED])
        .update(
            status=Job.Status.CANCELLED,
            state=due.State.DONE,
            finished_at=clock.now(),
            error="",
            lease_token=None,
            lease_until=None,
        )
    )
    if not changed:
        raise BusinessError("This job has already ended. Nothing was changed.", "job_ended")
    job.refresh_from_db()


def error_csv(job: Job) -> str:
    """What the job put aside, as CSV: its own file where it wrote one, else object, id, reason and time."""
    out = io.StringIO()
    rows = csv.writer(out)
    if job.error_file:
        with job.error_file.open("rb") as kept:
            # Rows of people who were erased are blank there.
            rows.writerows(row for row in csv.reader(io.TextIOWrapper(kept, "utf-8", newline="")) if any(row))
        return out.getvalue()
    rows.writerow(["object", "id", "reason", "at"])
    for row in errors_of(job):
        rows.writerow([exporting.safe_cell(cell) for cell in row])
    return out.getvalue()


ACTIONS: dict[str, Callable[[Job], None]] = {"pause": pause, "resume": resume, "cancel": cancel}


def save(
    job: Job,
    *,
    cursor: dict[str, Any],
    done: int | None = None,
    total: int | None = None,
    phase: str | None = None,
    last_item: str | None = None,
    errors: int | None = None,
) -> None:
    """Keep the place of the running slice and what there is to see of it, in the transaction of the rows it stands for.

    The lease begins anew, and so does the count of attempts. LeaseLost when the job was cancelled or another worker has
    taken it over: the transaction must then be rolled back.
    """
    told = {"done": done, "total": total, "phase": phase, "errors_count": errors}
    changes: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
    if last_item is not None:
        changes["last_item"] = last_item[:200]
    if done is not None:
        changes |= _paced(job, done)
    kept = Job.objects.filter(pk=job.pk, lease_token=job.lease_token).update(
        cursor=cursor, lease_until=clock.now() + LEASE, attempts=0, **changes
    )
    if not kept:
        raise LeaseLost
    job.cursor = cursor
    for name, value in changes.items():
        setattr(job, name, value)


def wanted(job: Job) -> bool:
    """Whether the running slice should go on: the job was not paused meanwhile."""
    return not Job.objects.filter(pk=job.pk, status=Job.Status.PAUSED).exists()


def _paced(job: Job, done: int) -> dict[str, Any]:
    """The rate after a step. Time between slices does not count, nor do steps that bring nothing."""
    now = clock.monotonic()
    since = job.__dict__.setdefault("_step_at", now)
    rows, seconds = done - job.done, now - since
    if rows <= 0 or seconds <= 0:
        return {}
    job.__dict__["_step_at"] = now
    pace = dict(job.pace)
    for name, steps in (("long", STEPS), ("short", FEW_STEPS)):
        keeps = 1 - 2 / (steps + 1)
        before = pace.get(name, [0, 0])
        pace[name] = [round(before[0] * keeps + rows, 3), round(before[1] * keeps + seconds, 4)]
    return {"pace": pace, "rate": pace["long"][0] / max(pace["long"][1], 1e-6)}


def left(job: Job) -> tuple[float, float] | None:
    """The seconds left, at least and at most; None before there is enough to go by."""
    if job.status not in OPEN or not job.total or job.done < job.total * SHORTEST:
        return None
    rates = [rows / seconds for rows, seconds in job.pace.values() if seconds > 0 and rows > 0]
    if not rates:
        return None
    rows_left = max(job.total - job.done, 0)
    return rows_left / max(rates) * 0.8, rows_left / min(rates) * 1.3


def waits_until(job: Job) -> datetime | None:
    """The moment until which the job waits for the store, as it was told to or because it did not answer; else None."""
    waits = job.status in {Job.Status.QUEUED, Job.Status.RUNNING} and job.state == due.State.DUE
    return job.due_at if waits and job.error and job.due_at > clock.now() else None


def line(job: Job) -> str:
    """The job in one line for the command line; English, as all output there."""
    percent = min(100 * job.done // job.total, 100) if job.total else 0
    words = [f"{job.phase:<11} {job.done:,}/{job.total:,}", f"{percent}%", f"{job.rate:.0f}/s"]
    if seconds := left(job):
        words.append(f"~{seconds[0] / 60:.0f}-{seconds[1] / 60:.0f} min")
    if until := waits_until(job):
        words.append(f"waiting for the store until {until.astimezone(job.store.tz):%H:%M}")
    return "  ".join([*words, f"errors {job.errors_count}"])


def end_crashed() -> None:
    """A job whose worker died too often in one place has failed, and says so."""
    Job.objects.filter(state=due.State.DEAD, status__in=[Job.Status.QUEUED, Job.Status.RUNNING]).update(
        status=Job.Status.FAILED
    )


def run_due(budget_seconds: float = 20.0) -> int:
    """Run one slice of each due job, within the budget; how many slices ran."""
    ends = clock.monotonic() + budget_seconds
    ran = 0
    while clock.monotonic() < ends:
        job = turns.next_job(lease=LEASE, where=_may_run())
        if job is None:
            break
        _run_slice(job, max(ends - clock.monotonic(), 1.0))
        ran += 1
    counts.flush()
    return ran


def _may_run() -> Q:
    """The condition on jobs that they do not ask the shop, or that it may be asked."""
    return ~Q(kind__in=_asking) | health.may_ask()


def run_one(job_id: int, budget_seconds: float) -> bool:
    """Run one slice of this job; False when it is not due, another worker has it, or its shop may not be asked now."""
    rows = due.claim(Job, limit=1, lease=LEASE, where=Q(pk=job_id) & _may_run())
    for job in rows:
        _run_slice(job, budget_seconds)
    return bool(rows)


def _run_slice(job: Job, budget: float) -> None:
    if job.status in {Job.Status.PAUSED, Job.Status.CANCELLED}:
        due.hold(job, "")
        return
    Job.objects.filter(pk=job.pk, status=Job.Status.QUEUED).update(status=Job.Status.RUNNING)
    job.__dict__["_step_at"] = clock.monotonic()
    try:
        progress = _handlers[job.kind](job, budget)
    except LeaseLost:
        log.info(
            "job %s (%s) was cancelled or taken over in the middle of a step, which was rolled back", job.pk, job.kind
        )
        return
    except RetryLater as wait:
        if due.postpone(job, clock.now() + timedelta(seconds=wait.seconds)):
            Job.objects.filter(pk=job.pk).update(error=wait.reason)
        return
    except BusinessError as refused:
        # Trying again would be refused again; a person may mend it and go on.
        if due.give_up(job, refused.message, code=refused.code):
            Job.objects.filter(pk=job.pk).update(status=Job.Status.FAILED)
        return
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
        log.exception("job %s (%s) failed in a slice", job.pk, job.kind)
        due.retry(job, clock.now() + due.backoff(job.attempts), message, code="slice_failed")
        if job.state == due.State.DEAD:
            Job.objects.filter(pk=job.pk).update(status=Job.Status.FAILED)
        return
    _note(job, progress)
    if progress.finished:
        if due.finish(job):
            Job.objects.filter(pk=job.pk).update(status=Job.Status.DONE)
    elif wanted(job):
        due.go_on(job)
    else:
        due.hold(job, "")


def _note(job: Job, progress: JobProgress) -> None:
    changes: dict[str, Any] = {
        "phase": progress.phase,
        "done": progress.done,
        "total": progress.total,
        "last_item": progress.last_item[:200],
        "errors_count": progress.errors,
        **_paced(job, progress.done),
    }
    if progress.result is not None:
        changes["result"] = progress.result
    Job.objects.filter(pk=job.pk, lease_token=job.lease_token).update(**changes)
