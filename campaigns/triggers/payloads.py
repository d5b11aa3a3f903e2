"""Conditions on what an event carries: a list of {field, op, value}, all of which must hold."""

import dataclasses
import typing
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.triggers import params
from stores.event_payloads import AnyPayload

# Words, whether it takes a list, whether it needs an order among values, and the test.
_OPS: dict[str, tuple[Any, bool, bool, Callable[[Any, Any], bool]]] = {
    "is": (gettext_lazy("is"), False, False, lambda seen, value: seen == value),
    "is_not": (gettext_lazy("is not"), False, False, lambda seen, value: seen != value),
    "in": (gettext_lazy("is one of"), True, False, lambda seen, value: seen in value),
    "not_in": (gettext_lazy("is none of"), True, False, lambda seen, value: seen not in value),
    "gte": (gettext_lazy("is at least"), False, True, lambda seen, value: seen >= value),
    "lte": (gettext_lazy("is at most"), False, True, lambda seen, value: seen <= value),
    "gt": (gettext_lazy("is more than"), False, True, lambda seen, value: seen > value),
    "lt": (gettext_lazy("is less than"), False, True, lambda seen, value: seen < value),
}


def fields(payload: type) -> dict[str, tuple[Any, Any]]:
    """The parts of a payload that may be asked about: name in a flow file -> (type, words)."""
    hints = typing.get_type_hints(payload)
    return {
        params.file_name(each): (_plain(hints[each.name]), each.metadata.get("label", each.name))
        for each in dataclasses.fields(payload)
    }


def _plain(hint: Any) -> Any:
    return next((each for each in typing.get_args(hint) if each is not type(None)), hint)


def faults(payload: type, tests: Sequence[Any]) -> list[str]:
    """What is wrong with the list, a sentence for each fault."""
    known = fields(payload)
    found = []
    for test in tests:
        if not isinstance(test, Mapping) or set(test) != {"field", "op", "value"}:
            found.append(_("payload: each entry has field, op and value."))
            continue
        name, op = test["field"], _OPS.get(str(test["op"]))
        if payload is not AnyPayload and name not in known:
            there = ", ".join(known) or _("none")
            found.append(_("payload: there is no %(name)r. Known are %(known)s.") % {"name": name, "known": there})
        elif op is None:
            found.append(_("payload: op is one of %(known)s.") % {"known": ", ".join(_OPS)})
        else:
            try:
                _wanted(known.get(name, (None, ""))[0], op, test["value"])
            except (ValueError, InvalidOperation):
                found.append(
                    _("payload: %(name)s cannot be compared with %(value)r.") % {"name": name, "value": test["value"]}
                )
    return found


def _wanted(kind: Any, op: tuple[Any, bool, bool, Any], raw: Any) -> Any:
    if op[1]:
        if not isinstance(raw, list) or not raw:
            raise ValueError(raw)
        return [_scalar(kind, op, each) for each in raw]
    return _scalar(kind, op, raw)


def _scalar(kind: Any, op: tuple[Any, bool, bool, Any], raw: Any) -> Any:
    if op[2] and kind in {str, bool}:
        raise ValueError(raw)
    if op[2] or (kind is None and isinstance(raw, int) and not isinstance(raw, bool)):
        return params.typed(Decimal, raw)
    return params.typed(kind, raw) if kind else raw


def hold(payload: type, tests: Sequence[Mapping[str, Any]], told: Mapping[str, Any]) -> bool:
    """Whether all tests hold for what an event carries. What it does not tell fails every test."""
    known = fields(payload)
    for test in tests:
        op, kind = _OPS[test["op"]], known.get(test["field"], (None, ""))[0]
        seen = told.get(test["field"])
        if seen is None:
            return False
        wanted = _wanted(kind, op, test["value"])
        try:
            if isinstance(wanted, Decimal) or (isinstance(wanted, list) and isinstance(wanted[0], Decimal)):
                seen = Decimal(str(seen))
        except InvalidOperation:
            return False
        if not op[3](seen, wanted):
            return False
    return True


def sentence(payload: type, tests: Sequence[Mapping[str, Any]]) -> str:
    """ "the stars is at least 4"; empty without tests."""
    known = fields(payload)
    parts = []
    for test in tests:
        value = test["value"]
        if isinstance(value, bool) and test["op"] in {"is", "is_not"}:
            yes = value == (test["op"] == "is")
            words = str(known.get(test["field"], ("", test["field"]))[1])
            parts.append(words if yes else _("not: %(words)s") % {"words": words})
            continue
        parts.append(
            _("%(what)s %(is)s %(value)s")
            % {
                "what": known.get(test["field"], ("", test["field"]))[1],
                "is": _OPS[test["op"]][0],
                "value": ", ".join(map(str, value)) if isinstance(value, list) else value,
            }
        )
    return _(" and ").join(parts)
