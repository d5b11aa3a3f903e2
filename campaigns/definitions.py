"""The flow file: read, checked with a sentence for each fault, and laid out for the engine.

`{format: 1, name, class, trigger: {event, where, ...params}, reentry, exit_when: [...], holdback, steps: [...]}`; a step is
`{uid, kind, ...params, when?, then?, else?}`, a split has `variants: [{name, weight, steps}]`. `event` names a kind of trigger,
whose params stand beside it, or is a list of several without any.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from campaigns import steps as step_kinds
from campaigns import triggers
from campaigns.steps import Step
from campaigns.steps.base import ELSE, THEN
from campaigns.triggers import Reentry, Start, reentry
from postpurchase.errors import BusinessError
from stores import conditions
from stores.conditions import Condition

FORMAT = 1
# How deep branches may lie; the editor's own limit is lower.
MAX_STEPS, MAX_BRANCHES_DEEP = 60, 10
KEYS = ("format", "name", "class", "trigger", "reentry", "exit_when", "holdback", "steps")
_UID = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True)
class Placed:
    """A step in its place. `lanes` are the first steps of the ways that part here, `next` is what follows; "" ends."""

    uid: str
    kind: str
    step: Step
    when: Condition | None
    number: str
    next: str
    lanes: Mapping[str, str] = field(default_factory=dict)

    @property
    def then(self) -> str:
        """The first step of a branch's yes side."""
        return self.lanes.get(THEN, "")

    @property
    def otherwise(self) -> str:
        """The first step of a branch's other side."""
        return self.lanes.get(ELSE, "")


@dataclass(frozen=True)
class Definition:
    """A checked flow file."""

    name: str
    klass: str
    start: Start
    where: Condition | None
    reentry: Reentry
    exit_when: tuple[Condition, ...]
    holdback: int
    steps: Mapping[str, Placed]
    first: str
    # The fields that its steps and exits ask about.
    fields: frozenset[str]
    # Events and dates that its steps wait for.
    awaited: frozenset[str] = frozenset()
    dates: frozenset[str] = frozenset()

    @property
    def events(self) -> tuple[str, ...]:
        """The names of what starts it."""
        return self.start.names


def walk(steps: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """All steps of a file, those in branches after their branch."""
    for step in steps:
        yield step
        for _name, below in lanes_of(step):
            yield from walk(below)


def lanes_of(raw: Mapping[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    """The ways that part at a step of a file, each with its steps: `then` and `else`, or a split's variants by name."""
    if isinstance(raw.get("variants"), list):
        return [
            (str(each.get("name")), each.get("steps") or []) for each in raw["variants"] if isinstance(each, Mapping)
        ]
    return [(side, raw[side] or []) for side in (THEN, ELSE) if side in raw]


def depth_of(steps: list[dict[str, Any]]) -> int:
    """How many branches lie in each other at the deepest place."""
    return max((1 + depth_of(below) for step in steps for _name, below in lanes_of(step)), default=0)


def faults(data: Any) -> list[str]:
    """What is wrong with a flow file, a sentence for each fault; empty when it can be published."""
    if not isinstance(data, Mapping):
        return ["A flow file is a mapping with format, name, class, trigger and steps."]
    found = [f"{key} is not known in a flow file." for key in data if key not in KEYS]
    if data.get("format") != FORMAT:
        found.append(f"format is {data.get('format')!r}; this version reads format {FORMAT}.")
    if not isinstance(data.get("name"), str) or not data["name"].strip() or len(data["name"]) > 120:
        found.append("name is a text of 1 to 120 characters.")
    if data.get("class") not in {"T", "S", "M"}:
        found.append("class is T (transactional), S (service) or M (marketing).")
    trigger = data.get("trigger")
    found += triggers.build(trigger)[1]
    if isinstance(trigger, Mapping) and trigger.get("where") is not None:
        found += conditions.faults(trigger["where"], at="trigger, where")
    found += reentry.faults(data.get("reentry", reentry.DEFAULT))
    exits = data.get("exit_when", [])
    if not isinstance(exits, list):
        found.append("exit_when is a list of conditions.")
    else:
        found += [fault for n, tree in enumerate(exits, 1) for fault in conditions.faults(tree, at=f"exit_when, {n}")]
    holdback = data.get("holdback", 0)
    if not isinstance(holdback, int) or isinstance(holdback, bool) or not 0 <= holdback <= 90:
        found.append("holdback is a percentage from 0 to 90.")
    return found + _step_faults(data.get("steps"))


def _step_faults(steps: Any) -> list[str]:
    if not isinstance(steps, list) or not steps:
        return ["steps is a list with at least one step."]
    found: list[str] = []
    seen: set[str] = set()

    def look(below: Any, prefix: str, depth: int, start: int = 0) -> None:
        if not isinstance(below, list):
            found.append(f"Step {prefix}: the steps of a lane are a list.")
            return
        for n, raw in enumerate(below, start):
            number = _number(prefix, n)
            if not isinstance(raw, Mapping):
                found.append(f"Step {number}: a step is a mapping with uid and kind.")
                continue
            uid, kind = raw.get("uid"), str(raw.get("kind"))
            if not isinstance(uid, str) or not _UID.fullmatch(uid):
                found.append(f"Step {number}: uid is a short name of small letters, digits and _.")
            elif uid in seen:
                found.append(f"Step {number}: the uid {uid!r} is there twice.")
            else:
                seen.add(uid)
            found.extend(f"Step {number}: {fault}" for fault in step_kinds.build(kind, params_of(raw))[1])
            if raw.get("when") is not None:
                found.extend(conditions.faults(raw["when"], at=f"Step {number}, when"))
            found.extend(_lane_faults(raw, kind, number, depth))
            start = 0
            for _name, steps_below in lanes_of(raw) if depth < MAX_BRANCHES_DEEP else []:
                look(steps_below, number, depth + 1, start)
                start += len(steps_below) if isinstance(steps_below, list) else 0

    look(steps, "", 0)
    if len(seen) > MAX_STEPS:
        found.append(f"A flow has at most {MAX_STEPS} steps; this one has {len(seen)}.")
    return found


def _lane_faults(raw: Mapping[str, Any], kind: str, number: str, depth: int) -> list[str]:
    sides = [side for side in (THEN, ELSE) if side in raw]
    known = step_kinds.kinds().get(kind)
    if sides and not (known and known.parts):
        return [f"Step {number}: {kind} has no then and else."]
    if kind == "branch" and THEN not in raw:
        return [f"Step {number}: a branch needs then."]
    if lanes_of(raw) and depth >= MAX_BRANCHES_DEEP:
        return [f"Step {number}: branches lie more than {MAX_BRANCHES_DEEP} deep."]
    return []


_NOT_PARAMS = frozenset({"uid", "kind", "when", THEN, ELSE})


def params_of(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a step of a file, without its place and without the steps in its lanes."""
    found = {name: value for name, value in raw.items() if name not in _NOT_PARAMS}
    if isinstance(found.get("variants"), list):
        found["variants"] = [
            {name: value for name, value in each.items() if name != "steps"} if isinstance(each, Mapping) else each
            for each in found["variants"]
        ]
    return found


def _number(prefix: str, n: int) -> str:
    """1, 2, ... on the main line; 4a, 4b, ... in branches."""
    if not prefix:
        return str(n + 1)
    if not prefix[-1].isdigit():
        return f"{prefix}{n + 1}"
    letters = chr(ord("a") + n % 26)
    return f"{prefix}{letters}" if n < 26 else f"{prefix}{chr(ord('a') + n // 26 - 1)}{letters}"


def parse(data: Any) -> Definition:
    """Lay a flow file out for the engine. Raises BusinessError `flow_faults` with all faults."""
    wrong = faults(data)
    if wrong:
        raise BusinessError("The flow was not saved. " + " ".join(wrong), "flow_faults")
    placed: dict[str, Placed] = {}
    asked: list[Condition] = list(data.get("exit_when", []))

    def place(below: list[dict[str, Any]], prefix: str, after: str, start: int = 0) -> str:
        for n in range(len(below) - 1, -1, -1):
            raw = below[n]
            step, _ = step_kinds.build(raw["kind"], params_of(raw))
            assert step is not None
            number = _number(prefix, n + start)
            lanes, begun = dict.fromkeys(step.lanes(), after), 0
            for name, inner in lanes_of(raw):
                lanes[name] = place(inner, number, after, begun)
                begun += len(inner)
            placed[raw["uid"]] = Placed(raw["uid"], raw["kind"], step, raw.get("when"), number, after, lanes)
            asked.extend([*([raw["when"]] if raw.get("when") else []), *step.conditions()])
            after = raw["uid"]
        return after

    first = place(data["steps"], "", "")
    trigger = data["trigger"]
    start, _ = triggers.build(trigger)
    assert start is not None
    return Definition(
        name=data["name"],
        klass=data["class"],
        start=start,
        where=trigger.get("where"),
        reentry=reentry.parse(data.get("reentry")),
        exit_when=tuple(data.get("exit_when", [])),
        holdback=data.get("holdback", 0) if data["class"] == "M" else 0,
        steps=placed,
        first=first,
        fields=conditions.fields_of(asked),
        awaited=frozenset[str]().union(*(each.step.events() for each in placed.values())),
        dates=frozenset[str]().union(*(each.step.dates() for each in placed.values())),
    )


def load(text: str) -> dict[str, Any]:
    """A flow file from YAML. Raises BusinessError when it is no YAML or has faults."""
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BusinessError(f"This is no YAML, so nothing was imported: {error}", "flow_yaml") from error
    parse(data)
    return dict(data)


def dump(data: Mapping[str, Any]) -> str:
    """The flow file as YAML, always in the same order of keys; `load` gives the same back."""
    return yaml.safe_dump(_ordered(data, KEYS), sort_keys=False, allow_unicode=True, width=120)


_LEAF = ("field", "op", "value")
_STEP_FIRST, _STEP_LAST = ("uid", "kind"), ("when", "variants", "then", "else")
_VARIANT = ("name", "weight", "steps")


def _ordered(value: Any, first: tuple[str, ...]) -> Any:
    """The same with keys in a fixed order, because a database may keep JSON in an order of its own."""
    if isinstance(value, list):
        return [_ordered(each, first) for each in value]
    if not isinstance(value, Mapping):
        return value
    if "uid" in value:
        names = [name for name in value if name not in {*_STEP_FIRST, *_STEP_LAST}]
        first = (*_STEP_FIRST, *sorted(names), *_STEP_LAST)
    names = [name for name in first if name in value] + sorted(name for name in value if name not in first)
    inner = {"trigger": ("event",), "variants": _VARIANT}
    return {name: _ordered(value[name], inner.get(name, _LEAF)) for name in names}
