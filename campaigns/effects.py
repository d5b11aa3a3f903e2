"""What steps want done beside moving a person on: collected while walking, performed by the engine in its transaction.

A step puts an `Effect` on its visit. Its file names who performs it: rows only, never the network, and harmless when
repeated, because the effect's key is the same for the same person and step whatever the version. A dry run only foresees.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from campaigns.models import Enrolment


@dataclass(frozen=True)
class Effect:
    """One thing to be done for one person. `uid` is the step that wants it, `key` names it for good."""

    kind: str
    uid: str
    key: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Performed:
    """How it went: `skipped` says why nothing was done, `context` is kept for later steps and for the mails of the flow."""

    skipped: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)


# Raises BusinessError when it cannot be done; its words are what the merchant reads beside the step.
Act = Callable[[Enrolment, Effect], Performed]
Look = Callable[[Enrolment, Effect], None]
A = TypeVar("A", bound=Act)

_acts: dict[str, tuple[Act, Look]] = {}


def _nothing_against_it(person: Enrolment, effect: Effect) -> None:
    return None


def performs(kind: str, *, foresee: Look = _nothing_against_it) -> Callable[[A], A]:
    """Name who performs a kind of effect. `foresee` reads only and raises as performing would."""

    def add(act: A) -> A:
        _acts[kind] = (act, foresee)
        return act

    return add


def perform(person: Enrolment, effect: Effect) -> Performed:
    """Do it, in the caller's transaction. BusinessError when it cannot be done; then nothing was written."""
    return _acts[effect.kind][0](person, effect)


def foresee(person: Enrolment, effect: Effect) -> Performed:
    """Whether it could be done now; writes nothing. Raises as `perform` does."""
    _acts[effect.kind][1](person, effect)
    return Performed()


def kinds() -> frozenset[str]:
    """All kinds of effects."""
    return frozenset(_acts)
