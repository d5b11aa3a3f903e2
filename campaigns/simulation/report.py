"""What a dry run counted: added up person by person, small whatever the shop's size, the same twice."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from campaigns.definitions import Definition
from campaigns.models import Enrolment, Message, StepRun
from campaigns.simulation.course import Course

AGAIN_WITHIN = timedelta(days=60)
S = Message.Status
_NOT_SENT = (S.SKIPPED, S.EXPIRED, S.APPROVAL)


@dataclass
class StepCount:
    """One step: how often it was done, passed over (by reason), which way people took (by lane); for messages what became
    of them: sent by week, not sent by reason, still waiting (by reason) at the end."""

    done: int = 0
    passed_over: Counter[str] = field(default_factory=Counter)
    lanes: Counter[str] = field(default_factory=Counter)
    planned: int = 0
    weeks: Counter[str] = field(default_factory=Counter)
    not_sent: Counter[str] = field(default_factory=Counter)
    waiting: Counter[str] = field(default_factory=Counter)

    @property
    def sent(self) -> int:
        return self.weeks.total()


_COUNTERS = ("passed_over", "lanes", "weeks", "not_sent", "waiting")


@dataclass
class Report:
    """All numbers of a dry run over [since, until)."""

    since: datetime
    until: datetime
    zone: str
    # Moments that the trigger found, and the people among them.
    found: int = 0
    found_people: int = 0
    entered: int = 0
    people: int = 0
    held_back: int = 0
    finished: int = 0
    active: int = 0
    left: Counter[str] = field(default_factory=Counter)
    not_entered: Counter[str] = field(default_factory=Counter)
    steps: dict[str, StepCount] = field(default_factory=dict)
    effects: Counter[str] = field(default_factory=Counter)
    # Of those who entered at least 60 days before the end and got nothing from this flow: how many, who bought again.
    watched: int = 0
    again: int = 0
    # Left out of that, because the flow really wrote to them.
    written_to: int = 0
    # People with a counted order in the span: the denominator of the reach.
    buyers: int = 0
    # What is told as it is today, because its past is not kept; orders that ended at a moment nobody recorded.
    undated: list[str] = field(default_factory=list)
    undated_orders: int = 0
    erased: int = 0

    @property
    def sent(self) -> int:
        return sum(step.sent for step in self.steps.values())

    @property
    def planned(self) -> int:
        return sum(step.planned for step in self.steps.values())

    @property
    def days(self) -> int:
        return (self.until - self.since).days

    def add(self, courses: Sequence[Course], definition: Definition) -> None:
        """One person's courses."""
        if not courses:
            return
        self.found += len(courses)
        self.found_people += 1
        came = False
        for course in courses:
            if not course.entered:
                self.not_entered[course.refused] += 1
                continue
            came = True
            self.entered += 1
            self._end(course)
            for run in course.runs:
                self._step(run)
            for letter in course.letters:
                step = self.steps.setdefault(letter.message.step, StepCount())
                step.planned += 1
                if letter.sent_at:
                    step.weeks[week_of(letter.sent_at, ZoneInfo(self.zone)).isoformat()] += 1
                elif letter.status in _NOT_SENT:
                    step.not_sent[letter.reason] += 1
                else:
                    step.waiting[letter.reason] += 1
            for effect in course.effects:
                self.effects[effect.kind] += 1
        self.people += came

    def _end(self, course: Course) -> None:
        if course.held_back:
            self.held_back += 1
        elif course.status == Enrolment.Status.ACTIVE:
            self.active += 1
        elif course.status == Enrolment.Status.LEFT:
            self.left[course.reason] += 1
        else:
            self.finished += 1

    def _step(self, run: StepRun) -> None:
        step = self.steps.setdefault(run.step, StepCount())
        if run.outcome == StepRun.Outcome.SKIPPED:
            step.passed_over[run.reason] += 1
            return
        step.done += 1
        lane = getattr(run, "lane", "") or {"yes": "then", "no": "else"}.get(str(run.outcome), "")
        if lane:
            step.lanes[lane] += 1

    def as_json(self) -> dict[str, Any]:
        """As it is kept and shown by the API; the same run gives the same text."""
        told: dict[str, Any] = {}
        for name, value in vars(self).items():
            if isinstance(value, datetime):
                told[name] = value.isoformat()
            elif isinstance(value, Counter):
                told[name] = _plain(value)
            elif name == "steps":
                told[name] = {uid: _step_json(step) for uid, step in sorted(value.items())}
            else:
                told[name] = value
        return told

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Report":
        """What `as_json` gave."""
        rest = dict(told)
        rest["since"], rest["until"] = (datetime.fromisoformat(told[name]) for name in ("since", "until"))
        for name in ("left", "not_entered", "effects"):
            rest[name] = Counter(told[name])
        rest["steps"] = {uid: _step_of(step) for uid, step in told["steps"].items()}
        return cls(**rest)


def _step_of(told: Mapping[str, Any]) -> StepCount:
    values: dict[str, Any] = {name: Counter(value) if name in _COUNTERS else value for name, value in told.items()}
    return StepCount(**values)


def _plain(counter: Counter[str]) -> dict[str, int]:
    return dict(sorted(counter.items(), key=lambda pair: (-pair[1], pair[0])))


def _step_json(step: StepCount) -> dict[str, Any]:
    return {name: _plain(value) if isinstance(value, Counter) else value for name, value in vars(step).items()}


def week_of(at: datetime, zone: ZoneInfo) -> date:
    """The Monday of the week, in the shop's zone."""
    day = at.astimezone(zone).date()
    return day - timedelta(days=day.weekday())


def weeks_between(since: datetime, until: datetime, zone: ZoneInfo) -> list[date]:
    """All Mondays whose weeks the span touches."""
    week, last = week_of(since, zone), week_of(until, zone)
    return [week + timedelta(days=7 * n) for n in range((last - week).days // 7 + 1)]
