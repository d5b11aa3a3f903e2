"""One approval in WooCommerce: where its keys arrive, where the person comes back to, and what became of it."""

from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from postpurchase.errors import BusinessError
from stores import approval
from stores.models import ConnectAttempt, Store, User
from stores.woo.probe import Step


@csrf_exempt
@require_POST
def callback(request: HttpRequest) -> HttpResponse:
    """The shop hands over keys. Exactly 200 when they were kept, so that it keeps them too; else it takes them back."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > approval.MAX_BODY:
        return HttpResponse(status=413)
    return HttpResponse(status=approval.receive(request.body))


def _person(request: HttpRequest) -> dict[str, Any]:
    return {"user": cast(User, request.user), "session_key": request.session.session_key or ""}


def _start_again(store: Store | None) -> str:
    return reverse("connect", args=[store.slug]) if store else reverse("connect-first")


@login_required
@require_GET
@never_cache
def come_back(request: HttpRequest) -> HttpResponse:
    """The shop sends the person back; the token leaves the address at once."""
    token, success = request.GET.get("user_id", "")[:200], request.GET.get("success", "")
    try:
        attempt = approval.come_back(token, approved=success == "1", **_person(request))
    except BusinessError as problem:
        messages.error(request, problem.message)
        return redirect("connect-first" if approval.may_connect(cast(User, request.user), None) else "root")
    return redirect("connect-attempt", pk=attempt.pk)


@login_required
@never_cache
def attempt(request: HttpRequest, pk: int) -> HttpResponse:
    """How an approval goes. A POST tries the keys; the page makes it by itself."""
    row = approval.find(pk, **_person(request))
    if row is None:
        raise Http404
    if request.method == "POST":
        try:
            approval.prove(row, user=cast(User, request.user))
        except BusinessError:
            # It stands in the row, and the page shows it from there.
            pass
        row.refresh_from_db()
    if row.state == ConnectAttempt.State.DONE and row.store:
        return _done(request, row.store, row)
    context = {
        "attempt": row,
        "steps": [Step(**step) for step in row.steps],
        "again_url": _start_again(row.store),
        "public_url": settings.PUBLIC_URL,
    }
    return render(request, "stores/connect_attempt.html", context)


def _done(request: HttpRequest, store: Store, row: ConnectAttempt) -> HttpResponse:
    for step in row.steps:
        if step["state"] == "warn":
            messages.warning(request, " ".join(part for part in (step["text"], step["fix"]) if part))
    messages.success(request, _("%(store)s is connected.") % {"store": store.name})
    target = reverse("connect-result", args=[store.slug])
    if request.headers.get("HX-Request"):
        answer = HttpResponse(status=204)
        answer["HX-Redirect"] = target
        return answer
    return redirect(target)
