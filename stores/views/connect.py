"""Connecting a store by pasted keys: the first one under /setup/, later ones and new keys inside a store."""

from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from postpurchase.errors import BusinessError
from stores import connect as connecting
from stores.access import STORE_CONNECT, StoreRequest, permissions_of, store_view
from stores.models import Job, Store, User
from stores.sync import backfill
from stores.woo.probe import Step


class ConnectForm(forms.Form):
    """Address and keys. The keys are never shown again."""

    url = forms.CharField(
        label=gettext_lazy("Store address"),
        max_length=500,
        help_text=gettext_lazy("As in the browser, such as https://shop.example.com"),
        widget=forms.TextInput(attrs={"autocomplete": "url", "inputmode": "url"}),
    )
    key = forms.CharField(
        label=gettext_lazy("Consumer key"),
        max_length=200,
        help_text=gettext_lazy("WooCommerce, Settings, Advanced, REST API, Add key; permission “Read/Write”."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    secret = forms.CharField(
        label=gettext_lazy("Consumer secret"),
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )


def _try(form: ConnectForm, *, user: User, store: Store | None) -> tuple[Store | None, list[Step], str]:
    """Connect with what the form holds: the store or None, the checks made, and what went wrong."""
    given: dict[str, Any] = form.cleaned_data
    steps: list[Step] = []
    try:
        connected = connecting.connect(
            given["url"], key=given["key"], secret=given["secret"], store=store, user=user, on_step=steps.append
        )
    except BusinessError as problem:
        return None, steps, problem.message
    return connected, steps, ""


def _after(request: HttpRequest, store: Store, steps: list[Step]) -> HttpResponse:
    for step in steps:
        if step.state == "warn":
            messages.warning(request, " ".join(part for part in (step.text, step.fix) if part))
    messages.success(request, _("%(store)s is connected.") % {"store": store.name})
    job = Job.objects.filter(store=store, kind=backfill.KIND).order_by("-pk").first()
    return redirect("job", store=store.slug, pk=job.pk) if job else redirect("home", store=store.slug)


@login_required
def first(request: HttpRequest) -> HttpResponse:
    """Connect a further store, of which the person becomes the owner."""
    user = cast(User, request.user)
    if not user.is_superuser and not any(
        STORE_CONNECT in (permissions_of(user, store) or ()) for store in Store.objects.filter(members=user)
    ):
        raise PermissionDenied(STORE_CONNECT)
    form = ConnectForm(request.POST or None)
    steps: list[Step] = []
    problem = ""
    if request.method == "POST" and form.is_valid():
        store, steps, problem = _try(form, user=user, store=None)
        if store:
            return _after(request, store, steps)
    return render(request, "stores/connect_first.html", {"form": form, "steps": steps, "problem": problem})


@store_view(STORE_CONNECT)
def again(request: StoreRequest) -> HttpResponse:
    """New keys or a new address for this store; everything known of it stays."""
    form = ConnectForm(request.POST or None, initial={"url": request.store.base_url})
    steps: list[Step] = []
    problem = ""
    if request.method == "POST" and form.is_valid():
        store, steps, problem = _try(form, user=request.user, store=request.store)
        if store:
            return _after(request, store, steps)
    return render(request, "stores/connect.html", {"form": form, "steps": steps, "problem": problem})
