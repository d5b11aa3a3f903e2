"""Asking the shop what changed: the loop that freshness rests on when webhooks are lost.

For each entity a cursor: the largest modification time committed, from the shop's own data and never from our clock. Rows
and cursor are written in one transaction, under a fence that a second worker raises, so a slow one cannot move it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from postpurchase import clock
from stores.models import Coupon, Customer, Order, Product, Store, SyncCursor, SyncTask
from stores.sync import fetch, health, tasks
from stores.sync import walk as walks
from stores.sync.fetch import gmt_of
from stores.sync.walk import FilterIgnored, Walk, ask, begin, hold_fence, remember, scan, walk_modified
from stores.woo.errors import Invalid, Missing, ToldToWait, Unreachable

OVERLAP = timedelta(minutes=10)
WIDE_OVERLAP = timedelta(hours=24)
WIDE_EVERY = timedelta(hours=24)
# A poll that is this much late was held up by something; then it looks back as long as that lasted, and an hour more.
OUTAGE = timedelta(minutes=30)
AFTER_OUTAGE = timedelta(hours=1)
# The list of reviews filters by the shop's local time in some versions and by GMT in others.
REVIEW_OVERLAP = timedelta(hours=26)
# Reviews are edited and moderated without a trace in any filter.
REVIEWS_BACK, REVIEWS_BACK_EVERY = timedelta(days=180), timedelta(days=1)
ORDERS_EVERY = timedelta(minutes=5)
OTHERS_EVERY = timedelta(minutes=15)
CATEGORIES_EVERY = timedelta(hours=6)
TRASH_EVERY = timedelta(hours=1)
# A shop whose version does not know `modified_after` is read as a whole, but seldom; what is new comes with each poll.
SCAN_EVERY = timedelta(hours=6)
NEWEST_PAGES = 5
# Lists without a filter by change; long ones seldom.
WEEK = timedelta(days=7)
MANY_CUSTOMERS = 20_000
GO_ON = timedelta(seconds=5)


@dataclass(frozen=True)
class _Entity:
    path: str
    every: timedelta
    params: dict[str, Any]
    model: type[Any]


ENTITIES = {
    "order": _Entity("orders", ORDERS_EVERY, {"status": "any"}, Order),
    "product": _Entity("products", OTHERS_EVERY, {"status": "any"}, Product),
    "coupon": _Entity("coupons", OTHERS_EVERY, {}, Coupon),
}

REVIEWS: tuple[str, dict[str, Any]] = ("products/reviews", {"status": "all", "orderby": "date_gmt"})


def _run(task: SyncTask, work: Callable[[Walk, SyncTask], timedelta]) -> timedelta:
    walk = begin(task.store, task.entity)
    # Of this run alone: what stood around answers long ago may be repaired.
    walk.client.pollution = ""
    walk.by_ones = bool(task.params.get("stuck"))
    walk.alone.tries = dict(task.params.get("alone", {}))
    try:
        again_in = work(walk, task)
    except ToldToWait:
        raise
    except Unreachable as error:
        # Too much to answer at once, or one row that breaks its page: the next try asks for parts of it.
        if fetch.breaks_on_its_content(error):
            remember(task, stuck=True, alone=walk.alone.tries)
        raise
    finally:
        _note_oddities(walk)
    if walk.by_ones:
        remember(task, stuck=False, alone={})
    health.answered(task.store)
    Store.objects.filter(pk=task.store_id).update(polled_at=clock.now())
    return again_in


def _note_oddities(walk: Walk) -> None:
    """What the merchant should have repaired, though nothing is lost by it."""
    known, found = walk.store.capabilities, {}
    if walk.client.pollution and not known.get("pollution"):
        found["pollution"] = walk.client.pollution
    if walk.client.cached and not known.get("cached"):
        found["cached"] = clock.now().isoformat()
    if found:
        fetch.learn(walk.store, **found)


def poll_modified(task: SyncTask) -> timedelta:
    """Orders, products, coupons: what was modified after the cursor, less an overlap."""
    return _run(task, _modified)


def _modified(walk: Walk, task: SyncTask) -> timedelta:
    entity = ENTITIES[walk.entity]
    can = f"modified_after:{walk.entity}"
    if walk.store.capabilities.get(can) is False:
        return _without_filter(walk, task)
    if walk.first and _note_start(walk):
        remember(task, wide_at=clock.now().isoformat())
        return entity.every
    wide = _is_wide(task)
    bound = walk.cursor - _overlap(walk, entity, wide=wide) if walk.cursor else datetime.fromtimestamp(0, tz=UTC)
    try:
        if not walk_modified(walk, entity.path, bound, **entity.params):
            _believe_nothing(walk, entity, bound)
    except FilterIgnored:
        fetch.learn(walk.store, **{can: False})
    except Invalid as error:
        if error.code != "rest_invalid_param":
            raise
        fetch.learn(walk.store, **{can: False})
    if walk.store.capabilities.get(can) is False:
        return _without_filter(walk, task)
    if wide:
        remember(task, wide_at=clock.now().isoformat())
    if walk.entity == "order":
        _trash(walk, task)
    return entity.every


def _is_wide(task: SyncTask) -> bool:
    last = task.params.get("wide_at")
    return last is None or clock.now() - datetime.fromisoformat(last) >= WIDE_EVERY


def widen(store: Store, entities: Iterable[str]) -> None:
    """Have the next poll of these entities begin a day back, such as after webhooks were lost."""
    for task in SyncTask.objects.filter(store=store, key__in=[f"poll:{entity}" for entity in entities]):
        task.params.pop("wide_at", None)
        SyncTask.objects.filter(pk=task.pk).update(params=task.params)


def _overlap(walk: Walk, entity: _Entity, *, wide: bool) -> timedelta:
    """How far before the cursor to begin: transactions of the shop end later than the times that they write."""
    found = WIDE_OVERLAP if wide else OVERLAP
    away = clock.now() - walk.polled_at - entity.every if walk.polled_at else timedelta(0)
    return max(found, away + AFTER_OUTAGE) if away > OUTAGE else found


def _believe_nothing(walk: Walk, entity: _Entity, bound: datetime) -> None:
    """The row at the cursor should have been there. Look whether it left the list, or whether the list is not to be believed.

    NoNews when a full shop says that it has nothing, FilterIgnored when the list has newer rows than it gave.
    """
    if walk.cursor:
        newest = ask(walk, entity.path, **entity.params, orderby="modified", order="desc", per_page=1)
        at = gmt_of(newest.rows[0]) if newest.rows else None
        if at is not None and at > bound:
            # Changed between the two questions, or left out by a filter that is read as another time than GMT.
            if not walk_modified(walk, entity.path, bound, **entity.params):
                raise FilterIgnored
            return
        if not newest.rows and _still_there(walk, entity):
            raise tasks.NoNews(
                "The shop says that its list is empty, though objects of it still answer. Nothing was deleted here; "
                "it is asked again in a few minutes. If this stays, ask the host what answers in the shop's place.",
                code="empty_list",
            )
    hold_fence(walk, walk.cursor)


def _still_there(walk: Walk, entity: _Entity) -> bool:
    """Whether the newest object that the mirror holds still answers in the shop by its id."""
    rows = entity.model.objects.filter(store=walk.store)
    rows = rows.exclude(state=Coupon.State.GONE) if entity.model is Coupon else rows.filter(deleted_at=None)
    if entity.model is Product:
        rows = rows.filter(parent=None)
    woo_id = rows.exclude(woo_id=None).order_by("-woo_id").values_list("woo_id", flat=True).first()
    if woo_id is None:
        return False
    try:
        return bool(walk.client.get(f"{entity.path}/{woo_id}").get("status") != "trash")
    except Missing:
        return False


def note_starts(store: Store) -> None:
    """Before the backfill begins: where each list stands, so that what changes from here on is the polls' to bring."""
    known = set(SyncCursor.objects.filter(store=store, polled_at__isnull=False).values_list("entity", flat=True))
    for entity in [*ENTITIES, "review"]:
        if entity not in known and store.capabilities.get(f"modified_after:{entity}") is not False:
            _note_start(begin(store, entity))


def _note_start(walk: Walk) -> bool:
    """Put the cursor at the newest row, without taking it in; False when the list is empty or cannot be sorted so."""
    if walk.entity == "review":
        path, params, field = *REVIEWS, "date_created_gmt"
    else:
        entity = ENTITIES[walk.entity]
        path, params, field = entity.path, {**entity.params, "orderby": "modified"}, "date_modified_gmt"
    try:
        # Its time alone: the newest object may be the one that the shop cannot give.
        newest = ask(walk, path, **params, order="desc", per_page=1, _fields=f"id,{field}")
    except Invalid as error:
        if error.code != "rest_invalid_param":
            raise
        fetch.learn(walk.store, **{f"modified_after:{walk.entity}": False})
        return False
    hold_fence(walk, gmt_of(newest.rows[0], field) if newest.rows else None)
    return bool(newest.rows)


def _without_filter(walk: Walk, task: SyncTask) -> timedelta:
    """A shop that cannot say what changed: the newest with each poll, the whole list every few hours."""
    entity = ENTITIES[walk.entity]
    for number in range(1, NEWEST_PAGES + 1):
        page = ask(walk, entity.path, **entity.params, orderby="date", order="desc", page=number)
        ids = [row.get("id") for row in page.rows]
        known = entity.model.objects.filter(store=walk.store, woo_id__in=ids).exists()
        walk.commit(page, moves=False)
        if known or len(page.rows) < walks.PER_PAGE or not walk.store.backfilled_at:
            break
    return GO_ON if scan(walk, task, entity.path, SCAN_EVERY, **entity.params) else entity.every


def _trash(walk: Walk, task: SyncTask) -> None:
    """`any` leaves out what lies in the trash: that is asked for on its own, now and then."""
    last = task.params.get("trash_at")
    if last and clock.now() - datetime.fromisoformat(last) < TRASH_EVERY:
        return
    since = (datetime.fromisoformat(last) - OVERLAP if last else clock.now()) - timedelta(days=1)
    walk_modified(walk, "orders", since, moves=False, status="trash")
    remember(task, trash_at=clock.now().isoformat())


def poll_customers(task: SyncTask) -> timedelta:
    """Customers have no filter by change: the newest until one is known here, and all of them now and then."""
    return _run(task, _customers)


def _customers(walk: Walk, task: SyncTask) -> timedelta:
    number = 1
    while True:
        page = ask(walk, "customers", orderby="registered_date", order="desc", page=number)
        ids = [row.get("id") for row in page.rows]
        known = set(Customer.objects.filter(store=walk.store, woo_id__in=ids).values_list("woo_id", flat=True))
        walk.commit(page, moves=False)
        # Before the backfill nobody is known, and the past is its work.
        if not walk.store.backfilled_at:
            return OTHERS_EVERY
        if known or len(page.rows) < walks.PER_PAGE:
            break
        number += 1
    if "scanned_at" not in task.params:
        # The backfill has just read all.
        remember(task, scanned_at=walk.store.backfilled_at.isoformat())
    many = Customer.objects.filter(store=walk.store, woo_id__isnull=False).count() > MANY_CUSTOMERS
    return GO_ON if scan(walk, task, "customers", WEEK if many else WIDE_EVERY) else OTHERS_EVERY


def poll_reviews(task: SyncTask) -> timedelta:
    """Reviews filter by creation only."""
    return _run(task, _reviews)


def _reviews(walk: Walk, task: SyncTask) -> timedelta:
    if walk.first and _note_start(walk):
        return OTHERS_EVERY
    back = task.params.get("back_at")
    deep = walk.cursor is not None and (
        back is None or clock.now() - datetime.fromisoformat(back) >= REVIEWS_BACK_EVERY
    )
    _reviews_since(walk, walk.cursor - (REVIEWS_BACK if deep else REVIEW_OVERLAP) if walk.cursor else None)
    if deep:
        remember(task, back_at=clock.now().isoformat())
    if not walk.store.backfilled_at:
        return OTHERS_EVERY
    if "scanned_at" not in task.params:
        remember(task, scanned_at=walk.store.backfilled_at.isoformat())
    path, params = REVIEWS
    return GO_ON if scan(walk, task, path, WEEK, status=params["status"]) else OTHERS_EVERY


def _reviews_since(walk: Walk, after: datetime | None) -> None:
    path, params = REVIEWS
    number = 1
    while True:
        page = ask(walk, path, **params, after=after, order="asc", page=number)
        walk.commit(page, times="date_created_gmt")
        if not (number < page.pages if page.pages is not None else len(page.rows) >= walks.PER_PAGE):
            return
        number += 1


def poll_categories(task: SyncTask) -> timedelta:
    """Categories are few: all of them, now and then."""
    return _run(task, _categories)


def _categories(walk: Walk, task: SyncTask) -> timedelta:
    return GO_ON if scan(walk, task, "products/categories", timedelta(0)) else CATEGORIES_EVERY


def register() -> None:
    """Hook the polls in; called from `AppConfig.ready()`. The poll of orders is also the probe of a silent shop."""
    for entity in ENTITIES:
        tasks.register_poll(entity, poll_modified)
    tasks.register_poll("customer", poll_customers)
    tasks.register_poll("review", poll_reviews)
    tasks.register_poll("category", poll_categories)
