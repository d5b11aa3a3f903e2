"""One webhook delivery as it came in, and reading it again."""

import json
import re
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from stores import audit, inbox
from stores.access import CUSTOMERS_PII, STORE_CONNECT, SYSTEM_VIEW, StoreRequest, store_view

MASK = "•••"
_SECRET = re.compile(r"key|secret|token|password|nonce", re.IGNORECASE)
_PERSONAL = re.compile(
    r"^(billing|shipping|_links|meta_data|customer_note|customer_ip_address|customer_user_agent|email|first_name|"
    r"last_name|username|phone|avatar_url|reviewer|reviewer_email|review|transaction_id)$"
)


def masked(value: Any, *, personal: bool) -> Any:
    """A body with secrets hidden, and what tells of a person unless `personal`."""
    if isinstance(value, dict):
        return {
            name: MASK
            if _SECRET.search(name) or (not personal and _PERSONAL.fullmatch(name))
            else masked(inner, personal=personal)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [masked(inner, personal=personal) for inner in value]
    return value


def _shown(body: bytes, *, personal: bool) -> str:
    try:
        read = json.loads(body)
    except (ValueError, RecursionError):
        # It may hold anything, so it is only for those who may see everything.
        return body.decode("utf-8", "replace") if personal else MASK
    return json.dumps(masked(read, personal=personal), indent=2, ensure_ascii=False)


@store_view(SYSTEM_VIEW)
def delivery(request: StoreRequest, pk: int) -> HttpResponse:
    """What came, whether its signature held, and what was made of it."""
    from stores.views.system import DELIVERY_STATE

    found = get_object_or_404(request.store.deliveries.select_related("endpoint"), pk=pk)
    # Bytes, though the types of Django's text fields say otherwise.
    body: Any = found.body
    personal = CUSTOMERS_PII in request.permissions
    context = {
        "delivery": found,
        "status": DELIVERY_STATE[found.state],
        "body": _shown(body, personal=personal),
        "size": len(body),
        "personal": personal,
        "may_replay": STORE_CONNECT in request.permissions,
    }
    return render(request, "stores/delivery.html", context)


@require_POST
@store_view(STORE_CONNECT)
def replay(request: StoreRequest, pk: int) -> HttpResponse:
    """Read a delivery once more."""
    found = get_object_or_404(request.store.deliveries.only("pk", "topic"), pk=pk)
    if inbox.replay(request.store.deliveries.filter(pk=pk)):
        audit.record(request.store, "delivery.replay", actor=request.user, target=str(found.pk), request=request)
        messages.success(
            request, _("It is read again; its object is asked for anew. Nothing can happen twice by that.")
        )
    else:
        messages.info(request, _("It still waits to be read for the first time. Nothing was changed."))
    return redirect("delivery", store=request.store.slug, pk=pk)
