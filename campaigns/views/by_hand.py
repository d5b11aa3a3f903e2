"""The lists of orders and customers may start a flow for the ticked rows."""

from typing import Any
from uuid import uuid4

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.models import Flow
from campaigns.triggers import by_hand
from postpurchase import listing
from postpurchase.errors import BusinessError
from postpurchase.listing import BulkAction
from stores.access import FLOWS_PUBLISH, StoreRequest

ACTION = "start_flow"


def start(request: StoreRequest, chosen: QuerySet[Any]) -> str | HttpResponse:
    """Ask which flow, then start it for the chosen rows."""
    flows = request.store.flows.filter(live__isnull=False).exclude(state=Flow.State.OFF).order_by("name")
    slug = request.POST.get("flow", "")
    if not slug:
        shown = {
            "flows": flows,
            "number": chosen.count(),
            "most": by_hand.MOST,
            "action": ACTION,
            "ids": [one for one in request.POST.getlist("ids") if one.isdecimal()],
            "everything": request.POST.get("all") == "1",
            "batch": uuid4().hex,
        }
        return render(request, "campaigns/start_flow.html", shown)
    flow = flows.select_related("live", "store").filter(slug=slug).first()
    if flow is None:
        raise BusinessError(_("This flow is off or not there any more. Nobody was taken in."), "flow_off")
    entered, number = by_hand.start_for(
        flow, chosen, actor=request.user, batch=request.POST.get("batch") or uuid4().hex
    )
    return _("%(entered)d of %(number)d chosen entered “%(flow)s”.") % {
        "entered": entered,
        "number": number,
        "flow": flow.name,
    }


def register() -> None:
    """Offer it on both lists; called once at start."""
    for name in ("orders", "customers"):
        listing.add_bulk(name, BulkAction(ACTION, gettext_lazy("Start a flow for these"), start, FLOWS_PUBLISH))
