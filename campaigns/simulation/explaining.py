"""One person and one flow, in words: what was looked at, with what was seen; the way through the steps; the dates."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from campaigns import steps
from campaigns.definitions import Definition
from campaigns.models import Enrolment, Message, StepRun
from campaigns.simulation.course import ALREADY, NOT_MET, UNKNOWN, Course, Plan, Runner
from campaigns.simulation.knowing import Knower
from campaigns.simulation.running import Asked
from campaigns.simulation.world import Letter, World, load
from campaigns.triggers import Occurrence
from stores import conditions
from stores.conditions import Condition, Subject
from stores.conditions.base import children, field_of, key_of
from stores.models import OrderLine, Store

# A person's way is shown to its end, however long its waits are.
TO_THE_END = timedelta(days=3 * 365)
_MANY = 6


@dataclass(frozen=True)
class Check:
    """One condition of entering: whether it held, in words, and what was seen."""

    passed: bool
    words: str
    seen: str

    @property
    def sentence(self) -> str:
        """As it is told when it did not hold."""
        return _("%(what)s: no, %(seen)s") % {"what": self.words, "seen": self.seen}


@dataclass(frozen=True)
class Stage:
    """One line of the way: what happened or will, and when. `letter` where it is a message."""

    at: datetime
    icon: str
    words: str
    note: str = ""
    uid: str = ""
    letter: Letter | None = None
    state: str = ""


@dataclass
class Told:
    """All about one person and one occurrence."""

    moment: Occurrence
    subject: Subject | None
    course: Course
    checks: list[Check] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)
    undated: list[str] = field(default_factory=list)

    @property
    def enters(self) -> bool:
        return self.course.entered

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if not check.passed]

    @property
    def nearly(self) -> bool:
        """Whether exactly one condition stood against it."""
        return self.course.refused == NOT_MET and len(self.failed) == 1

    @property
    def why(self) -> str:
        """Why the person enters, or why not, in a sentence."""
        if self.course.held_back:
            return _("Is in the hold-back group: enters and gets nothing, so that the effect can be measured.")
        if self.enters:
            return _("Enters the flow.")
        if self.course.refused == NOT_MET and self.failed:
            reasons = "; ".join(check.sentence for check in self.failed)
            return _("Does not enter because: %(reasons)s.") % {"reasons": reasons}
        if self.course.refused == ALREADY:
            return _("Does not enter: is or was in the flow already, and the flow lets nobody in again for this.")
        return _("Does not enter: the person or the order is not known any more.")


def person(asked: Asked, moments: Sequence[Occurrence], *, to_the_end: bool = True) -> list[Told]:
    """What the flow does with each of these occurrences. Those of one person are taken together, as they happened."""
    if not moments:
        return []
    plan = Plan.of(asked.flow, asked.definition, asked.version)
    knower = Knower(plan.asked)
    world = load(
        asked.store,
        {one.customer_id for one in moments},
        since=min(one.at for one in moments),
        awaited=asked.definition.awaited,
        without_flow=asked.flow.pk,
    )
    until = max(asked.until, *(one.at for one in moments)) + (TO_THE_END if to_the_end else timedelta(0))
    ids = {one.line_id for one in moments if one.line_id}
    lines = OrderLine.objects.filter(order__store=asked.store).in_bulk(ids) if ids else {}
    runner = Runner(plan, world, knower, until, lines)
    return list(_told(runner, world, knower, moments))


def _told(runner: Runner, world: World, knower: Knower, moments: Sequence[Occurrence]) -> Iterator[Told]:
    own: dict[int, list[Occurrence]] = {}
    for one in sorted(moments, key=lambda each: (each.at, each.key)):
        own.setdefault(one.customer_id, []).append(one)
    found: dict[str, Told] = {}
    for pk, below in own.items():
        who = world.people.get(pk)
        if who is None:
            found |= {one.key: Told(one, None, Course(one, refused=UNKNOWN)) for one in below}
            continue
        subjects = {one.key: runner.subject(who, one, one.at) for one in below}
        knower.meet([subject for subject in subjects.values() if subject])
        for course in runner.run(who, below):
            one = course.moment
            subject = subjects[one.key]
            told = Told(one, subject, course, undated=knower.undated)
            if subject:
                told.checks = checks(runner.plan.definition, knower.at(who, subject, one.at), world.store)
            told.stages = stages(course, runner.plan.definition)
            found[one.key] = told
    yield from (found[one.key] for one in moments)


def checks(definition: Definition, values: Mapping[str, Any], store: Store) -> list[Check]:
    """The conditions of entering, one by one, each with what was seen."""
    if not definition.where:
        return []
    trees = definition.where.get("all", [definition.where])
    return [check(tree, values, store) for tree in trees]


def check(tree: Condition, values: Mapping[str, Any], store: Store) -> Check:
    """One condition or group."""
    seen = [
        _("%(what)s is %(value)s") % {"what": field_of(key_of(leaf))[0].label, "value": said(values[key_of(leaf)])}
        if children(tree) is not None
        else _("it was %(value)s") % {"value": said(values[key_of(leaf)])}
        for leaf in _leaves(tree)
    ]
    return Check(conditions.holds(tree, values), conditions.describe(tree, store), ", ".join(dict.fromkeys(seen)))


def _leaves(tree: Condition) -> Iterator[Condition]:
    below = children(tree)
    if below is None:
        yield tree
        return
    for child in below:
        yield from _leaves(child)


def said(value: Any) -> str:
    """A value as people read it."""
    if value is None or value == [] or value == "":
        return _("not known") if value != [] else _("nothing")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, datetime | date):
        return date_format(value, "j M Y")
    if isinstance(value, list | tuple | set | frozenset):
        shown = [said(one) for one in list(value)[:_MANY]]
        return ", ".join([*shown, "…"] if len(value) > _MANY else shown)
    return str(value)


_STATE = {
    Message.Status.ACCEPTED: "ok",
    Message.Status.SKIPPED: "neutral",
    Message.Status.EXPIRED: "neutral",
    Message.Status.HELD: "warn",
    Message.Status.APPROVAL: "info",
}


def stages(course: Course, definition: Definition) -> list[Stage]:
    """The way through the steps, in time."""
    if not course.entered:
        return []
    row = course.enrolment
    assert row is not None
    lines = [Stage(row.entered_at, "rocket", _("Enters the flow"))]
    letters = {letter.message.step: letter for letter in course.letters}
    for run in course.runs:
        place = definition.steps[run.step]
        words = place.step.sentence()
        icon = steps.kinds()[place.kind].icon
        letter = letters.get(run.step)
        if letter:
            lines.append(
                Stage(letter.at or letter.message.due_at, icon, words, _of(letter), run.step, letter, _state(letter))
            )
        else:
            lines.append(Stage(run.at, icon, words, _outcome(run), run.step, state=_passed(run)))
    lines.sort(key=lambda stage: stage.at)
    if row.status == Enrolment.Status.ACTIVE and row.step:
        place = definition.steps[row.step]
        lines.append(
            Stage(row.due_at, steps.kinds()[place.kind].icon, place.step.sentence(), _("still waits"), row.step)
        )
    elif course.ended_at and row.status == Enrolment.Status.LEFT:
        lines.append(Stage(course.ended_at, "x", _("Leaves the flow"), row.reason, state="neutral"))
    elif course.ended_at:
        lines.append(Stage(course.ended_at, "check", _("Flow ends"), row.reason, state="ok"))
    return lines


def _state(letter: Letter) -> str:
    return _STATE.get(Message.Status(letter.status), "warn")


def _passed(run: StepRun) -> str:
    return "neutral" if run.outcome == StepRun.Outcome.SKIPPED else ""


def _of(letter: Letter) -> str:
    if letter.sent_at:
        return _("is sent")
    if letter.status == Message.Status.EXPIRED:
        return _("too late: %(reason)s") % {"reason": letter.reason}
    if letter.status == Message.Status.SKIPPED:
        return _("not sent: %(reason)s") % {"reason": letter.reason}
    return _("waits: %(reason)s") % {"reason": letter.reason} if letter.reason else _("waits")


def _outcome(run: StepRun) -> str:
    if run.outcome == StepRun.Outcome.SKIPPED:
        return _("passed over: %(reason)s") % {"reason": run.reason}
    lane = str(getattr(run, "lane", ""))
    if run.outcome == StepRun.Outcome.YES or lane == "then":
        return _("yes")
    if run.outcome == StepRun.Outcome.NO or lane == "else":
        return _("otherwise")
    return lane or run.reason
