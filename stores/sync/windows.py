"""Windows of creation time, in which the backfill reads orders: small enough for a page or a few, so that neither the
order of rows nor changes meanwhile can lose one."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from postpurchase import clock
from stores.models import Store
from stores.sync import fetch
from stores.sync.fetch import gmt_of
from stores.woo.client import Client, Page

SECOND = timedelta(seconds=1)
# The share of a page that a window aims at: fuller ones overflow too often, and each overflow costs a request.
FILL = 0.85
# A window of more pages than this is cut instead of being read to its end.
FEW_PAGES = 3
# Parcels that the shop keeps itself cost a request for each order, so they are fetched for recent ones only.
PARCELS_OF = timedelta(days=60)


@dataclass(frozen=True)
class Window:
    """From `lower` to before `upper`; `first` when nothing is older, so that it is open below."""

    upper: datetime
    lower: datetime
    first: bool

    @property
    def width(self) -> timedelta:
        return self.upper - self.lower

    def params(self, size: int) -> dict[str, Any]:
        """What to ask the list of orders for. Both bounds are exclusive there."""
        return {
            **({} if self.first else {"after": self.lower - SECOND}),
            "before": self.upper,
            "dates_are_gmt": True,
            "status": "any",
            "orderby": "date",
            "order": "desc",
            "per_page": size,
        }


@dataclass(frozen=True)
class Read:
    """An answer for a window. Unless `whole`, it holds `count` orders, which are too many, and must be cut."""

    rows: list[dict[str, Any]]
    count: int
    whole: bool
    fetched_at: datetime
    # Rows of the largest page, by which the time of the answer is judged.
    asked: int


def cut(upper: datetime, width: int, oldest: datetime) -> Window:
    """The window of `width` seconds below `upper`."""
    lower = upper - timedelta(seconds=width)
    return Window(upper, max(lower, oldest), lower <= oldest)


def read(store: Store, client: Client, window: Window, size: int) -> Read:
    """All orders of a window with their parcels, one request after the other; not from the database."""
    page = client.page("orders", **window.params(size))
    rows, count = page.rows, _count(page, size)
    if count > size and window.width > SECOND and (page.total is None or count > size * FEW_PAGES):
        return Read([], count, False, page.fetched_at, len(rows))
    if count > size:
        rows = _rest(client, window, size, page)
    recent = [row for row in rows if (at := gmt_of(row, "date_created_gmt")) and at > clock.now() - PARCELS_OF]
    fetch.add_fulfilments(store, client, recent)
    return Read(rows, count, True, page.fetched_at, len(rows))


def light(client: Client, window: Window, size: int) -> list[int]:
    """The ids of a window's orders, without anything that could break on its content."""
    slim = {**window.params(size), "_fields": "id,date_modified_gmt,date_created_gmt"}
    page = client.page("orders", **slim)
    rows = page.rows
    for number in range(2, math.ceil(_count(page, size) / size) + 1):
        rows = rows + client.page("orders", **slim, page=number).rows
    return list(dict.fromkeys(int(row["id"]) for row in rows if row.get("id")))


def _count(page: Page, size: int) -> int:
    """How many orders there are, as told; a full page of a shop that tells nothing may hide as many again."""
    if page.total is not None:
        return page.total
    return len(page.rows) if len(page.rows) < size else size * 2


def _rest(client: Client, window: Window, size: int, first: Page) -> list[dict[str, Any]]:
    """Every page of the window: from the last to the second, since rows can only leave a window of the past.

    One that left moves another onto a page already read: then the total has changed and the first is read again.
    """
    told, rows = first.total, list(first.rows)
    if told is None:
        number = 2
        while (page := client.page("orders", **window.params(size), page=number)).rows:
            rows += page.rows
            number += 1
    else:
        moved = False
        for number in range(math.ceil(told / size), 1, -1):
            page = client.page("orders", **window.params(size), page=number)
            # A page past the end tells 0 in some shops; it has moved then, too.
            moved = moved or page.total != told
            rows += page.rows
        if moved:
            rows += client.page("orders", **window.params(size)).rows
    return list({row.get("id"): row for row in rows}.values())


def next_width(width: float, rows: int, *, planned: float, size: int) -> int:
    """Seconds of the next windows after one of `width` brought `rows`: what would have held as many as one aims at.

    At most four times as wide; small differences are smoothed by what was planned before.
    """
    factor = min(size * FILL / max(rows, 1), 4)
    aim = max(width, 1) * factor
    if 0.5 < factor < 2:
        aim = math.sqrt(aim * max(planned, 1))
    return max(int(aim), 1)
