"""One customer's way through a flow over a span of time: entering, steps, messages, by the code that runs it for real.

Time stands still between what happens: an entry, the end of a wait, a message that becomes due. At each such moment the
walk (`campaigns.walking`) and the last look before sending (`campaigns.rechecks`) are asked, with what was true then.
"""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from campaigns import dates, effects, priority, rechecks, walking, wishes
from campaigns.definitions import Definition
from campaigns.effects import Effect
from campaigns.models import Enrolment, Flow, FlowVersion, Message, StepRun
from campaigns.rechecks import Known, Past
from campaigns.rechecks.known import Rival
from campaigns.rechecks.loading import recipient_zones
from campaigns.simulation.knowing import Knower
from campaigns.simulation.world import Letter, Person, World
from campaigns.steps.send_email import send_condition
from campaigns.triggers import Entry, Occurrence
from campaigns.triggers.entering import HOLDBACK, is_held_back
from campaigns.walking import Values
from stores import conditions
from stores.conditions import Condition, Subject
from stores.models import Coupon, OrderLine

S = Message.Status
# In the order in which the worker does what is due at one moment.
_ENTER, _MOVE, _SEND = range(3)
_ENDS = {rechecks.SEND: S.ACCEPTED, rechecks.SKIP: S.SKIPPED, rechecks.EXPIRE: S.EXPIRED, rechecks.APPROVAL: S.APPROVAL}
# Stands for the code that would have been made; a dry run makes none.
_CODE = "a code of their own"
NOT_MET = "the flow's condition does not hold"
ALREADY = "is in the flow already"
UNKNOWN = "the person is not known any more"


@dataclass(frozen=True)
class Plan:
    """A flow as a dry run takes it: on, whatever its state."""

    flow: Flow
    version: FlowVersion
    definition: Definition
    topic: str

    @classmethod
    def of(cls, flow: Flow, definition: Definition, version: FlowVersion | None = None) -> "Plan":
        topic = priority.topic_of(recipe=flow.recipe, starts=definition.events)
        return cls(flow, version or FlowVersion(flow=flow, number=0, definition={}), definition, topic)

    @property
    def asked(self) -> frozenset[str]:
        """All that its conditions ask about, of entering, walking and sending alike."""
        trees: list[Condition] = [self.definition.where] if self.definition.where else []
        trees += [tree for place in self.definition.steps.values() if (tree := send_condition(place.step))]
        return self.definition.fields | conditions.fields_of(trees) | conditions.fields_of(self.definition.exit_when)


@dataclass
class Course:
    """What became of one occurrence. `refused` says why the person did not enter; then there is nothing else."""

    moment: Occurrence
    refused: str = ""
    enrolment: Enrolment | None = None
    runs: list[StepRun] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    ended_at: datetime | None = None

    @property
    def entered(self) -> bool:
        return self.enrolment is not None

    @property
    def held_back(self) -> bool:
        return self.enrolment is not None and self.enrolment.reason == HOLDBACK

    @property
    def status(self) -> str:
        return str(self.enrolment.status) if self.enrolment else ""

    @property
    def reason(self) -> str:
        return self.enrolment.reason if self.enrolment else self.refused


@dataclass
class Runner:
    """Runs one customer after the other through one flow."""

    plan: Plan
    world: World
    knower: Knower
    until: datetime
    lines: Mapping[int, OrderLine] = field(default_factory=dict)

    def run(self, person: Person, moments: Sequence[Occurrence]) -> list[Course]:
        """All occurrences of one person, in time; a course for each."""
        return _Life(self, person).live(moments)

    def subject(self, person: Person, one: Occurrence, at: datetime) -> Subject | None:
        """About whom an occurrence is, as they were at that moment; None when the order is not known."""
        past = person.order(one.order_id)
        if person.row.erased_at or (one.order_id and past is None):
            return None
        line = self.lines.get(one.line_id) if one.line_id else None
        return Subject(self.world.store, person.customer(at), past.at(at) if past else None, one.told(), line)


class _Life:
    """One person between entering for the first time and the end of the span."""

    def __init__(self, runner: Runner, person: Person) -> None:
        self.runner, self.person = runner, person
        self.plan, self.definition = runner.plan, runner.plan.definition
        self.tasks: list[tuple[datetime, int, int, Any]] = []
        self.count = 0
        self.entries: list[Entry] = []
        self.coupons: dict[str, date] = {}

    def live(self, moments: Sequence[Occurrence]) -> list[Course]:
        courses = [Course(one) for one in moments]
        for course in courses:
            self._plan(course.moment.at, _ENTER, course)
        while self.tasks:
            at, kind, _n, what = heapq.heappop(self.tasks)
            if at > self.runner.until:
                break
            if kind == _ENTER:
                self._enter(what, at)
            elif kind == _MOVE:
                self._move(what, at)
            else:
                self._send_all([what, *self._due_with(at)], at)
        return courses

    def _due_with(self, at: datetime) -> list[tuple[Course, Letter]]:
        """The other messages that are due at this moment; the outbox takes them together."""
        found = []
        while self.tasks and self.tasks[0][:2] == (at, _SEND):
            found.append(heapq.heappop(self.tasks)[-1])
        return found

    def _send_all(self, due: list[tuple[Course, Letter]], at: datetime) -> None:
        # Which others wait is looked up before the first of them is judged.
        waiting = [letter for letter in self.person.letters if letter.waits and letter.message.planned_for <= at]
        due.sort(key=lambda each: (each[1].message.planned_for, each[1].message.pk))
        for course, letter in due:
            self._send(course, letter, at, waiting)

    def _plan(self, at: datetime, kind: int, what: Any) -> None:
        self.count += 1
        heapq.heappush(self.tasks, (at, kind, self.count, what))

    def _enter(self, course: Course, at: datetime) -> None:
        one = course.moment
        subject = self.runner.subject(self.person, one, at)
        if subject is None:
            course.refused = UNKNOWN
            return
        if self.definition.where:
            values = self.runner.knower.at(self.person, subject, at)
            if not conditions.holds(self.definition.where, values):
                course.refused = NOT_MET
                return
        scope = self.definition.reentry.scope(one, self.entries)
        if scope is None:
            course.refused = ALREADY
            return
        self.entries.append(Entry(scope, one.at))
        held = is_held_back(self.plan.flow, self.definition, one.customer_id)
        course.enrolment = Enrolment(
            store=self.runner.world.store,
            flow=self.plan.flow,
            version=self.plan.version,
            customer=subject.customer,
            order=subject.order,
            line=subject.line,
            key=f"{self.plan.flow.pk or 0}:{scope}",
            step="" if held else self.definition.first,
            status=Enrolment.Status.LEFT if held else Enrolment.Status.ACTIVE,
            reason=HOLDBACK if held else "",
            context={"event": one.name, "event_key": one.key, "at": one.at.isoformat(), "payload": one.told()},
            entered_at=at,
            due_at=one.at,
        )
        if held:
            course.ended_at = at
        else:
            self._move(course, at)

    def _subject(self, course: Course, at: datetime) -> Subject:
        subject = self.runner.subject(self.person, course.moment, at)
        assert subject is not None
        return subject

    def _move(self, course: Course, at: datetime) -> None:
        row = course.enrolment
        assert row is not None
        if row.status != Enrolment.Status.ACTIVE:
            return
        subject = self._subject(course, at)
        row.customer, row.order = subject.customer, subject.order
        values = Values(
            self.runner.knower.at(self.person, subject, at),
            [one for one in self.person.happened if row.entered_at <= one.at <= at],
            self._dates(row) if self.definition.dates else {},
        )
        move = walking.walk_with(row, self.definition, values, at, perform=effects.foresee)
        course.runs += move.runs
        course.effects += move.effects
        for message in move.messages:
            message.store, message.flow, message.enrolment = row.store, row.flow, row
            message.customer, message.order = row.customer, row.order
            # A number as the database would give, because two that are due at once go by it.
            self.count += 1
            message.pk = self.count
            letter = Letter(message)
            course.letters.append(letter)
            self.person.letters.append(letter)
            self._plan(max(message.due_at, at), _SEND, (course, letter))
        row.step, row.waiting, row.wait_until = move.step, move.waiting, move.wait_until
        row.due_at, row.context, row.status, row.reason = move.due_at, move.context, move.status, move.reason
        if move.is_over:
            course.ended_at = at
        else:
            self._plan(self._next_look(row, at), _MOVE, course)

    def _next_look(self, row: Enrolment, at: datetime) -> datetime:
        """When the person is looked at again: at the end of the wait, or when something that the flow waits for comes."""
        news = (one.at for one in self.person.happened if at < one.at < row.due_at)
        return min(news, default=row.due_at)

    def _dates(self, row: Enrolment) -> dict[str, Any]:
        found = dates.load(self.definition.dates, [row])[0]
        if "coupon.expires" in found:
            found["coupon.expires"] = self.coupons.get(row.context.get("coupon", {}).get("source", ""))
        return found

    def _send(self, course: Course, letter: Letter, at: datetime, waiting: Sequence[Letter]) -> None:
        message = letter.message
        subject = self._subject(course, at)
        message.customer, message.order = subject.customer, subject.order
        verdict = rechecks.judge_one(message, self._known(letter, subject, at, waiting), now=at)
        letter.trace, letter.reason, letter.code, letter.at = verdict.trace, verdict.reason, verdict.code, at
        if verdict.action == rechecks.HOLD:
            assert verdict.until is not None
            letter.status, letter.due_at = S.HELD, verdict.until
            if verdict.moved:
                message.owed_at = verdict.until
            self._plan(verdict.until, _SEND, (course, letter))
            return
        letter.status = _ENDS[verdict.action]
        if verdict.action == rechecks.SEND:
            self._note_sent(message, at)

    def _note_sent(self, message: Message, at: datetime) -> None:
        klass = rechecks.effective_klass(message)
        self.person.past.append(Past(at, klass, message.purpose, self.plan.flow.name, pk=message.pk))
        wish = message.context.get("coupon")
        if isinstance(wish, Mapping) and wish.get("source"):
            day = at.astimezone(self.runner.world.store.tz).date()
            self.coupons.setdefault(wish["source"], day + timedelta(days=wish["valid_days"]))

    def _known(self, letter: Letter, subject: Subject, at: datetime, waiting: Sequence[Letter]) -> Known:
        message, person = letter.message, self.person
        place = self.definition.steps.get(message.step)
        send_if = send_condition(place.step) if place else None
        judged = bool(self.definition.exit_when or send_if)
        return Known(
            flow_state=Flow.State.ON,
            flow_name=self.plan.flow.name,
            version=self.plan.version.number,
            definition=self.definition,
            send_if=send_if,
            values=self.runner.knower.at(person, subject, at) if judged else {},
            order_status=conditions.present_status(subject.order) if subject.order else "",
            standing=person.standing(at),
            coupon=Coupon(code=_CODE, state=Coupon.State.LIVE) if wishes.of(message) else None,
            troubles=person.wrong(at) if message.klass != "T" else (),
            past=[past for past in person.past if past.at <= at],
            rivals=self._rivals(letter, at, waiting) if message.klass != "T" else (),
            topic=self.plan.topic,
            zones=recipient_zones(message),
            limits=self.runner.world.limits,
        )

    def _rivals(self, letter: Letter, at: datetime, waiting: Sequence[Letter]) -> list[Rival]:
        """What else of this flow is due for the person. What waits for longer than a day wants no slot now."""
        soon = at + timedelta(days=1)
        return [
            Rival(
                klass=rechecks.effective_klass(each.message),
                purpose=each.message.purpose,
                topic=self.plan.topic,
                planned_for=each.message.planned_for,
                due_at=each.due_at or at,
                title=self.plan.flow.name,
                pk=each.message.pk,
            )
            for each in waiting
            if each is not letter and each.message.klass != "T" and (each.due_at is None or each.due_at <= soon)
        ]
