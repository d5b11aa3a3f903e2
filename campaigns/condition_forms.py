"""The conditions of a step or of a flow's start as builders of the page, and back into the flow file."""

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from campaigns import flow_words, step_forms, triggers
from stores.conditions import ORDER
from stores.conditions.builder import Builder
from stores.models import Store

File = Mapping[str, Any]
WHEN, WHERE, EXITS = "when", "where", "exits"


def subject_of(data: File) -> str:
    """About what the flow's conditions are: an order, a line of one, or only a customer."""
    kind = triggers.find(triggers.names_of(data.get("trigger") or {})[0])
    return str(kind.subject) if kind else ORDER


def _builder(tree: Any, name: str, data: File, store: Store, sent: QueryDict | None) -> Builder:
    subject, prefix = subject_of(data), f"c-{name}"
    if sent is not None:
        return Builder.read(sent, store=store, subject=subject, prefix=prefix, running=True)
    return Builder.of(tree or None, store=store, subject=subject, prefix=prefix, running=True)


def of_step(
    step: Mapping[str, Any], params: type | None, data: File, store: Store, sent: QueryDict | None
) -> list[tuple[str, str, Builder]]:
    """(name in the file, label, builder) of each condition of a step, its "only if" last."""
    kind = str(step.get("kind"))
    names = step_forms.trees_in(params) if params else []
    found = [
        (name, flow_words.setting(kind, name), _builder(step.get(name), name, data, store, sent)) for name in names
    ]
    return [*found, (WHEN, "", _builder(step.get(WHEN), WHEN, data, store, sent))]


def of_start(data: File, store: Store, sent: QueryDict | None) -> tuple[Builder, Builder]:
    """Who may enter, and when somebody leaves. Several conditions to leave are one that says "at least one of these"."""
    exits = list(data.get("exit_when") or [])
    tree = exits[0] if len(exits) == 1 else {"any": exits} if exits else None
    where = (data.get("trigger") or {}).get("where")
    return _builder(where, WHERE, data, store, sent), _builder(tree, EXITS, data, store, sent)


def tree_of(builder: Builder, before: Any) -> Any:
    """The condition; as it was written before when it says the same, so that a form saved untouched changes nothing."""
    return before if before and _meaning(builder.tree) == _meaning(before) else builder.tree


def exits_of(builder: Builder, before: list[Any]) -> list[Any]:
    """The conditions to leave, one for each reason."""
    tree = builder.tree
    found = [] if tree is None else list(tree["any"]) if "any" in tree else [tree]
    return before if _meaning(found) == _meaning(before) else found


def _meaning(tree: Any) -> Any:
    """Numbers as texts, lists of values in one order, groups of one without their group."""
    if isinstance(tree, Mapping):
        for joint in ("all", "any"):
            if joint in tree and len(tree[joint]) == 1:
                return _meaning(tree[joint][0])
        return {name: _meaning(value) for name, value in tree.items()}
    if isinstance(tree, list):
        inner = [_meaning(each) for each in tree]
        return inner if any(isinstance(each, dict) for each in inner) else sorted(inner)
    return str(tree)
