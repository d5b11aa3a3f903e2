"""Where the shop's webhooks arrive: checked, stored raw, answered. No parsing, no outgoing call."""

import base64
import hashlib
import hmac
import re

from django.db import DatabaseError, IntegrityError
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from postpurchase import clock, queue
from postpurchase.due import TRANSACTIONAL, State
from stores.models import Delivery, WebhookEndpoint
from stores.sync import rows

MAX_BYTES = 2 * 1024 * 1024
_PING = re.compile(rb"webhook_id=\d{1,20}")


_COLUMNS = (
    *("store_id", "endpoint_id", "received_at", "topic", "body", "outcome", "state", "due_at", "priority"),
    *("attempts", "error_code", "error", "key"),
)
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
    """One delivery. 401 for a signature that is not the endpoint's, 503 when it could not be kept."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BYTES:
        return HttpResponse(status=413)
    body = request.body
    signature = request.headers.get("X-WC-Webhook-Signature", "")
    # The hello that comes inside the shop's answer to our own request to make the webhook.
    if not signature and _PING.fullmatch(body):
        return HttpResponse(status=200)
    try:
        endpoint = _endpoint(token)
        if endpoint is None:
            return HttpResponse(status=404)
        if not _is_signed(body, signature, endpoint.secret):
            WebhookEndpoint.objects.filter(pk=endpoint.pk).update(refused=F("refused") + 1)
            return HttpResponse(status=401)
        # The shop's delivery id is the same for all deliveries of a second: only with the body it tells them apart.
        told = request.headers.get("X-WC-Webhook-Delivery-ID", "")[:64]
        key = f"{endpoint.pk}:{told}:{hashlib.sha256(body).hexdigest()[:16]}"
        now = clock.now()
        values = (endpoint.store_id, endpoint.pk, now, endpoint.topic, body, "", State.DUE, now, TRANSACTIONAL)
        rows.upsert(Delivery, _COLUMNS, [(*values, 0, "", "", key)], key=("store_id", "key"), keep=_COLUMNS)
    except IntegrityError:
        # The endpoint went away since it was read.
        _known.pop(token, None)
        return HttpResponse(status=404)
    except DatabaseError:
        return HttpResponse(status=503)
    return _Accepted(status=200)


def _endpoint(token: str) -> WebhookEndpoint | None:
    until, found = _known.get(token, (0.0, None))
    if found is not None and clock.monotonic() < until:
        return found
    fresh = WebhookEndpoint.objects.filter(token=token).only("pk", "store_id", "secret", "topic").first()
    if fresh:
        _known[token] = (clock.monotonic() + REMEMBER_SECONDS, fresh)
    return fresh


def _is_signed(body: bytes, signature: str, secret: str) -> bool:
    due = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest())
    return hmac.compare_digest(due, signature.encode("utf-8", "replace"))
