"""The webhook inbox: raw deliveries are hints. They collapse to one fetch for each object, or to a poll.

Nothing is believed but that something happened to an object; its state is asked for. So repetition, disorder, forged
topics and old bodies cost a request at most.
"""

import json
from collections import defaultdict
from datetime import timedelta

from django.db import models, transaction

from postpurchase import clock, due
from stores.models import Coupon, Customer, Delivery, Order, Product, Store, WebhookEndpoint
from stores.sync import tasks

LEASE = timedelta(seconds=120)
_MODELS: dict[str, type[models.Model]] = {
    "order": Order,
    "product": Product,
    "coupon": Coupon,
    "customer": Customer,
}


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
        body = json.loads(bytes(row.body))
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
