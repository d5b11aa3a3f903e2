"""Developers: keys for machines. A key's secret stands once on the page after its making, and is not kept.

Making redirects to the page, so that reloading makes no second key. On the way the secret lies in the person's session,
encrypted as the stores' own secrets are, and leaves it when it is shown, or unseen after five minutes.
"""

from datetime import timedelta

from django import forms
from django.contrib import messages
from django.db import transaction
from django.db.models import F
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from postpurchase import clock, crypto
from stores import api_keys, audit
from stores.access import TEAM_MANAGE, StoreRequest, store_view
from stores.models import ApiKey

SHOWN = 100
# Where the secret lies in the session between the making and the page, and for how long it may be shown.
MADE, SHOWN_SECONDS = "api_key_made", 300


class KeyForm(forms.Form):
    """What a new key is for and may do."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=80,
        help_text=gettext_lazy("What uses it, such as “till” or “accounting”."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("It may"),
        choices=[(scope, scope) for scope in sorted(api_keys.SCOPES)],
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("“read” looks, “write” changes. Give it only what it needs."),
    )
    days = forms.TypedChoiceField(
        label=gettext_lazy("Ends"),
        choices=[
            ("0", gettext_lazy("Never")),
            ("30", gettext_lazy("After 30 days")),
            ("90", gettext_lazy("After 90 days")),
            ("365", gettext_lazy("After a year")),
        ],
        coerce=int,
    )


def _state(key: ApiKey) -> tuple[str, str]:
    if key.revoked_at:
        return "neutral", _("Revoked")
    if key.expires_at and key.expires_at <= clock.now():
        return "warn", _("Ended")
    return "ok", _("Works")


@store_view(TEAM_MANAGE)
def developers(request: StoreRequest) -> HttpResponse:
    """The store's keys, and the making of one."""
    form = KeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        with transaction.atomic():
            key, secret = api_keys.create_api_key(
                request.store,
                name=given["name"],
                scopes=given["scopes"],
                expires_at=clock.now() + timedelta(days=given["days"]) if given["days"] else None,
            )
            audit.record(
                request.store,
                "api_key.create",
                actor=request.user,
                target=key.prefix,
                diff={"scopes": key.scopes},
                request=request,
            )
        request.session[MADE] = {
            "store": request.store.pk,
            "at": clock.now().timestamp(),
            "key": crypto.encrypt(secret),
        }
        return _private(redirect("developers", store=request.store.slug))
    keys = request.store.api_keys.order_by(F("revoked_at").desc(nulls_first=True), "-pk")[:SHOWN]
    context = {"form": form, "secret": _just_made(request), "keys": [(key, *_state(key)) for key in keys]}
    return _private(render(request, "stores/developers.html", context))


def _just_made(request: StoreRequest) -> str:
    """The secret of the key that this person made a moment ago, once; "" for none."""
    made = request.session.pop(MADE, None) if request.method == "GET" else None
    if not made or made["store"] != request.store.pk or clock.now().timestamp() - made["at"] > SHOWN_SECONDS:
        return ""
    return crypto.decrypt(made["key"])


def _private(answer: HttpResponse) -> HttpResponse:
    answer["Cache-Control"] = "no-store, private"
    return answer


@require_POST
@store_view(TEAM_MANAGE)
def revoke_key(request: StoreRequest, pk: int) -> HttpResponse:
    """End a key at once."""
    key = get_object_or_404(request.store.api_keys, pk=pk)
    with transaction.atomic():
        if api_keys.revoke_api_key(key):
            audit.record(request.store, "api_key.revoke", actor=request.user, target=key.prefix, request=request)
    messages.success(
        request, _("“%(name)s” is revoked. Whatever still uses it is refused from now on.") % {"name": key.name}
    )
    return redirect("developers", store=request.store.slug)
