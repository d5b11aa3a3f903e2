"""The beginning of a flow in the editor: what starts it, for whom, who enters again, who leaves."""

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _

from campaigns import drafts, step_forms, triggers
from campaigns.start_forms import Start
from campaigns.triggers.base import COMMON
from campaigns.views.editor import edit_url, load, page, token_of
from postpurchase.errors import BusinessError
from stores.access import FLOWS_EDIT, StoreRequest, store_view


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
    status = 200
    if posted is not None and form.is_valid() and (not same or settings is None or settings.is_valid()):
        chosen = triggers.find(form.cleaned_data["event"])
        own = settings.params() if same and settings else step_forms.blank(chosen.params) if chosen else {}
        if same and kind:
            own = {name: raw[name] for name in step_forms.conditions_in(kind.params) if name in raw} | own
        try:
            drafts.change(
                found, token_of(request), lambda file: form.apply(file, own), actor=request.user, what="start"
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
        status = 422
    return page(
        request,
        found,
        panel="campaigns/panel_start.html",
        status=status,
        form=form,
        settings=settings,
        selected="start",
    )
