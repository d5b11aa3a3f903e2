"""Whether a shop answers: a light breaker. Failures in a row make it unreachable, one answer makes it well again."""

from datetime import timedelta

from django.db import transaction
from django.db.models import F

from postpurchase import clock, queue
from stores import events
from stores.models import Store
from stores.woo.errors import Blocked, KeysRefused, ReadOnlyKeys, WooError

FAILURES = 3
# While a shop does not answer, one probe after each of these; the last one repeats.
PROBES = [timedelta(minutes=minutes) for minutes in (1, 2, 5, 15, 30, 60)]


def probe_in(failures: int) -> timedelta:
    """How long to leave a shop alone after so many failures in a row."""
    return PROBES[min(max(failures - 1, 0), len(PROBES) - 1)]


def failed(store: Store, error: WooError) -> None:
    """A call failed as a whole: count it, and say so when the shop is refused, blocked or silent for the third time."""
    if isinstance(error, ReadOnlyKeys):
        Store.objects.filter(pk=store.pk).update(can_write=False)
        store.can_write = False
        return
    with transaction.atomic():
        Store.objects.filter(pk=store.pk).update(failures=F("failures") + 1)
        store.refresh_from_db(fields=["failures", "state", "state_reason"])
        if isinstance(error, KeysRefused):
            state = Store.State.REFUSED
        elif isinstance(error, Blocked) or store.failures >= FAILURES:
            state = Store.State.UNREACHABLE
        else:
            return
        changed = (
            Store.objects.filter(pk=store.pk)
            .exclude(state__in=[Store.State.NEW, state])
            .update(state=state, state_reason=error.message)
        )
        store.refresh_from_db(fields=["state", "state_reason"])
        if changed and state == Store.State.UNREACHABLE:
            _tell(store, events.STORE_UNREACHABLE, error.message)


def answered(store: Store) -> None:
    """The shop answered with these keys: whatever was held up goes on."""
    if not store.failures and store.state == Store.State.CONNECTED:
        return
    with transaction.atomic():
        before = Store.objects.filter(pk=store.pk).values_list("state", flat=True).get()
        Store.objects.filter(pk=store.pk).update(failures=0, state_reason="")
        if before in {Store.State.UNREACHABLE, Store.State.REFUSED}:
            Store.objects.filter(pk=store.pk).update(state=Store.State.CONNECTED)
            _tell(store, events.STORE_RECOVERED, "")
            queue.wake("sync")
    store.refresh_from_db(fields=["failures", "state", "state_reason"])


def _tell(store: Store, name: str, reason: str) -> None:
    at = clock.now()
    events.record(store, name, subject=store.pk, at=at, fact=at.isoformat(), payload={"reason": reason})
