"""Turning a flow on, with the questions that belong to it."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns import actions, flows, words
from campaigns.models import Flow, Message
from campaigns.views.editor import load
from postpurchase.errors import BusinessError
from stores.access import FLOWS_PUBLISH, MESSAGES_APPROVE, StoreRequest, store_view


def pending(flow: Flow) -> QuerySet[Message]:
    """Messages of the flow that wait for approval."""
    return Message.objects.filter(store=flow.store, flow=flow, status=Message.Status.APPROVAL)


@store_view(FLOWS_PUBLISH)
def turn_on(request: StoreRequest, flow: str) -> HttpResponse:
    """Ask how, then switch the flow on: review first or at once, and what becomes of messages that wait for approval."""
    found = load(request, flow)
    waiting = pending(found)
    state = request.POST.get("state", "")
    choice = request.POST.get("pending", "")
    if request.method == "POST" and state in {Flow.State.ON, Flow.State.REVIEW}:
        if state == Flow.State.ON and waiting.exists() and choice not in {"send", "drop", "keep"}:
            messages.error(
                request,
                _("Messages wait for approval. Choose what becomes of them; the flow was not switched on yet."),
            )
            return _ask(request, found, status=422)
        try:
            flows.set_state(found, state, actor=request.user)
        except BusinessError as refusal:
            messages.error(request, refusal.message)
            return _ask(request, found, status=409)
        messages.success(request, _said(request, found, state, choice, waiting))
        return redirect("flow", store=request.store.slug, flow=found.slug)
    return _ask(request, found)


def _said(request: StoreRequest, flow: Flow, state: str, choice: str, waiting: QuerySet[Message]) -> str:
    """Do what was chosen for the messages that wait, and tell all of it."""
    if state == Flow.State.REVIEW:
        return _("%(name)s asks you before each message.") % {"name": flow.name}
    said = _("%(name)s is on.") % {"name": flow.name}
    if choice == "send":
        n = actions.approve(request.store, waiting, actor=request.user)
        said += " " + ngettext("%(n)s message goes out.", "%(n)s messages go out.", n) % {"n": n}
    elif choice == "drop":
        n = actions.cancel(request.store, waiting, actor=request.user)
        said += " " + ngettext("%(n)s message was dropped.", "%(n)s messages were dropped.", n) % {"n": n}
    elif waiting.exists():
        said += " " + _("The messages that wait go on waiting for approval.")
    return said


def _ask(request: StoreRequest, flow: Flow, status: int = 200) -> HttpResponse:
    context: dict[str, Any] = {
        "flow": flow,
        "badge": words.flow_state(flow),
        "pending": pending(flow).count(),
        "may_approve": MESSAGES_APPROVE in request.permissions,
    }
    return render(request, "campaigns/flow_on.html", context, status=status)
