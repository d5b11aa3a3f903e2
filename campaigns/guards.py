"""What stops sending beside the shop's own pause: the operator's switch, and guards against floods, clocks and restores.

A guard holds and never decides: a person looks and releases it. Messages wait meanwhile, and what is too late afterwards is
not sent.
"""

import hashlib
import logging
import time
from collections.abc import Collection
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import Count, Q
from django.db.models.functions import TruncHour

from campaigns.flows import Actor
from campaigns.models import Message, SendingHold, SentLedger
from postpurchase import clock, queue
from postpurchase.due import MARKETING, State
from stores import audit
from stores.models import Store

log = logging.getLogger(__name__)

Kind = SendingHold.Kind
TOTAL = SendingHold.STOPS_ALL
# Far more than usual: so many times the busiest hour of the last week, and at least so many.
FLOOD_TIMES, FLOOD_LEAST = 5, 200
USUAL_SPAN = timedelta(days=7)
# Who has looked and released a flood is not asked again for so long.
RELEASED_FOR = timedelta(hours=24)
CLOCK_SECONDS = 600
LOOK_SECONDS = 60.0

_last_clock: tuple[float, float] | None = None
_looked: dict[int, float] = {}


def mark(store_id: int, key: str) -> str:
    """What the journal keeps of a message: it can be compared and tells nothing."""
    return "journal:" + hashlib.sha256(f"{store_id}:{key}".encode()).hexdigest()[:32]


def active(store: Store | None = None) -> list[SendingHold]:
    """The holds that stand: of a store with those of all, or (no store) those of all."""
    whose = Q(store=None) | Q(store=store) if store else Q(store=None)
    return list(SendingHold.objects.filter(whose, released_at=None).order_by("since"))


def reasons(stores: Collection[int]) -> tuple[dict[int, str], dict[int, str]]:
    """For each store that is stopped the reason, and for each whose marketing is held the reason."""
    stopped: dict[int, str] = {}
    guarded: dict[int, str] = {}
    for hold in SendingHold.objects.filter(Q(store_id__in=stores) | Q(store=None), released_at=None):
        target = stopped if hold.kind in TOTAL else guarded
        words = "all sending is paused" if hold.kind == Kind.PAUSED else str(hold.get_kind_display())
        for store in stores if hold.store_id is None else [hold.store_id]:
            target.setdefault(store, words)
    return stopped, guarded


def hold(store: Store | None, kind: str, **seen: object) -> bool:
    """Stop; False when that was so already. The operator reads it in the log, on the System page and in doctor."""
    with transaction.atomic():
        _, new = SendingHold.objects.get_or_create(store=store, kind=kind, released_at=None, defaults={"seen": seen})
        if new and store:
            audit.record(store, "sending.held", actor="guard", diff={"kind": kind, **seen})
    if new:
        log.error("sending is held for %s: %s %s", store.slug if store else "all stores", kind, seen)
    return new


def release(held: SendingHold, *, actor: Actor) -> bool:
    """Let go what this hold keeps back; False when somebody has done so already."""
    with transaction.atomic():
        changed = SendingHold.objects.filter(pk=held.pk, released_at=None).update(
            released_at=clock.now(), released_by=str(actor)[:120]
        )
        if not changed:
            return False
        waiting = Message.objects.filter(state=State.DUE, error_code__in=("paused", "guard"))
        if held.store_id:
            waiting = waiting.filter(store_id=held.store_id)
        waiting.update(due_at=clock.now())
        for store in Store.objects.filter(pk=held.store_id) if held.store_id else Store.objects.all():
            audit.record(store, "sending.released", actor=actor, diff={"kind": held.kind})
        queue.wake()
    return True


def pause_all(*, actor: Actor) -> bool:
    """Nothing leaves, from no store, until `resume_all`. False when that was so already."""
    new = hold(None, Kind.PAUSED)
    for store in Store.objects.all() if new else []:
        audit.record(store, "sending.pause", actor=actor, diff={"all": True})
    return new


def resume_all(*, actor: Actor) -> bool:
    """End `pause_all`; what a shop paused itself stays paused. False when nothing was paused."""
    return any(release(each, actor=actor) for each in active() if each.kind == Kind.PAUSED)


def look(store: Store) -> None:
    """At most once a minute for each store in this process: does far more wait than usual?"""
    now = time.monotonic()
    if now - _looked.get(store.pk, float("-inf")) >= LOOK_SECONDS:
        _looked[store.pk] = now
        check_flood(store)


def check_flood(store: Store) -> bool:
    """Hold marketing when more is due than five times the busiest hour of the last week; whether it is held now."""
    now = clock.now()
    due_now = Message.objects.filter(
        store=store, state__in=[State.DUE, State.RUNNING], priority=MARKETING, klass="M", due_at__lte=now
    ).exclude(error_code="turn")
    n = due_now.count()
    if n < FLOOD_LEAST:
        return False
    hours = (
        SentLedger.objects.filter(store=store, klass="M", at__gt=now - USUAL_SPAN)
        .annotate(hour=TruncHour("at"))
        .values("hour")
        .annotate(n=Count("pk"))
        .order_by("-n")
        .values_list("n", flat=True)
    )
    usual = next(iter(hours[:1]), 0)
    if n <= FLOOD_TIMES * usual:
        return False
    if SendingHold.objects.filter(store=store, kind=Kind.FLOOD, released_at__gt=now - RELEASED_FOR).exists():
        return False
    hold(store, Kind.FLOOD, due=n, usual=usual)
    return True


def readings() -> tuple[float, float]:
    """The system's clock, which somebody may set, and the one that only runs, in seconds."""
    return time.time(), time.monotonic()


def watch_clock() -> bool:
    """Hold marketing when the clock jumped since the last look of this process, or is not the database's; whether it did."""
    global _last_clock
    wall, steady = readings()
    before, _last_clock = _last_clock, (wall, steady)
    drift = (wall - before[0]) - (steady - before[1]) if before else 0.0
    if abs(drift) <= CLOCK_SECONDS and before is None:
        drift = _beside_database(wall)
    if abs(drift) <= CLOCK_SECONDS:
        return False
    return hold(None, Kind.CLOCK, minutes=round(drift / 60))


def _beside_database(wall: float) -> float:
    """How far our clock is from the database server's; 0 where the database is a file and has none."""
    if connection.vendor != "postgresql":
        return 0.0
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        return wall - float(cursor.fetchone()[0])
