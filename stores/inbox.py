"""The webhook inbox: raw deliveries are hints. They collapse to one fetch for each object, or to a poll.

Nothing is believed but that something happened to an object; its state is asked for. So repetition, disorder, forged
topics and old bodies cost a request at most.
"""

import base64
import hashlib
import hmac
import json
from collections import defaultdict
from datetime import datetime, timedelta

from django.db import models, transaction
from django.db.models import F, QuerySet

from postpurchase import clock, crypto, due, queue
from postpurchase.due import TRANSACTIONAL, State
from stores.models import Coupon, Customer, Delivery, Order, Product, Store, WebhookEndpoint
from stores.sync import rows as fast
from stores.sync import tasks

LEASE = timedelta(seconds=120)
# How long raw bodies are kept, read or not.
KEPT = timedelta(days=14)
_COLUMNS = (
    *("store_id", "endpoint_id", "received_at", "topic", "body", "outcome", "state", "due_at", "priority"),
    *("attempts", "error_code", "error", "key"),
)
_MODELS: dict[str, type[models.Model]] = {
    "order": Order,
    "product": Product,
    "coupon": Coupon,
    "customer": Customer,
}


def endpoint_of(token: str) -> WebhookEndpoint | None:
    """The endpoint of a token, with what accepting needs."""
    return WebhookEndpoint.objects.filter(token=token).only("pk", "store_id", "secret", "topic").first()


def is_signed(body: bytes, signature: str, secret: str) -> bool:
    """Whether the signature is that of these bytes; in constant time."""
    wanted = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest())
    return hmac.compare_digest(wanted, signature.encode("utf-8", "replace"))


def refuse(endpoint: WebhookEndpoint) -> None:
    """Count a delivery with another signature; nothing of it is kept."""
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(refused=F("refused") + 1)


def accept(endpoint: WebhookEndpoint, *, delivery: str, body: bytes, at: datetime) -> None:
    """Keep a signed delivery, encrypted; one that is there already is left as it is.

    The shop's delivery id is the same for all deliveries of a second: only with the body it tells them apart.
    """
    key = f"{endpoint.pk}:{delivery[:64]}:{hashlib.sha256(body).hexdigest()[:16]}"
    sealed = crypto.cipher().encrypt(body).decode() if body else ""
    values = (endpoint.store_id, endpoint.pk, at, endpoint.topic, sealed, "", State.DUE, at, TRANSACTIONAL)
    fast.upsert(Delivery, _COLUMNS, [(*values, 0, "", "", key)], key=("store_id", "key"), keep=_COLUMNS)


def replay(deliveries: QuerySet[Delivery]) -> int:
    """Have ended deliveries read once more; how many. Their objects are asked for again, so repetition is harmless."""
    with transaction.atomic():
        count = deliveries.filter(state__in=[State.DONE, State.DEAD, State.HELD]).update(
            state=State.DUE, due_at=clock.now(), attempts=0, error="", error_code="", outcome="", finished_at=None
        )
        if count:
            queue.wake()
    return count


def run_due(budget_seconds: float = 20.0) -> int:
    """Work off waiting deliveries within the budget; how many were."""
    ends = clock.monotonic() + budget_seconds
    worked = 0
    while clock.monotonic() < ends:
        rows = due.claim(Delivery, limit=200, lease=LEASE)
        if not rows:
            break
        by_store: dict[int, list[Delivery]] = defaultdict(list)
        for row in rows:
            by_store[row.store_id].append(row)
        for store_id, deliveries in by_store.items():
            _take(Store.objects.get(pk=store_id), deliveries)
        worked += len(rows)
    return worked


def _take(store: Store, deliveries: list[Delivery]) -> None:
    read = [(row, *_read(row)) for row in deliveries]
    known = _known(
        store, {(entity, woo_id) for row, entity, woo_id in read if woo_id and row.topic.endswith(".deleted")}
    )
    fetches: set[tuple[str, int]] = set()
    polls: set[str] = set()
    for row, entity, woo_id in read:
        row.resource_id = woo_id
        if woo_id is None:
            polls.add(entity)
            row.outcome = "no object in it: list read again"
        elif row.topic.endswith(".deleted") and (entity, woo_id) not in known:
            # Shops tell of a trashed product as of a coupon too, and the other way round.
            row.outcome = f"ignored: no {entity} {woo_id} here"
        else:
            fetches.add((entity, woo_id))
            row.outcome = f"{entity} {woo_id} fetched"
    with transaction.atomic():
        tasks.arm(store, fetches)
        if polls:
            tasks.arm_polls(store, polls)
        Delivery.objects.bulk_update(deliveries, ["resource_id", "outcome"])
        newest = max(row.received_at for row in deliveries)
        for endpoint_id in {row.endpoint_id for row in deliveries}:
            WebhookEndpoint.objects.filter(pk=endpoint_id).update(last_at=newest)
        Store.objects.filter(pk=store.pk).update(hooked_at=newest)
        due.finish_all(deliveries)


def _read(row: Delivery) -> tuple[str, int | None]:
    """The entity by the endpoint's own topic, and the object's id; None for an error object or what cannot be read."""
    entity = row.topic.partition(".")[0]
    try:
        body = json.loads(row.body)
    except (ValueError, RecursionError):
        return entity, None
    woo_id = body.get("id") if isinstance(body, dict) else None
    return entity, woo_id if isinstance(woo_id, int) and 0 < woo_id < 2**63 else None


def _known(store: Store, wanted: set[tuple[str, int]]) -> set[tuple[str, int]]:
    found = set()
    for entity, model in _MODELS.items():
        ids = [woo_id for name, woo_id in wanted if name == entity]
        if ids:
            there = model._default_manager.filter(store=store, woo_id__in=ids).values_list("woo_id", flat=True)
            found |= {(entity, woo_id) for woo_id in there}
    return found
