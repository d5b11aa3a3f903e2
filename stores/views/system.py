"""System: is everything alive, and what to do when it is not."""

from django.http import HttpResponse
from django.shortcuts import render

from stores import registries
from stores.access import SYSTEM_VIEW, StoreRequest, store_view


@store_view(SYSTEM_VIEW)
def system(request: StoreRequest) -> HttpResponse:
    """Checks of the store and of the machine, with the last things that happened."""
    checks = registries.checks(request.store)
    return render(request, "stores/system.html", {"checks": checks})
