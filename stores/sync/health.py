"""Whether a shop may be asked: one breaker for each store, shared by reads and writes; what the keys may do is apart.

Five failures in a row, or one page of a firewall, open it: then nothing of the store is claimed but the probe, one small
request after 1, 2, 5, 15, 30 and 60 minutes, the last repeating. Three good answers close it. Keys that were good and are
refused hold the store too, and are probed twice, 1 and 5 minutes later, before the merchant is told and asked to mend them.
"""

import random
from datetime import timedelta

from django.db import transaction
from django.db.models import Q

from postpurchase import clock, due, queue
from stores import events
from stores.models import Job, Store, SyncTask
from stores.woo.errors import Blocked, KeysRefused, ReadOnlyKeys, ToldToWait, WooError

FAILURES = 5
GOOD_ANSWERS = 3
# Refusals that are believed: the first one and two probes that confirm it.
REFUSALS = 3
PROBE = "probe"
# While a shop does not answer, one probe after each of these; the last one repeats.
PROBES = [timedelta(minutes=minutes) for minutes in (1, 2, 5, 15, 30, 60)]
CONFIRM = [timedelta(minutes=minutes) for minutes in (1, 4, 15, 30, 60)]
_KEPT = ["failures", "good_answers", "probes", "refusals", "state", "state_reason", "quiet_until"]


def may_ask(*, prefix: str = "store__") -> Q:
    """The condition on rows (or with an empty prefix on stores) that the shop may be asked for them now."""
    quiet = Q(**{f"{prefix}quiet_until": None}) | Q(**{f"{prefix}quiet_until__lte": clock.now()})
    return quiet & Q(**{f"{prefix}state": Store.State.CONNECTED, f"{prefix}refusals": 0})


def may_probe() -> Q:
    """The condition on tasks that they are the probe of a store, and that the shop did not ask for rest."""
    quiet = Q(store__quiet_until=None) | Q(store__quiet_until__lte=clock.now())
    return quiet & Q(key=PROBE) & ~Q(store__state=Store.State.NEW)


def is_held(store: Store) -> bool:
    """Whether nothing of the store is claimed at present but its probe."""
    return store.state in {Store.State.UNREACHABLE, Store.State.REFUSED} or store.refusals > 0


def probe_in(store: Store) -> timedelta:
    """How long to leave a held shop alone before the next probe."""
    steps, done = (CONFIRM, store.refusals - 1) if store.refusals else (PROBES, store.probes)
    return steps[min(max(done, 0), len(steps) - 1)] * random.uniform(0.9, 1.1)  # noqa: S311


def retry_in(store: Store) -> timedelta:
    """When work that failed with the shop may come back; of a held shop it is not claimed before it answers again."""
    if is_held(store):
        return PROBES[0]
    return due.backoff(store.failures) * random.uniform(0.5, 1)  # noqa: S311


def failed(store: Store, error: WooError, *, probe: bool = False) -> None:
    """A call failed as a whole: count it, and hold the store when it is refused, blocked, or silent too often.

    What was under way when the store came to be held counts no more: from then on only probes do.
    """
    if isinstance(error, ReadOnlyKeys):
        Store.objects.filter(pk=store.pk).update(can_write=False)
        store.can_write = False
        return
    with transaction.atomic():
        kept = Store.objects.select_for_update(no_key=True).only(*_KEPT).get(pk=store.pk)
        if isinstance(error, ToldToWait):
            until = clock.now() + timedelta(seconds=error.seconds)
            kept.quiet_until = max(until, kept.quiet_until or until)
        if probe or not is_held(kept):
            _count(kept, error, probe=probe)
        kept.save(update_fields=_KEPT)
    store.refresh_from_db(fields=_KEPT)


def _count(store: Store, error: WooError, *, probe: bool) -> None:
    before = store.state
    store.good_answers = 0
    if isinstance(error, KeysRefused):
        store.refusals = min(store.refusals + 1, 1000)
        if store.refusals >= REFUSALS and before != Store.State.NEW:
            store.state = Store.State.REFUSED
    else:
        store.failures = min(store.failures + 1, 1000)
        store.probes = min(store.probes + 1, 1000) if probe else 0
        opens = isinstance(error, Blocked) or store.failures >= FAILURES
        if opens and before == Store.State.CONNECTED:
            store.state = Store.State.UNREACHABLE
    if store.state != before:
        store.state_reason = error.message
        name = events.STORE_REFUSED if store.state == Store.State.REFUSED else events.STORE_UNREACHABLE
        _tell(store, name, error.message)
    if is_held(store) and not probe:
        _arm_probe(store)


def _arm_probe(store: Store) -> None:
    at = clock.now() + probe_in(store)
    SyncTask.objects.update_or_create(
        store=store,
        key=PROBE,
        defaults={"entity": PROBE, "priority": due.POLL, "state": due.State.DUE, "due_at": at, "attempts": 0},
    )


def tick_probes() -> int:
    """Each minute: a held store whose probe is missing or was given up gets one again; how many did."""
    held = Store.objects.filter(
        Q(state__in=[Store.State.UNREACHABLE, Store.State.REFUSED]) | Q(state=Store.State.CONNECTED, refusals__gt=0)
    )
    alive = SyncTask.objects.filter(key=PROBE, state__in=[due.State.DUE, due.State.RUNNING])
    stores = list(held.exclude(pk__in=alive.values("store")))
    for store in stores:
        _arm_probe(store)
    return len(stores)


def answered(store: Store) -> None:
    """The shop answered with these keys: failures are forgotten, and of a held shop the third answer lets work go on."""
    if not store.failures and not store.refusals and store.state in {Store.State.CONNECTED, Store.State.DOUBT}:
        return
    with transaction.atomic():
        kept = Store.objects.select_for_update(no_key=True).only(*_KEPT).get(pk=store.pk)
        was_refused = kept.refusals > 0 or kept.state == Store.State.REFUSED
        kept.good_answers += 1
        if not is_held(kept) or was_refused or kept.good_answers >= GOOD_ANSWERS:
            told = kept.state in {Store.State.UNREACHABLE, Store.State.REFUSED}
            held = is_held(kept)
            kept.failures = kept.good_answers = kept.probes = kept.refusals = 0
            kept.state_reason = ""
            if told:
                kept.state = Store.State.CONNECTED
                _tell(kept, events.STORE_RECOVERED, "")
            if held:
                _go_on(kept)
        kept.save(update_fields=_KEPT)
    store.refresh_from_db(fields=_KEPT)


def _go_on(store: Store) -> None:
    """What waited for the shop is due now."""
    now = clock.now()
    SyncTask.objects.filter(store=store, state=due.State.DUE, due_at__gt=now).exclude(error_code="").update(due_at=now)
    SyncTask.objects.filter(store=store, key__startswith="poll:", state=due.State.DUE, due_at__gt=now).update(
        due_at=now
    )
    Job.objects.filter(store=store, state=due.State.DUE, due_at__gt=now).update(due_at=now)
    queue.wake("sync")


def _tell(store: Store, name: str, reason: str) -> None:
    at = clock.now()
    events.record(store, name, subject=store.pk, at=at, fact=at.isoformat(), payload={"reason": reason})
