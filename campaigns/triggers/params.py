"""Reading the parameters of a flow file into a frozen dataclass, whose fields are their schema."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from django.utils.translation import gettext as _

T = TypeVar("T")


def file_name(field: "dataclasses.Field[Any]") -> str:
    """The field's name in a flow file: `from_` is written `from`."""
    return field.name.rstrip("_")


def read(cls: type[T], raw: Mapping[str, Any]) -> tuple[T | None, list[str]]:
    """The object made from a file's parameters, or None and a sentence for each fault."""
    hints = typing.get_type_hints(cls)
    wanted = {file_name(each): each for each in dataclasses.fields(cls)}  # type: ignore[arg-type]
    wrong = [
        _("%(name)s is not a setting here. Known are %(known)s.")
        % {"name": name, "known": ", ".join(wanted) or _("none")}
        for name in raw
        if name not in wanted
    ]
    values: dict[str, Any] = {}
    for name, each in wanted.items():
        if name not in raw:
            if each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING:
                wrong.append(_("%(name)s is missing.") % {"name": name})
            continue
        try:
            values[each.name] = typed(hints[each.name], raw[name])
        except (ValueError, InvalidOperation):
            wrong.append(_("%(name)s cannot be %(value)r.") % {"name": name, "value": raw[name]})
    return (None, wrong) if wrong else (cls(**values), [])


def typed(hint: Any, raw: Any) -> Any:
    """The raw value of a file as the dataclass wants it. Raises ValueError when it does not fit."""
    if typing.get_origin(hint) in {typing.Union, types.UnionType}:
        if raw is None:
            return None
        hint = next(each for each in typing.get_args(hint) if each is not type(None))
    if hint is Decimal:
        if isinstance(raw, bool | float) or not isinstance(raw, int | str | Decimal):
            raise ValueError(raw)
        amount = Decimal(raw)
        if not amount.is_finite():
            raise ValueError(raw)
        return amount
    if typing.get_origin(hint) is tuple:
        # One value may stand for a list of one.
        inner = typing.get_args(hint)[0]
        inner = typing.get_origin(inner) or inner
        many = raw if isinstance(raw, list) else [raw]
        if not all(isinstance(each, inner) and not isinstance(each, bool) for each in many):
            raise ValueError(raw)
        return tuple(many)
    if not isinstance(raw, hint) or (hint is int and isinstance(raw, bool)):
        raise ValueError(raw)
    return raw
