"""Changes of a flow file as the editor makes them: pure functions over its nested lists of steps.

A step is found by its uid. A place is a lane and what stands before it: lane "" is the main line, "uid:then" and
"uid:else" are the sides of a branch, "uid:v0", "uid:v1", ... the ways of a split. Every function changes the file it is given; `drafts.change` hands in a copy.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from campaigns.definitions import MAX_STEPS, _number, walk
from campaigns.steps import kinds
from postpurchase.errors import BusinessError

Step = dict[str, Any]
File = dict[str, Any]
SIDES = ("then", "else")
_VARIANT = re.compile(r"v(\d)")
# How many branches may lie in one another when they are put together here; a file may go deeper.
MAX_DEEP = 2


@dataclass(frozen=True)
class Spot:
    """Where a step stands: its list, its index there, its lane and how many branches lie around it."""

    steps: list[Step]
    index: int
    lane: str
    depth: int
    number: str

    @property
    def step(self) -> Step:
        return self.steps[self.index]

    @property
    def is_first(self) -> bool:
        return self.index == 0

    @property
    def is_last(self) -> bool:
        return self.index == len(self.steps) - 1


def spots(data: Mapping[str, Any]) -> Iterator[Spot]:
    """All steps with their places, in reading order."""
    yield from _spots(data.get("steps") or [], "", 0, "", 0)


def _spots(steps: list[Step], lane: str, depth: int, prefix: str, start: int) -> Iterator[Spot]:
    for n, step in enumerate(steps):
        number = _number(prefix, n + start)
        yield Spot(steps, n, lane, depth, number)
        before = 0
        for key, _name, below in lanes(step):
            yield from _spots(below, f"{step.get('uid')}:{key}", depth + 1, number, before)
            before += len(below)


def lanes(step: Mapping[str, Any]) -> list[tuple[str, str, list[Step]]]:
    """The ways that part at a step: (key, name, steps) of the two sides of a branch or of each way of a split."""
    variants = step.get("variants")
    if isinstance(variants, list):
        return [(f"v{n}", str(each.get("name", "")), each.get("steps") or []) for n, each in enumerate(variants)]
    kind = kinds().get(str(step.get("kind")))
    parts = (kind and kind.parts) or any(side in step for side in SIDES)
    return [(side, "", step.get(side) or []) for side in SIDES] if parts else []


def find(data: Mapping[str, Any], uid: str) -> Spot:
    """Where the step is. BusinessError `step_gone`."""
    for spot in spots(data):
        if spot.step.get("uid") == uid:
            return spot
    raise BusinessError(
        "This step is no longer in the flow; nothing was changed. Look at the flow as it is now.", "step_gone"
    )


def lane_of(data: File, lane: str) -> tuple[list[Step], int]:
    """The list of a lane and how many branches lie around it. BusinessError `step_gone`."""
    if not lane:
        return data.setdefault("steps", []), 0
    uid, _, side = lane.partition(":")
    spot = find(data, uid)
    if side not in {key for key, _name, _steps in lanes(spot.step)}:
        raise BusinessError("This place is no longer in the flow; nothing was changed.", "step_gone")
    variant = _VARIANT.fullmatch(side)
    holder = spot.step["variants"][int(variant[1])] if variant else spot.step
    return holder.setdefault("steps" if variant else side, []), spot.depth + 1


def new_uid(kind: str, used: Iterable[str]) -> str:
    """A name for a new step that no step of this flow has or had: what was sent is remembered by it."""
    taken = set(used)
    base = kind[:34]
    return next(name for n in range(1, 10_000) if (name := base if n == 1 else f"{base}_{n}") not in taken)


def uids(data: Mapping[str, Any] | None) -> set[str]:
    """The names of all steps of a file."""
    return {str(step.get("uid")) for step in walk(list((data or {}).get("steps") or []))}


def add(data: File, *, kind: str, uid: str, params: Mapping[str, Any], lane: str = "", after: str = "") -> Step:
    """Put a new step into a lane, after the step `after` or at its beginning. BusinessError `step_gone`, `too_deep`, `too_many`."""
    if len(uids(data)) >= MAX_STEPS:
        raise BusinessError(f"A flow has at most {MAX_STEPS} steps. Nothing was added.", "too_many")
    step: Step = {"uid": uid, "kind": kind, **params}
    if kinds()[kind].parts:
        step |= {"then": [], "else": []}
    _insert(data, step, lane, after)
    return step


def _insert(data: File, step: Step, lane: str, after: str) -> None:
    steps, depth = lane_of(data, lane)
    if _height(step) + depth > MAX_DEEP:
        raise BusinessError(
            f"Branches lie at most {MAX_DEEP} deep, so this does not go there. Nothing was changed.", "too_deep"
        )
    at = 0
    if after:
        spot = find(data, after)
        if spot.steps is not steps:
            raise BusinessError("This place is no longer in the flow; nothing was changed.", "step_gone")
        at = spot.index + 1
    steps.insert(at, step)


def _height(step: Step) -> int:
    """How many branches lie in one another here."""
    ways = lanes(step)
    return 1 + max((_height(below) for _key, _name, steps in ways for below in steps), default=0) if ways else 0


def delete(data: File, uid: str) -> Step:
    """Take a step out, a branch with all that is in it; returns it."""
    spot = find(data, uid)
    return spot.steps.pop(spot.index)


def shift(data: File, uid: str, by: int) -> bool:
    """One place up (-1) or down (1) in its lane; False at the edge, where nothing is changed."""
    spot = find(data, uid)
    to = spot.index + by
    if not 0 <= to < len(spot.steps):
        return False
    spot.steps.insert(to, spot.steps.pop(spot.index))
    return True


def move(data: File, uid: str, *, lane: str, after: str) -> None:
    """To another place, also in or out of a branch. BusinessError `into_itself`, `too_deep`, `step_gone`."""
    inside = uids({"steps": [find(data, uid).step]})
    if lane.partition(":")[0] in inside or after in inside:
        raise BusinessError("A step cannot go into itself. Nothing was moved.", "into_itself")
    _insert(data, delete(data, uid), lane, after)


def set_params(data: File, uid: str, params: Mapping[str, Any], when: Any = None) -> None:
    """Give a step other settings and its "only if"; what is in a branch stays.

    Each of a split's `variants` may say as `row` which of the present ones it was, whose steps it keeps.
    """
    spot = find(data, uid)
    kept = {name: spot.step[name] for name in ("uid", "kind", *SIDES) if name in spot.step}
    step = {"uid": kept.pop("uid"), "kind": kept.pop("kind"), **params}
    if isinstance(params.get("variants"), list):
        step["variants"] = [_variant(each, spot.step.get("variants") or []) for each in params["variants"]]
    if when:
        step["when"] = when
    spot.steps[spot.index] = step | kept


def _variant(new: Mapping[str, Any], present: list[Any]) -> dict[str, Any]:
    row = new.get("row", len(present))
    made = dict(present[row]) if row < len(present) else {"steps": []}
    made["name"] = new["name"]
    if new["weight"] != made.get("weight", 1):
        made["weight"] = new["weight"]
    return made
