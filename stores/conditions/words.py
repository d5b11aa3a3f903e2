"""A condition told in words."""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from stores.conditions.base import Condition, Field, children, known
from stores.conditions.operators import MONTHS, OPERATORS, WEEKDAYS
from stores.models import Store


def parts(tree: Condition | None, store: Store | None = None) -> list[str]:
    """What must hold, each condition of its own in words; nothing when there is none."""
    if not tree:
        return []
    return [describe(child, store) for child in tree["all"]] if "all" in tree else [describe(tree, store)]


def describe(tree: Condition, store: Store | None = None) -> str:
    """The condition in words: "the order's total is more than 100, and ...".

    With the store, what it calls its products, categories and statuses stands there instead of their numbers and codes.
    """
    for joint, word in (("all", _(", and ")), ("any", _(", or "))):
        if joint in tree:
            return word.join(
                _part(child, store) if len(tree[joint]) > 1 else describe(child, store) for child in tree[joint]
            )
    if "not" in tree:
        inner = _(", or ").join(describe(child, store) for child in children(tree) or [])
        return _("not (%(condition)s)") % {"condition": inner}
    asked = known(tree["field"])
    assert asked is not None
    label, op = str(asked.label), tree["op"]
    if asked.kind == "bool" and op in {"is", "is_not"}:
        return label if tree["value"] == (op == "is") else _("not: %(condition)s") % {"condition": label}
    if tree.get("within"):
        label = ngettext("%(label)s (last %(n)d day)", "%(label)s (last %(n)d days)", tree["within"]) % {
            "label": label,
            "n": tree["within"],
        }
    return f"{label} {comparison(asked, op, tree.get('value'), store)}"


def _part(child: Condition, store: Store | None) -> str:
    """One of several: a group of its own stands in brackets, so that "and" and "or" cannot be mistaken."""
    words = describe(child, store)
    grouped = any(len(child[joint]) > 1 for joint in ("all", "any") if joint in child)
    return f"({words})" if grouped else words


def operator_words(asked: Field, op: str) -> str:
    """How a comparison reads after the field's label."""
    if asked.kind == "list" and op == "is_set":
        return _("has something")
    if asked.kind == "list" and op == "is_not_set":
        return _("has nothing")
    return str(OPERATORS[op].words)


def comparison(asked: Field, op: str, value: Any, store: Store | None = None) -> str:
    """The comparison and its value in words."""
    takes = OPERATORS[op].takes
    if takes == "days":
        n = int(value)
        words = {
            "within_days": ngettext("was in the last %(n)d day", "was in the last %(n)d days", n),
            "days_ago": ngettext("was more than %(n)d day ago", "was more than %(n)d days ago", n),
            "next_days": ngettext("is in the next %(n)d day", "is in the next %(n)d days", n),
        }
        return words[op] % {"n": n}
    if takes == "nothing":
        return operator_words(asked, op)
    if takes == "weekdays":
        shown = [str(WEEKDAYS[one]) for one in value]
    elif takes == "months":
        shown = [str(MONTHS[str(one)]) for one in value]
    else:
        named = {key: str(name) for key, name in asked.choices(store)} if store and asked.choices else {}
        shown = [named.get(str(one), str(one)) for one in (value if isinstance(value, list) else [value])]
    return f"{operator_words(asked, op)} {', '.join(shown)}"
