"""Events of the merchant's own systems: `custom.<name>`, told over the API, recorded once."""

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from postpurchase import clock
from postpurchase.errors import BusinessError
from stores import events
from stores.models import Customer, Event, Order, Store

NAME = re.compile(r"custom\.[a-z][a-z0-9_]{0,39}")
_PART = re.compile(r"[a-z][a-z0-9_]{0,39}")
MAX_KEY, MAX_PAYLOAD = 100, 4096
# Older news is kept for numbers and starts nothing.
OLD = timedelta(days=30)
AHEAD = timedelta(minutes=5)


def payload_faults(payload: Any) -> list[str]:
    """What is wrong with a payload, a sentence for each fault."""
    if not isinstance(payload, Mapping):
        return ["Send an object of names and values."]
    wrong = [
        f"{name!r} is no name of small letters, digits and _." for name in payload if not _PART.fullmatch(str(name))
    ]
    wrong += ["name is taken: it is the event's own." for name in payload if name == "name"]
    for name, value in payload.items():
        if isinstance(value, float):
            wrong.append(f"{name}: send numbers with a fraction as text, such as '12.50'.")
        elif value is not None and not isinstance(value, str | int | bool):
            wrong.append(f"{name}: a value is a text, a whole number, true, false or null.")
    if len(json.dumps(dict(payload))) > MAX_PAYLOAD:
        wrong.append(f"The payload is larger than {MAX_PAYLOAD} bytes.")
    return wrong


def take(
    store: Store,
    *,
    name: str,
    key: str,
    customer: Customer,
    order: Order | None = None,
    payload: Mapping[str, Any] | None = None,
    at: datetime | None = None,
) -> tuple[Event, bool]:
    """Record one event; the same key of the same name again changes nothing. The event, and whether it is new.

    BusinessError `event_conflict` when the key was used for another person or order.
    """
    if not NAME.fullmatch(name) or not key or len(key) > MAX_KEY or payload_faults(payload or {}):
        raise ValueError("check name, key and payload first")
    now = clock.now()
    at = min(at or now, now)
    past = at < now - OLD or store.live_from is None or at < store.live_from
    with transaction.atomic():
        new = events.record(
            store,
            name,
            subject=key,
            at=at,
            order=order,
            customer=customer,
            historic=past,
            payload=dict(payload or {}),
        )
        event = Event.objects.get(store=store, key=f"{name}:{key}")
        if not new and (event.customer_id, event.order_id) != (customer.pk, order.pk if order else None):
            raise BusinessError(
                "This key was used for another person or order of this event. Nothing was stored. Send a new key.",
                "event_conflict",
            )
    return event, new
