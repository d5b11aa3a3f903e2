"""Fetch tasks: one row for each object that is to be asked for, however many hints there were; and their working off."""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet

from postpurchase import clock, due, queue
from postpurchase.due import POLL, State
from stores import turns
from stores.models import Store, SyncTask
from stores.sync import health
from stores.woo import counts
from stores.woo.errors import Blocked, Invalid, KeysRefused, Missing, OtherShop, ToldToWait, Unreachable, WooError

log = logging.getLogger(__name__)
LEASE = timedelta(seconds=300)
# An object is asked for this often at most; twice as long each time while hints go on coming, as from a loop in the shop.
BETWEEN_FETCHES = timedelta(seconds=10)
LONGEST_BETWEEN = timedelta(minutes=5)
# From this many prolongations on the merchant hears of it.
LOOPS_FROM = 4
# After an answer that is not to be believed.
ASK_AGAIN = timedelta(minutes=5)

Runner = Callable[[SyncTask], timedelta | None]
_fetchers: dict[str, Runner] = {}
_polls: dict[str, Runner] = {}


def register_fetch(entity: str, runner: Runner) -> None:
    """Name what fetches one object of an entity and applies it."""
    _fetchers[entity] = runner


def register_poll(entity: str, runner: Runner) -> None:
    """Name what polls an entity; it says after which time to do so again."""
    _polls[entity] = runner


def arm(store: Store, wanted: Iterable[tuple[str, int]]) -> int:
    """Have these objects (entity, woo id) fetched soon, in the present transaction; how many objects that are.

    A hint during a running fetch has it repeated, because the answer under way may be older than the hint.
    """
    keys = {f"{entity}:{woo_id}": (entity, woo_id) for entity, woo_id in wanted}
    if not keys:
        return 0
    now = clock.now()
    with transaction.atomic():
        rows = SyncTask.objects.filter(store=store, key__in=list(keys))
        _arm_busy(rows, now)
        rows.filter(state__in=[State.DONE, State.DEAD]).update(
            state=State.DUE, due_at=now, attempts=0, error="", error_code="", finished_at=None, params={}
        )
        SyncTask.objects.bulk_create(
            [
                SyncTask(store=store, key=key, entity=entity, woo_id=woo_id, priority=POLL, due_at=now)
                for key, (entity, woo_id) in keys.items()
            ],
            ignore_conflicts=True,
        )
        queue.wake("sync")
    return len(keys)


def between(prolonged: int) -> timedelta:
    """How long to leave an object alone that was hinted at again so many times before its last wait was over."""
    return min(BETWEEN_FETCHES * 2 ** min(prolonged, 10), LONGEST_BETWEEN)


def _arm_busy(rows: QuerySet[SyncTask], now: datetime) -> None:
    """Put off what was fetched just now or is being fetched, longer each time that this happens in a row."""
    just_now = Q(state__in=[State.DONE, State.DEAD], finished_at__gt=now - LONGEST_BETWEEN)
    # Being fetched, and not hinted at during that yet.
    under_way = Q(state=State.RUNNING, due_at__lte=now)
    busy: dict[int, list[int]] = defaultdict(list)
    for pk, params, finished_at in rows.filter(just_now | under_way).values_list("pk", "params", "finished_at"):
        prolonged = int(params.get("prolonged", 0))
        if finished_at is None or finished_at > now - between(prolonged):
            busy[prolonged].append(pk)
    for prolonged, pks in busy.items():
        put_off = {"due_at": now + between(prolonged), "params": {"prolonged": prolonged + 1}}
        rows.filter(pk__in=pks, state=State.RUNNING).update(**put_off)
        rows.filter(pk__in=pks).exclude(state__in=[State.RUNNING, State.DUE]).update(
            **put_off, state=State.DUE, attempts=0, error="", error_code="", finished_at=None
        )


def in_a_loop(store: Store) -> QuerySet[SyncTask]:
    """Objects that the shop tells of without end, so that they are asked for seldom."""
    lately = Q(finished_at=None) | Q(finished_at__gt=clock.now() - 2 * LONGEST_BETWEEN)
    return SyncTask.objects.filter(lately, store=store, params__prolonged__gte=LOOPS_FROM)


def arm_polls(store: Store, entities: Iterable[str] = ()) -> int:
    """Have entities (all, if none are named) polled now; how many. Makes the rows that are not there yet."""
    names = list(entities) or list(_polls)
    now = clock.now()
    keys = [f"poll:{name}" for name in names]
    with transaction.atomic():
        rows = SyncTask.objects.filter(store=store, key__in=keys)
        rows.filter(state__in=[State.DONE, State.DEAD, State.HELD]).update(
            state=State.DUE, due_at=now, attempts=0, error="", error_code="", finished_at=None
        )
        rows.filter(state=State.DUE, due_at__gt=now, error_code="").update(due_at=now)
        rows.filter(state=State.RUNNING).update(due_at=now + BETWEEN_FETCHES)
        SyncTask.objects.bulk_create(
            [
                SyncTask(store=store, key=key, entity=name, priority=POLL, due_at=now)
                for key, name in zip(keys, names, strict=True)
            ],
            ignore_conflicts=True,
        )
        queue.wake("sync")
    return len(names)


def run_due(budget_seconds: float = 20.0) -> int:
    """Work off due fetches and polls within the budget, one call at a time; how many were tried.

    Each store in turn, and one call at a time for each shop. Of a shop that does not answer only the probe goes out.
    """
    ends = clock.monotonic() + budget_seconds
    tried = 0
    # While the history is read, its refunds come by the page; one by one they would hold it up.
    allowed = health.may_ask() & (~Q(entity="refund") | Q(store__backfilled_at__isnull=False))
    for task in turns.in_turn(SyncTask, lease=LEASE, where=allowed | health.may_probe()):
        _run(task)
        tried += 1
        if clock.monotonic() >= ends:
            break
    counts.flush()
    return tried


def poll_now(store: Store) -> list[SyncTask]:
    """Poll every entity of a store here and now, and fetch what that found; the poll rows afterwards."""
    arm_polls(store)
    polls = SyncTask.objects.filter(store=store, key__startswith="poll:").order_by("pk")
    polls.filter(state=State.DUE).update(due_at=clock.now())
    for _round in range(2):
        where = Q(store=store, key__startswith="poll:") if not _round else Q(store=store)
        while rows := due.claim(SyncTask, limit=1, lease=LEASE, where=where):
            _run(rows[0])
    return list(polls.all())


def _run(task: SyncTask) -> None:
    store = task.store
    polls = task.key.startswith("poll:")
    runner = (_polls if polls else _fetchers).get(task.entity)
    if runner is None:
        due.give_up(task, f"Nothing fetches {task.entity!r}.", code="no_fetcher")
        return
    try:
        again_in = runner(task)
    except ToldToWait as told:
        health.failed(store, told)
        due.postpone(task, clock.now() + timedelta(seconds=told.seconds))
    except (Unreachable, Blocked, KeysRefused) as error:
        if (
            not polls
            and isinstance(error, Unreachable)
            and error.code in {"", "unreadable", "wrong_shape", "too_large"}
        ):
            # This object may be what breaks the answer: that is no word on the shop.
            due.retry(task, clock.now() + due.backoff(task.attempts), error.message, code=error.code or "unreachable")
        else:
            _later(task, store, error)
    except (Invalid, Missing) as error:
        # The entity as a whole is refused, such as by a version that lacks it: asked again tomorrow, shown meanwhile.
        if polls:
            due.postpone(task, clock.now() + timedelta(days=1))
            SyncTask.objects.filter(pk=task.pk).update(error=error.message, error_code=error.code or "refused")
        else:
            due.give_up(task, error.message, code=error.code)
    except NoNews as found:
        due.postpone(task, clock.now() + ASK_AGAIN)
        SyncTask.objects.filter(pk=task.pk).update(error=found.message, error_code=found.code)
    except OtherShop as other:
        # What it brought was rolled back. No more of it until a person has answered.
        from stores.sync.reconcile import identity

        identity.ask(store, other.message)
        due.postpone(task, clock.now() + ASK_AGAIN)
    except LeaseLost:
        log.warning(
            "task %s of store %s was overtaken by another worker; its rows were rolled back", task.key, store.pk
        )
        due.postpone(task, clock.now() + BETWEEN_FETCHES)
    except Exception as error:
        log.exception("task %s of store %s failed", task.key, store.pk)
        wait = due.backoff(task.attempts)
        if polls:
            due.postpone(task, clock.now() + max(wait, timedelta(minutes=1)))
            SyncTask.objects.filter(pk=task.pk).update(error=f"{type(error).__name__}: {error}"[:2000])
        else:
            due.retry(task, clock.now() + wait, f"{type(error).__name__}: {error}", code="failed")
    else:
        _end(task, again_in)


def _later(task: SyncTask, store: Store, error: WooError) -> None:
    health.failed(store, error)
    wait = health.retry_in(store)
    # Not an attempt of this object's: the shop as a whole is away, and a poll must never die of that.
    due.postpone(task, clock.now() + wait)
    SyncTask.objects.filter(pk=task.pk).update(error=error.message, error_code=error.code or "unreachable")


def _end(task: SyncTask, again_in: timedelta | None) -> None:
    with transaction.atomic():
        current = SyncTask.objects.select_for_update().get(pk=task.pk)
        if current.lease_token != task.lease_token:
            return
        hinted = current.due_at > task.due_at
        if hinted:
            due.postpone(task, current.due_at)
        elif again_in is not None:
            due.postpone(task, clock.now() + again_in)
        else:
            due.finish(task)
        if task.error or task.error_code:
            SyncTask.objects.filter(pk=task.pk).update(error="", error_code="")


class LeaseLost(Exception):
    """Another worker has taken this entity over; what this one read must not be written."""


class NoNews(Exception):
    """The shop answered with what is not to be believed. Nothing is written, the cursor stays, a person is told.

    `message` is for the merchant; `code` is `cached` or `empty_list`.
    """

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.message, self.code = message, code
