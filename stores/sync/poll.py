"""Asking the shop what changed: the loop that freshness rests on when webhooks are lost.

For each entity a cursor: the largest modification time committed, from the shop's own data and never from our clock. Rows
and cursor are written in one transaction, under a fence that a second worker raises, so a slow one cannot move it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F

from postpurchase import clock
from stores.models import Customer, Store, SyncCursor, SyncTask
from stores.sync import fetch, health, tasks
from stores.sync.fetch import gmt_of
from stores.woo.client import Client, Page, client_for
from stores.woo.errors import Invalid, ToldToWait, Unreachable

PER_PAGE = 100
OVERLAP = timedelta(minutes=10)
SECOND = timedelta(seconds=1)
# The list of reviews filters by the shop's local time in some versions and by GMT in others.
REVIEW_OVERLAP = timedelta(hours=26)
ORDERS_EVERY = timedelta(minutes=5)
OTHERS_EVERY = timedelta(minutes=15)
CATEGORIES_EVERY = timedelta(hours=6)
TRASH_EVERY = timedelta(hours=1)
# A shop whose version does not know `modified_after` is read as a whole, but seldom.
SCAN_EVERY = timedelta(hours=6)


@dataclass(frozen=True)
class _Entity:
    path: str
    every: timedelta
    params: dict[str, Any]


ENTITIES = {
    "order": _Entity("orders", ORDERS_EVERY, {"status": "any"}),
    "product": _Entity("products", OTHERS_EVERY, {"status": "any"}),
    "coupon": _Entity("coupons", OTHERS_EVERY, {}),
}

REVIEWS: tuple[str, dict[str, Any]] = ("products/reviews", {"status": "all", "orderby": "date_gmt"})


@dataclass
class Walk:
    """One run over one entity: what it stands on and what it has met."""

    store: Store
    client: Client
    entity: str
    fence: int
    cursor: datetime | None = None
    # Nobody has polled this entity before.
    first: bool = False
    # The last try of this entity broke on what a page held.
    by_ones: bool = False

    def __post_init__(self) -> None:
        self.met: set[tuple[Any, Any]] = set()

    def commit(self, page: Page, *, field: str = "date_modified_gmt", moves: bool = True) -> None:
        """Write a page's rows that this walk has not met yet, and the cursor with them."""
        fresh = [row for row in page.rows if (row.get("id"), row.get(field)) not in self.met]
        self.met |= {(row.get("id"), row.get(field)) for row in fresh}
        times = [at for row in page.rows if (at := gmt_of(row, field))]
        newest = max([*times, *([self.cursor] if self.cursor else [])], default=None) if moves else self.cursor
        with transaction.atomic():
            hold_fence(self, newest)
            if fresh:
                fetch.take_in(self.store, self.entity, fresh, fetched_at=page.fetched_at)
        self.cursor = newest


def hold_fence(walk: Walk, cursor: datetime | None) -> None:
    """Move the cursor if the fence is still ours; else LeaseLost, which rolls the rows back with it."""
    kept = SyncCursor.objects.filter(store=walk.store, entity=walk.entity, fence=walk.fence).update(
        cursor_gmt=cursor, polled_at=clock.now()
    )
    if not kept:
        raise tasks.LeaseLost


def begin(store: Store, entity: str) -> Walk:
    """Start a run: raise the fence, so that whoever ran before can write nothing more."""
    with transaction.atomic():
        SyncCursor.objects.get_or_create(store=store, entity=entity)
        SyncCursor.objects.filter(store=store, entity=entity).update(fence=F("fence") + 1)
        row = SyncCursor.objects.get(store=store, entity=entity)
    return Walk(
        store=store,
        client=client_for(store),
        entity=entity,
        fence=row.fence,
        cursor=row.cursor_gmt,
        first=row.polled_at is None and row.cursor_gmt is None,
    )


def _run(task: SyncTask, work: Callable[[Walk, SyncTask], timedelta]) -> timedelta:
    walk = begin(task.store, task.entity)
    walk.by_ones = bool(task.params.get("stuck"))
    try:
        again_in = work(walk, task)
    except ToldToWait:
        raise
    except Unreachable as error:
        # Too much to answer at once, or one row that breaks its page: the next try asks for each on its own.
        if fetch.breaks_on_its_content(error):
            _remember(task, stuck=True)
        raise
    if walk.by_ones:
        _remember(task, stuck=False)
    health.answered(task.store)
    done: dict[str, Any] = {"polled_at": clock.now()}
    if walk.client.pollution and not task.store.capabilities.get("pollution"):
        done["capabilities"] = task.store.capabilities | {"pollution": walk.client.pollution}
    Store.objects.filter(pk=task.store_id).update(**done)
    return again_in


def _remember(task: SyncTask, **what: Any) -> None:
    task.params = task.params | what
    SyncTask.objects.filter(pk=task.pk).update(params=task.params)


def poll_modified(task: SyncTask) -> timedelta:
    """Orders, products, coupons: what was modified after the cursor, less an overlap."""
    return _run(task, _modified)


def _modified(walk: Walk, task: SyncTask) -> timedelta:
    entity = ENTITIES[walk.entity]
    if walk.store.capabilities.get(f"modified_after:{walk.entity}") is False:
        scan(walk, entity.path, **entity.params)
        return SCAN_EVERY
    if walk.first and _note_start(walk):
        return entity.every
    bound = walk.cursor - OVERLAP if walk.cursor else datetime.fromtimestamp(0, tz=UTC)
    walk_modified(walk, entity.path, bound, **entity.params)
    if walk.entity == "order":
        _trash(walk, task)
    return entity.every


def note_starts(store: Store) -> None:
    """Before the backfill begins: where each list stands, so that what changes from here on is the polls' to bring."""
    known = set(SyncCursor.objects.filter(store=store, polled_at__isnull=False).values_list("entity", flat=True))
    for entity in [*ENTITIES, "review"]:
        if entity not in known and store.capabilities.get(f"modified_after:{entity}") is not False:
            _note_start(begin(store, entity))


def _note_start(walk: Walk) -> bool:
    """Put the cursor at the newest row, without taking it in; False when the list is empty."""
    if walk.entity == "review":
        path, params, field = *REVIEWS, "date_created_gmt"
    else:
        entity = ENTITIES[walk.entity]
        path, params, field = entity.path, {**entity.params, "orderby": "modified"}, "date_modified_gmt"
    newest = walk.client.page(path, **params, order="desc", per_page=1)
    hold_fence(walk, gmt_of(newest.rows[0], field) if newest.rows else None)
    return bool(newest.rows)


def walk_modified(walk: Walk, path: str, bound: datetime, **params: Any) -> None:
    """Read and commit all rows modified after `bound`, oldest first, without offsets that drift under changes.

    Always the first page after a bound that moves up to the last row's second. A second with more rows than a page is
    read on its own, from its last page to its first, because rows can only leave it.
    """
    number, pages = 1, None
    while True:
        page = _page(walk, path, bound, number, **params)
        if number == 1:
            pages = page.pages
        if pages and number < pages and len(page.rows) < PER_PAGE:
            # Short though more follows: rows that may not be shown are dropped after the cut; asked once more to be sure.
            page = _page(walk, path, bound, number, **params)
        _must_be_newer(walk, page, bound)
        if walk.entity == "order":
            fetch.add_fulfilments(walk.store, walk.client, page.rows)
        walk.commit(page)
        if not (number < pages if pages is not None else len(page.rows) >= PER_PAGE):
            return
        times = [at for row in page.rows if (at := gmt_of(row))]
        if not times:
            number += 1
        elif max(times) - SECOND > bound:
            bound, number = max(times) - SECOND, 1
        else:
            _walk_second(walk, path, max(times), **params)
            bound, number = max(times), 1


def _page(walk: Walk, path: str, bound: datetime, number: int, **params: Any) -> Page:
    asked = {
        **params,
        "modified_after": bound,
        "dates_are_gmt": True,
        "orderby": "modified",
        "order": "asc",
        "per_page": PER_PAGE,
        "page": number,
    }
    if walk.by_ones:
        return fetch.page_by_ones(walk.store, walk.client, walk.entity, path, **asked)
    return walk.client.page(path, **asked)


def _walk_second(walk: Walk, path: str, second: datetime, **params: Any) -> None:
    first = _page(walk, path, second - SECOND, 1, modified_before=second + SECOND, **params)
    for number in range(first.pages or 1, 0, -1):
        page = _page(walk, path, second - SECOND, number, modified_before=second + SECOND, **params)
        walk.commit(page)


def _must_be_newer(walk: Walk, page: Page, bound: datetime) -> None:
    """A row from before the bound tells that the shop does not know the filter and answered with everything."""
    times = [at for row in page.rows if (at := gmt_of(row))]
    if times and min(times) <= bound:
        known = walk.store.capabilities | {f"modified_after:{walk.entity}": False}
        Store.objects.filter(pk=walk.store.pk).update(capabilities=known)
        raise Invalid(
            "This version of WooCommerce cannot say what changed; the whole list is read every few hours instead.",
            code="no_modified_after",
        )


def _trash(walk: Walk, task: SyncTask) -> None:
    """`any` leaves out what lies in the trash: that is asked for on its own, now and then."""
    last = task.params.get("trash_at")
    if last and clock.now() - datetime.fromisoformat(last) < TRASH_EVERY:
        return
    since = (datetime.fromisoformat(last) - OVERLAP if last else clock.now()) - timedelta(days=1)
    page = walk.client.page(
        "orders", status="trash", modified_after=since, dates_are_gmt=True, per_page=PER_PAGE, orderby="modified"
    )
    walk.commit(page, moves=False)
    _remember(task, trash_at=clock.now().isoformat())


def scan(walk: Walk, path: str, **params: Any) -> None:
    """Read a whole list in the order of ids."""
    number = 1
    while True:
        page = walk.client.page(path, **params, orderby="id", order="asc", per_page=PER_PAGE, page=number)
        walk.commit(page, moves=False)
        if len(page.rows) < PER_PAGE and (page.pages is None or number >= page.pages):
            return
        number += 1


def poll_customers(task: SyncTask) -> timedelta:
    """Customers have no filter by change: the newest, until one is known here."""
    return _run(task, _customers)


def _customers(walk: Walk, task: SyncTask) -> timedelta:
    number = 1
    while True:
        page = walk.client.page("customers", orderby="registered_date", order="desc", per_page=PER_PAGE, page=number)
        ids = [row.get("id") for row in page.rows]
        known = set(Customer.objects.filter(store=walk.store, woo_id__in=ids).values_list("woo_id", flat=True))
        walk.commit(page, moves=False)
        # Before the backfill nobody is known, and the past is its work.
        if known or len(page.rows) < PER_PAGE or not walk.store.backfilled_at:
            return OTHERS_EVERY
        number += 1


def poll_reviews(task: SyncTask) -> timedelta:
    """Reviews filter by creation only."""
    return _run(task, _reviews)


def _reviews(walk: Walk, task: SyncTask) -> timedelta:
    path, params = REVIEWS
    if walk.first and _note_start(walk):
        return OTHERS_EVERY
    number = 1
    after = walk.cursor - REVIEW_OVERLAP if walk.cursor else None
    while True:
        page = walk.client.page(path, **params, after=after, order="asc", per_page=PER_PAGE, page=number)
        walk.commit(page, field="date_created_gmt")
        if len(page.rows) < PER_PAGE:
            return OTHERS_EVERY
        number += 1


def poll_categories(task: SyncTask) -> timedelta:
    """Categories are few: all of them, now and then."""
    return _run(task, _categories)


def _categories(walk: Walk, task: SyncTask) -> timedelta:
    scan(walk, "products/categories")
    return CATEGORIES_EVERY


def register() -> None:
    """Hook the polls in; called from `AppConfig.ready()`. The poll of orders is also the probe of a silent shop."""
    for entity in ENTITIES:
        tasks.register_poll(entity, poll_modified)
    tasks.register_poll("customer", poll_customers)
    tasks.register_poll("review", poll_reviews)
    tasks.register_poll("category", poll_categories)
