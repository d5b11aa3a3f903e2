"""The beginning of a flow in the editor: what starts it, for whom, who enters again, who leaves."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from campaigns import condition_forms, drafts, step_forms, triggers
from campaigns.start_forms import Start
from campaigns.triggers.base import COMMON
from campaigns.views.editor import edit_url, load, page, token_of
from postpurchase.errors import BusinessError
from stores.access import FLOWS_EDIT, StoreRequest, store_view
from stores.conditions.builder import Builder


@store_view(FLOWS_EDIT)
def start(request: StoreRequest, flow: str) -> HttpResponse:
    """The start open in the panel. Another trigger is saved first; then its own settings are asked for."""
    found = load(request, flow)
    data = drafts.of(found)
    initial = Start.initial_of(data)
    posted = request.POST if request.method == "POST" else None
    form = Start(posted, initial=initial)
    kind = triggers.find(initial["event"])
    raw = {name: value for name, value in (data.get("trigger") or {}).items() if name not in COMMON}
    same = posted is None or posted.get("event") == initial["event"]
    settings = step_forms.make(kind.params, raw, store=request.store, data=posted if same else None) if kind else None
    where, exits = condition_forms.of_start(data, request.store, posted)
    acted, wrong = where.acted or exits.acted, bool(where.faults or exits.faults)
    status, token = 200, None
    if (
        posted is not None
        and not acted
        and not wrong
        and form.is_valid()
        and (not same or settings is None or settings.is_valid())
    ):
        chosen = triggers.find(form.cleaned_data["event"])
        own = settings.params() if same and settings else step_forms.blank(chosen.params) if chosen else {}
        if same and kind:
            own = {name: raw[name] for name in step_forms.conditions_in(kind.params) if name in raw} | own
        try:
            drafts.change(
                found,
                token_of(request),
                lambda file: _apply(file, form, own, where, exits),
                actor=request.user,
                what="start",
            )
        except BusinessError as refusal:
            messages.error(request, refusal.message)
            found, status = load(request, flow), 409
        else:
            asks = not same and chosen is not None and step_forms.has_fields(chosen.params)
            messages.success(
                request, _("Saved in the draft. Now its settings.") if asks else _("The start is saved in the draft.")
            )
            again = reverse("flow_start", args=[request.store.slug, found.slug]) + "#panel"
            return HttpResponseRedirect(again if asks else edit_url(request, found))
    elif posted is not None:
        status, token = 200 if acted else 422, token_of(request)
    return page(
        request,
        found,
        panel="campaigns/panel_start.html",
        status=status,
        form=form,
        settings=settings,
        enter=where,
        leave=exits,
        token=token,
        selected="start",
    )


def _apply(file: dict[str, Any], form: Start, settings: dict[str, Any], where: Builder, exits: Builder) -> None:
    before = (file.get("trigger") or {}).get("where")
    form.apply(file, settings)
    file["trigger"].pop("where", None)
    if where.tree:
        file["trigger"]["where"] = condition_forms.tree_of(where, before)
    left = condition_forms.exits_of(exits, file.get("exit_when") or [])
    if left or "exit_when" in file:
        file["exit_when"] = left
