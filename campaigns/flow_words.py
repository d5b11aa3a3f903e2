"""A flow file in the merchant's words. Also of files with faults: what cannot be said yet is said to be unfinished."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from campaigns import definitions, triggers
from campaigns.models import Flow
from campaigns.steps import build, kinds
from campaigns.triggers import reentry
from stores import conditions

File = Mapping[str, Any]


def start(data: File) -> str:
    """ "When an order is paid or placed"."""
    made, _faults = triggers.build(data.get("trigger"))
    return made.sentence() if made else _("What starts it is not finished")


def condition(tree: Any) -> str:
    """A condition in words; nothing when there is none."""
    if not tree:
        return ""
    return _("a condition with a fault") if conditions.faults(tree) else conditions.describe(tree)


def where_parts(data: File) -> list[str]:
    """What must hold at entry, each condition of its own."""
    tree = (data.get("trigger") or {}).get("where")
    return [condition(tree)] if tree and conditions.faults(tree) else conditions.parts(tree)


def where(data: File) -> str:
    return condition((data.get("trigger") or {}).get("where"))


def again(data: File) -> str:
    """Who may enter more than once."""
    rule = data.get("reentry", reentry.DEFAULT)
    return _("not finished") if reentry.faults(rule) else reentry.parse(rule).sentence()


def exit_parts(data: File) -> list[str]:
    return [condition(tree) for tree in data.get("exit_when") or []]


def exits(data: File) -> str:
    return " · ".join(exit_parts(data))


def klass(data: File) -> str:
    return str(dict(Flow.Klass.choices).get(str(data.get("class")), data.get("class")))


def holdback(data: File) -> str:
    """The part of the people that gets nothing; only marketing has one."""
    share = data.get("holdback") or 0
    return _("%(share)s%% get nothing, to measure the effect") % {"share": share} if share else ""


def step(raw: Mapping[str, Any]) -> str:
    """What a step does, in its own sentence; its kind while it cannot be read."""
    made, _faults = build(str(raw.get("kind")), params(raw))
    if made is not None:
        return made.sentence()
    return _("%(kind)s, not finished") % {"kind": label(str(raw.get("kind")))}


def params(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A step's own settings, without its name, kind, condition and what is in its ways."""
    return definitions.params_of(raw)


def label(kind: str) -> str:
    """A kind of step in a word or two."""
    return _(kinds()[kind].label) if kind in kinds() else kind


def setting(kind: str, name: str) -> str:
    """A setting of a kind of step in words."""
    if kind in kinds():
        params: Any = kinds()[kind].params
        for each in dataclasses.fields(params):
            if each.name == name:
                return str(each.metadata.get("label") or name.replace("_", " "))
    return name.replace("_", " ")


def value(raw: Any) -> str:
    """A setting's value in words."""
    if raw is None or raw in ("", [], {}):
        return _("nothing")
    if isinstance(raw, bool):
        return _("yes") if raw else _("no")
    if isinstance(raw, list | tuple):
        return ", ".join(map(str, raw))
    return condition(raw) if isinstance(raw, Mapping) else str(raw)
