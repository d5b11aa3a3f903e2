"""Moves people through their flows, in batches.

A batch is claimed, everything it needs is loaded with a handful of queries, each person is moved as far as the moment
allows, and what the steps wrote commits together with the progress. Whoever fails is tried alone afterwards, so that one
person's trouble holds up nobody else.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction

from campaigns import bulk, definitions, effects, waking, walking
from campaigns.definitions import Definition
from campaigns.flows import FLOW_OFF
from campaigns.models import Enrolment, Flow, FlowVersion, Message, StepRun
from campaigns.turns import Turns
from campaigns.walking import Move, Values
from postpurchase import clock, due, killpoints
from postpurchase.due import State
from postpurchase.errors import BusinessError
from stores.models import Customer, Order, OrderLine, Store

log = logging.getLogger(__name__)

BATCH = 200
LEASE = timedelta(seconds=120)


class _LeaseLost(Exception):
    pass


def run_due(budget_seconds: float = 20.0) -> int:
    """Move everyone who is due, within the budget; how many people were moved or tried."""
    ends = clock.monotonic() + budget_seconds
    tried, turns = 0, Turns()
    while clock.monotonic() < ends:
        rows = turns.take(BATCH, lease=LEASE)
        if not rows:
            break
        tried += len(rows)
        try:
            _run(rows)
        except Exception:
            log.exception("a batch of %s enrolments failed; each is tried alone", len(rows))
            for row in rows:
                _run_alone(row)
    return tried


def _run_alone(row: Enrolment) -> None:
    try:
        _run([row])
    except _LeaseLost:
        log.warning("lease of enrolment %s was lost; its effects were rolled back", row.pk)
    except Exception as error:
        log.exception("enrolment %s failed", row.pk)
        code = error.code if isinstance(error, BusinessError) else "step_failed"
        reason = f"{type(error).__name__}: {error}"
        if due.retry(row, clock.now() + due.backoff(row.attempts), reason, code=code) and row.state == State.DEAD:
            Enrolment.objects.filter(pk=row.pk).update(status=Enrolment.Status.FAILED, reason=reason[:200])


def _run(rows: Sequence[Enrolment]) -> None:
    began = clock.now()
    load(rows)
    by_version: dict[int, list[Enrolment]] = defaultdict(list)
    for row in rows:
        by_version[row.version_id].append(row)
    plans = []
    for people in by_version.values():
        definition = definitions.parse(people[0].version.definition)
        known = walking.values_of(people, definition)
        plans += [(row, definition, values) for row, values in zip(people, known, strict=True)]
    with transaction.atomic():
        moves = [_move(row, definition, values) for row, definition, values in plans]
        _write(moves)
        if waits := [move.row.pk for move in moves if move.waiting]:
            waking.wake_again(waits, since=began)
        killpoints.reach("engine.written")


def load(rows: Sequence[Enrolment]) -> None:
    """Give each row what it points to, with one query for each kind."""
    stores = Store.objects.in_bulk({row.store_id for row in rows})
    flows = Flow.objects.in_bulk({row.flow_id for row in rows})
    versions = FlowVersion.objects.in_bulk({row.version_id for row in rows})
    customers = Customer.objects.defer("raw").in_bulk({row.customer_id for row in rows})
    orders = Order.objects.defer("raw").in_bulk({row.order_id for row in rows if row.order_id})
    line_ids = {row.line_id for row in rows if row.line_id}
    lines = OrderLine.objects.in_bulk(line_ids) if line_ids else {}
    for row in rows:
        row.store, row.flow, row.version = stores[row.store_id], flows[row.flow_id], versions[row.version_id]
        row.customer = customers[row.customer_id]
        row.order = orders[row.order_id] if row.order_id else None
        row.line = lines[row.line_id] if row.line_id else None


def _move(row: Enrolment, definition: Definition, values: Values) -> Move:
    if row.flow.state == Flow.State.OFF:
        move = walking.stay(row)
        move.held = True
        return move
    return walking.walk_with(row, definition, values, clock.now(), perform=effects.perform)


_WRITTEN = (
    "state",
    "status",
    "reason",
    "step",
    "waiting",
    "wait_until",
    "due_at",
    "context",
    "finished_at",
    "error",
    "error_code",
    "attempts",
    "lease_until",
    "lease_token",
)


def _write(moves: Sequence[Move]) -> None:
    """Everything that a batch changed. Raises when a lease is no longer ours, which rolls all of it back."""
    bulk.insert(StepRun, [run for move in moves for run in move.runs])
    bulk.insert(Message, [message for move in moves for message in move.messages])
    now = clock.now()
    changes = []
    for move in moves:
        state = State.HELD if move.held else State.DONE if move.is_over else State.DUE
        changes.append(
            (
                str(state),
                str(move.status),
                move.reason,
                move.step,
                move.waiting,
                move.wait_until,
                move.due_at,
                move.context,
                now if move.is_over else None,
                "",
                FLOW_OFF if move.held else "",
                0,
                None,
                None,
                move.row.pk,
                move.row.lease_token,
            )
        )
    if bulk.update(Enrolment, _WRITTEN, ("id", "lease_token"), changes) != len(changes):
        raise _LeaseLost
