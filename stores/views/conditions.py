"""The condition builder alone, redrawn after a row was added, taken away or given another field."""

import re

from django.http import HttpResponse, HttpResponseBadRequest
from django.shortcuts import render
from django.views.decorators.http import require_POST

from stores.access import FLOWS_EDIT, StoreRequest, store_view
from stores.conditions import CUSTOMER, LINE, ORDER
from stores.conditions.builder import Builder

_PREFIX = re.compile(r"[a-z][a-z0-9_-]{0,40}")


@require_POST
@store_view(FLOWS_EDIT)
def conditions(request: StoreRequest) -> HttpResponse:
    """A fragment for the form that holds the builder; nothing is saved."""
    prefix = request.GET.get("prefix", "")
    subject, _dash, running = request.POST.get(f"{prefix}-subject", "").partition("-")
    if not _PREFIX.fullmatch(prefix) or subject not in {CUSTOMER, ORDER, LINE}:
        return HttpResponseBadRequest()
    builder = Builder.read(request.POST, store=request.store, subject=subject, prefix=prefix, running=bool(running))
    return render(request, "components/conditions.html", {"builder": builder})
