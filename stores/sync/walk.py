"""One run over one list of the shop: rows and cursor together, under a fence, in an order that changes cannot upset."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F

from postpurchase import clock
from stores.models import Quarantined, Store, SyncCursor, SyncTask
from stores.sync import fetch, tasks
from stores.sync.fetch import gmt_of
from stores.woo.client import Client, Page, client_for

PER_PAGE = 100
SECOND = timedelta(seconds=1)
# Pages of a whole list that one run reads: it must end well before its lease does.
SCAN_PAGES = 20
# Objects that break their page and are left out of the question; an address has no room for many more.
LEFT_OUT = 50


@dataclass
class Walk:
    """One run over one entity: what it stands on and what it has met."""

    store: Store
    client: Client
    entity: str
    fence: int
    cursor: datetime | None = None
    # The last run that got through.
    polled_at: datetime | None = None
    # The last try of this entity broke on what a page held.
    by_ones: bool = False
    alone: fetch.Alone = field(default_factory=lambda: fetch.Alone({}))
    met: set[tuple[Any, Any]] = field(default_factory=set)
    left_out: list[int] = field(default_factory=list)

    @property
    def first(self) -> bool:
        """Nobody has polled this entity before."""
        return self.polled_at is None and self.cursor is None

    def commit(self, page: Page, *, times: str = "date_modified_gmt", moves: bool = True) -> None:
        """Write a page's rows that this walk has not met yet, and the cursor with them."""
        fresh = [row for row in page.rows if (row.get("id"), row.get(times)) not in self.met]
        if fresh and self.entity == "order":
            fetch.complete_news(self.store, self.client, fresh)
        self.met |= {(row.get("id"), row.get(times)) for row in fresh}
        newest = _newest(self.cursor, page, times) if moves else self.cursor
        with transaction.atomic():
            hold_fence(self, newest)
            if fresh:
                fetch.take_in(self.store, self.entity, fresh, fetched_at=page.fetched_at)
        self.cursor = newest


def _newest(cursor: datetime | None, page: Page, times: str) -> datetime | None:
    found = [at for row in page.rows if (at := gmt_of(row, times))]
    newest = max([*found, *([cursor] if cursor else [])], default=None)
    # A row from the shop's own future (its clock was wrong, or an import) would hide all changes until then.
    if newest and page.told_at and newest > page.told_at + SECOND:
        return page.told_at
    return newest


class FilterIgnored(Exception):
    """The shop answered with rows that were not asked for: it does not know the filter."""


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
    # What the shop itself cannot give would break each page that it stands on; it is tried on its own.
    broken = Quarantined.objects.filter(store=store, entity=entity, solved_at=None, by_shop=True).order_by("-last_at")
    return Walk(
        store=store,
        client=client_for(store),
        entity=entity,
        fence=row.fence,
        cursor=row.cursor_gmt,
        polled_at=row.polled_at,
        left_out=[woo_id for woo_id in broken.values_list("woo_id", flat=True)[:LEFT_OUT] if woo_id],
    )


def remember(task: SyncTask, **what: Any) -> None:
    """Keep something between the runs of a task."""
    task.params = task.params | what
    SyncTask.objects.filter(pk=task.pk).update(params=task.params)


def ask(walk: Walk, path: str, **params: Any) -> Page:
    """A page of the list, fresh from the shop. NoNews when only a cache answers.

    After a page broke on what it held it is asked for in parts, but for one of some `_fields` only, which cannot break so.
    """
    params = {"per_page": PER_PAGE, **({"exclude": walk.left_out} if walk.left_out else {}), **params}
    page = (
        fetch.page_by_ones(walk.store, walk.client, walk.entity, path, walk.alone, **params)
        if walk.by_ones and "_fields" not in params
        else walk.client.page(path, **params)
    )
    if page.stale:
        raise tasks.NoNews(
            "A cache in front of the shop answers with old data, whatever is asked. Nothing was lost; it is tried again. "
            "Ask the host, or whoever set up the cache, to leave /wp-json/ out of it.",
            code="cached",
        )
    return page


def modified_since(walk: Walk, path: str, bound: datetime, number: int, **params: Any) -> Page:
    """Page `number` of what was modified after `bound`, the longest unchanged first."""
    return ask(
        walk,
        path,
        **params,
        modified_after=bound,
        dates_are_gmt=True,
        orderby="modified",
        order="asc",
        page=number,
    )


def walk_modified(walk: Walk, path: str, bound: datetime, *, moves: bool = True, **params: Any) -> bool:
    """Read and commit all rows modified after `bound`, oldest first, without offsets that drift under changes.

    Always the first page after a bound that moves up to the last row's second. A second with more rows than a page is
    read on its own, from its last page to its first, because rows can only leave it; so is a list that comes in another
    order than was asked for. False when the shop has no such row; nothing is committed then. Raises FilterIgnored.
    """
    number, pages, any_rows = 1, None, False
    while True:
        page = modified_since(walk, path, bound, number, **params)
        if number == 1:
            pages = page.pages
        if pages and number < pages and len(page.rows) < PER_PAGE:
            # Short though more follows: rows that may not be shown are dropped after the cut; asked once more to be sure.
            page = modified_since(walk, path, bound, number, **params)
        more = number < pages if pages is not None else len(page.rows) >= PER_PAGE
        times = [at for row in page.rows if (at := gmt_of(row))]
        if times and min(times) <= bound:
            raise FilterIgnored
        if not page.rows and not more:
            if any_rows:
                # The end; an empty answer to the first question is no word on anything, and the caller's to judge.
                walk.commit(page, moves=False)
            return any_rows
        any_rows = True
        if times != sorted(times):
            _window(walk, path, bound, None, moves=moves, **params)
            return True
        walk.commit(page, moves=moves)
        if not more:
            return True
        if not times:
            number += 1
        elif max(times) - SECOND > bound:
            bound, number = max(times) - SECOND, 1
        else:
            _window(walk, path, bound, max(times) + SECOND, moves=moves, **params)
            bound, number = max(times), 1


def _window(
    walk: Walk, path: str, after: datetime, before: datetime | None, *, moves: bool = True, **params: Any
) -> None:
    """All rows modified between two moments, from the last page to the first; the cursor moves when all are here."""
    asked = {**params, "modified_before": before}
    newest = walk.cursor
    for number in range(modified_since(walk, path, after, 1, **asked).pages or 1, 0, -1):
        page = modified_since(walk, path, after, number, **asked)
        walk.commit(page, moves=False)
        newest = _newest(newest, page, "date_modified_gmt")
    if moves:
        with transaction.atomic():
            hold_fence(walk, newest)
        walk.cursor = newest


def scan(walk: Walk, task: SyncTask, path: str, every: timedelta, **params: Any) -> bool:
    """Read a whole list in the order of ids, if that is due: some pages now, the rest in the next runs.

    True while there is more to read.
    """
    place, last = task.params.get("scan"), task.params.get("scanned_at")
    if not place and last and clock.now() - datetime.fromisoformat(last) < every:
        return False
    number, total = (place or {}).get("page", 1), (place or {}).get("total")
    for _ in range(SCAN_PAGES):
        page = ask(walk, path, **params, orderby="id", order="asc", page=number)
        walk.commit(page, moves=False)
        more = number < page.pages if page.pages is not None else len(page.rows) >= PER_PAGE
        # Fewer than before: something was deleted, and what followed moved up, onto the page already read.
        shrunk = total is not None and page.total is not None and 0 < page.total < total
        if not (more or shrunk):
            remember(task, scan=None, scanned_at=clock.now().isoformat())
            return False
        number, total = (max(number - 1, 1) if shrunk else number + 1), page.total
        remember(task, scan={"page": number, "total": total})
    return True
