"""What the lists left out: looked for by id, held against the limits, then marked as deleted; and the way back."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count
from django.utils.translation import gettext as _

from postpurchase import clock, due, queue
from postpurchase.errors import BusinessError
from stores.models import Absence, Coupon, Order, Product, Reconciliation, Store, SyncTask
from stores.sync import apply, fetch, tasks
from stores.sync.reconcile import compare, report
from stores.woo.client import Client, client_for
from stores.woo.errors import Missing

State = Absence.State
GROUP = 50
# More missing than this, and than this share of what was compared, is put to a person first.
MOST, SHARE = 50, 0.02
# A list without any of so many known objects is not believed, however few that is.
EMPTY = 10
# When so many that the list left out all answer by their ids, it is the list that is wrong.
ENOUGH = 20
UNDO_FOR = timedelta(days=30)
_INCLUDE: dict[str, dict[str, Any]] = {
    "order": {"status": "any"},
    "product": {"status": "any"},
    "review": {"status": "all"},
    "customer": {"role": "all"},
    "coupon": {},
    "category": {},
}


def note(run: Reconciliation, entity: str, ids: Iterable[int], *, expected: bool = False) -> None:
    """Keep what a list left out, to be looked for. What a person kept before is let be."""
    wanted = set(ids)
    if not wanted:
        return
    wanted -= set(
        Absence.objects.filter(
            store=run.store_id, entity=entity, woo_id__in=wanted, state__in=[State.KEPT, State.UNDONE]
        ).values_list("woo_id", flat=True)
    )
    names = compare.labels(run.store, entity, wanted)
    Absence.objects.bulk_create(
        [
            Absence(
                store_id=run.store_id, run=run, entity=entity, woo_id=pk, label=names.get(pk, ""), expected=expected
            )
            for pk in sorted(wanted)
        ],
        ignore_conflicts=True,
    )


def waiting(run: Reconciliation) -> list[Absence]:
    """The next group of one entity to be looked for."""
    first = run.absences.filter(state=State.WAITING).order_by("entity", "expected", "pk").first()
    if first is None:
        return []
    return list(
        run.absences.filter(state=State.WAITING, entity=first.entity, expected=first.expected).order_by("pk")[:GROUP]
    )


def look(run: Reconciliation, client: Client, group: list[Absence]) -> None:
    """Look for a group: all in one list by their ids first, then each by itself. What is there is applied."""
    store, entity = run.store, group[0].entity
    missing = {one.woo_id: one for one in group}
    if entity in _INCLUDE and not group[0].expected and not _list_lies(run, entity):
        page = client.page(fetch.PATHS[entity], include=list(missing), per_page=100, **_INCLUDE[entity])
        bodies = [row for row in page.rows if row.get("id") in missing]
        if entity == "order":
            fetch.complete_news(store, client, bodies)
        with transaction.atomic():
            report.add(run, compare.take(store, entity, bodies, fetched_at=page.fetched_at))
            _found(run, [missing.pop(body["id"]) for body in bodies])
    for one in list(missing.values()):
        if _list_lies(run, entity):
            left = run.absences.filter(entity=entity, state=State.WAITING, expected=False)
            with transaction.atomic():
                report.add(run, {"unlisted": left.count()})
                left.delete()
            return
        _look_for(run, client, one)


def _list_lies(run: Reconciliation, entity: str) -> bool:
    told = run.told.get("unlisted", {}).get(entity, 0)
    return told >= ENOUGH and not run.absences.filter(entity=entity, state=State.MISSING).exists()


def _look_for(run: Reconciliation, client: Client, one: Absence) -> None:
    store, entity, begun = run.store, one.entity, clock.now()
    try:
        body = client.get(_path(store, entity, one.woo_id))
    except Missing:
        Absence.objects.filter(pk=one.pk).update(state=State.MISSING)
        return
    if entity == "variation":
        body.setdefault("parent_id", _parent(store, one.woo_id))
    if entity == "order":
        fetch.complete_news(store, client, [body])
    with transaction.atomic():
        causes = compare.take(store, entity, [body], fetched_at=begun)
        if not causes and body.get("status") not in compare.UNLISTED and not one.expected:
            causes["unlisted"] = 1
            counts = run.told.setdefault("unlisted", {})
            counts[entity] = counts.get(entity, 0) + 1
            Reconciliation.objects.filter(pk=run.pk).update(told=run.told)
        report.add(run, causes)
        _found(run, [one])


def _path(store: Store, entity: str, woo_id: int) -> str:
    if entity == "variation":
        return f"products/{_parent(store, woo_id)}/variations/{woo_id}"
    return f"{fetch.PATHS[entity]}/{woo_id}"


def _parent(store: Store, woo_id: int) -> int:
    row = Product.objects.filter(store=store, woo_id=woo_id).select_related("parent").first()
    return row.parent.woo_id if row and row.parent else 0


def _found(run: Reconciliation, there: list[Absence]) -> None:
    Absence.objects.filter(pk__in=[one.pk for one in there]).delete()


def doubtful(run: Reconciliation, compared: dict[str, int], listed: dict[str, int]) -> dict[str, Any] | None:
    """What is missing beyond the limits, if anything: {"entity", "missing", "compared"}. Nothing of it is marked."""
    counts = (
        run.absences.filter(state=State.MISSING, expected=False)
        .values_list("entity")
        .annotate(n=Count("pk"))
        .order_by("entity")
    )
    for entity, missing in counts:
        of = compared.get(entity, 0)
        if missing > max(MOST, SHARE * of) or (not listed.get(entity) and of >= EMPTY):
            return {**run.told, "entity": entity, "missing": missing, "compared": of}
    return None


def mark(run: Reconciliation, *, limit: int = GROUP) -> int:
    """Mark the next of what is missing as deleted, in the caller's transaction; how many."""
    group = list(run.absences.filter(state=State.MISSING).order_by("pk")[:limit])
    gone = 0
    for one in group:
        gone += apply.mark_missing(run.store, one.entity, one.woo_id)
    Absence.objects.filter(pk__in=[one.pk for one in group]).update(state=State.MARKED, at=clock.now())
    if gone:
        report.add(run, {"gone": gone})
    return len(group)


def keep(run: Reconciliation) -> int:
    """A person says that what is missing is to stay: it is not asked for again. How many objects that are."""
    return run.absences.filter(state__in=[State.WAITING, State.MISSING]).update(state=State.KEPT, at=clock.now())


# The way back


def undo(one: Absence) -> None:
    """Take back that an object was marked as deleted, and ask the shop for it once more.

    BusinessError when it is not marked (any more) or when that was more than 30 days ago.
    """
    store, now = one.store, clock.now()
    with transaction.atomic():
        changed = Absence.objects.filter(pk=one.pk, state=State.MARKED, at__gt=now - UNDO_FOR).update(
            state=State.UNDONE, at=now
        )
        if not changed:
            raise BusinessError(
                _("This is not marked as deleted any more, or for more than 30 days. Nothing was changed."),
                "not_marked",
            )
        restore(store, one.entity, one.woo_id)
        SyncTask.objects.update_or_create(
            store=store,
            key=f"kept:{one.entity}:{one.woo_id}",
            defaults={
                "entity": "kept",
                "woo_id": one.woo_id,
                "params": {"entity": one.entity},
                "state": due.State.DUE,
                "due_at": now,
                "priority": due.POLL,
                "attempts": 0,
            },
        )
        queue.wake("sync")


def restore(store: Store, entity: str, woo_id: int) -> None:
    """Make a row live again as it was last seen, with what follows; in the caller's transaction."""
    now = clock.now()
    if entity == "order":
        order = Order.objects.filter(store=store, woo_id=woo_id, deleted_at__isnull=False).first()
        if order and order.deleted_at and order.raw.get("id"):
            # Later than the mark, or it would not be taken.
            apply.apply(store, "order", [order.raw], fetched_at=max(now, order.deleted_at + timedelta(microseconds=1)))
        return
    if entity == "coupon":
        Coupon.objects.filter(store=store, woo_id=woo_id, state=Coupon.State.GONE).update(
            state=Coupon.State.LIVE, reason=""
        )
        return
    if entity in {"product", "variation", "category", "review"}:
        compare.MODELS[entity].objects.filter(store=store, woo_id=woo_id).update(deleted_at=None)


def fetch_kept(task: SyncTask) -> None:
    """Ask for an object whose mark was undone; when the shop still has none, a person's word stands."""
    entity, begun, woo_id = task.params["entity"], clock.now(), task.woo_id or 0
    client = client_for(task.store)
    try:
        body = client.get(_path(task.store, entity, woo_id))
    except Missing:
        return
    if entity == "variation":
        body.setdefault("parent_id", _parent(task.store, woo_id))
    if entity == "order":
        fetch.complete_news(task.store, client, [body])
    apply.apply(task.store, entity, [body], fetched_at=begun)


def register() -> None:
    tasks.register_fetch("kept", fetch_kept)
