"""Ready-made flows. Each recipe is a flow file beside this module; its texts lie under templates/."""

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
FILES = {"R01": "r01_thank_you.yaml", "R06": "r06_review_request.yaml"}


@lru_cache(maxsize=64)
def read(recipe: str) -> dict[str, Any]:
    """The flow file of a recipe. BusinessError `recipe_missing`."""
    if recipe not in FILES:
        raise BusinessError(
            f"There is no recipe {recipe!r}; nothing was installed. Known are {', '.join(FILES)}.", "recipe_missing"
        )
    data: dict[str, Any] = yaml.safe_load((_HERE / FILES[recipe]).read_text(encoding="utf-8"))
    return data


def install(store: Store, recipe: str, *, state: str | None = None, actor: Actor = "library") -> Flow:
    """Give the store this flow and its texts; `state` off, review or on. Again changes nothing but the state.

    A flow that the merchant has edited since keeps its own version. BusinessError `recipe_missing`.
    """
    data = read(recipe)
    for step in definitions.walk(data["steps"]):
        if "template" in step:
            content.install(store, step["template"])
    slug = FILES[recipe].removesuffix(".yaml").replace("_", "-")
    found = Flow.objects.filter(store=store, slug=slug).first()
    if found is None:
        return flows.publish(store, data, slug=slug, recipe=recipe, state=state, actor=actor)
    if state is not None:
        flows.set_state(found, state, actor=actor)
    return found
