"""The clock of flows that time starts: a due row for each, asked for the span since it was last asked.

Nobody enters twice, because the keys are unique; nobody is forgotten while the worker was away, up to `CATCH_UP`; and what
lies before the flow was switched on starts nothing.
"""

import heapq
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from campaigns.models import Flow, TriggerPlan
from campaigns.triggers import base, entering
from campaigns.triggers.base import Occurrence, Timed
from postpurchase import clock, due, queue
from postpurchase.due import MARKETING, TRANSACTIONAL, State
from stores import audit

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=300)
# What came due longer ago while no worker ran is left out, and said so: a birthday two days late is worse than none.
CATCH_UP = timedelta(hours=48)
BATCH = 500


def begin(flow: Flow) -> None:
    """Count time for this flow from now on: it was switched on, or begins with something else than before."""
    now = clock.now()
    TriggerPlan.objects.update_or_create(
        flow=flow,
        defaults={
            "store_id": flow.store_id,
            "key": f"flow:{flow.pk}",
            "begun_at": now,
            "until": now,
            "state": State.DUE,
            "due_at": now,
            "attempts": 0,
            "error": "",
            "error_code": "",
            "lease_token": None,
            "lease_until": None,
            "priority": TRANSACTIONAL if flow.klass == Flow.Klass.TRANSACTIONAL else MARKETING,
        },
    )
    queue.wake()


def switched(flow: Flow) -> None:
    """The flow was switched on or off, or starts with something else: time counts anew from now, or not at all.

    In the caller's transaction.
    """
    if flow.live is not None and flow.state != Flow.State.OFF and _timed(flow):
        begin(flow)
    else:
        TriggerPlan.objects.filter(flow=flow).delete()


def keep() -> int:
    """Each minute: begin the clock of flows that are on and have none; how many."""
    begun = 0
    bare = Flow.objects.filter(live__isnull=False, plan__isnull=True).exclude(state=Flow.State.OFF)
    for flow in bare.select_related("live"):
        if _timed(flow):
            with transaction.atomic():
                begin(flow)
            begun += 1
    return begun


def _timed(flow: Flow) -> tuple[Timed, ...]:
    assert flow.live is not None
    start, _faults = base.build(flow.live.definition.get("trigger"))
    return start.timed if start else ()


def register() -> None:
    """Have the clocks run; called once at start."""
    queue.register_drain("trigger clocks", run_due)
    queue.register_tick("trigger clocks", keep)


def run_due(budget_seconds: float = 20.0) -> int:
    """Enter everybody whose time has come, within the budget; how many clocks were looked at."""
    ends = clock.monotonic() + budget_seconds
    looked = 0
    while clock.monotonic() < ends:
        plans = due.claim(TriggerPlan, limit=1, lease=LEASE)
        if not plans:
            break
        looked += 1
        try:
            _run(plans[0], ends)
        except Exception as error:
            log.exception("the clock of flow %s failed", plans[0].flow_id)
            due.retry(plans[0], clock.now() + due.backoff(plans[0].attempts), f"{type(error).__name__}: {error}")
    return looked


def _run(plan: TriggerPlan, ends: float) -> None:
    flow = Flow.objects.select_related("store", "live").get(pk=plan.flow_id)
    timed = _timed(flow) if flow.live and flow.state != Flow.State.OFF else ()
    if not timed:
        TriggerPlan.objects.filter(pk=plan.pk, lease_token=plan.lease_token).delete()
        return
    now = clock.now()
    since = _caught_up(flow, plan, now)
    batch: list[Occurrence] = []
    for moment in _moments(flow, timed, plan, since, now):
        if len(batch) >= BATCH and moment.at > batch[-1].at:
            entering.enter(flow, batch)
            batch = []
            # All before this moment have entered, so the next round may go on from here.
            if not _note(plan, max(plan.until, moment.at)):
                return
            if clock.monotonic() > ends:
                due.go_on(plan)
                return
        batch.append(moment)
    entering.enter(flow, batch)
    if _note(plan, now):
        due.postpone(plan, now + min(trigger.every for trigger in timed))


def _moments(
    flow: Flow, timed: tuple[Timed, ...], plan: TriggerPlan, since: datetime, now: datetime
) -> Iterator[Occurrence]:
    each = [trigger.history(flow.store, max(since - trigger.overlap, plan.begun_at), now) for trigger in timed]
    return heapq.merge(*each, key=lambda one: (one.at, one.key))


def _caught_up(flow: Flow, plan: TriggerPlan, now: datetime) -> datetime:
    """From when to ask: where the last round ended, but no further back than is of use."""
    oldest = now - CATCH_UP
    if plan.until >= oldest:
        return plan.until
    audit.record(
        flow.store,
        "flow.time_missed",
        actor="worker",
        target=flow.slug,
        diff={"from": plan.until.isoformat(), "to": oldest.isoformat()},
    )
    return oldest


def _note(plan: TriggerPlan, until: datetime) -> bool:
    """Keep how far the clock has come and hold on to it; False when another worker has it."""
    mine = TriggerPlan.objects.filter(Q(pk=plan.pk), lease_token=plan.lease_token)
    plan.until = until
    return bool(mine.update(until=until, lease_until=clock.now() + LEASE))
