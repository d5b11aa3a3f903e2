"""One person's way through a flow: a pure function of the person, the flow, what is known, and the moment.

The engine and a dry run walk the same code. Nothing is written here: the rows and effects that a step wants lie on the
`Move`. `values_of` loads what is known, for a whole batch at once; a dry run may pass what was known at another time.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from campaigns import dates
from campaigns.definitions import Definition, Placed
from campaigns.effects import Effect, Performed
from campaigns.models import Enrolment, Message, StepRun
from campaigns.steps import Choose, Happened, Leave, Outcome, Skipped, Visit, WaitUntil
from campaigns.steps.base import ELSE, THEN
from postpurchase.errors import BusinessError
from stores import conditions
from stores.conditions import Condition, Subject
from stores.models import Event

_UNSEEN = "the condition did not hold"
_SIDES = {THEN: StepRun.Outcome.YES, ELSE: StepRun.Outcome.NO}


@dataclass
class Values:
    """What is known about one person: `fields` for conditions, `happened` since entering, `dates` by name."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    happened: Sequence[Happened] = ()
    dates: Mapping[str, date | datetime | None] = field(default_factory=dict)


@dataclass
class Move:
    """How far one person came: the new values of the enrolment, and what is to be written and done with them."""

    row: Enrolment
    step: str
    due_at: datetime
    context: dict[str, Any]
    waiting: bool = False
    wait_until: datetime | None = None
    status: str = Enrolment.Status.ACTIVE
    reason: str = ""
    # The flow is off: stay here until it is switched on.
    held: bool = False
    runs: list[StepRun] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return self.status != Enrolment.Status.ACTIVE


def stay(person: Enrolment) -> Move:
    """The person as they are."""
    return Move(person, person.step, person.due_at, dict(person.context), person.waiting, person.wait_until)


def walk(
    person: Enrolment,
    definition: Definition,
    values: Values,
    now: datetime,
    *,
    refused: Mapping[str, str] | None = None,
) -> Move:
    """Move the person as far as the moment allows. Reads and writes nothing but its arguments; `person` stays as it is.

    The person's store, flow, customer, order and line must be loaded. `refused` names steps (uid to reason) whose effects
    turned out to be impossible. Whether the flow is switched on is not asked here.
    """
    move = stay(person)
    move.waiting, move.wait_until = False, None
    if person.customer.erased_at:
        return _leave(move, "customer erased")
    for condition in definition.exit_when:
        if conditions.holds(condition, values.fields):
            return _leave(move, exit_reason(condition, values.fields))
    until = person.wait_until or person.due_at
    # When the step was to run: a wait that is over ended when it ended, not when somebody came to look.
    at = until if person.waiting and until <= now else now if person.waiting else person.due_at
    resuming = person.waiting
    place = definition.steps.get(person.step)
    while place:
        if place.when and not resuming and not conditions.holds(place.when, values.fields):
            _note(move, place, now, StepRun.Outcome.SKIPPED, _UNSEEN)
            place = definition.steps.get(place.next)
            continue
        outcome = _visit(move, place, values, now, at, until if resuming else None, refused or {})
        resuming = False
        if isinstance(outcome, WaitUntil):
            move.step, move.waiting, move.due_at, move.wait_until = place.uid, True, outcome.at, outcome.at
            return move
        if isinstance(outcome, Leave):
            if outcome.early:
                _note(move, place, now, StepRun.Outcome.SKIPPED, outcome.reason)
                return _leave(move, outcome.reason)
            _note(move, place, now, reason=outcome.reason)
            return _end(move, Enrolment.Status.FINISHED, outcome.reason)
        place = _next(move, place, outcome, definition, now)
    return _end(move, Enrolment.Status.FINISHED, "")


def _visit(
    move: Move,
    place: Placed,
    values: Values,
    now: datetime,
    at: datetime,
    until: datetime | None,
    refused: Mapping[str, str],
) -> Outcome:
    if place.uid in refused:
        return place.step.refused(refused[place.uid])
    visit = Visit(
        move.row,
        place.uid,
        now,
        at,
        values.fields,
        move.context,
        move.messages,
        move.effects,
        values.happened,
        values.dates,
        until,
    )
    return place.step.run(visit) if until is None else place.step.resume(visit)


def _next(move: Move, place: Placed, outcome: Outcome, definition: Definition, now: datetime) -> Placed | None:
    if isinstance(outcome, Choose):
        _note(move, place, now, _SIDES.get(outcome.lane, StepRun.Outcome.DONE), lane=outcome.lane)
        return definition.steps.get(place.lanes.get(outcome.lane, place.next))
    if isinstance(outcome, Skipped):
        _note(move, place, now, StepRun.Outcome.SKIPPED, outcome.reason)
    else:
        _note(move, place, now)
    return definition.steps.get(place.next)


def walk_with(
    person: Enrolment,
    definition: Definition,
    values: Values,
    now: datetime,
    *,
    perform: Callable[[Enrolment, Effect], Performed],
) -> Move:
    """`walk`, with each effect handed to `perform` in turn: `effects.perform` for real, `effects.foresee` for a dry run.

    When one is refused (BusinessError), the person is walked again with that known, so nothing after it speaks of what
    is not there. What was performed before is not performed again.
    """
    refused: dict[str, str] = {}
    done: dict[tuple[str, str], Performed] = {}
    while True:
        move = walk(person, definition, values, now, refused=refused)
        try:
            for effect in move.effects:
                if (effect.kind, effect.key) not in done:
                    done[effect.kind, effect.key] = perform(person, effect)
                _take(move, effect, done[effect.kind, effect.key])
        except BusinessError as refusal:
            refused[effect.uid] = refusal.message
        else:
            return move


def _take(move: Move, effect: Effect, performed: Performed) -> None:
    """What came of an effect: kept for later steps, given to the mails of this way, and said at its step."""
    if performed.context:
        move.context |= performed.context
        for message in move.messages:
            message.context |= performed.context
    if performed.skipped:
        for run in move.runs:
            if run.step == effect.uid:
                run.outcome, run.reason = StepRun.Outcome.SKIPPED, performed.skipped[:200]


def exit_reason(condition: Condition, values: Mapping[str, Any]) -> str:
    """Why a person leaves, in the merchant's words."""
    if condition.get("field") == "order.status":
        return f"order {values['order.status']}"
    return conditions.describe(condition)


def _note(
    move: Move,
    place: Placed,
    at: datetime,
    outcome: str = StepRun.Outcome.DONE,
    reason: str = "",
    lane: str = "",
) -> None:
    run = StepRun(enrolment_id=move.row.pk, step=place.uid, kind=place.kind, at=at, outcome=outcome)
    run.reason, run.lane = reason[:200], lane
    move.runs.append(run)


def _end(move: Move, status: str, reason: str) -> Move:
    move.status, move.reason, move.step, move.waiting = status, reason[:200], "", False
    return move


def _leave(move: Move, reason: str) -> Move:
    return _end(move, Enrolment.Status.LEFT, reason)


def subject_of(person: Enrolment) -> Subject:
    """The person as conditions see them."""
    return Subject(person.store, person.customer, person.order, person.context.get("payload", {}), person.line)


def values_of(people: Sequence[Enrolment], definition: Definition) -> list[Values]:
    """What the flow asks about each of these people, now; a handful of queries for all of them."""
    known = conditions.load(definition.fields, [subject_of(person) for person in people])
    happened = _happened(people, definition.awaited) if definition.awaited else {}
    days = dates.load(definition.dates, people) if definition.dates else [{} for _person in people]
    return [
        Values(found, happened.get(person.customer_id, ()), own)
        for person, found, own in zip(people, known, days, strict=True)
    ]


def _happened(people: Sequence[Enrolment], names: frozenset[str]) -> dict[int, list[Happened]]:
    """Events of these names about these people since the first of them entered, the oldest first."""
    since = min(person.entered_at for person in people)
    rows = Event.objects.filter(
        store_id__in={person.store_id for person in people},
        customer_id__in={person.customer_id for person in people},
        name__in=names,
        recorded_at__gte=since,
        historic=False,
    )
    found: dict[int, list[Happened]] = defaultdict(list)
    for customer, name, at, key, order in rows.order_by("recorded_at", "pk").values_list(
        "customer_id", "name", "recorded_at", "key", "order_id"
    ):
        found[customer].append(Happened(name, at, key, order))
    return found
