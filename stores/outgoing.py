"""Asking for a message to a person. Who sends it, how and whether, is decided above (campaigns)."""

from typing import Any

from django.db import transaction

from postpurchase import clock
from stores import events
from stores.models import Customer, MessageRequest, Store


def request_message(
    store: Store, *, kind: str, customer: Customer, key: str, payload: dict[str, Any] | None = None
) -> MessageRequest:
    """Ask for one message of a kind ("case.reply", "reward.ready"); the same key asks only once. Returns the row."""
    with transaction.atomic():
        request, new = MessageRequest.objects.get_or_create(
            store=store, key=key, defaults={"kind": kind, "customer": customer, "payload": payload or {}}
        )
        if new:
            events.record(
                store,
                events.MESSAGE_REQUESTED,
                subject=request.pk,
                at=clock.now(),
                customer=customer,
                payload={"kind": kind},
            )
    return request
