"""From draft to live: publishing with its questions, discarding, earlier versions, and what happens to a flow as a whole."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from campaigns import definitions, differences, drafts, publishing, words
from campaigns.models import Flow
from campaigns.views.editor import edit_url, load, token_of
from postpurchase.errors import BusinessError
from stores.access import FLOWS_EDIT, FLOWS_PUBLISH, ORDERS_VIEW, StoreRequest, store_view


@store_view(FLOWS_PUBLISH)
def publish(request: StoreRequest, flow: str) -> HttpResponse:
    """Ask what happens to people under way, then make the draft live. Faults lead back to their cards."""
    found = load(request, flow)
    if request.method != "POST":
        return _dialog(request, found)
    try:
        version = publishing.publish(
            found,
            token_of(request),
            actor=request.user,
            move=request.POST.get("people") == "move",
            new_waits=request.POST.getlist("new_wait"),
            stamp=request.POST.get("stamp"),
        )
    except BusinessError as refusal:
        if refusal.code == "flow_faults":
            return HttpResponseRedirect(edit_url(request, found, "?faults"))
        messages.error(request, refusal.message)
        return _dialog(request, load(request, flow), status=409)
    messages.success(
        request, _("Version %(number)s of %(name)s is live.") % {"number": version.number, "name": found.name}
    )
    return redirect("flow", store=request.store.slug, flow=found.slug)


def _dialog(request: StoreRequest, flow: Flow, status: int = 200) -> HttpResponse:
    plan = publishing.plan(flow)
    if plan.faults:
        return HttpResponseRedirect(edit_url(request, flow, "?faults"))
    context: dict[str, Any] = {
        "flow": flow,
        "plan": plan,
        "differs": drafts.differs(flow),
        "number": flow.live.number + 1 if flow.live else 1,
        "chosen_waits": request.POST.getlist("new_wait"),
        "move": request.POST.get("people") == "move",
    }
    return render(request, "campaigns/flow_publish.html", context, status=status)


@store_view(ORDERS_VIEW)
def compare(request: StoreRequest, flow: str) -> HttpResponse:
    """What the draft would change, in sentences."""
    found = load(request, flow)
    said = differences.sentences(found.live.definition if found.live else None, drafts.of(found))
    context = {
        "flow": found,
        "said": said if drafts.differs(found) else [],
        "may_edit": FLOWS_EDIT in request.permissions,
    }
    return render(request, "campaigns/flow_compare.html", context)


@require_POST
@store_view(FLOWS_EDIT)
def discard(request: StoreRequest, flow: str) -> HttpResponse:
    """Drop the draft; what is live stays."""
    found = load(request, flow)
    try:
        drafts.discard(found, token_of(request), actor=request.user)
    except BusinessError as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, _("The draft is discarded. What you see is the live version."))
    return HttpResponseRedirect(edit_url(request, found))


@store_view(ORDERS_VIEW)
def versions(request: StoreRequest, flow: str) -> HttpResponse:
    """All published versions, the newest first: who, when, and what each changed."""
    found = load(request, flow)
    shown = []
    before = None
    for version in found.versions.order_by("number"):
        shown.append((version, differences.sentences(before, version.definition)))
        before = version.definition
    context = {"flow": found, "versions": shown[::-1], "badge": words.flow_state(found)}
    return render(request, "campaigns/flow_versions.html", context)


@require_POST
@store_view(FLOWS_EDIT)
def restore(request: StoreRequest, flow: str, number: int) -> HttpResponse:
    """Put an earlier version into the draft."""
    found = load(request, flow)
    version = get_object_or_404(found.versions, number=number)
    try:
        drafts.restore(found, version, token_of(request), actor=request.user)
    except BusinessError as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(
            request, _("Version %(number)s is in the draft. It goes live when you publish it.") % {"number": number}
        )
    return HttpResponseRedirect(edit_url(request, found))


@store_view(ORDERS_VIEW)
def version_file(request: StoreRequest, flow: str, number: int) -> HttpResponse:
    """An earlier version as a flow file."""
    version = get_object_or_404(load(request, flow).versions, number=number)
    return HttpResponse(
        definitions.dump(version.definition),
        content_type="application/yaml; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{flow}-{number}.yaml"'},
    )


@store_view(FLOWS_EDIT)
def manage(request: StoreRequest, flow: str) -> HttpResponse:
    """Name, copy, archive or delete a flow."""
    found = load(request, flow)
    if request.method != "POST":
        context = {"flow": found, "history": drafts.has_history(found)}
        return render(request, "campaigns/flow_manage.html", context)
    action = request.POST.get("action", "")
    try:
        if action == "rename":
            drafts.rename(found, request.POST.get("name", ""), actor=request.user)
            messages.success(request, _("The flow is called %(name)s now.") % {"name": found.name})
        elif action == "duplicate":
            made = drafts.duplicate(found, actor=request.user)
            messages.success(request, _("This is a copy. Nobody enters it until you publish it and turn it on."))
            return HttpResponseRedirect(edit_url(request, made))
        elif action == "remove" and FLOWS_PUBLISH in request.permissions:
            gone = drafts.remove(found, actor=request.user)
            said = _("%(name)s is deleted.") if gone else _("%(name)s is off and archived; its history stays.")
            messages.success(request, said % {"name": found.name})
            return redirect("flows", store=request.store.slug)
        elif action == "bring_back":
            drafts.bring_back(found, actor=request.user)
            messages.success(request, _("%(name)s is back, switched off.") % {"name": found.name})
        else:
            raise Http404
    except BusinessError as refusal:
        messages.error(request, refusal.message)
    return redirect("flow_manage", store=request.store.slug, flow=found.slug)
