"""The first reading of the whole shop, as a job: resumable at each window, newest orders first, never a message from it."""

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext_lazy

from postpurchase import clock
from postpurchase.due import State
from postpurchase.errors import RetryLater
from stores import jobs
from stores.jobs import JobProgress
from stores.models import Job, Quarantined, Store, SyncTask
from stores.sync import health
from stores.sync.reading import Reading
from stores.woo.errors import Blocked, KeysRefused, ToldToWait, Unreachable

KIND = "backfill"


def start(store: Store, *, user: Any = None) -> Job:
    """Queue the backfill of a store, or go on with the one that was begun."""
    failed = Job.objects.filter(store=store, kind=KIND, status=Job.Status.FAILED).order_by("-pk").first()
    if failed:
        jobs.resume(failed)
        return failed
    return jobs.start(store, KIND, user=user)


def set_gentle(store: Store, gentle: bool) -> None:
    """Read the history with one request at a time and a pause after each, or as fast as the store bears it."""
    Store.objects.filter(pk=store.pk).update(gentle=gentle)
    store.gentle = gentle


def register() -> None:
    """Hook the handler in; called from `AppConfig.ready()`."""
    jobs.register(
        KIND, run_slice, errors=put_aside_by, starter=start, asks_shop=True, label=gettext_lazy("Reading the history")
    )


def put_aside_by(job: Job) -> Iterable[tuple[str, str, str, str]]:
    """What could not be read since the job began and still cannot be."""
    rows = Quarantined.objects.filter(store=job.store, solved_at=None, last_at__gte=job.created_at).order_by("pk")
    for entity, woo_id, reason, at in rows.values_list("entity", "woo_id", "reason", "last_at").iterator():
        yield entity, str(woo_id or ""), reason, at.isoformat()


def run_slice(job: Job, budget_seconds: float) -> JobProgress:
    """Read until the budget is spent. The shop failing keeps the place and asks for time."""
    _leave_alone(job.store)
    run = Reading(job, clock.monotonic() + budget_seconds)
    try:
        run.go()
    except ToldToWait as told:
        run.land()
        longest = max(told, run.flight.told or told, key=lambda one: one.seconds)
        run.struggled()
        health.failed(job.store, longest)
        raise RetryLater(longest.seconds, longest.message) from None
    except (Unreachable, Blocked, KeysRefused) as error:
        run.struggled()
        health.failed(job.store, error)
        raise RetryLater(health.retry_in(job.store).total_seconds(), error.message) from None
    finally:
        run.land()
    return run.progress()


def _leave_alone(store: Store) -> None:
    """Of a store that does not answer, or refuses our keys, only the probe asks, where there is one."""
    if store.state in {Store.State.CONNECTED, Store.State.NEW}:
        return
    probe = SyncTask.objects.filter(store=store, key=health.PROBE, state__in=[State.DUE, State.RUNNING]).first()
    if probe:
        wait = (probe.due_at - clock.now()).total_seconds()
        raise RetryLater(max(wait, 0) + 30, store.state_reason)
