"""Turning a flow on, with the questions that belong to it."""

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns import actions, words
from campaigns.models import Flow, Message
from campaigns.triggers import past
from campaigns.views.editor import load
from postpurchase.errors import BusinessError
from stores.access import FLOWS_PUBLISH, MESSAGES_APPROVE, SYSTEM_VIEW, StoreRequest, store_view

# Who the past would bring in is counted at once up to so many orders, and on a button with more.
COUNTED_AT_ONCE = 20_000
DAYS = 30


def pending(flow: Flow) -> QuerySet[Message]:
    """Messages of the flow that wait for approval."""
    return Message.objects.filter(store=flow.store, flow=flow, status=Message.Status.APPROVAL)


@store_view(FLOWS_PUBLISH)
def turn_on(request: StoreRequest, flow: str) -> HttpResponse:
    """Ask how, then switch the flow on: review first or at once, for whom, and what becomes of waiting messages."""
    found = load(request, flow)
    waiting = pending(found)
    state = request.POST.get("state", "")
    choice = request.POST.get("pending", "")
    if request.method == "POST" and "count" not in request.POST and state in {Flow.State.ON, Flow.State.REVIEW}:
        if state == Flow.State.ON and waiting.exists() and choice not in {"send", "drop", "keep"}:
            messages.error(
                request,
                _("Messages wait for approval. Choose what becomes of them; the flow was not switched on yet."),
            )
            return _ask(request, found, status=422)
        try:
            days = _number(request, "days", DAYS) if request.POST.get("whom") == "past" else 0
            if request.POST.get("whom") == "past" and not days:
                raise BusinessError(
                    _("Say for how many days back. The flow was not switched on yet; give a number of days."),
                    "past_days",
                )
            job = past.switch_on(
                found, state, actor=request.user, days=days, per_hour=_number(request, "per_hour", past.PER_HOUR)
            )
        except BusinessError as refusal:
            messages.error(request, refusal.message)
            return _ask(request, found, status=409)
        messages.success(request, _said(request, found, state, choice, waiting))
        if job:
            messages.info(request, _("The people of the last days come in little by little."))
        if job and SYSTEM_VIEW in request.permissions:
            return redirect("job", store=request.store.slug, pk=job.pk)
        return redirect("flow", store=request.store.slug, flow=found.slug)
    return _ask(request, found)


def _number(request: StoreRequest, name: str, usual: int) -> int:
    """A whole number of the form; 0, which nothing accepts, for what is none."""
    text = request.POST.get(name, str(usual)).strip()
    return int(text) if text.isdecimal() and len(text) < 6 else 0


def _found(request: StoreRequest, flow: Flow, days: int) -> past.Found | None:
    """Whom the last days would bring in; None where that is only counted on a button, or cannot be."""
    asked = "count" in request.POST
    if not asked and request.store.orders.order_by().count() > COUNTED_AT_ONCE:
        return None
    try:
        return past.preview(flow, days=days, show=0)
    except BusinessError as refusal:
        if asked:
            messages.error(request, refusal.message)
        return None


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
    days = _number(request, "days", DAYS)
    context: dict[str, Any] = {
        "flow": flow,
        "found": _found(request, flow, days),
        "days": days or "",
        "per_hour": _number(request, "per_hour", past.PER_HOUR) or "",
        "whom": request.POST.get("whom", ""),
        "state": request.POST.get("state", ""),
        "warm_up": past.WARM_UP,
        "most_days": past.MAX_DAYS,
        "most_per_hour": past.MAX_PER_HOUR,
        "badge": words.flow_state(flow),
        "pending": pending(flow).count(),
        "may_approve": MESSAGES_APPROVE in request.permissions,
    }
    return render(request, "campaigns/flow_on.html", context, status=status)
