"""What differs between two flow files, in sentences that a merchant reads before publishing and in the history."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from campaigns import editing, flow_words
from campaigns.editing import Spot
from campaigns.steps import build


def sentences(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> list[str]:
    """One sentence for each difference, the start first, then the steps in the order of `after`."""
    if before is None:
        return [_("This is the first version.")]
    return [*_frame(before, after), *_steps(before, after)]


def _frame(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    found = []
    for label, say in (
        (_("Starts"), flow_words.start),
        (_("Enter if"), flow_words.where),
        (_("Again"), flow_words.again),
        (_("Leave when"), flow_words.exits),
        (_("Class"), flow_words.klass),
        (_("Hold-back"), flow_words.holdback),
    ):
        old, new = say(before), say(after)
        if old != new:
            found.append(
                _("%(label)s: “%(old)s” becomes “%(new)s”.")
                % {"label": label, "old": old or _("nothing"), "new": new or _("nothing")}
            )
    return found


def _steps(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    old = {str(spot.step.get("uid")): spot for spot in editing.spots(before)}
    new = {str(spot.step.get("uid")): spot for spot in editing.spots(after)}
    stayed = _in_order([uid for uid in new if uid in old], list(old))
    found = []
    for uid, spot in new.items():
        if uid not in old:
            found.append(_("Step %(number)s is new: %(what)s.") % _said(spot))
            continue
        was = old[uid]
        found += _changed(was, spot)
        if was.lane != spot.lane or uid not in stayed:
            found.append(
                _("Step %(number)s was step %(was)s and has moved: %(what)s.") % (_said(spot) | {"was": was.number})
            )
    found += [_("Step %(number)s is gone: %(what)s.") % _said(spot) for uid, spot in old.items() if uid not in new]
    return found


def _said(spot: Spot) -> dict[str, str]:
    return {"number": spot.number, "what": flow_words.step(spot.step)}


def _changed(was: Spot, now: Spot) -> list[str]:
    found = []
    old, new = _params(was.step), _params(now.step)
    if (was.step.get("kind"), old) != (now.step.get("kind"), new):
        said, says = flow_words.step(was.step), flow_words.step(now.step)
        if said != says:
            found.append(
                _("Step %(number)s: “%(old)s” becomes “%(new)s”.") % {"number": now.number, "old": said, "new": says}
            )
        else:
            names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
            found += [
                _("Step %(number)s, %(setting)s: “%(old)s” becomes “%(new)s”.")
                % {
                    "number": now.number,
                    "setting": flow_words.setting(str(now.step.get("kind")), name),
                    "old": flow_words.value(old.get(name)),
                    "new": flow_words.value(new.get(name)),
                }
                for name in names
            ]
    if was.step.get("when") != now.step.get("when"):
        found.append(
            _("Step %(number)s, only if: “%(old)s” becomes “%(new)s”.")
            % {
                "number": now.number,
                "old": flow_words.condition(was.step.get("when")) or _("always"),
                "new": flow_words.condition(now.step.get("when")) or _("always"),
            }
        )
    return found


def _params(step: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with what is usual filled in, so that writing the usual down is no difference."""
    raw = flow_words.params(step)
    made, _faults = build(str(step.get("kind")), raw)
    return {name: _plain(value) for name, value in vars(made).items()} if made else raw


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _in_order(wanted: list[str], order: list[str]) -> set[str]:
    """The longest part of `wanted` that stands in the same order as before; the others were moved."""
    place = {uid: n for n, uid in enumerate(order)}
    best: list[list[str]] = []
    for n, uid in enumerate(wanted):
        before = [best[m] for m in range(n) if place[wanted[m]] < place[uid]]
        best.append([*_longest(before), uid])
    return set(_longest(best))


def _longest(lists: list[list[str]]) -> list[str]:
    return max(lists, key=lambda one: len(one), default=[])
