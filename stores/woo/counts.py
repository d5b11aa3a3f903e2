"""Requests to each shop by class of answer: counted in memory while a worker works, written once at the end of a drain."""

import threading
from collections import Counter
from datetime import datetime

from django.db import transaction
from django.db.models import F

from postpurchase import clock
from stores.models import RequestHour, Store
from stores.woo.errors import Blocked, Invalid, KeysRefused, Missing, ToldToWait, Unreachable, WooError

# Which column of RequestHour an error counts into; the first that fits.
CLASSES: list[tuple[type[WooError], str]] = [
    (ToldToWait, "told_to_wait"),
    (Unreachable, "transient"),
    (Blocked, "blocked"),
    (KeysRefused, "refused"),
    (Missing, "permanent"),
    (Invalid, "permanent"),
]
# Counts by store and hour, until they are written. A worker that is killed loses those of one drain.
_seen: dict[tuple[int, datetime], Counter[str]] = {}
_guard = threading.Lock()


def add(store_id: int, error: WooError | None) -> None:
    """Count one request and, if it failed, its class. Safe from any thread; touches no database."""
    if not store_id:
        return
    hour = clock.now().replace(minute=0, second=0, microsecond=0)
    with _guard:
        found = _seen.setdefault((store_id, hour), Counter())
        found["requests"] += 1
        for kind, column in CLASSES:
            if isinstance(error, kind):
                found[column] += 1
                break
        if isinstance(error, ToldToWait):
            found["told_seconds"] += int(error.seconds)


def flush() -> None:
    """Write what was counted: one row for each store that was asked; those of a store that was deleted meanwhile go."""
    if not _seen:
        return
    with _guard:
        taken = dict(_seen)
        _seen.clear()
    known = set(Store.objects.filter(pk__in={store_id for store_id, _hour in taken}).values_list("pk", flat=True))
    for (store_id, hour), numbers in taken.items():
        if store_id not in known:
            continue
        with transaction.atomic():
            rows = RequestHour.objects.filter(store_id=store_id, hour=hour)
            changes = {column: F(column) + number for column, number in numbers.items()}
            if not rows.update(**changes):
                RequestHour.objects.bulk_create([RequestHour(store_id=store_id, hour=hour)], ignore_conflicts=True)
                rows.update(**changes)
