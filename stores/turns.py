"""Whose turn it is among the stores: one call at a time for each shop, each store in turn, half of the workers for long work.

Polls, fetches and write-backs of one store never run side by side, in whichever process: that is the politeness promised to
shops, and it keeps a slow shop from taking more than one worker. A backfill makes up to three calls beside that one, and a
fourth while nobody else wants to ask: at most four at once in all. Stores are served in rotation, one row each, so a shop
with thousands of waiting rows delays another by one call.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import TypeVar

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q

from postpurchase import clock, due, queue
from postpurchase.due import DueRow, State
from stores.models import Intent, Job, Store, SyncTask

# Any constant that nothing else in the database uses.
_LOCK = 7_026_001
# Longer than any call can last: of a backfill that died the others are held up so long at most.
ALONE = timedelta(seconds=150)
# Rows that a store gets before the list of waiting stores is made anew.
ROUNDS = 10

Row = TypeVar("Row", bound=DueRow)
# Where the rotation of this process stands, by kind of row: the store served last.
_last: dict[str, int] = {}


def _lock() -> None:
    """One claim at a time, until the transaction ends. SQLite has one writer anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def in_turn(model: type[Row], *, lease: timedelta, where: Q) -> Iterator[Row]:
    """Claimed due rows that satisfy `where`, one store after the other, until none is left or the caller stops.

    The next row is claimed when the caller comes back for it, so it must end the one before.
    """
    while waiting := _waiting(model, where):
        gave = False
        for _round in range(ROUNDS):
            for store_id in list(waiting):
                row = _take(model, store_id, lease=lease, where=where)
                if row is None:
                    waiting.remove(store_id)
                    continue
                gave = True
                _last[model.__name__] = store_id
                yield row
        if not gave:
            return


def _waiting(model: type[Row], where: Q) -> list[int]:
    """Stores with rows to be claimed, beginning after the one served last."""
    rows = model._default_manager.filter(where, store=OuterRef("pk"), state=State.DUE, due_at__lte=clock.now())
    found = list(Store.objects.filter(Exists(rows)).order_by("pk").values_list("pk", flat=True))
    last = _last.get(model.__name__, 0)
    return [pk for pk in found if pk > last] + [pk for pk in found if pk <= last]


def _take(model: type[Row], store_id: int, *, lease: timedelta, where: Q) -> Row | None:
    with transaction.atomic():
        _lock()
        if _is_taken(store_id):
            return None
        rows = due.claim(model, limit=1, lease=lease, where=where & Q(store_id=store_id))
    return rows[0] if rows else None


def _is_busy(store_id: int) -> bool:
    """Whether somebody is talking to this shop. A dead worker's lease counts until it runs out."""
    now = clock.now()
    return any(
        model._default_manager.filter(store_id=store_id, state=State.RUNNING, lease_until__gt=now).exists()
        for model in (SyncTask, Intent)
    )


def _is_taken(store_id: int) -> bool:
    """Whether nobody may begin a call: one is under way, or a backfill makes four."""
    alone = Job.objects.filter(store_id=store_id, state=State.RUNNING, alone_until__gt=clock.now())
    return _is_busy(store_id) or alone.exists()


def take_fourth(job: Job) -> bool:
    """Whether the job may make four calls at once for some time: nobody is calling its shop, nor waits to.

    It has to ask again before `ALONE` is over, and must end its fourth call before it gives it back.
    """
    now = clock.now()
    with transaction.atomic():
        _lock()
        # Refunds one by one wait until the history is here.
        waits = {"store_id": job.store_id, "state": State.DUE, "due_at__lte": now}
        waiting = (
            SyncTask.objects.filter(**waits).exclude(entity="refund").exists()
            or Intent.objects.filter(**waits).exists()
        )
        if waiting or _is_busy(job.store_id):
            return False
        return bool(
            Job.objects.filter(pk=job.pk, lease_token=job.lease_token, state=State.RUNNING).update(
                alone_until=now + ALONE
            )
        )


def give_fourth_back(job: Job) -> None:
    """Others may call the shop again, and are woken for it."""
    if Job.objects.filter(pk=job.pk, alone_until__isnull=False).update(alone_until=None):
        queue.wake("sync")


def job_slots() -> int:
    """How many long jobs may run at once: half of the workers that could, at least one."""
    return max(settings.SYNC_WORKERS // 2, 1)


def next_job(*, lease: timedelta, where: Q) -> Job | None:
    """Claim the long job that has waited longest, unless half of the workers have one."""
    with transaction.atomic():
        _lock()
        running = Job.objects.filter(state=State.RUNNING, lease_until__gt=clock.now()).count()
        rows = due.claim(Job, limit=1, lease=lease, where=where) if running < job_slots() else []
    return rows[0] if rows else None
