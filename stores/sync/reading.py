"""One slice of the backfill: list after list, and orders window after window.

Orders are read in windows of their creation time, several at once as far as the store bears it, and applied strictly in
their order: what is complete is complete back to a date. An object that breaks its page is found and put aside.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from django.db import transaction
from django.utils.translation import gettext as _

from postpurchase import clock, killpoints
from postpurchase.errors import RetryLater
from stores import jobs, turns
from stores.jobs import JobProgress
from stores.models import Job, Product, Quarantined, Refund, Store
from stores.sync import apply, fetch, health, poll, windows
from stores.sync.fetch import gmt_of
from stores.sync.flight import BESIDE, MOST, Flight, Stopped
from stores.sync.tasks import LeaseLost
from stores.sync.windows import Window
from stores.woo.client import Client, Page, client_for
from stores.woo.errors import Missing, ToldToWait, Unreachable

PER_PAGE = 100
# Read ahead beyond what is under way, so that nobody waits while a window is written. Bounds the memory.
AHEAD = 2

Answer = TypeVar("Answer")
# Phase, entity, list, parameters. Products before orders, so that lines find them.
LISTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "categories": ("category", "products/categories", {}),
    "products": ("product", "products", {"status": "any"}),
    "customers": ("customer", "customers", {}),
    "coupons": ("coupon", "coupons", {}),
    "reviews": ("review", "products/reviews", {"status": "all"}),
}
PHASES = ["start", "categories", "products", "variations", "customers", "orders", "refunds", "coupons", "reviews"]


class Reading:
    """One slice. `cursor` is the whole state: phase, place in it, counts; saved with the rows of each window."""

    def __init__(self, job: Job, ends: float) -> None:
        self.job, self.store, self.ends = job, job.store, ends
        self.client: Client = client_for(job.store)
        self.cursor: dict[str, Any] = {"phase": "start", "done": 0, "totals": {}, "quarantined": 0, **job.cursor}
        self.last = job.last_item
        self.flight = Flight(self.cursor.get("flight"), gentle=job.store.gentle)
        self._ahead: deque[tuple[Window, Future[windows.Read]]] = deque()
        self._next: tuple[Any, Future[Page]] | None = None

    def go(self) -> None:
        try:
            while self.cursor["phase"] != "end" and jobs.wanted(self.job):
                self._step()
                if clock.monotonic() < self.ends:
                    continue
                # Nothing more is asked for; what is under way is still taken in.
                self.flight.stop()
                if not self._ahead:
                    break
        except Stopped:
            if self.flight.told:
                raise self.flight.told from None
        if self.client.pollution and not self.store.capabilities.get("pollution"):
            told = self.store.capabilities | {"pollution": self.client.pollution}
            Store.objects.filter(pk=self.store.pk).update(capabilities=told)
        if self.cursor["phase"] == "end":
            Store.objects.filter(pk=self.store.pk).update(backfilled_at=clock.now())
        health.answered(self.store)

    def _step(self) -> None:
        phase = self.cursor["phase"]
        if self.cursor.get("apart"):
            self._apart()
            return
        steps: dict[str, Callable[[], bool]] = {
            "start": self._start,
            "variations": self._variations,
            "orders": self._orders,
            "refunds": self._refunds,
        }
        step = steps.get(phase) or self._list
        if not step():
            self._save(phase=_after(phase), place=None)

    def progress(self) -> JobProgress:
        totals = self.cursor["totals"]
        finished = self.cursor["phase"] == "end"
        return JobProgress(
            finished=finished,
            phase=self.cursor["phase"],
            done=self.cursor["done"],
            total=self.cursor["done"] if finished else self._total(),
            last_item=self.last,
            errors=self.cursor["quarantined"],
            result={"sentence": _sentence(totals), "totals": totals} if finished else None,
        )

    def _total(self) -> int:
        return max(sum(self.cursor["totals"].values()), self.cursor["done"])

    def struggled(self) -> None:
        """The store failed: the next slice asks for less at once."""
        self.flight.struggles()
        self._save()

    # What a page does

    def _save(self, **changes: Any) -> None:
        """Move the place, if this worker still holds the job; else whatever is in the transaction is rolled back."""
        moved = {**self.cursor, "flight": self.flight.state(), **changes}
        before, self.cursor = self.cursor, moved
        try:
            jobs.save(
                self.job,
                cursor=moved,
                done=moved["done"],
                total=self._total(),
                phase=moved["phase"],
                last_item=self.last,
                errors=moved["quarantined"],
            )
        except BaseException:
            self.cursor = before
            raise

    def _take(self, entity: str, rows: list[dict[str, Any]], fetched_at: datetime, **place: Any) -> None:
        if rows:
            self.last = f"{entity} {rows[-1].get('number') or rows[-1].get('id')}"
        with transaction.atomic():
            bad = 0
            for some, past in self._by_age(entity, rows):
                bad += apply.apply(self.store, entity, some, fetched_at=fetched_at, historic=past).quarantined
            killpoints.reach(f"backfill.{entity}.applied")
            self._save(done=self.cursor["done"] + len(rows), quarantined=self.cursor["quarantined"] + bad, **place)

    def _by_age(self, entity: str, rows: list[dict[str, Any]]) -> list[tuple[list[dict[str, Any]], bool]]:
        """The rows with whether they are history. An order placed since the connect is news, whoever brings it first."""
        since = self.store.live_from if entity == "order" and self.store.backfilled_at is None else None
        news = [row for row in rows if since and (at := gmt_of(row, "date_created_gmt")) and at >= since]
        known = [row for row in rows if row not in news] if news else rows
        return [(some, past) for some, past in ((known, True), (news, False)) if some]

    def _ask(self, call: Callable[[], Answer]) -> Answer:
        """One request, in its turn."""
        return self.flight.ask(call).result()

    def _page(self, path: str, **params: Any) -> Page:
        """A page of a list, perhaps the one that is already under way."""
        key = (path, repr(sorted(params.items())))
        ahead, self._next = self._next, None
        if ahead and ahead[0] == key:
            return ahead[1].result()
        return self._ask(partial(self.client.page, path, **params))

    def _look_ahead(self, path: str, **params: Any) -> None:
        """Ask for the next page while this one is being written."""
        if clock.monotonic() < self.ends:
            key = (path, repr(sorted(params.items())))
            self._next = (key, self.flight.ask(partial(self.client.page, path, **params)))

    # Phases; each does one page and says whether there is more

    def _start(self) -> bool:
        try:
            poll.note_starts(self.store)
        except LeaseLost:
            # A poll of the same list began meanwhile: no word on this job. It begins again in a moment.
            raise RetryLater(5, "") from None
        totals = {}
        for phase, (_entity, path, params) in LISTS.items():
            totals[phase] = self._ask(partial(self.client.page, path, **params, per_page=1, _fields="id")).total or 0
        totals["orders"] = (
            self._ask(partial(self.client.page, "orders", status="any", per_page=1, _fields="id")).total or 0
        )
        self._save(totals=totals)
        return False

    def _list(self) -> bool:
        phase = self.cursor["phase"]
        entity, path, params = LISTS[phase]
        place = self.cursor.get("place") or {"page": 1, "total": None}
        number = place["page"]
        asked = {**params, "orderby": "id", "order": "asc", "per_page": PER_PAGE}
        try:
            page = self._page(path, page=number, **asked)
        except Unreachable as error:
            if not self._is_content(error):
                raise
            slim = self._ask(partial(self.client.page, path, page=number, **asked, _fields="id"))
            last = number >= slim.pages if slim.pages is not None else len(slim.rows) < PER_PAGE
            then = {"phase": _after(phase), "place": None} if last else {"phase": phase}
            self._set_apart(
                entity,
                path,
                params,
                [row["id"] for row in slim.rows],
                {"place": {"page": number + 1, "total": None}, **then},
            )
            return True
        more = number < page.pages if page.pages is not None else len(page.rows) >= PER_PAGE
        # Fewer rows than before: something was deleted, and what followed moved up, onto the page already read.
        shrunk = place["total"] is not None and page.total is not None and 0 < page.total < place["total"]
        following = max(number - 1, 1) if shrunk else number + 1
        if more and not shrunk:
            self._look_ahead(path, page=following, **asked)
        self._take(entity, page.rows, page.fetched_at, place={"page": following, "total": page.total})
        return more or shrunk

    def _variations(self) -> bool:
        place = self.cursor.get("place") or {"after": 0}
        product = (
            Product.objects.filter(store=self.store, parent=None, kind__in=fetch.VARIABLE, woo_id__gt=place["after"])
            .order_by("woo_id")
            .first()
        )
        if product is None:
            return False
        act = partial(fetch.variations_of, self.store, self.client, product.woo_id, historic=True)
        self._alone("variations", product.woo_id, act, place, {"after": product.woo_id})
        return True

    def _alone(
        self, entity: str, woo_id: int, act: Callable[[], object], place: dict[str, Any], following: dict[str, Any]
    ) -> None:
        """What hangs on one object. When that breaks again and again and the store answers otherwise, it is put aside."""
        try:
            act()
        except Missing:
            self._save(place=following)
        except Unreachable as error:
            if not self._is_content(error):
                raise
            self._answers("products")
            tries = place.get("tries", 0) + 1
            if tries < fetch.ALONE:
                self._save(place={**place, "tries": tries})
                return
            with transaction.atomic():
                fetch.put_aside(self.store, entity, woo_id, error.message)
                self._save(place=following, quarantined=self.cursor["quarantined"] + 1)
        else:
            self._save(place=following)

    def _is_content(self, error: Unreachable) -> bool:
        return not isinstance(error, ToldToWait) and fetch.breaks_on_its_content(error)

    def _answers(self, path: str) -> None:
        """Whether the list answers at all; raises when it does not, and then no object is to blame."""
        asked = {"orderby": "id", "per_page": 1, "_fields": "id"}
        try:
            self._ask(partial(self.client.page, path, **asked, order="asc"))
        except Unreachable as error:
            if not self._is_content(error):
                raise
            # It may be the oldest one itself that breaks.
            self._ask(partial(self.client.page, path, **asked, order="desc"))

    # Orders

    def _orders(self) -> bool:
        place = self.cursor.get("place") or self._first_window()
        if place is None:
            return False
        oldest = datetime.fromisoformat(place["oldest"])
        self._plan(datetime.fromisoformat(place["upper"]), place["width"], oldest)
        window, answer = self._ahead.popleft()
        try:
            read = answer.result()
        except Unreachable as error:
            self._forget()
            if not self._is_content(error):
                raise
            self.flight.struggles()
            self._take_apart(window, place, error)
            return True
        seconds = window.width.total_seconds()
        if not read.whole:
            self._forget()
            pieces = max(read.count / (self.flight.size * windows.FILL), 2)
            self._save(place={**place, "width": max(int(seconds / pieces), 1)})
            return True
        width = windows.next_width(seconds, len(read.rows), planned=place["width"], size=self.flight.size)
        following = {"upper": window.lower.isoformat(), "width": width, "oldest": place["oldest"]}
        if not window.first:
            self._plan(window.lower, width, oldest)
        with transaction.atomic():
            self._take("order", read.rows, read.fetched_at, place=following)
            Store.objects.filter(pk=self.store.pk).update(complete_since=window.lower)
        killpoints.reach("backfill.window.committed")
        return not window.first

    def _plan(self, upper: datetime, width: int, oldest: datetime) -> None:
        """Ask for the next windows, from `upper` downwards, as far as the store bears it."""
        self._share()
        if self._ahead:
            last = self._ahead[-1][0]
            if last.first:
                return
            upper = last.lower
        while not self._ahead or (len(self._ahead) < self.flight.limit + AHEAD and clock.monotonic() < self.ends):
            window = windows.cut(upper, width, oldest)
            call = partial(windows.read, self.store, self.client, window, self.flight.size)
            self._ahead.append((window, self.flight.ask(call, rows=lambda read: read.asked)))
            if window.first:
                break
            upper = window.lower

    def _share(self) -> None:
        """Four calls at once while nobody else wants to ask this shop, else three."""
        if self.flight.wants_more and turns.take_fourth(self.job):
            self.flight.room(MOST)
        elif self.flight.most == MOST:
            self._share_again()

    def _share_again(self) -> None:
        self.flight.room(BESIDE)
        turns.give_fourth_back(self.job)

    def land(self) -> None:
        """Wait for what is under way, and leave the shop to the others."""
        self.flight.close()
        if self.flight.most == MOST:
            self._share_again()

    def _forget(self) -> None:
        """What is under way behind a window that has to be asked for again is asked for again, too."""
        self.flight.drop()
        self._ahead.clear()

    def _first_window(self) -> dict[str, Any] | None:
        """From the newest order downwards; as wide as the average lets one page of orders last."""
        asked = {"status": "any", "orderby": "date", "per_page": 1, "_fields": "id,date_created_gmt"}
        newest = self._ask(partial(self.client.page, "orders", **asked, order="desc"))
        oldest = self._ask(partial(self.client.page, "orders", **asked, order="asc"))
        times = [at for row in [*newest.rows, *oldest.rows] if (at := gmt_of(row, "date_created_gmt"))]
        if not times:
            return None
        # An hour more on both sides: shops sort by local time, which is not the order of GMT when the clocks go back.
        upper, lower = max(times) + timedelta(hours=1), min(times) - timedelta(hours=1)
        span = (upper - lower).total_seconds()
        width = max(int(span * self.flight.size * windows.FILL / max(newest.total or 1, 1)), 1)
        return {"upper": upper.isoformat(), "width": min(width, int(span)), "oldest": lower.isoformat()}

    def _take_apart(self, window: Window, place: dict[str, Any], error: Unreachable) -> None:
        """A window that breaks: its orders one group after the other; where not even its ids come, a narrower one."""
        phase = _after("orders") if window.first else "orders"
        then = {"phase": phase, "place": None if window.first else {**place, "upper": window.lower.isoformat()}}
        try:
            ids = self._ask(partial(windows.light, self.client, window, self.flight.size))
        except Unreachable as failure:
            if not self._is_content(failure):
                raise
            self._answers("orders")
            seconds = int(window.width.total_seconds())
            if seconds > 1:
                self._save(place={**place, "width": seconds // 2})
                return
            tries = place.get("tries", 0) + 1
            if tries < fetch.ALONE:
                self._save(place={**place, "tries": tries})
                return
            with transaction.atomic():
                reason = _("Orders created at %(at)s (GMT): %(why)s") % {
                    "at": f"{window.lower:%Y-%m-%d %H:%M:%S}",
                    "why": error.message,
                }
                if not Quarantined.objects.filter(store=self.store, entity="order", reason=reason).exists():
                    Quarantined.objects.create(store=self.store, entity="order", reason=reason)
                then["place"] = (
                    None if window.first else {**place, "upper": window.lower.isoformat(), "tries": 0, "width": 3600}
                )
                self._save(quarantined=self.cursor["quarantined"] + 1, **then)
                Store.objects.filter(pk=self.store.pk).update(complete_since=window.lower)
            return
        self._set_apart("order", "orders", {"status": "any"}, ids, then, complete=window.lower)

    # Objects that break their page

    def _set_apart(
        self,
        entity: str,
        path: str,
        params: dict[str, Any],
        ids: list[int],
        then: dict[str, Any],
        *,
        complete: datetime | None = None,
    ) -> None:
        """Have these objects fetched in ever smaller groups; `then` is where it goes on."""
        half = (len(ids) + 1) // 2
        groups = [group for group in (ids[:half], ids[half:]) if group]
        apart = {"entity": entity, "path": path, "params": params, "groups": groups, "tries": 0, "then": then}
        self._save(apart={**apart, "complete": complete.isoformat() if complete else None})

    def _apart(self) -> None:
        """One group. It comes, or is halved, or is one object that fails alone for the third time and is put aside."""
        apart = self.cursor["apart"]
        if not apart["groups"]:
            with transaction.atomic():
                if apart["complete"]:
                    at = datetime.fromisoformat(apart["complete"])
                    Store.objects.filter(pk=self.store.pk).update(complete_since=at)
                self._save(apart=None, **apart["then"])
            return
        entity, path = apart["entity"], apart["path"]
        ids, *others = apart["groups"]
        begun = clock.now()
        try:
            if len(ids) == 1:
                rows = [self._ask(partial(self.client.get, f"{path}/{ids[0]}"))]
            else:
                asked = {**apart["params"], "include": ids, "per_page": len(ids)}
                rows = self._ask(partial(self.client.page, path, **asked)).rows
        except Missing:
            self._save(apart={**apart, "groups": others, "tries": 0})
        except Unreachable as error:
            if not self._is_content(error):
                raise
            self._answers(path)
            self._still_broken(apart, error)
        else:
            # Rows that a shop leaves out of its list without a word are asked for by their id.
            silent = [one for one in ids if len(ids) > 1 and one not in {row.get("id") for row in rows}]
            left = [*([one] for one in silent), *others]
            self._take(entity, rows, begun, apart={**apart, "groups": left, "tries": 0})

    def _still_broken(self, apart: dict[str, Any], error: Unreachable) -> None:
        ids, *others = apart["groups"]
        tries = apart["tries"] + 1
        if len(ids) > 1:
            half = (len(ids) + 1) // 2
            self._save(apart={**apart, "groups": [ids[:half], ids[half:], *others], "tries": 0})
        elif tries < fetch.ALONE:
            self._save(apart={**apart, "tries": tries})
        else:
            with transaction.atomic():
                fetch.put_aside(self.store, apart["entity"], ids[0], error.message)
                counts = {"done": self.cursor["done"] + 1, "quarantined": self.cursor["quarantined"] + 1}
                self._save(apart={**apart, "groups": others, "tries": 0}, **counts)

    # Refunds

    def _refunds(self) -> bool:
        """Lines of refunds: from the list of all where the shop has one, else order by order."""
        place = self.cursor.get("place") or {"page": 1, "after": 0}
        if not Refund.objects.filter(store=self.store, lines__isnull=True, deleted_at=None).exists():
            return False
        if place["page"]:
            try:
                page = self._ask(partial(self.client.page, "refunds", per_page=PER_PAGE, page=place["page"]))
            except Unreachable as error:
                # No such list in this shop, or a refund that breaks it: order by order, then.
                if error.code != "rest_no_route" and not self._is_content(error):
                    raise
                self._save(place={"page": 0, "after": 0})
                return True
            more = len(page.rows) >= PER_PAGE
            with transaction.atomic():
                if page.rows:
                    apply.apply(self.store, "refund", page.rows, fetched_at=page.fetched_at, historic=True)
                self._save(place={"page": place["page"] + 1 if more else 0, "after": 0})
            return True
        waiting = Refund.objects.filter(
            store=self.store, lines__isnull=True, deleted_at=None, order__woo_id__gt=place["after"]
        ).values_list("order__woo_id", flat=True)
        order_id = waiting.order_by("order__woo_id").first()
        if order_id is None:
            return False
        act = partial(fetch.refunds_of, self.store, self.client, order_id, historic=True)
        self._alone("refund", order_id, act, place, {"page": 0, "after": order_id})
        return True


def _after(phase: str) -> str:
    return [*PHASES, "end"][PHASES.index(phase) + 1]


def _sentence(totals: dict[str, int]) -> str:
    """What a finished backfill has to say."""
    return _("%(orders)s orders, %(customers)s customers and %(products)s products are here.") % {
        "orders": totals.get("orders", 0),
        "customers": totals.get("customers", 0),
        "products": totals.get("products", 0),
    }
