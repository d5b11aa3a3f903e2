"""The library of ready-made flows: what each promises, whether it can work here, whom it would have reached."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language_info, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from campaigns import definitions, library, triggers
from campaigns.library import Recipe, needs
from campaigns.models import DryRun, Flow
from postpurchase.errors import BusinessError
from stores.access import FLOWS_EDIT, ORDERS_VIEW, StoreRequest, store_view
from stores.models import Store

GROUPS = {
    "reassure": gettext_lazy("Reassure"),
    "listen": gettext_lazy("Listen"),
    "bring_back": gettext_lazy("Bring back"),
    "reward": gettext_lazy("Reward"),
    "fix": gettext_lazy("Fix"),
}
# The first that a new store is offered; of the last pair the one that reaches more people.
FIRST: tuple[str, ...] = ("R03", "R06")
LARGER = ("R13", "R14")


@dataclass(frozen=True)
class Reach:
    """Whom it would have reached: people, of how many who bought, and when that was counted."""

    people: int
    buyers: int
    days: int
    at: datetime


@dataclass
class Shown:
    """One card."""

    recipe: Recipe
    name: str
    klass: str
    klass_words: str
    start: str
    mails: int
    languages: list[str]
    reach: Reach | None
    met: list[str]
    wanted: list[needs.Found]
    blocked: list[needs.Found]
    faults: list[str]
    flow: Flow | None = None
    recommended: bool = False

    @property
    def works(self) -> bool:
        return not self.blocked and not self.faults


def reaches(store: Store) -> dict[str, Reach]:
    """What the last counts found, by recipe."""
    rows = DryRun.objects.filter(store=store, flow=None).exclude(recipe="")
    return {
        row.recipe: Reach(row.result.get("people", 0), row.result.get("buyers", 0), row.days, row.made_at)
        for row in rows
    }


def proposed(cards: dict[str, Shown]) -> list[str]:
    """The recipes to begin with, of those that can work here."""
    last = max(
        (name for name in LARGER if name in cards and cards[name].works),
        key=lambda name: reach.people if (reach := cards[name].reach) else 0,
        default="",
    )
    return [name for name in (*FIRST, last) if name in cards and cards[name].works]


def cards(store: Store) -> list[Shown]:
    """A card for each recipe, the recommended first and those that cannot work last."""
    recipes = library.recipes()
    seen = needs.look(store, [name for each in recipes for name in (*each.needs, *each.wants)])
    reached = reaches(store)
    used = {flow.recipe: flow for flow in store.flows.exclude(recipe="")}
    made = {each.id: _card(each, seen, reached.get(each.id), used.get(each.id)) for each in recipes}
    first = proposed(made)
    for name in first:
        made[name].recommended = True
    return sorted(
        made.values(),
        key=lambda card: (
            first.index(card.recipe.id) if card.recommended else len(first),
            not card.works,
            -(card.reach.people if card.reach else 0),
            card.recipe.id,
        ),
    )


def _card(recipe: Recipe, seen: dict[str, needs.Found], reach: Reach | None, flow: Flow | None) -> Shown:
    data = recipe.flow
    start, _faults = triggers.build(data["trigger"])
    wanted = [seen[name] for name in recipe.wants]
    return Shown(
        recipe=recipe,
        name=_(data["name"]),
        klass=data["class"],
        klass_words=str(Flow.Klass(data["class"]).label),
        start=start.sentence() if start else "",
        mails=sum(step["kind"] == "send_email" for step in definitions.walk(data["steps"])),
        languages=[str(_(get_language_info(code)["name"])) for code in recipe.languages],
        reach=reach,
        met=[seen[name].words for name in recipe.needs if seen[name].met] + [each.words for each in wanted if each.met],
        wanted=[each for each in wanted if not each.met],
        blocked=[seen[name] for name in recipe.needs if not seen[name].met],
        faults=definitions.faults(data),
        flow=flow,
    )


@store_view(ORDERS_VIEW)
def flow_library(request: StoreRequest) -> HttpResponse:
    """All recipes, in five groups, those for this store first."""
    made = cards(request.store)
    groups = [(label, [card for card in made if card.recipe.group == name]) for name, label in GROUPS.items()]
    counted = [card.reach.at for card in made if card.reach]
    context: dict[str, Any] = {
        "proposed": [card for card in made if card.recommended],
        "groups": [(label, below) for label, below in groups if below],
        "count": len(made),
        "counted_at": min(counted) if counted else None,
    }
    return render(request, "campaigns/library.html", context)


@require_POST
@store_view(FLOWS_EDIT)
def library_use(request: StoreRequest, recipe: str) -> HttpResponse:
    """Make a flow of the store from a recipe, with its texts. It is off."""
    try:
        made = library.install(request.store, recipe, actor=request.user)
    except BusinessError as refusal:
        messages.error(request, refusal.message)
        return redirect("flow_library", store=request.store.slug)
    messages.success(
        request,
        _("%(name)s is yours now. It is off: look at it, change what you like, then turn it on.") % {"name": made.name},
    )
    return redirect("flow_preview", store=request.store.slug, flow=made.slug)
