"""What the mirror holds beside what the shop lists, and what of it is a difference."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from stores.models import Category, Coupon, Customer, Order, Product, Refund, Store, StoreReview, SyncCursor
from stores.sync import fetch, rows
from stores.sync.facts import DRAFTS, GONE
from stores.sync.fetch import gmt_of

MODELS: dict[str, type[Any]] = {
    "order": Order,
    "product": Product,
    "variation": Product,
    "category": Category,
    "review": StoreReview,
    "coupon": Coupon,
    "customer": Customer,
}
_WITH_STATUS = frozenset({"order", "product", "variation", "review"})
_LABEL = {"order": "number", "review": "reviewer", "coupon": "code", "customer": "email"}
# Lists leave these out on their own.
UNLISTED = frozenset({*DRAFTS, *GONE, "spam"})


@dataclass(frozen=True, slots=True)
class Held:
    """What the mirror holds of an object: when it changed there, what it is, and whether it counts as deleted."""

    modified: datetime | None
    status: str
    content: Any
    deleted: bool


def held(store: Store, entity: str, ids: Iterable[int]) -> dict[int, Held]:
    """The mirror's rows of these ids."""
    found = MODELS[entity].objects.filter(store=store, woo_id__in=list(ids))
    if entity == "customer":
        return {pk: Held(_modified(raw), "", raw, False) for pk, raw in found.values_list("woo_id", "raw")}
    if entity == "coupon":
        return {
            pk: Held(at, "", raw, state == Coupon.State.GONE)
            for pk, at, raw, state in found.values_list("woo_id", "modified_gmt", "raw", "state")
        }
    status = "status" if entity in _WITH_STATUS else "slug"
    return {
        pk: Held(at, state, content, deleted is not None)
        for pk, at, state, content, deleted in found.values_list(
            "woo_id", "modified_gmt", status, "content_hash", "deleted_at"
        )
    }


def _modified(raw: dict[str, object]) -> datetime | None:
    return gmt_of(raw)


def differing(store: Store, entity: str, light: Sequence[dict[str, Any]]) -> list[int]:
    """Ids of listed rows (id, date, status) that the mirror lacks, counts as deleted, or holds in another state."""
    known = held(store, entity, [row["id"] for row in light])
    found = []
    for row in light:
        one = known.get(row["id"])
        if one is None:
            if entity != "customer" or row.get("role") in {None, "customer"} or row.get("is_paying_customer"):
                found.append(row["id"])
        elif (
            one.deleted
            or gmt_of(row) != one.modified
            or (entity in _WITH_STATUS and row.get("status", one.status) != one.status)
        ):
            found.append(row["id"])
    return found


def take(store: Store, entity: str, bodies: list[dict[str, Any]], *, fetched_at: datetime) -> Counter[str]:
    """Apply present bodies in the caller's transaction; the differences that this removed, by cause."""
    ids = [body["id"] for body in bodies]
    before = held(store, entity, ids)
    fetch.take_in(store, entity, bodies, fetched_at=fetched_at)
    after = held(store, entity, ids)
    cursor = SyncCursor.objects.filter(store=store, entity=entity).values_list("cursor_gmt", flat=True).first()
    causes: Counter[str] = Counter()
    touched = []
    for body in bodies:
        was, now, told = before.get(body["id"]), after.get(body["id"]), gmt_of(body)
        if now is None or now == was:
            if now is not None and told is not None and told != now.modified and entity not in {"customer", "coupon"}:
                # Nothing changed for us but its date: known from now on, so that it is not asked for again.
                touched.append((told, fetched_at, body["id"]))
            continue
        if told is not None and cursor is not None and told > cursor:
            causes["late"] += 1
        elif was is None:
            causes["new"] += 1
        elif was.deleted:
            causes["back"] += 1
        elif now.status == "trash":
            causes["trashed"] += 1
        elif was.modified != now.modified:
            causes["changed"] += 1
        else:
            causes["silent"] += 1
    if entity == "order":
        causes["refund_gone"] += Refund.objects.filter(
            store=store, order__woo_id__in=ids, deleted_at=fetched_at
        ).count()
    _touch(store, entity, touched)
    return +causes


def _touch(store: Store, entity: str, touched: Sequence[tuple[datetime, datetime, int]]) -> None:
    if not touched:
        return
    model = MODELS[entity]
    keys = dict(model.objects.filter(store=store, woo_id__in=[row[2] for row in touched]).values_list("woo_id", "pk"))
    rows.update(model, ("modified_gmt", "fetched_at"), [(at, asked, keys[woo_id]) for at, asked, woo_id in touched])


def listed_here(store: Store, entity: str) -> QuerySet[Any]:
    """What the mirror expects to find in the shop's list of this entity."""
    found = MODELS[entity].objects.filter(store=store, woo_id__gt=0)
    if entity == "coupon":
        return found.exclude(state=Coupon.State.GONE)
    if entity == "customer":
        return found
    found = found.filter(deleted_at=None)
    if entity == "product":
        found = found.filter(parent=None).exclude(kind="variation")
    if entity == "variation":
        found = found.filter(kind="variation")
    if entity == "order":
        found = found.filter(channel="woocommerce")
    return found.exclude(status__in=UNLISTED) if entity in _WITH_STATUS else found


def labels(store: Store, entity: str, ids: Iterable[int]) -> dict[int, str]:
    """The names of mirrored objects by which a person knows them."""
    found = MODELS[entity].objects.filter(store=store, woo_id__in=list(ids))
    return {pk: str(name)[:200] for pk, name in found.values_list("woo_id", _LABEL.get(entity, "name"))}
