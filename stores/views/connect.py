"""Connecting a store by approval or pasted keys: the first under /setup/, later ones and new keys inside a store."""

from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from postpurchase.errors import BusinessError
from stores import abilities, approval, overlap
from stores import connect as connecting
from stores.access import STORE_CONNECT, StoreRequest, store_view
from stores.models import Job, Store, User
from stores.sync import backfill
from stores.woo.probe import Step


class ConnectForm(forms.Form):
    """Address and keys. The keys are never shown again; for the way by approval they stay empty."""

    def __init__(self, *args: Any, by_keys: bool = True, **more: Any) -> None:
        super().__init__(*args, **more)
        for name in ("key", "secret"):
            self.fields[name].required = by_keys

    url = forms.CharField(
        label=gettext_lazy("Store address"),
        max_length=500,
        help_text=gettext_lazy("As in the browser, such as https://shop.example.com"),
        widget=forms.TextInput(attrs={"autocomplete": "url", "inputmode": "url"}),
    )
    # The keys are only needed for the way without an approval.
    use_required_attribute = False
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


def _page(request: HttpRequest, template: str, *, user: User, store: Store | None) -> HttpResponse:
    """Show the page, or do what it was sent for: check and offer the approval, or connect with keys."""
    by_keys = request.POST.get("way") != "approve"
    form = ConnectForm(request.POST or None, by_keys=by_keys, initial={"url": store.base_url} if store else None)
    steps: list[Step] = []
    context: dict[str, Any] = {
        "form": form,
        "steps": steps,
        "possible": approval.possible(),
        "public_url": settings.PUBLIC_URL,
    }
    session_key = request.session.session_key or ""
    if request.method == "POST" and form.is_valid():
        given: dict[str, Any] = form.cleaned_data
        try:
            if by_keys:
                context["keys_tried"] = True
                connected = connecting.connect(
                    given["url"], key=given["key"], secret=given["secret"], store=store, user=user, on_step=steps.append
                )
                return _after(request, connected, steps)
            context["approve_url"] = approval.ask(
                given["url"], user=user, session_key=session_key, store=store, on_step=steps.append
            )
        except BusinessError as problem:
            context["problem"] = problem.message
    elif request.method != "POST":
        context["unanswered"] = approval.unanswered(user=user, session_key=session_key, store=store)
    if store:
        context |= _found(store)
    return render(request, template, context)


def _after(request: HttpRequest, store: Store, steps: list[Step]) -> HttpResponse:
    for step in steps:
        if step.state == "warn":
            messages.warning(request, " ".join(part for part in (step.text, step.fix) if part))
    messages.success(request, _("%(store)s is connected.") % {"store": store.name})
    return redirect("connect-result", store=store.slug)


@login_required
def first(request: HttpRequest) -> HttpResponse:
    """Connect a further store, of which the person becomes the owner."""
    user = cast(User, request.user)
    if not approval.may_connect(user, None):
        raise PermissionDenied(STORE_CONNECT)
    return _page(request, "stores/connect_first.html", user=user, store=None)


def _found(store: Store) -> dict[str, Any]:
    """What the last look at the shop found, for the pages of a connected store."""
    return {"abilities": abilities.shown(store), "overlap": overlap.table(store)}


@store_view(STORE_CONNECT)
def again(request: StoreRequest) -> HttpResponse:
    """New keys or a new address for this store; everything known of it stays."""
    if request.POST.get("way") == "look":
        bad = abilities.look(request.store)
        if bad:
            messages.error(
                request, " ".join(part for part in (bad.text, _("What was known is kept."), bad.fix) if part)
            )
        else:
            messages.success(request, _("The store was looked at again."))
        return redirect("connect", store=request.store.slug)
    return _page(request, "stores/connect.html", user=request.user, store=request.store)


@store_view(STORE_CONNECT)
def result(request: StoreRequest) -> HttpResponse:
    """What connecting found, and what comes next."""
    job = Job.objects.filter(store=request.store, kind=backfill.KIND).order_by("-pk").first()
    return render(request, "stores/connect_result.html", {"job": job, **_found(request.store)})
