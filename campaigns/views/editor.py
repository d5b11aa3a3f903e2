"""The flow editor: a list of step cards, one of them open in the panel. Every button is a form; nothing needs a script."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from campaigns import cards, condition_forms, definitions, drafts, editing, flow_words, step_forms, words
from campaigns.models import Flow, FlowVersion
from campaigns.steps import kinds
from postpurchase.errors import BusinessError
from stores.access import FLOWS_EDIT, ORDERS_VIEW, StoreRequest, store_view
from stores.conditions.builder import Builder


def load(request: StoreRequest, slug: str) -> Flow:
    """The store's flow with its live version."""
    found: Flow = get_object_or_404(request.store.flows.select_related("live", "store"), slug=slug)
    return found


def token_of(request: StoreRequest) -> int:
    """On which state of the draft the form was opened; one that no draft has when the form does not say."""
    given = request.POST.get("token", "")
    return int(given) if given.isdecimal() and len(given) < 10 else -1


def page(request: StoreRequest, flow: Flow, *, panel: str = "", status: int = 200, **context: Any) -> HttpResponse:
    """The editor with one panel open."""
    data = drafts.of(flow)
    faults = drafts.faults(request.store, data)
    shown = cards.of(data, cards.numbers_of(flow), faults)
    every = list(cards.every(shown))
    moved, went = request.GET.get("moved", ""), request.GET.get("went", "")
    if context.get("token") is None:
        # Else a form that goes on: what it was opened on stays what it is judged by.
        context["token"] = flow.draft_token
    context |= {
        "flow": flow,
        "data": data,
        "badge": words.flow_state(flow),
        "days": cards.DAYS,
        "cards": shown,
        "whole_faults": cards.faults_by_number(faults).get("", []),
        "broken": [card for card in every if card.faults],
        "fault_count": len(faults),
        "start": flow_words.start(data),
        "where": flow_words.where_parts(data),
        "again": flow_words.again(data),
        "exits": flow_words.exit_parts(data),
        "counts": cards.entered(flow),
        "skipped": cards.all_reasons(shown),
        "panel": panel or "campaigns/panel_overview.html",
        "opened": bool(panel),
        "may_edit": FLOWS_EDIT in request.permissions,
        "differs": drafts.differs(flow),
        "moved": moved,
        "said": _moved(data, moved, went) if moved in {card.uid for card in every} and went in _WENT else "",
        "at_faults": "faults" in request.GET,
    }
    return render(request, "campaigns/flow_edit.html", context, status=status)


@store_view(ORDERS_VIEW)
def edit(request: StoreRequest, flow: str) -> HttpResponse:
    """The draft as cards, with the numbers of the last 30 days."""
    return page(request, load(request, flow))


def _step_url(request: StoreRequest, flow: Flow, uid: str) -> str:
    return reverse("flow_step", args=[request.store.slug, flow.slug, uid])


def edit_url(request: StoreRequest, flow: Flow, tail: str = "") -> str:
    """The editor's address."""
    return reverse("flow_edit", args=[request.store.slug, flow.slug]) + tail


@store_view(ORDERS_VIEW)
def step(request: StoreRequest, flow: str, uid: str) -> HttpResponse:
    """One step open in the panel; saved even when it is not finished."""
    posted = request.method == "POST"
    if posted and FLOWS_EDIT not in request.permissions:
        raise PermissionDenied(FLOWS_EDIT)
    found = load(request, flow)
    data = drafts.of(found)
    try:
        spot = editing.find(data, uid)
    except BusinessError as gone:
        messages.error(request, gone.message)
        return HttpResponseRedirect(edit_url(request, found))
    kind = str(spot.step.get("kind"))
    params = kinds()[kind].params if kind in kinds() else None
    raw = flow_words.params(spot.step)
    sent = request.POST if posted else None
    form = step_forms.make(params, raw, store=request.store, data=sent) if params else None
    asked = condition_forms.of_step(spot.step, params, data, request.store, sent)
    acted = any(builder.acted for _name, _label, builder in asked)
    wrong = any(builder.faults for _name, _label, builder in asked)
    status, token = 200, None
    if posted and form is not None and not acted and not wrong and form.is_valid():
        wanted, when = _settings(spot.step, params, form, asked)
        try:
            drafts.change(
                found,
                token_of(request),
                lambda file: editing.set_params(file, uid, wanted, when),
                actor=request.user,
                what=f"step {uid}",
            )
        except BusinessError as refusal:
            messages.error(request, refusal.message)
            found, status = load(request, flow), 409
        else:
            messages.success(request, _("Step %(number)s is saved in the draft.") % {"number": spot.number})
            return HttpResponseRedirect(edit_url(request, found, f"#open-{uid}"))
    elif posted:
        status, token = 200 if acted else 422, token_of(request)
    return page(
        request,
        found,
        panel="campaigns/panel_step.html",
        status=status,
        token=token,
        form=form,
        selected=uid,
        spot=spot,
        label=flow_words.label(kind),
        asked=asked,
        places=_places(data, uid),
    )


def _settings(
    step: dict[str, Any], params: type | None, form: step_forms.ParamsForm, asked: list[tuple[str, str, Builder]]
) -> tuple[dict[str, Any], Any]:
    """The step's settings out of its form and builders, and its "only if". What no form shows stays."""
    raw = flow_words.params(step)
    trees = {name: condition_forms.tree_of(builder, step.get(name)) for name, _label, builder in asked}
    when = trees.pop(condition_forms.WHEN)
    kept = {name: raw[name] for name in step_forms.conditions_in(params or object) if name in raw}
    needed = step_forms.blank(params) if params else {}
    given = {name: tree or {} for name, tree in trees.items() if tree or name in needed}
    return {name: value for name, value in kept.items() if name not in trees} | given | form.params(), when


def _places(data: dict[str, Any], uid: str) -> list[tuple[str, str]]:
    """Where a step could go: (lane|after, words)."""
    inside = editing.uids({"steps": [editing.find(data, uid).step]})
    found = [("|", _("At the beginning"))]
    for spot in editing.spots(data):
        name = str(spot.step.get("uid"))
        if name in inside:
            continue
        found.append((f"{spot.lane}|{name}", _("After step %(number)s") % {"number": spot.number}))
        for key, said, _steps in editing.lanes(spot.step) if spot.depth < editing.MAX_DEEP else []:
            way = {"then": _("If yes"), "else": _("Otherwise")}.get(key, said)
            words_ = _("Step %(number)s, at the beginning of %(way)s") % {"number": spot.number, "way": way}
            found.append((f"{name}:{key}|", words_))
    return found


_PALETTE = {
    "send": gettext_lazy("Write"),
    "time": gettext_lazy("Wait"),
    "way": gettext_lazy("Decide"),
    "give": gettext_lazy("Give"),
    "shop": gettext_lazy("In your shop"),
    "team": gettext_lazy("Tell others"),
}


@store_view(FLOWS_EDIT)
def add(request: StoreRequest, flow: str) -> HttpResponse:
    """Choose a kind for a new step, whose place stands in the address; then its form opens."""
    found = load(request, flow)
    place = request.POST if request.method == "POST" else request.GET
    lane, after = place.get("lane", ""), place.get("after", "")
    kind = request.POST.get("kind", "")
    if request.method == "POST" and kind in kinds():
        used = editing.uids(found.draft) | editing.uids((found.undo or {}).get("draft"))
        for definition in FlowVersion.objects.filter(flow=found).values_list("definition", flat=True):
            used |= editing.uids(definition)
        uid = editing.new_uid(kind, used)
        params = step_forms.blank(kinds()[kind].params)
        try:
            drafts.change(
                found,
                token_of(request),
                lambda file: editing.add(file, kind=kind, uid=uid, params=params, lane=lane, after=after),
                actor=request.user,
                what=f"add {uid}",
                undo=_("The new step is out again."),
            )
        except BusinessError as refusal:
            messages.error(request, refusal.message)
            return HttpResponseRedirect(edit_url(request, found))
        return HttpResponseRedirect(_step_url(request, found, uid))
    said = _("at the beginning")
    data = drafts.of(found)
    for spot in editing.spots(data):
        if spot.step.get("uid") == (after or lane.partition(":")[0]):
            said = _("after step %(number)s") if after else _("in step %(number)s")
            said %= {"number": spot.number}
    palette = [
        (
            said,
            [(kind.name, flow_words.label(kind.name), kind.icon) for kind in kinds().values() if kind.group == group],
        )
        for group, said in _PALETTE.items()
    ]
    return page(
        request,
        found,
        panel="campaigns/panel_add.html",
        palette=[(said, some) for said, some in palette if some],
        lane=lane,
        after=after,
        place_said=said,
    )


@require_POST
@store_view(FLOWS_EDIT)
def step_do(request: StoreRequest, flow: str, uid: str, action: str) -> HttpResponse:
    """Move a step up, down or elsewhere, or take it out."""
    found = load(request, flow)
    lane, _bar, after = request.POST.get("place", "").partition("|")
    acts = {
        "up": lambda file: editing.shift(file, uid, -1),
        "down": lambda file: editing.shift(file, uid, 1),
        "move": lambda file: editing.move(file, uid, lane=lane, after=after),
        "delete": lambda file: editing.delete(file, uid),
    }
    if action not in acts:
        messages.error(request, _("This cannot be done with a step. Nothing was changed."))
        return HttpResponseRedirect(edit_url(request, found))
    try:
        before = editing.find(drafts.of(found), uid)
        what = flow_words.step(before.step)
        lost = len(editing.uids({"steps": [before.step]})) - 1
        drafts.change(
            found,
            token_of(request),
            acts[action],
            actor=request.user,
            what=f"{action} {uid}",
            undo=_("“%(what)s” is back.") % {"what": what} if action == "delete" else "",
        )
    except BusinessError as refusal:
        messages.error(request, refusal.message)
        return HttpResponseRedirect(edit_url(request, found))
    if action == "delete":
        said = _("Step %(number)s is out of the draft: %(what)s.") % {"number": before.number, "what": what}
        if lost:
            said += " " + ngettext(
                "The %(n)s step in it went with it.", "The %(n)s steps in it went with it.", lost
            ) % {"n": lost}
        messages.success(request, said)
        return HttpResponseRedirect(edit_url(request, found))
    messages.success(request, _moved(drafts.of(found), uid, action))
    # The fragment names a control, so that the browser puts the focus there, without a script too.
    there = editing.find(drafts.of(found), uid)
    edge = {"up": there.is_first, "down": there.is_last}.get(action, True)
    other = {"up": "down", "down": "up"}.get(action, "open")
    return HttpResponseRedirect(
        edit_url(request, found, f"?moved={uid}&went={action}#{other if edge else action}-{uid}")
    )


_WENT = {
    "up": gettext_lazy("Step %(number)s of %(all)s, %(what)s, moved up."),
    "down": gettext_lazy("Step %(number)s of %(all)s, %(what)s, moved down."),
    "move": gettext_lazy("Step %(number)s of %(all)s, %(what)s, moved."),
}


def _moved(data: dict[str, Any], uid: str, went: str) -> str:
    """ "Step 3 of 5, Wait 10 days, moved up", for those who hear the page."""
    spot = editing.find(data, uid)
    values = {"number": spot.number, "all": len(editing.uids(data)), "what": flow_words.step(spot.step)}
    return str(_WENT[went]) % values


@require_POST
@store_view(FLOWS_EDIT)
def undo(request: StoreRequest, flow: str) -> HttpResponse:
    """Take the last change back."""
    found = load(request, flow)
    said = (found.undo or {}).get("said", "")
    try:
        drafts.take_back(found, token_of(request), actor=request.user)
    except BusinessError as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, said)
    return HttpResponseRedirect(edit_url(request, found))


@store_view(FLOWS_EDIT)
def file(request: StoreRequest, flow: str) -> HttpResponse:
    """The draft as a flow file, to be changed as text."""
    found = load(request, flow)
    text = request.POST.get("file", "")
    status = 200
    if request.method == "POST":
        try:
            data = definitions.load(text)
            drafts.replace(found, token_of(request), data, actor=request.user, what="file")
        except BusinessError as refusal:
            messages.error(request, refusal.message)
            found, status = load(request, flow), 422
        else:
            messages.success(request, _("The draft is now what the file says. The live version goes on unchanged."))
            return redirect("flow_edit", store=request.store.slug, flow=found.slug)
    context = {"flow": found, "text": text or definitions.dump(drafts.of(found))}
    return render(request, "campaigns/flow_draft_file.html", context, status=status)
