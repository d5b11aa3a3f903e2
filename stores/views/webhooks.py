"""Where the shop's webhooks arrive: checked, stored raw, answered. No parsing, no outgoing call."""

import re

from django.db import Error, IntegrityError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from postpurchase import clock, queue
from stores import inbox, spool
from stores.models import WebhookEndpoint

MAX_BYTES = 2 * 1024 * 1024
_PING = re.compile(rb"webhook_id=\d{1,20}")
# Endpoints never change their secret, so this process may remember them for a while.
REMEMBER_SECONDS = 60.0
_known: dict[str, tuple[float, WebhookEndpoint]] = {}


class _Accepted(HttpResponse):
    """200, and the bell rings once it is sent, so that the shop does not wait for it."""

    def close(self) -> None:
        # By now the answer has left. Before the end of the request, after which the database is connected to anew.
        queue.wake()
        super().close()


@csrf_exempt
@require_POST
def woo(request: HttpRequest, token: str) -> HttpResponse:
    """One delivery. 401 for a signature that is not the endpoint's, 503 when it could not be kept anywhere."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BYTES:
        return HttpResponse(status=413)
    body = request.body
    signature = request.headers.get("X-WC-Webhook-Signature", "")
    # The hello that comes inside the shop's answer to our own request to make the webhook.
    if not signature and _PING.fullmatch(body):
        return HttpResponse(status=200)
    delivery = request.headers.get("X-WC-Webhook-Delivery-ID", "")
    try:
        endpoint = _endpoint(token)
        if endpoint is None:
            return HttpResponse(status=404)
        if not inbox.is_signed(body, signature, endpoint.secret):
            inbox.refuse(endpoint)
            return HttpResponse(status=401)
        inbox.accept(endpoint, delivery=delivery, body=body, at=clock.now())
    except IntegrityError:
        # The endpoint went away since it was read.
        _known.pop(token, None)
        return HttpResponse(status=404)
    except Error:
        return _without_database(token, signature, delivery, body)
    return _Accepted(status=200)


def _without_database(token: str, signature: str, delivery: str, body: bytes) -> HttpResponse:
    """Put it aside in a file; 503 when that fails too, so that the shop counts it as lost."""
    _until, endpoint = _known.get(token, (0.0, None))
    if endpoint is not None and not inbox.is_signed(body, signature, endpoint.secret):
        return HttpResponse(status=401)
    kept = spool.keep(token, signature=signature, delivery=delivery, body=body, checked=endpoint is not None)
    return HttpResponse(status=200 if kept else 503)


def _endpoint(token: str) -> WebhookEndpoint | None:
    until, found = _known.get(token, (0.0, None))
    if found is not None and clock.monotonic() < until:
        return found
    fresh = inbox.endpoint_of(token)
    if fresh:
        _known[token] = (clock.monotonic() + REMEMBER_SECONDS, fresh)
    return fresh
