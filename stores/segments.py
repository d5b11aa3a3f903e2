"""Segments: saving them, who is in them, who entered and left, and ready-made ones by this store's own numbers.

Membership is brought up to date each hour and when a segment is saved (`refresh`). Who enters or leaves after that is
recorded as `segment.entered` or `segment.left` {segment: its slug} about the customer, in the same transaction, so flows
start with it like with any other fact; `changes` tells them of the past. A condition asks `customer.segment`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from postpurchase import clock
from postpurchase.errors import BusinessError
from stores import audit, conditions, events
from stores.conditions import Condition, Field, checking
from stores.conditions.base import Items
from stores.events import Fact
from stores.models import Customer, Segment, SegmentDay, SegmentStay, Store, User

FIELD = "customer.segment"
EVERY = timedelta(hours=1)
CHUNK = 1000


def people(store: Store, tree: Condition | None, *, now: datetime | None = None) -> QuerySet[Customer]:
    """The customers for whom a checked condition holds at this moment."""
    return conditions.find(tree, store, conditions.CUSTOMER, now=now)


def save(
    store: Store,
    segment: Segment | None,
    *,
    name: str,
    tree: Condition | None,
    actor: User,
    preset: str = "",
    why: str = "",
) -> Segment:
    """Make or change a segment and fill it. A changed condition makes nobody "enter": it is filled in silence.

    BusinessError `segment_faults` for a condition that is not right or asks for itself, `segment_name` for no name.
    """
    name = name.strip()
    if not name or len(name) > 120:
        raise BusinessError(
            _("A segment needs a name of at most 120 letters. Nothing was saved; give it one."), "segment_name"
        )
    if not tree:
        raise BusinessError(
            _("A segment needs at least one condition. Nothing was saved; add a row."), "segment_faults"
        )
    if wrong := conditions.faults(tree):
        raise BusinessError(_("The segment was not saved. %(faults)s") % {"faults": " ".join(wrong)}, "segment_faults")
    with transaction.atomic():
        # One at a time in a store, so that two that begin to ask for each other cannot both be saved.
        Store.objects.select_for_update().get(pk=store.pk)
        if segment and (circle := _circle(store, segment.slug, tree)):
            raise BusinessError(
                _("The segment would ask for itself: %(way)s. Nothing was saved; leave one of these out.")
                % {"way": " → ".join(circle)},
                "segment_faults",
            )
        now = clock.now()
        if segment is None:
            segment = Segment(store=store, slug=_free_slug(store, name), conditions=tree, preset=preset, why=why)
        elif segment.conditions != tree:
            segment.filled_at, segment.why = None, ""
        segment.name, segment.conditions, segment.changed_at = name, tree, now
        segment.save()
        audit.record(store, "segment.saved", actor=actor, target=f"segment:{segment.pk}", diff={"conditions": tree})
        refresh(segment)
    return segment


def delete(segment: Segment, *, actor: User) -> None:
    """Delete a segment. BusinessError `segment_used` when another segment asks for it."""
    for other in segment.store.segments.exclude(pk=segment.pk):
        if segment.slug in _named(other.conditions):
            raise BusinessError(
                _("“%(other)s” asks for this segment. Nothing was deleted; change that one first.")
                % {"other": other.name},
                "segment_used",
            )
    audit.record(segment.store, "segment.deleted", actor=actor, target=f"segment:{segment.pk}")
    segment.delete()


def _free_slug(store: Store, name: str) -> str:
    base = slugify(name)[:50] or "segment"
    taken = set(Segment.objects.filter(store=store, slug__startswith=base).values_list("slug", flat=True))
    n, slug = 1, base
    while slug in taken:
        n += 1
        slug = f"{base}-{n}"
    return slug


def _named(tree: Condition) -> set[str]:
    """The segments that a condition asks for."""
    found: set[str] = set()
    for leaf in checking.leaves(tree):
        if leaf["field"] == FIELD and "value" in leaf:
            value = leaf["value"]
            found |= set(value if isinstance(value, list) else [value])
    return found


def _circle(store: Store, slug: str, tree: Condition) -> list[str]:
    """The way from a segment with this condition back to itself; empty when there is none."""
    asks = {one.slug: _named(one.conditions) for one in Segment.objects.filter(store=store)} | {slug: _named(tree)}

    def way(at: str, gone: tuple[str, ...]) -> list[str]:
        for one in sorted(asks.get(at, set())):
            if one == slug:
                return [*gone, slug]
            if one not in gone and (found := way(one, (*gone, one))):
                return found
        return []

    return way(slug, (slug,))


@dataclass(frozen=True)
class Changes:
    """Who came and went since the last time; customers' pks."""

    entered: list[int]
    left: list[int]


def refresh(segment: Segment, *, now: datetime | None = None) -> Changes:
    """Bring the members up to date; record who entered and left, unless it is filled for the first time."""
    at = now or clock.now()
    with transaction.atomic():
        row = Segment.objects.select_for_update().select_related("store").get(pk=segment.pk)
        first, store = row.filled_at is None, row.store
        meant = people(store, row.conditions, now=at)
        stays = SegmentStay.objects.filter(segment=row, left_at=None)
        entered = list(meant.exclude(pk__in=stays.values("customer")).order_by("pk").values_list("pk", flat=True))
        gone = stays.exclude(customer__in=meant.order_by().values("pk"))
        left = list(gone.order_by("customer").values_list("customer_id", flat=True))
        for start in range(0, len(left), CHUNK):
            SegmentStay.objects.filter(segment=row, left_at=None, customer_id__in=left[start : start + CHUNK]).update(
                left_at=at
            )
        SegmentStay.objects.bulk_create(
            [SegmentStay(segment=row, customer_id=pk, entered_at=at, quiet=first) for pk in entered], batch_size=CHUNK
        )
        if not first:
            _tell(row, events.SEGMENT_ENTERED, entered, at)
            _tell(row, events.SEGMENT_LEFT, left, at)
        row.filled_at, row.size = at, SegmentStay.objects.filter(segment=row, left_at=None).count()
        row.save(update_fields=["filled_at", "size"])
        today = at.astimezone(store.tz).date()
        SegmentDay.objects.update_or_create(segment=row, day=today, defaults={"size": row.size})
    segment.filled_at, segment.size = row.filled_at, row.size
    return Changes(entered, left)


def _tell(segment: Segment, name: str, customers: list[int], at: datetime) -> None:
    for start in range(0, len(customers), CHUNK):
        events.record_many(
            segment.store,
            [
                Fact(
                    name, pk, at, f"{segment.slug}:{at.isoformat()}", customer_id=pk, payload={"segment": segment.slug}
                )
                for pk in customers[start : start + CHUNK]
            ],
        )


def tick(now: datetime) -> int:
    """Refresh the segments that were not looked at for an hour, those that others ask for first; how many."""
    due = Segment.objects.filter(filled_at__lte=now - EVERY) | Segment.objects.filter(filled_at=None)
    waiting = list(due.select_related("store").order_by("store", "pk"))
    done = 0
    while waiting:
        names = {(one.store_id, one.slug) for one in waiting}
        ready = [
            one for one in waiting if not any((one.store_id, slug) in names for slug in _named(one.conditions))
        ] or waiting
        for one in ready:
            refresh(one, now=now)
            done += 1
        waiting = [one for one in waiting if one not in ready]
    return done


@dataclass(frozen=True)
class Change:
    """One person entered or left."""

    at: datetime
    customer_id: int
    entered: bool


def changes(segment: Segment, since: datetime, until: datetime) -> Iterator[Change]:
    """Who entered and left from `since` until before `until`, by time. Those found at the first filling never entered."""
    came = SegmentStay.objects.filter(segment=segment, quiet=False, entered_at__gte=since, entered_at__lt=until)
    went = SegmentStay.objects.filter(segment=segment, left_at__gte=since, left_at__lt=until)
    found = [Change(at, pk, True) for at, pk in came.values_list("entered_at", "customer_id")]
    found += [Change(at, pk, False) for at, pk in went.values_list("left_at", "customer_id") if at]
    yield from sorted(found, key=lambda one: (one.at, one.customer_id))


def forget(customer: Customer) -> None:
    """The stores' eraser: an erased person was in no segment."""
    SegmentStay.objects.filter(customer=customer).delete()


def _choices(store: Store) -> list[tuple[str, Any]]:
    return list(store.segments.order_by("name").values_list("slug", "name"))


def register() -> None:
    """Called once at start."""
    conditions.register(
        Field(
            FIELD,
            gettext_lazy("the customer's segments"),
            "list",
            items=Items(
                lambda scope: SegmentStay.objects.filter(segment__store=scope.store, left_at=None),
                "customer_id",
                "segment__slug",
            ),
            of="choice",
            choices=_choices,
            group=gettext_lazy("Customer"),
            help=gettext_lazy("As they were within the last hour."),
        )
    )
