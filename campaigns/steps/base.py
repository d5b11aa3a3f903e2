"""What a step is: a frozen dataclass of its parameters, which is their schema, that can check, describe and run itself.

A step writes rows in the transaction that also records the person's progress; it never touches the network.
"""

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol, TypeVar

from campaigns.models import Enrolment, Flow, Message
from stores.models import Customer, Order, Store


@dataclass(frozen=True)
class Done:
    """The step is done; go on with the next."""


@dataclass(frozen=True)
class Skipped:
    """The step did nothing, for a reason in the merchant's words; go on with the next."""

    reason: str


@dataclass(frozen=True)
class WaitUntil:
    """Come back at this moment and go on with the next step."""

    at: datetime


@dataclass(frozen=True)
class Choose:
    """A branch: go down the one side or the other."""

    yes: bool


@dataclass(frozen=True)
class Leave:
    """The person's way ends here; `early` when the step could not do what it is for."""

    reason: str
    early: bool = True


Outcome = Done | Skipped | WaitUntil | Choose | Leave


@dataclass
class Visit:
    """One person at one step. `at` is when the step was to run; `context` may be changed and is kept."""

    enrolment: Enrolment
    uid: str
    now: datetime
    at: datetime
    values: Mapping[str, Any]
    context: dict[str, Any]
    messages: list[Message] = field(default_factory=list)

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
    def key(self) -> str:
        """Unique for this step and person, whatever the version; names every effect of the step."""
        return f"{self.enrolment.flow_id}:{self.uid}:{self.enrolment.key.partition(':')[2]}"


class Step(Protocol):
    """A kind of step with its parameters."""

    def faults(self) -> list[str]:
        """What is wrong with well-typed parameters, a sentence for each fault."""
        ...

    def sentence(self) -> str:
        """What the step does, as the merchant reads it."""
        ...

    def run(self, visit: Visit) -> Outcome: ...


@dataclass(frozen=True)
class Kind:
    name: str
    label: str
    icon: str
    params: type


_kinds: dict[str, Kind] = {}
T = TypeVar("T", bound=type)


def register(name: str, *, label: str, icon: str) -> Callable[[T], T]:
    """Name a kind of step; decorates its dataclass."""

    def add(params: T) -> T:
        _kinds[name] = Kind(name, label, icon, params)
        return params

    return add


def kinds() -> Mapping[str, Kind]:
    """All kinds by name."""
    return _kinds


def build(kind: str, raw: Mapping[str, Any]) -> tuple[Step | None, list[str]]:
    """The step made from a file's parameters, or None and a sentence for each fault."""
    if kind not in _kinds:
        return None, [f"there is no step {kind!r}. Known are {', '.join(sorted(_kinds))}."]
    params = _kinds[kind].params
    hints = typing.get_type_hints(params)
    wanted = {each.name: each for each in dataclasses.fields(params)}
    wrong = [f"{name} is not a setting of {kind}. It has {', '.join(wanted)}." for name in raw if name not in wanted]
    values: dict[str, Any] = {}
    for name, each in wanted.items():
        if name not in raw:
            if each.default is dataclasses.MISSING:
                wrong.append(f"{name} is missing.")
            continue
        try:
            values[name] = _typed(hints[name], raw[name])
        except (ValueError, InvalidOperation):
            wrong.append(f"{name} cannot be {raw[name]!r}.")
    if wrong:
        return None, wrong
    step: Step = params(**values)
    wrong = step.faults()
    return (None, wrong) if wrong else (step, [])


def _typed(hint: Any, raw: Any) -> Any:
    """The raw value of a file as the dataclass wants it. Raises ValueError when it does not fit."""
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        if raw is None:
            return None
        hint = next(each for each in typing.get_args(hint) if each is not type(None))
    if hint is Decimal:
        if isinstance(raw, bool | float):
            raise ValueError(raw)
        amount = Decimal(raw)
        if not amount.is_finite():
            raise ValueError(raw)
        return amount
    if typing.get_origin(hint) is tuple:
        if not isinstance(raw, list) or not all(isinstance(each, str) for each in raw):
            raise ValueError(raw)
        return tuple(raw)
    if typing.get_origin(hint) is dict:
        hint = dict
    if not isinstance(raw, hint) or (hint is int and isinstance(raw, bool)):
        raise ValueError(raw)
    return raw
