"""Moves people through their flows, in batches.

A batch is claimed, everything it needs is loaded with a handful of queries, each person is moved as far as the moment
allows, and what the steps wrote commits together with the progress. Whoever fails is tried alone afterwards, so that one
person's trouble holds up nobody else.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from campaigns import bulk, definitions
from campaigns.definitions import Definition, Placed
from campaigns.flows import FLOW_OFF
from campaigns.models import Enrolment, Flow, FlowVersion, Message, StepRun
from campaigns.steps import Choose, Leave, Skipped, Visit, WaitUntil
from postpurchase import clock, due, killpoints
from postpurchase.due import State
from postpurchase.errors import BusinessError
from stores import conditions
from stores.conditions import Condition, Subject
from stores.models import Customer, Order, Store

log = logging.getLogger(__name__)

BATCH = 200
LEASE = timedelta(seconds=120)
_UNSEEN = "the condition did not hold"


class _LeaseLost(Exception):
    pass


@dataclass
class _Move:
    """How far one person came: the new values of the enrolment, and the rows to write with them."""

    row: Enrolment
    step: str
    due_at: datetime
    context: dict[str, Any]
    waiting: bool = False
    status: str = Enrolment.Status.ACTIVE
    reason: str = ""
    # The flow is off: stay here until it is switched on.
    held: bool = False
    runs: list[StepRun] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)


def run_due(budget_seconds: float = 20.0) -> int:
    """Move everyone who is due, within the budget; how many people were moved or tried."""
    ends = clock.monotonic() + budget_seconds
    tried = 0
    while clock.monotonic() < ends:
        rows = due.claim(Enrolment, limit=BATCH, lease=LEASE)
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
    _load(rows)
    plans = {row.version_id: row.version for row in rows}
    parsed = {pk: definitions.parse(version.definition) for pk, version in plans.items()}
    values = _values(rows, parsed)
    with transaction.atomic():
        _write([_move(row, parsed[row.version_id], values[row.pk]) for row in rows])
        killpoints.reach("engine.written")


def _load(rows: Sequence[Enrolment]) -> None:
    """Give each row what it points to, with one query for each kind."""
    stores = Store.objects.in_bulk({row.store_id for row in rows})
    flows = Flow.objects.in_bulk({row.flow_id for row in rows})
    versions = FlowVersion.objects.in_bulk({row.version_id for row in rows})
    customers = Customer.objects.defer("raw").in_bulk({row.customer_id for row in rows})
    orders = Order.objects.defer("raw").in_bulk({row.order_id for row in rows if row.order_id})
    for row in rows:
        row.store, row.flow, row.version = stores[row.store_id], flows[row.flow_id], versions[row.version_id]
        row.customer = customers[row.customer_id]
        row.order = orders[row.order_id] if row.order_id else None


def _values(rows: Sequence[Enrolment], parsed: dict[int, Definition]) -> dict[int, dict[str, Any]]:
    """What the conditions of each person's flow ask about, loaded once for all people of a version."""
    by_version: dict[int, list[Enrolment]] = defaultdict(list)
    for row in rows:
        by_version[row.version_id].append(row)
    found: dict[int, dict[str, Any]] = {}
    for version, people in by_version.items():
        subjects = [Subject(row.store, row.customer, row.order, row.context.get("payload", {})) for row in people]
        loaded = conditions.load(parsed[version].fields, subjects)
        found |= {row.pk: seen for row, seen in zip(people, loaded, strict=True)}
    return found


def _move(row: Enrolment, definition: Definition, values: dict[str, Any]) -> _Move:
    now = clock.now()
    move = _Move(row, row.step, row.due_at, dict(row.context))
    if row.flow.state == Flow.State.OFF:
        move.held, move.waiting = True, row.waiting
        return move
    if row.customer.erased_at:
        return _leave(move, "customer erased")
    for condition in definition.exit_when:
        if conditions.holds(condition, values):
            return _leave(move, exit_reason(condition, values))
    place = definition.steps.get(row.step)
    if place and row.waiting:
        _note(move, place, now)
        place = definition.steps.get(place.next)
    while place:
        if place.when and not conditions.holds(place.when, values):
            _note(move, place, now, StepRun.Outcome.SKIPPED, _UNSEEN)
            place = definition.steps.get(place.next)
            continue
        visit = Visit(row, place.uid, now, row.due_at, values, move.context, move.messages)
        outcome = place.step.run(visit)
        if isinstance(outcome, WaitUntil):
            move.step, move.waiting, move.due_at = place.uid, True, outcome.at
            return move
        if isinstance(outcome, Leave):
            if outcome.early:
                _note(move, place, now, StepRun.Outcome.SKIPPED, outcome.reason)
                return _leave(move, outcome.reason)
            _note(move, place, now, reason=outcome.reason)
            return _end(move, Enrolment.Status.FINISHED, outcome.reason)
        if isinstance(outcome, Choose):
            _note(move, place, now, StepRun.Outcome.YES if outcome.yes else StepRun.Outcome.NO)
            place = definition.steps.get(place.then if outcome.yes else place.otherwise)
            continue
        if isinstance(outcome, Skipped):
            _note(move, place, now, StepRun.Outcome.SKIPPED, outcome.reason)
        else:
            _note(move, place, now)
        place = definition.steps.get(place.next)
    return _end(move, Enrolment.Status.FINISHED, "")


def exit_reason(condition: Condition, values: dict[str, Any]) -> str:
    """Why a person leaves, in the merchant's words."""
    if condition.get("field") == "order.status":
        return f"order {values['order.status']}"
    return conditions.describe(condition)


def _note(move: _Move, place: Placed, at: datetime, outcome: str = StepRun.Outcome.DONE, reason: str = "") -> None:
    move.runs.append(
        StepRun(enrolment_id=move.row.pk, step=place.uid, kind=place.kind, at=at, outcome=outcome, reason=reason[:200])
    )


def _end(move: _Move, status: str, reason: str) -> _Move:
    move.status, move.reason, move.step, move.waiting = status, reason[:200], "", False
    return move


def _leave(move: _Move, reason: str) -> _Move:
    return _end(move, Enrolment.Status.LEFT, reason)


_WRITTEN = (
    "state",
    "status",
    "reason",
    "step",
    "waiting",
    "due_at",
    "context",
    "finished_at",
    "error",
    "error_code",
    "attempts",
    "lease_until",
    "lease_token",
)


def _write(moves: Sequence[_Move]) -> None:
    """Everything that a batch changed. Raises when a lease is no longer ours, which rolls all of it back."""
    bulk.insert(StepRun, [run for move in moves for run in move.runs])
    bulk.insert(Message, [message for move in moves for message in move.messages])
    now = clock.now()
    changes = []
    for move in moves:
        over = move.status != Enrolment.Status.ACTIVE
        state = State.HELD if move.held else State.DONE if over else State.DUE
        changes.append(
            (
                str(state),
                str(move.status),
                move.reason,
                move.step,
                move.waiting,
                move.due_at,
                move.context,
                now if over else None,
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
