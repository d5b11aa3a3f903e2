"""From the raw parameters of a flow file to a step: each value as its dataclass wants it, or a sentence about it."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from campaigns.steps.base import Step, kinds


@cache
def _schema(params: Any) -> dict[str, tuple[Any, bool]]:
    """Name to type, and whether it must be given."""
    hints = typing.get_type_hints(params)
    return {
        each.name: (
            hints[each.name],
            each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING,
        )
        for each in dataclasses.fields(params)
    }


def build(kind: str, raw: Mapping[str, Any]) -> tuple[Step | None, list[str]]:
    """The step made from a file's parameters, or None and a sentence for each fault."""
    if kind not in kinds():
        return None, [f"there is no step {kind!r}. Known are {', '.join(sorted(kinds()))}."]
    params: Any = kinds()[kind].params
    wanted = _schema(params)
    has = ", ".join(wanted) or "none"
    wrong = [f"{name} is not a setting of {kind}. It has {has}." for name in raw if name not in wanted]
    values: dict[str, Any] = {}
    for name, (hint, needed) in wanted.items():
        if name not in raw:
            if needed:
                wrong.append(f"{name} is missing.")
            continue
        try:
            values[name] = _typed(hint, raw[name])
        except (ValueError, TypeError, InvalidOperation):
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
        if not isinstance(raw, list):
            raise ValueError(raw)
        return tuple(_typed(typing.get_args(hint)[0], each) for each in raw)
    if dataclasses.is_dataclass(hint):
        return _part(hint, raw)
    if typing.get_origin(hint) is dict:
        hint = dict
    if not isinstance(raw, hint) or (hint is int and isinstance(raw, bool)):
        raise ValueError(raw)
    return raw


def _part(hint: Any, raw: Any) -> Any:
    """A parameter that has parts of its own, such as a variant of a split."""
    wanted = _schema(hint)
    if (
        not isinstance(raw, Mapping)
        or set(raw) - set(wanted)
        or any(must and n not in raw for n, (_, must) in wanted.items())
    ):
        raise ValueError(raw)
    return hint(**{name: _typed(wanted[name][0], value) for name, value in raw.items()})
