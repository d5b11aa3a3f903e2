"""The first reading of the whole shop, as a job: resumable at each page, newest orders first, never a message from it.

Orders are read in windows of their creation time, each small enough for one page: then neither order of rows nor changes
meanwhile can lose one. While a window is written, the next is already under way.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from postpurchase import clock, killpoints
from postpurchase.errors import RetryLater
from stores import jobs
from stores.jobs import JobProgress
from stores.models import Job, Product, Refund, Store
from stores.sync import apply, fetch, health, poll
from stores.sync.fetch import gmt_of
from stores.sync.tasks import LeaseLost
from stores.woo.client import Client, Page, client_for
from stores.woo.errors import Blocked, KeysRefused, ToldToWait, Unreachable

KIND = "backfill"
PER_PAGE = 100
# Rows that a window aims at: full pages now and then overflow and have to be asked for again in halves.
AIM = 80
# Parcels that the shop keeps itself cost a request for each order, so they are fetched for recent ones only.
PARCELS_OF = timedelta(days=60)
SECOND = timedelta(seconds=1)

# Phase, entity, list, parameters. Products before orders, so that lines find them.
LISTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "categories": ("category", "products/categories", {}),
    "products": ("product", "products", {"status": "any"}),
    "customers": ("customer", "customers", {}),
    "coupons": ("coupon", "coupons", {}),
    "reviews": ("review", "products/reviews", {"status": "all"}),
}
PHASES = ["start", "categories", "products", "variations", "customers", "orders", "refunds", "coupons", "reviews"]


def start(store: Store, *, user: Any = None) -> Job:
    """Queue the backfill of a store, or go on with the one that was begun."""
    failed = Job.objects.filter(store=store, kind=KIND, status=Job.Status.FAILED).order_by("-pk").first()
    if failed:
        jobs.resume(failed)
        return failed
    return jobs.start(store, KIND, user=user)


def register() -> None:
    """Hook the handler in; called from `AppConfig.ready()`."""
    jobs.register(KIND, run_slice)


def run_slice(job: Job, budget_seconds: float) -> JobProgress:
    """Read pages until the budget is spent. The shop failing keeps the place and asks for time."""
    run = _Run(job, clock.monotonic() + budget_seconds)
    try:
        run.go()
    except ToldToWait as wait:
        raise RetryLater(wait.seconds, wait.message) from None
    except (Unreachable, Blocked, KeysRefused) as error:
        if isinstance(error, Unreachable) and fetch.breaks_on_its_content(error):
            run.stuck()
        health.failed(job.store, error)
        raise RetryLater(health.probe_in(job.store.failures).total_seconds(), error.message) from None
    finally:
        run.close()
    return run.progress()


class _Run:
    """One slice. `cursor` is the whole state: phase, place in it, counts; saved with the rows of each page."""

    def __init__(self, job: Job, ends: float) -> None:
        self.job, self.store, self.ends = job, job.store, ends
        self.client: Client = client_for(job.store)
        self.cursor: dict[str, Any] = {"phase": "start", "done": 0, "totals": {}, "quarantined": 0, **job.cursor}
        self.last = job.last_item
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="backfill")
        self._ahead: tuple[Any, Future[Page]] | None = None

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def go(self) -> None:
        while self.cursor["phase"] != "end":
            phase = self.cursor["phase"]
            steps: dict[str, Callable[[], bool]] = {
                "start": self._start,
                "variations": self._variations,
                "orders": self._orders,
                "refunds": self._refunds,
            }
            step = steps.get(phase) or self._list
            if not step():
                following = [*PHASES, "end"][PHASES.index(phase) + 1]
                self._save(phase=following, place=None)
            if clock.monotonic() >= self.ends:
                break
        if self.cursor["phase"] == "end":
            Store.objects.filter(pk=self.store.pk).update(backfilled_at=clock.now())
        health.answered(self.store)

    def progress(self) -> JobProgress:
        totals = self.cursor["totals"]
        finished = self.cursor["phase"] == "end"
        done = self.cursor["done"]
        return JobProgress(
            finished=finished,
            phase=self.cursor["phase"],
            done=done,
            total=done if finished else max(sum(totals.values()), done),
            last_item=self.last,
            errors=self.cursor["quarantined"],
            result={"sentence": _sentence(totals), "totals": totals} if finished else None,
        )

    def stuck(self) -> None:
        """Too much to answer at once, or one row that breaks its page: the next try asks for each on its own."""
        self._save(stuck=True)

    # What a page does

    def _save(self, **changes: Any) -> None:
        """Move the place, if this worker still holds the job; else whatever is in the transaction is rolled back."""
        moved = {**self.cursor, **changes}
        if not Job.objects.filter(pk=self.job.pk, lease_token=self.job.lease_token).update(cursor=moved):
            raise LeaseLost
        self.cursor = moved

    def _take(self, entity: str, page: Page, rows: list[dict[str, Any]], **place: Any) -> None:
        with transaction.atomic():
            bad = 0
            for some, past in self._by_age(entity, rows):
                bad += apply.apply(self.store, entity, some, fetched_at=page.fetched_at, historic=past).quarantined
            killpoints.reach(f"backfill.{entity}.applied")
            self._save(done=self.cursor["done"] + len(rows), quarantined=self.cursor["quarantined"] + bad, **place)
        if rows:
            self.last = f"{entity} {rows[-1].get('number') or rows[-1].get('id')}"

    def _by_age(self, entity: str, rows: list[dict[str, Any]]) -> list[tuple[list[dict[str, Any]], bool]]:
        """The rows with whether they are history. An order placed since the connect is news, whoever brings it first."""
        since = self.store.live_from if entity == "order" and self.store.backfilled_at is None else None
        news = [row for row in rows if since and (at := gmt_of(row, "date_created_gmt")) and at >= since]
        known = [row for row in rows if row not in news] if news else rows
        return [(some, past) for some, past in ((known, True), (news, False)) if some]

    def _fetch(self, entity: str, path: str, **params: Any) -> Page:
        """A page, perhaps the one that is already under way; after it failed, object by object."""
        key = (path, repr(sorted(params.items())))
        ahead, self._ahead = self._ahead, None
        if ahead and ahead[0] == key:
            return ahead[1].result()
        if ahead:
            ahead[1].cancel()
        if self.cursor.get("stuck"):
            return fetch.page_by_ones(self.store, self.client, entity, path, **params)
        return self._pool.submit(self.client.page, path, **params).result()

    def _look_ahead(self, path: str, **params: Any) -> None:
        """Ask for the next page while this one is being written."""
        if clock.monotonic() < self.ends:
            key = (path, repr(sorted(params.items())))
            self._ahead = (key, self._pool.submit(self.client.page, path, **params))

    # Phases; each does one page and says whether there is more

    def _start(self) -> bool:
        poll.note_starts(self.store)
        totals = {}
        for phase, (_entity, path, params) in LISTS.items():
            totals[phase] = self.client.page(path, **params, per_page=1).total or 0
        totals["orders"] = self.client.page("orders", status="any", per_page=1).total or 0
        self._save(totals=totals)
        return False

    def _list(self) -> bool:
        phase = self.cursor["phase"]
        entity, path, params = LISTS[phase]
        place = self.cursor.get("place") or {"page": 1, "total": None}
        number = place["page"]
        asked = {**params, "orderby": "id", "order": "asc", "per_page": PER_PAGE}
        page = self._fetch(entity, path, page=number, **asked)
        more = number < page.pages if page.pages is not None else len(page.rows) >= PER_PAGE
        # Fewer rows than before: something was deleted, and what followed moved up, onto the page already read.
        shrunk = place["total"] is not None and page.total is not None and 0 < page.total < place["total"]
        following = max(number - 1, 1) if shrunk else number + 1
        if more and not shrunk:
            self._look_ahead(path, page=following, **asked)
        self._take(entity, page, page.rows, place={"page": following, "total": page.total})
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
        fetch.variations_of(self.store, self.client, product.woo_id, historic=True)
        self._save(place={"after": product.woo_id})
        return True

    def _orders(self) -> bool:
        place = self.cursor.get("place") or self._first_window()
        if place is None:
            return False
        upper, width = datetime.fromisoformat(place["upper"]), timedelta(seconds=place["width"])
        oldest = datetime.fromisoformat(place["oldest"])
        page = self._fetch("order", "orders", **self._window(upper, width, oldest))
        count = page.total if page.total is not None else len(page.rows)
        last = upper - width <= oldest
        if count > PER_PAGE and width > SECOND:
            half = max(int(width.total_seconds()) // 2, 1)
            self._save(place={**place, "width": half})
            return True
        following = {**place, "upper": (upper - width).isoformat(), "width": _next_width(width, len(page.rows))}
        if not last:
            self._look_ahead("orders", **self._window(upper - width, timedelta(seconds=following["width"]), oldest))
        rows = page.rows
        if count > PER_PAGE:
            # More orders in one second than fit a page: from the last page to the first, since rows can only leave.
            rows = []
            for number in range(page.pages or 1, 0, -1):
                rows += self._fetch("order", "orders", **self._window(upper, width, oldest), page=number).rows
            rows = list({row.get("id"): row for row in rows}.values())
        recent = [row for row in rows if (at := gmt_of(row, "date_created_gmt")) and at > clock.now() - PARCELS_OF]
        fetch.add_fulfilments(self.store, self.client, recent)
        with transaction.atomic():
            self._take("order", page, rows, place=following)
            Store.objects.filter(pk=self.store.pk).update(complete_since=max(upper - width, oldest))
        return not last

    def _window(self, upper: datetime, width: timedelta, oldest: datetime) -> dict[str, Any]:
        lower = upper - width
        # Both bounds are exclusive. The last window is open below.
        after = {} if lower <= oldest else {"after": lower - SECOND}
        return {
            **after,
            "before": upper,
            "dates_are_gmt": True,
            "status": "any",
            "orderby": "date",
            "order": "desc",
            "per_page": PER_PAGE,
        }

    def _first_window(self) -> dict[str, Any] | None:
        """From the newest order downwards; as wide as the average lets one page of orders last."""
        asked = {"status": "any", "orderby": "date", "per_page": 1}
        newest = self.client.page("orders", **asked, order="desc")
        oldest = self.client.page("orders", **asked, order="asc")
        times = [at for row in [*newest.rows, *oldest.rows] if (at := gmt_of(row, "date_created_gmt"))]
        if not times:
            return None
        # An hour more on both sides: shops sort by local time, which is not the order of GMT when the clocks go back.
        upper, lower = max(times) + timedelta(hours=1), min(times) - timedelta(hours=1)
        span = (upper - lower).total_seconds()
        width = max(int(span * AIM / max(newest.total or 1, 1)), 1)
        return {"upper": upper.isoformat(), "width": min(width, int(span)), "oldest": lower.isoformat()}

    def _refunds(self) -> bool:
        """Lines of refunds: from the list of all where the shop has one, else order by order."""
        place = self.cursor.get("place") or {"page": 1, "after": 0}
        if not Refund.objects.filter(store=self.store, lines__isnull=True, deleted_at=None).exists():
            return False
        if place["page"]:
            try:
                page = self.client.page("refunds", per_page=PER_PAGE, page=place["page"])
            except Unreachable as error:
                if error.code != "rest_no_route":
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
        fetch.refunds_of(self.store, self.client, order_id, historic=True)
        self._save(place={"page": 0, "after": order_id})
        return True


def _next_width(width: timedelta, rows: int) -> int:
    """Seconds of the next window: what would have held about AIM rows, at most four times this one."""
    seconds = max(width.total_seconds(), 1)
    return max(int(min(seconds * AIM / max(rows, 1), seconds * 4)), 1)


def _sentence(totals: dict[str, int]) -> str:
    """What a finished backfill has to say."""
    return _("%(orders)s orders, %(customers)s customers and %(products)s products are here.") % {
        "orders": totals.get("orders", 0),
        "customers": totals.get("customers", 0),
        "products": totals.get("products", 0),
    }
