"""What a step is: a frozen dataclass of its parameters, which is their schema, that can check, describe and run itself.

A step decides; it writes nothing and never touches the network. What it wants done it leaves on its visit as messages and
effects, which the engine writes in the transaction that also records the person's progress, and a dry run only lists.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from campaigns import zones
from campaigns.effects import Effect
from campaigns.models import Enrolment, Flow, Message
from stores.models import Customer, Order, OrderLine, Store

# The two lanes of a branch.
THEN, ELSE = "then", "else"
# What the keys of due rows hold.
LONGEST_KEY = 200


@dataclass(frozen=True)
class Done:
    """The step is done; go on with the next."""


@dataclass(frozen=True)
class Skipped:
    """The step did nothing, for a reason in the merchant's words; go on with the next."""

    reason: str


@dataclass(frozen=True)
class WaitUntil:
    """Come back at this moment, or earlier when an event about the person comes."""

    at: datetime


@dataclass(frozen=True)
class Choose:
    """Go down one lane: `then` or `else` of a branch, or the name of a split's variant."""

    lane: str


@dataclass(frozen=True)
class Leave:
    """The person's way ends here; `early` when the step could not do what it is for."""

    reason: str
    early: bool = True


Outcome = Done | Skipped | WaitUntil | Choose | Leave


@dataclass(frozen=True)
class Happened:
    """An event about the person, as a step that waits for one sees it. `at` is when we learned of it."""

    name: str
    at: datetime
    key: str = ""
    order_id: int | None = None


@dataclass
class Visit:
    """One person at one step. `at` is when the step was to run; `context` may be changed and is kept.

    `values` are what the conditions ask about. `happened` are events about the person since entering, the oldest first,
    and `dates` the days and moments by name; both only as far as the steps of the flow ask for them. `until` is when a
    wait that has begun ends.
    """

    enrolment: Enrolment
    uid: str
    now: datetime
    at: datetime
    values: Mapping[str, Any]
    context: dict[str, Any]
    messages: list[Message] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    happened: Sequence[Happened] = ()
    dates: Mapping[str, date | datetime | None] = field(default_factory=dict)
    until: datetime | None = None

    @property
    def store(self) -> Store:
        return self.enrolment.store

    @property
    def flow(self) -> Flow:
        return self.enrolment.flow

    @property
    def customer(self) -> Customer:
        return self.enrolment.customer

    @property
    def order(self) -> Order | None:
        return self.enrolment.order

    @property
    def line(self) -> OrderLine | None:
        return self.enrolment.line

    @property
    def key(self) -> str:
        """Unique for this step and person, whatever the version; names every effect of the step."""
        key = f"{self.enrolment.flow_id}:{self.uid}:{self.enrolment.key.partition(':')[2]}"
        if len(key) <= LONGEST_KEY:
            return key
        return f"{key[: LONGEST_KEY - 33]}#{hashlib.sha256(key.encode()).hexdigest()[:32]}"

    @property
    def zones(self) -> tuple[ZoneInfo, ...]:
        """Where the person's clocks may stand; never empty."""
        order = self.order
        country = (order.country if order else "") or self.customer.country
        state = self.customer.region if country == self.customer.country else ""
        return zones.of_recipient(self.store.tz, country=country, state=state, phone=self.customer.phone)

    def begin(self) -> None:
        """Note when this step began to wait, unless it has begun already."""
        self.context["waits"] = {self.uid: self.now.isoformat()} | self.context.get("waits", {})

    @property
    def begun(self) -> datetime:
        """When this step began to wait; when the person entered, where that was not noted (the step was another kind)."""
        noted = self.context.get("waits", {}).get(self.uid)
        return datetime.fromisoformat(noted) if noted else self.enrolment.entered_at

    def want(self, kind: str, **params: Any) -> None:
        """Ask for an effect of this step; `params` must fit into JSON."""
        self.effects.append(Effect(kind, self.uid, self.key, params))


class Step:
    """A kind of step with its parameters. Kinds are frozen dataclasses that inherit from this."""

    def faults(self) -> list[str]:
        """What is wrong with well-typed parameters, a sentence for each fault."""
        return []

    def sentence(self) -> str:
        """What the step does, as the merchant reads it."""
        raise NotImplementedError

    def run(self, visit: Visit) -> Outcome:
        """Do it. A step that returned `WaitUntil` is not run again but resumed."""
        raise NotImplementedError

    def resume(self, visit: Visit) -> Outcome:
        """The person was looked at again: the wait is over, or an event came that may end it."""
        over = visit.until is None or visit.now >= visit.until
        return Done() if over else WaitUntil(visit.until or visit.now)

    def refused(self, reason: str) -> Outcome:
        """An effect that the step asked for cannot be done."""
        return Skipped(reason)

    def conditions(self) -> list[Mapping[str, Any]]:
        """The conditions among its parameters that are judged when it runs."""
        return []

    def events(self) -> frozenset[str]:
        """The events that it waits for."""
        return frozenset()

    def dates(self) -> frozenset[str]:
        """The dates that it reckons with (`campaigns.dates`)."""
        return frozenset()

    def lanes(self) -> tuple[str, ...]:
        """The names of the ways that part here; empty when there is only one."""
        return ()


@dataclass(frozen=True)
class Kind:
    """A registered kind of step. `group` is its place in the editor's palette; with `parts` it has `then` and `else`."""

    name: str
    label: Any
    icon: str
    params: type[Step]
    group: str
    parts: bool = False


# The palette of the editor, in its order.
GROUPS = ("send", "time", "way", "give", "shop", "team")

_kinds: dict[str, Kind] = {}
T = TypeVar("T", bound=type[Step])


def register(name: str, *, label: Any, icon: str, group: str, parts: bool = False) -> Callable[[T], T]:
    """Name a kind of step; decorates its dataclass. Words for a form stand in the fields' metadata (`setting`)."""
    if group not in GROUPS:
        raise ValueError(f"{group!r} is no group of steps")

    def add(params: T) -> T:
        _kinds[name] = Kind(name, label, icon, params, group, parts)
        return params

    return add


def kinds() -> Mapping[str, Kind]:
    """All kinds by name."""
    return _kinds


def setting(
    label: Any,
    *,
    help: Any = "",
    widget: str = "",
    choices: Sequence[tuple[str, Any]] | Callable[[], Sequence[tuple[str, Any]]] = (),
    unit: Any = "",
    low: int | None = None,
    high: int | None = None,
) -> dict[str, Any]:
    """Metadata of a parameter, from which the editor makes its form: `field(default=..., metadata=setting(...))`.

    `widget` is text, textarea, number, money, time, times, weekdays, span, select, template, event, date, condition,
    variants, members, url or pairs; by default it follows from the type. `choices` are (value, words), or a function that
    gives them.
    """
    return {
        "label": label,
        "help": help,
        "widget": widget or ("select" if choices else ""),
        "choices": choices,
        "unit": unit,
        "low": low,
        "high": high,
    }
