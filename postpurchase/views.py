"""The shell's own pages."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from stores.access import ORDERS_VIEW, StoreRequest, store_view
from stores.models import Store


@login_required
def root(request: HttpRequest) -> HttpResponse:
    """To the first store that the person may see."""
    stores = Store.objects.all() if request.user.is_superuser else Store.objects.filter(members=request.user)  # type: ignore[misc]
    store = stores.order_by("pk").first()
    return redirect("home", store=store.slug) if store else render(request, "dashboard/no_store.html")


@store_view(ORDERS_VIEW)
def home(request: StoreRequest) -> HttpResponse:
    """What needs a person, and how it goes."""
    return render(request, "dashboard/home.html")
