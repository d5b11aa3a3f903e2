"""The condition builder: rows of field / rule / value on a page, from a tree and back to one.

Any page that edits a condition uses it; it works without JavaScript. In a view:

    builder = Builder.of(tree, store=store, subject=ORDER, prefix="where")             # to show
    builder = Builder.read(request.POST, store=store, subject=ORDER, prefix="where")   # what was sent
    if builder.acted: show the page again with it (a row was added or taken away); save nothing
    elif builder.faults: show the page again; the sentences stand in it
    else: save builder.tree (None when nobody is asked anything)

In a template, inside any form: `{% include "components/conditions.html" with builder=builder %}`. Several builders on a
page have different prefixes. With JavaScript its buttons and selects ask the address `conditions` for the builder alone.
`running=True` offers what only a running flow knows (the event) too.

It shows a group of rows and of groups of rows, each "all", "any" or "none of". A condition that lies deeper is shown in
words and kept as it is.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cached_property
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from stores.conditions import words
from stores.conditions.base import CUSTOMER, EVENT, LINE, MOMENT, ORDER, Condition, Field, children, fields, known
from stores.conditions.checking import faults
from stores.conditions.choices import MOST
from stores.conditions.operators import MONTHS, NUMBERS, OPERATORS, WEEKDAYS, fitting
from stores.models import Store

JOINTS = {
    "all": gettext_lazy("all of these hold"),
    "any": gettext_lazy("at least one of these holds"),
    "not": gettext_lazy("none of these holds"),
}
_OFFERED = {CUSTOMER: (CUSTOMER, MOMENT), ORDER: (ORDER, CUSTOMER, MOMENT), LINE: (LINE, ORDER, CUSTOMER, MOMENT)}
MAX_ROWS, MAX_GROUPS = 60, 10


@dataclass
class Row:
    """One comparison as it stands on the page. `values` are texts, as a form sends them; `n` is its place in the form."""

    n: int
    field: str = ""
    op: str = ""
    values: list[str] = dataclasses.field(default_factory=list)
    within: str = ""
    fault: str = ""

    @property
    def asked(self) -> Field | None:
        return known(self.field)

    @property
    def takes(self) -> str:
        return OPERATORS[self.op].takes if self.op in OPERATORS else ""

    def leaf(self) -> Condition:
        """The comparison of a tree. What cannot be read stays a text, so that the check can tell of it."""
        found: dict[str, Any] = {"field": self.field, "op": self.op}
        asked = self.asked
        if asked and self.takes != "nothing" and any(self.values):
            read = [_read(asked, self.takes, text) for text in self.values if text]
            found["value"] = read if OPERATORS[self.op].takes_list else read[0]
        if asked and asked.timed and self.within:
            found["within"] = int(self.within) if _is_whole(self.within) else self.within
        return found


@dataclass
class Group:
    """Rows under one word; the first group is the whole condition, the others stand in it. Number 0 is the whole."""

    n: int
    joint: str = "all"
    rows: list[Row] = dataclasses.field(default_factory=list)


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _read(asked: Field, takes: str, text: str) -> Any:
    """One value out of a form."""
    text = text.strip()
    if takes in {"days", "months"} or (takes in {"value", "values"} and asked.item_kind == "id"):
        return int(text) if _is_whole(text) else text
    if takes in {"date", "weekdays"}:
        return text
    if asked.item_kind == "bool":
        return {"yes": True, "no": False}.get(text, text)
    if asked.item_kind in NUMBERS:
        plain = text.replace(" ", "").replace(",", ".")
        try:
            return plain if Decimal(plain).is_finite() else text
        except InvalidOperation:
            return text
    return text


def _written(value: Any) -> list[str]:
    """The texts of a value, as a form shows it."""
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


class Builder:
    """See the module. `groups[0]` is the whole condition, the rest are groups inside it."""

    def __init__(self, store: Store, subject: str, prefix: str, *, running: bool = False) -> None:
        self.store, self.subject, self.prefix, self.running = store, subject, prefix, running
        self.groups = [Group(0)]
        # A condition that lies deeper than the page shows; nothing but words of it is shown.
        self.kept: Condition | None = None
        self.acted = False
        self._choices: dict[Any, list[tuple[str, Any]]] = {}

    @classmethod
    def of(cls, tree: Condition | None, *, store: Store, subject: str, prefix: str, running: bool = False) -> "Builder":
        """The builder that shows a condition. One that is not right (a field is gone) is kept in words too."""
        made = cls(store, subject, prefix, running=running)
        if not tree:
            return made
        if not made._take(tree):
            made.groups, made.kept = [Group(0)], tree
        return made

    @classmethod
    def read(cls, sent: QueryDict, *, store: Store, subject: str, prefix: str, running: bool = False) -> "Builder":
        """The builder as a form sent it, after the button that was pressed, if one of it was."""
        made = cls(store, subject, prefix, running=running)
        kept = sent.get(f"{prefix}-kept", "")
        if kept and sent.get(f"{prefix}-do") != "afresh":
            made.kept = _parsed(kept)
        numbers = [text for text in sent.get(f"{prefix}-groups", "0").split(",") if _is_whole(text)][:MAX_GROUPS]
        made.groups = [Group(int(n), sent.get(f"{prefix}-g{n}-joint", "all")) for n in dict.fromkeys(["0", *numbers])]
        for group in made.groups:
            group.joint = group.joint if group.joint in JOINTS else "all"
            places = [text for text in sent.get(f"{prefix}-g{group.n}-rows", "").split(",") if _is_whole(text)]
            group.rows = [made._row(sent, int(n)) for n in places[:MAX_ROWS]]
        made._act(sent.get(f"{prefix}-do", ""))
        if not made.acted:
            made._check()
        return made

    # -- from a tree -------------------------------------------------------------------------------------------------

    def _take(self, tree: Condition) -> bool:
        if faults(tree):
            return False
        joint = next((name for name in JOINTS if name in tree), "")
        self.groups[0].joint = joint or "all"
        n = 0
        for child in (children(tree) or []) if joint else [tree]:
            inner = next((name for name in JOINTS if name in child), "")
            group = self.groups[0]
            if inner:
                group = Group(len(self.groups), inner)
                self.groups.append(group)
            for leaf in (children(child) or []) if inner else [child]:
                if children(leaf) is not None or not self._offers(known(leaf["field"])):
                    return False
                group.rows.append(_row_of(leaf, n))
                n += 1
        return True

    # -- from a form -------------------------------------------------------------------------------------------------

    def _row(self, sent: QueryDict, n: int) -> Row:
        name = f"{self.prefix}-{n}"
        row = Row(n, sent.get(f"{name}-field", ""), sent.get(f"{name}-op", ""), within=sent.get(f"{name}-within", ""))
        asked = row.asked
        if asked is None or not self._offers(asked):
            row.field = row.op = ""
            return row
        ops = fitting(asked)
        if row.op not in ops or sent.get(f"{name}-was", row.field) != row.field:
            # Another field was chosen than the one that rule and value were for.
            row.op = next(iter(ops))
            return row
        values = sent.getlist(f"{name}-value")
        if len(values) == 1 and row.takes == "values":
            values = values[0].split(",")
        row.values = [text.strip() for text in values if text.strip()]
        return row

    def _act(self, pressed: str) -> None:
        act, _dash, n = pressed.partition("-")
        self.acted = bool(act)
        if act == "add":
            for group in self.groups:
                if str(group.n) == n and len(self._rows) < MAX_ROWS:
                    group.rows.append(Row(self._next))
        elif act == "group" and len(self.groups) < MAX_GROUPS:
            self.groups.append(Group(max(group.n for group in self.groups) + 1, "any", [Row(self._next)]))
        elif act == "remove":
            for group in self.groups:
                group.rows = [row for row in group.rows if str(row.n) != n]
            self.groups = [group for group in self.groups if group.rows or group.n == 0]

    def _check(self) -> None:
        for place, row in enumerate(self._rows, 1):
            if row.field:
                at = _("Row %(n)d") % {"n": place}
                found = faults(row.leaf(), at=at)
                row.fault = found[0] if found else ""

    # -- what views ask ----------------------------------------------------------------------------------------------

    @property
    def _rows(self) -> list[Row]:
        return [row for group in self.groups for row in group.rows]

    @property
    def _next(self) -> int:
        return max([row.n for row in self._rows], default=-1) + 1

    @property
    def faults(self) -> list[str]:
        """What is wrong, a sentence for each fault."""
        if self.kept is not None:
            return faults(self.kept)
        return [row.fault for row in self._rows if row.fault] or (faults(self.tree) if self.tree else [])

    @property
    def tree(self) -> Condition | None:
        """The condition; None when there is none. Rows without a field are nothing."""
        if self.kept is not None:
            return self.kept
        whole = self.groups[0]
        parts: list[Any] = [row.leaf() for row in whole.rows if row.field]
        for group in self.groups[1:]:
            inner = [row.leaf() for row in group.rows if row.field]
            if inner:
                parts.append({group.joint: inner})
        if not parts:
            return None
        if len(parts) == 1 and whole.joint != "not":
            return parts[0]
        return {whole.joint: parts}

    # -- what the template asks --------------------------------------------------------------------------------------

    def _offers(self, asked: Field | None) -> bool:
        about = (*_OFFERED[self.subject], EVENT) if self.running else _OFFERED[self.subject]
        return asked is not None and asked.subject in about

    @cached_property
    def offered(self) -> list[tuple[str, list[Field]]]:
        """The fields to choose from, under their groups."""
        found: dict[str, list[Field]] = {}
        for one in fields():
            if self._offers(one):
                found.setdefault(str(one.group) or _("More"), []).append(one)
        return [(group, sorted(some, key=lambda one: str(one.label))) for group, some in found.items()]

    @property
    def joints(self) -> list[tuple[str, Any]]:
        return list(JOINTS.items())

    @property
    def group_numbers(self) -> str:
        return ",".join(str(group.n) for group in self.groups)

    @property
    def sentence(self) -> str:
        """The kept condition in words."""
        if self.kept is None or faults(self.kept):
            return ""
        return words.describe(self.kept, self.store)

    @property
    def kept_text(self) -> str:
        return json.dumps(self.kept) if self.kept is not None else ""

    @property
    def shown(self) -> list["ShownGroup"]:
        """The groups with all that their rows show."""
        place = 0
        found = []
        for group in self.groups:
            rows = []
            for row in group.rows:
                place += 1
                rows.append(ShownRow(self, row, place))
            found.append(ShownGroup(group, rows))
        return found

    def choices(self, asked: Field) -> list[tuple[str, Any]]:
        """What the store offers for a field; asked once for each kind of choice."""
        if asked.choices is None:
            return []
        if asked.choices not in self._choices:
            self._choices[asked.choices] = asked.choices(self.store)
        return self._choices[asked.choices]


@dataclass(frozen=True)
class ShownGroup:
    """A group as the template shows it."""

    group: Group
    rows: Sequence["ShownRow"]

    @property
    def numbers(self) -> str:
        return ",".join(str(row.row.n) for row in self.rows)


@dataclass(frozen=True)
class ShownRow:
    """A row as the template shows it: its rules, the kind of control for its value, and what is chosen."""

    builder: Builder
    row: Row
    place: int

    @property
    def name(self) -> str:
        return f"{self.builder.prefix}-{self.row.n}"

    @property
    def asked(self) -> Field | None:
        return self.row.asked

    @property
    def rules(self) -> list[tuple[str, str]]:
        asked = self.row.asked
        return [(op, words.operator_words(asked, op)) for op in fitting(asked)] if asked else []

    @property
    def control(self) -> str:
        """none, bool, days, date, checks, select, selects, list or text."""
        asked, takes = self.row.asked, self.row.takes
        if asked is None or takes in {"", "nothing"}:
            return "none"
        if takes in {"days", "date"}:
            return takes
        if takes in {"weekdays", "months"}:
            return "checks"
        if asked.item_kind == "bool":
            return "bool"
        if asked.item_kind in {"choice", "id"} and 0 < len(self.builder.choices(asked)) < MOST:
            return "selects" if takes == "values" else "select"
        return "list" if takes == "values" else "text"

    @property
    def options(self) -> list[tuple[str, Any, bool]]:
        """(value, words, chosen); what is chosen and no longer offered stands there too."""
        asked = self.row.asked
        if asked is None:
            return []
        if self.control == "checks":
            offered: list[tuple[str, Any]] = list((WEEKDAYS if self.row.takes == "weekdays" else MONTHS).items())
        elif self.control == "bool":
            offered = [("yes", _("yes")), ("no", _("no"))]
        else:
            offered = self.builder.choices(asked)
        names = dict(offered)
        missing = [(value, value) for value in self.row.values if value not in names]
        if self.control in {"list", "text"}:
            missing = []
        return [(value, name, value in self.row.values) for value, name in [*offered, *missing]]

    @property
    def text(self) -> str:
        return ", ".join(self.row.values)

    @property
    def is_number(self) -> bool:
        return bool(self.row.asked and self.row.asked.item_kind in {*NUMBERS, "id"})


def _row_of(leaf: Condition, n: int) -> Row:
    values = _written(leaf["value"]) if "value" in leaf else []
    return Row(n, leaf["field"], leaf["op"], values, str(leaf.get("within", "")))


def _parsed(text: str) -> Condition | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, Mapping) and len(text) < 50_000 else None
