"""The shell's own pages."""

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static

from stores.models import Store, User


def root(request: HttpRequest) -> HttpResponse:
    """To the first store that the person may see; before anybody exists, to the first run."""
    user = request.user
    if not user.is_authenticated:
        return redirect_to_login("/") if User.objects.exists() else redirect("setup")
    stores = Store.objects.all() if user.is_superuser else Store.objects.filter(members=user)
    store = stores.order_by("pk").first()
    return redirect("home", store=store.slug) if store else render(request, "dashboard/no_store.html")


def favicon(request: HttpRequest) -> HttpResponse:
    """Where browsers look by themselves on pages that name no icon, such as the admin's."""
    return redirect(static("favicon.svg"))
