"""Ready-made flows. Each recipe is a flow file beside this module; its texts lie under templates/.

A recipe file `rNN_name.yaml` is a flow file with one key more, `recipe`: what the library page says of it (`Recipe`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from campaigns import content, definitions, flows
from campaigns.flows import Actor
from campaigns.models import Flow
from postpurchase.errors import BusinessError
from stores.models import Store

_HERE = Path(__file__).parent
FILES = {path.name[:3].upper(): path.name for path in sorted(_HERE.glob("r[0-9][0-9]_*.yaml"))}
GROUPS = ("reassure", "listen", "bring_back", "reward", "fix")
_KEYS = {"group", "promise", "judge_by", "needs", "wants"}


@dataclass(frozen=True)
class Recipe:
    """What the library says of a flow before it is used.

    `promise` is one sentence on what the shop gets, `judge_by` the one number that tells whether it works. Without
    each of `needs` it cannot work, with each of `wants` it works better; both name checks of `library.needs`.
    """

    id: str
    slug: str
    group: str
    promise: str
    judge_by: str
    needs: tuple[str, ...]
    wants: tuple[str, ...]
    flow: Mapping[str, Any]

    @property
    def templates(self) -> tuple[str, ...]:
        """The names of its texts, in the order of the steps."""
        return tuple(step["template"] for step in definitions.walk(self.flow["steps"]) if "template" in step)

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages in which all its texts are there."""
        spoken = [set(content.languages(name)) for name in self.templates]
        return tuple(sorted(set.intersection(*spoken))) if spoken else ()


@lru_cache(maxsize=64)
def recipe(name: str) -> Recipe:
    """A recipe by its id ("R06"). BusinessError `recipe_missing`."""
    if name not in FILES:
        raise BusinessError(
            f"There is no recipe {name!r}; nothing was installed. Known are {', '.join(FILES)}.", "recipe_missing"
        )
    flow: dict[str, Any] = yaml.safe_load((_HERE / FILES[name]).read_text(encoding="utf-8"))
    card: dict[str, Any] = flow.pop("recipe")
    return Recipe(
        id=name,
        slug=FILES[name].removesuffix(".yaml").replace("_", "-"),
        group=card["group"],
        promise=card["promise"],
        judge_by=card["judge_by"],
        needs=tuple(card.get("needs", ())),
        wants=tuple(card.get("wants", ())),
        flow=flow,
    )


def recipes() -> list[Recipe]:
    """All recipes, by id."""
    return [recipe(name) for name in FILES]


def faults(name: str) -> list[str]:
    """What is wrong with a recipe file, a sentence for each fault; for those who write one."""
    from campaigns.library import needs

    raw = yaml.safe_load((_HERE / FILES[name]).read_text(encoding="utf-8"))
    card = raw.get("recipe")
    if not isinstance(card, dict):
        return [f"{FILES[name]}: the key recipe is missing."]
    found = [f"{FILES[name]}: recipe has no {key!r}." for key in card if key not in _KEYS]
    if card.get("group") not in GROUPS:
        found.append(f"{FILES[name]}: group is one of {', '.join(GROUPS)}.")
    found += [f"{FILES[name]}: {key} is a sentence." for key in ("promise", "judge_by") if not card.get(key)]
    asked = [*card.get("needs", ()), *card.get("wants", ())]
    found += [f"{FILES[name]}: there is no need {need!r}." for need in asked if need not in needs.NEEDS]
    return found


def read(name: str) -> dict[str, Any]:
    """The flow file of a recipe. BusinessError `recipe_missing`."""
    return dict(recipe(name).flow)


def install(store: Store, name: str, *, state: str | None = None, actor: Actor = "library") -> Flow:
    """Give the store this flow and its texts; `state` off, review or on. Again changes nothing but the state.

    A flow that the merchant has edited since keeps its own version. BusinessError `recipe_missing`.
    """
    found = recipe(name)
    for template in found.templates:
        content.install(store, template)
    flow = Flow.objects.filter(store=store, slug=found.slug).first()
    if flow is None:
        return flows.publish(store, read(name), slug=found.slug, recipe=name, state=state, actor=actor)
    if state is not None:
        flows.set_state(flow, state, actor=actor)
    return flow
