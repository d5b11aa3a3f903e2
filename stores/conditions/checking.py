"""What is wrong with a condition, a sentence for each fault."""

from collections.abc import Mapping
from decimal import InvalidOperation
from typing import Any

from stores.conditions.base import Condition, Field, children, fields, known
from stores.conditions.operators import NUMBERS, Operator, fitting, value_of

MAX_DEPTH, MAX_LEAVES = 5, 100
MAX_WITHIN = 3650


def faults(tree: Any, *, at: str = "condition", depth: int = 1) -> list[str]:
    """What is wrong with a condition, a sentence for each fault; empty when it can be judged."""
    found = _faults(tree, at, depth)
    if not found and depth == 1 and (n := len(leaves(tree))) > MAX_LEAVES:
        return [f"{at}: {n} comparisons are more than {MAX_LEAVES}; put some of them into a segment and ask for that."]
    return found


def leaves(tree: Condition) -> list[Condition]:
    """All comparisons of a checked condition."""
    below = children(tree)
    return [tree] if below is None else [leaf for child in below for leaf in leaves(child)]


def _faults(tree: Any, at: str, depth: int) -> list[str]:
    if not isinstance(tree, Mapping):
        return [f"{at}: a condition is a group (all, any, not) or field, op and value, not {tree!r}."]
    if depth > MAX_DEPTH:
        return [f"{at}: groups lie more than {MAX_DEPTH} deep; make it flatter."]
    below = children(tree)
    if below is not None:
        if len(tree) != 1:
            return [f"{at}: a group has one key, all, any or not; this one has {', '.join(map(str, tree))}."]
        if not below:
            return [f"{at}: the group is empty; add a condition or remove it."]
        joint = next(iter(tree))
        if joint != "not" and not isinstance(tree[joint], list):
            return [f"{at}: {joint} takes a list of conditions."]
        return [fault for n, child in enumerate(below, 1) for fault in _faults(child, f"{at}, part {n}", depth + 1)]
    extra = sorted(str(key) for key in set(tree) - {"field", "op", "value", "within"})
    if extra:
        return [f"{at}: {', '.join(extra)} is not known; a condition has field, op and value."]
    asked = known(tree.get("field"))
    if asked is None:
        names = ", ".join(one.name for one in fields())
        return [f"{at}: there is no field {tree.get('field')!r}. Known are {names}."]
    operator = fitting(asked).get(str(tree.get("op")))
    if operator is None:
        return [f"{at}: {tree.get('op')!r} does not fit {asked.label}. Use {', '.join(fitting(asked))}."]
    if fault := _within_fault(asked, tree):
        return [f"{at}: {fault}"]
    if not operator.takes_value:
        return [f"{at}: {tree['op']} takes no value."] if "value" in tree else []
    if "value" not in tree:
        return [f"{at}: a value to compare {asked.label} with is missing."]
    try:
        value_of(asked.item_kind, operator.takes, tree["value"])
    except (ValueError, TypeError, InvalidOperation):
        return [f"{at}: {asked.label} {operator.words} needs {_wanted(asked, operator)}, not {tree['value']!r}."]
    return []


def _within_fault(asked: Field, tree: Condition) -> str:
    if "within" not in tree:
        return ""
    within = tree["within"]
    if not asked.timed:
        return f"{asked.label} has no time frame; leave out within."
    if not isinstance(within, int) or isinstance(within, bool) or not 1 <= within <= MAX_WITHIN:
        return f"within is a number of days from 1 to {MAX_WITHIN}, not {within!r}."
    return ""


def _wanted(asked: Field, operator: Operator) -> str:
    """What should have stood there."""
    if operator.takes == "days":
        return "a whole number of days"
    if operator.takes == "date":
        return "a date like 2026-12-24"
    if operator.takes == "weekdays":
        return "a list of weekdays out of mon, tue, wed, thu, fri, sat, sun"
    if operator.takes == "months":
        return "a list of months from 1 to 12"
    if operator.takes_list:
        return "a list of numbers" if asked.item_kind in {*NUMBERS, "id"} else "a list of values"
    return {"number": "a number", "money": "an amount", "id": "a number of the shop", "bool": "true or false"}.get(
        asked.item_kind, "a text"
    )
