"""The comparison itself, as a job: resumable at each page, its place saved with the rows it stands for.

Orders are walked in windows of their creation date that fit one page, newest first: what the mirror holds of a window is
held against what the shop lists of it. Recent windows come in full, older ones as ids with dates and states, and a
share of the oldest in full each night, so that every order is read in full within 31 days. Nothing is deleted because
a list left it out: it is looked for by its id first.
"""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from postpurchase import clock, killpoints
from postpurchase.errors import RetryLater
from stores.jobs import JobProgress
from stores.models import Coupon, Job, Order, Product, Reconciliation, Store
from stores.sync import fetch, health
from stores.sync.fetch import gmt_of
from stores.sync.reconcile import absent, compare, identity, report
from stores.sync.tasks import LeaseLost
from stores.woo.client import Client, Page, client_for
from stores.woo.errors import Blocked, KeysRefused, OtherShop, ToldToWait, Unreachable

PER_PAGE = 100
AIM = 80
SECOND = timedelta(seconds=1)
LIGHT_DAYS, DEEP_DAYS, REVIEW_DAYS = timedelta(days=400), timedelta(days=90), timedelta(days=180)
# Each night one of so many parts of what is older than DEEP_DAYS is read in full.
SHARES = 30
# Pages in full are spread over this time when nobody waits for them.
NIGHT_SECONDS, MOST_BETWEEN = 3 * 3600, 20.0
WEEKLY = timedelta(days=7)
FEW_CUSTOMERS = 20_000

LIGHT = "id,date_created_gmt,date_modified_gmt,status"
# Phase: entity, list, parameters, fields (None: in full, because no date of change is told).
LISTS: dict[str, tuple[str, str, dict[str, Any], str | None]] = {
    "categories": ("category", "products/categories", {}, None),
    "products": ("product", "products", {"status": "any"}, LIGHT),
    "coupons": ("coupon", "coupons", {}, "id,date_modified_gmt"),
    "reviews": ("review", "products/reviews", {"status": "all"}, None),
    "customers": ("customer", "customers", {"role": "all"}, "id,date_modified_gmt,role,is_paying_customer"),
}
PHASES = [
    *("identity", "categories", "products", "variations", "coupons", "our coupons", "reviews", "customers"),
    *("bin", "orders", "missing", "marking"),
]


def run_slice(job: Job, budget_seconds: float) -> JobProgress:
    """Compare page by page until the budget is spent. The shop failing keeps the place and asks for time."""
    store = job.store
    if store.state == Store.State.DOUBT:
        raise RetryLater(3600, store.state_reason)
    walk = _Walk(job, clock.monotonic() + budget_seconds)
    try:
        walk.go()
    except ToldToWait as wait:
        health.failed(store, wait)
        raise RetryLater(wait.seconds, wait.message) from None
    except (Unreachable, Blocked, KeysRefused) as error:
        health.failed(store, error)
        raise RetryLater(health.retry_in(store).total_seconds(), error.message) from None
    except OtherShop as other:
        identity.ask(store, other.message, walk.run)
        return JobProgress(True, "identity", walk.done, walk.done, result={"sentence": other.message})
    finally:
        walk.count_requests()
    if walk.rest and not walk.finished:
        raise RetryLater(walk.rest, "")
    return walk.progress()


class _Walk:
    """One slice. `cursor` is the whole state: phase, place in it, counts; saved with the rows of each page."""

    def __init__(self, job: Job, ends: float) -> None:
        self.job, self.store, self.ends = job, job.store, ends
        self.client: Client = client_for(job.store)
        self._calls = self.client.calls
        begun = {
            "phase": PHASES[0],
            "place": None,
            "done": 0,
            "compared": {},
            "listed": {},
            "run": job.params.get("run"),
        }
        self.cursor: dict[str, Any] = {**begun, **job.cursor}
        self.deep = str(job.params.get("deep", ""))
        self.last = job.last_item
        self.rest = 0.0
        self.run = self._run()

    def _run(self) -> Reconciliation:
        if self.cursor["run"]:
            return self.store.reconciliations.get(pk=self.cursor["run"])
        with transaction.atomic():
            run = Reconciliation.objects.create(store=self.store, night=clock.now().astimezone(self.store.tz).date())
            self._save(run=run.pk)
        return run

    @property
    def done(self) -> int:
        return int(self.cursor["done"])

    @property
    def finished(self) -> bool:
        return bool(self.cursor["phase"] == "end")

    def count_requests(self) -> None:
        """Add what this slice asked to the run."""
        asked, self._calls = self.client.calls - self._calls, self.client.calls
        Reconciliation.objects.filter(pk=self.run.pk).update(requests=F("requests") + asked, compared=self.done)

    def go(self) -> None:
        if self.job.params.get("marks") and self.cursor["phase"] == PHASES[0]:
            self._save(phase="missing")
        while not self.finished and not self.rest:
            phase = self.cursor["phase"]
            steps: dict[str, Callable[[], bool]] = {
                "identity": self._identity,
                "variations": self._variations,
                "our coupons": self._our_coupons,
                "bin": self._bin,
                "orders": self._orders,
                "missing": self._missing,
                "marking": self._marking,
            }
            step = steps.get(phase) or self._list
            if not step() and not self.finished:
                following = [*PHASES, "end"][PHASES.index(phase) + 1]
                with transaction.atomic():
                    if following == "end":
                        self._end(Reconciliation.Status.DONE)
                    self._save(phase=following, place=None)
            if clock.monotonic() >= self.ends:
                break
        health.answered(self.store)

    def progress(self) -> JobProgress:
        here = Order.objects.filter(store=self.store).count() if not self.finished else self.done
        words = report.sentence(self.run.causes)
        if self.run.status == Reconciliation.Status.ASKS:
            words = _("It needs your answer before anything is marked as deleted.")
        return JobProgress(
            finished=self.finished,
            phase=self.cursor["phase"],
            done=self.done,
            total=self.done if self.finished else max(self.done, here),
            last_item=self.last,
            result={"sentence": words, "causes": self.run.causes} if self.finished else None,
        )

    def _save(self, **changes: Any) -> None:
        """Move the place, if this worker still holds the job; else whatever is in the transaction is rolled back."""
        moved = {**self.cursor, **changes}
        if not Job.objects.filter(pk=self.job.pk, lease_token=self.job.lease_token).update(
            cursor=moved, done=moved["done"], phase=moved["phase"]
        ):
            raise LeaseLost
        self.cursor = moved

    def _end(self, status: str, **more: Any) -> None:
        older = self.store.reconciliations.filter(
            status=Reconciliation.Status.ASKS, question=Reconciliation.Question.MISSING
        ).exclude(pk=self.run.pk)
        # The newer comparison speaks for all that was asked before.
        older.update(status=Reconciliation.Status.ANSWERED, answer="newer")
        Reconciliation.objects.filter(pk=self.run.pk).update(status=status, finished_at=clock.now(), **more)
        self.run.refresh_from_db()

    # What a page does

    def _compare(
        self, entity: str, page: Page, rows: list[dict[str, Any]], expected: set[int], *, light: bool, **place: Any
    ) -> None:
        """Bring what differs, keep what is left out for later, and move the place."""
        listed = {row["id"] for row in rows}
        whole, at = rows, page.fetched_at
        if light:
            whole = []
            if wanted := compare.differing(self.store, entity, rows):
                path, asked = self._all_of(entity)
                fresh = self.client.page(path, **asked, include=wanted, per_page=PER_PAGE)
                whole, at = [row for row in fresh.rows if row.get("id") in set(wanted)], fresh.fetched_at
        if entity == "order":
            fetch.complete_news(self.store, self.client, whole)
        with transaction.atomic():
            if whole:
                report.add(self.run, compare.take(self.store, entity, whole, fetched_at=at))
            absent.note(self.run, entity, expected - listed)
            killpoints.reach(f"reconcile.{entity}.applied")
            self._save(
                done=self.done + len(rows),
                compared=_plus(self.cursor["compared"], entity, len(expected)),
                listed=_plus(self.cursor["listed"], entity, len(rows)),
                **place,
            )
        if rows:
            self.last = f"{entity} {rows[-1]['id']}"

    def _all_of(self, entity: str) -> tuple[str, dict[str, Any]]:
        if entity == "order":
            return "orders", {"status": "any"}
        return next((path, params) for kind, path, params, _fields in LISTS.values() if kind == entity)

    # Phases; each does one page and says whether there is more

    def _identity(self) -> bool:
        identity.check(self.store)
        return False

    def _weekly(self) -> bool:
        """Whether what is read as a whole each week is due."""
        if self.deep == "all":
            return True
        return self.run.night.toordinal() % WEEKLY.days == self.store.pk % WEEKLY.days

    def _list(self) -> bool:
        """A list by ids, downwards: between two ids the mirror holds what the shop lists, or it differs."""
        phase = self.cursor["phase"]
        entity, path, params, fields = LISTS[phase]
        here = compare.listed_here(self.store, entity)
        if phase == "customers" and not self._weekly() and here.count() > FEW_CUSTOMERS:
            return False
        place = self.cursor["place"] or {"page": 1, "below": None}
        asked = {**params, "orderby": "id", "order": "desc", "per_page": PER_PAGE, "page": place["page"]}
        page = self.client.page(path, **asked, **({"_fields": fields} if fields else {}))
        more = place["page"] < page.pages if page.pages is not None else len(page.rows) >= PER_PAGE
        ids = [row["id"] for row in page.rows]
        if phase == "reviews" and not self._weekly() and self._older(page.rows):
            more, lowest = False, min(ids)
        else:
            lowest = min(ids, default=0) if more else 0
        between = here.filter(woo_id__gte=lowest)
        if place["below"] is not None:
            between = between.filter(woo_id__lt=place["below"])
        expected = set(between.values_list("woo_id", flat=True))
        following = {"page": place["page"] + 1, "below": lowest or place["below"]}
        self._compare(entity, page, page.rows, expected, light=fields is not None, place=following)
        return more

    def _older(self, rows: list[dict[str, Any]]) -> bool:
        times = [at for row in rows if (at := gmt_of(row, "date_created_gmt"))]
        return bool(times) and max(times) < clock.now() - REVIEW_DAYS

    def _variations(self) -> bool:
        """Each week the variations of every product that has some."""
        if not self._weekly():
            return False
        place = self.cursor["place"] or {"after": 0}
        product = (
            compare.listed_here(self.store, "product")
            .filter(kind__in=fetch.VARIABLE, woo_id__gt=place["after"])
            .order_by("woo_id")
            .first()
        )
        if product is None:
            return False
        number, rows, page = 1, [], None
        path = f"products/{product.woo_id}/variations"
        while page is None or len(page.rows) >= PER_PAGE:
            page = self.client.page(path, per_page=PER_PAGE, page=number, orderby="id", order="asc")
            rows += [{"parent_id": product.woo_id, **row} for row in page.rows]
            number += 1
        expected = set(
            Product.objects.filter(store=self.store, parent=product, deleted_at=None, woo_id__gt=0)
            .exclude(status__in=compare.UNLISTED)
            .values_list("woo_id", flat=True)
        )
        self._compare("variation", page, rows, expected, light=False, place={"after": product.woo_id})
        return True

    def _our_coupons(self) -> bool:
        """Our coupons that can still be used, in full: their use does not move any date."""
        place = self.cursor["place"] or {"after": 0}
        ids = list(
            Coupon.objects.filter(
                store=self.store,
                ours=True,
                woo_id__gt=place["after"],
                state__in=[Coupon.State.LIVE, Coupon.State.USED],
            )
            .order_by("woo_id")
            .values_list("woo_id", flat=True)[: absent.GROUP]
        )
        if not ids:
            return False
        page = self.client.page("coupons", include=ids, per_page=PER_PAGE)
        # The list of all coupons told already which are missing.
        self._compare("coupon", page, page.rows, set(), light=False, place={"after": ids[-1]})
        return True

    def _bin(self) -> bool:
        """What lies in the shop's bin, which lists leave out; and ours in the bin or drafts that are gone from there."""
        place = self.cursor["place"] or {"entity": "order", "page": 1}
        entity = place["entity"]
        path, _params = self._all_of(entity)
        asked = {"status": "trash", "orderby": "id", "order": "desc", "per_page": PER_PAGE, "page": place["page"]}
        page = self.client.page(path, **asked, _fields=LIGHT)
        more = place["page"] < page.pages if page.pages is not None else len(page.rows) >= PER_PAGE
        wanted = compare.differing(self.store, entity, page.rows)
        begun, whole = clock.now(), []
        if wanted:
            fresh = self.client.page(path, status="trash", include=wanted, per_page=PER_PAGE)
            begun, whole = fresh.fetched_at, fresh.rows
        # Never seen here and in the bin already: nothing that the mirror would lack.
        known = set(
            compare.MODELS[entity].objects.filter(store=self.store, woo_id__in=wanted).values_list("woo_id", flat=True)
        )
        seen = [*(place.get("seen") or []), *(row["id"] for row in page.rows)]
        following: dict[str, Any] | None = {"entity": entity, "page": place["page"] + 1, "seen": seen}
        with transaction.atomic():
            report.add(
                self.run,
                compare.take(
                    self.store,
                    entity,
                    [body for body in whole if body["id"] in known or self.deep == "all"],
                    fetched_at=begun,
                ),
            )
            if not more:
                absent.note(self.run, entity, self._gone_from_bin(entity, seen), expected=True)
                following = {"entity": "product", "page": 1} if entity == "order" else None
            self._save(place=following)
        return following is not None

    def _gone_from_bin(self, entity: str, seen: list[int]) -> list[int]:
        rows = compare.MODELS[entity].objects.filter(
            store=self.store, deleted_at=None, status__in=compare.UNLISTED, woo_id__gt=0
        )
        return list(rows.exclude(woo_id__in=seen).order_by("-woo_id").values_list("woo_id", flat=True)[:500])

    def _orders(self) -> bool:
        place = self.cursor["place"] or self._plan()
        if not place["segments"]:
            return False
        segment = place["segments"][0]
        upper, width = datetime.fromisoformat(place["upper"]), timedelta(seconds=place["width"])
        oldest = datetime.fromisoformat(segment["lower"])
        lower = max(upper - width, oldest)
        fields = {} if segment["deep"] else {"_fields": LIGHT}
        page = self.client.page("orders", **_window(lower, upper), **fields)
        count = page.total if page.total is not None else len(page.rows)
        if count > PER_PAGE and upper - lower > SECOND:
            half = max(int((upper - lower).total_seconds()) // 2, 1)
            self._save(place={**place, "width": half})
            return True
        rows = page.rows
        if count > PER_PAGE:
            # More orders in one second than fit a page: from the last page to the first, since rows can only leave.
            rows = []
            for number in range(page.pages or 1, 0, -1):
                rows += self.client.page("orders", **_window(lower, upper), **fields, page=number).rows
        rows = list({row["id"]: row for row in rows}.values())
        expected = set(
            compare.listed_here(self.store, "order")
            .filter(created_gmt__gte=lower, created_gmt__lt=upper)
            .values_list("woo_id", flat=True)
        )
        seconds = max((upper - lower).total_seconds(), 1)
        following = {**place, "upper": lower.isoformat(), "width": _next_width(seconds, max(len(rows), len(expected)))}
        if lower <= oldest:
            following["segments"] = place["segments"][1:]
            if following["segments"]:
                following["upper"] = following["segments"][0]["upper"]
        self._compare("order", page, rows, expected, light=not segment["deep"], place=following)
        if segment["deep"] and self.job.params.get("spread"):
            self.rest = place["rest"]
        return True

    def _plan(self) -> dict[str, Any]:
        """Which spans to walk: recent orders in full, a year lightly, a share of the oldest in full."""
        asked = {"status": "any", "orderby": "date", "per_page": 1, "_fields": LIGHT}
        newest = self.client.page("orders", **asked, order="desc")
        oldest = self.client.page("orders", **asked, order="asc")
        times = [at for row in [*newest.rows, *oldest.rows] if (at := gmt_of(row, "date_created_gmt"))]
        here = compare.listed_here(self.store, "order").order_by("created_gmt").values_list("created_gmt", flat=True)
        times += [at for at in (here.first(), here.last()) if at]
        if not times:
            return {"segments": []}
        # The shop's time, not ours. An hour more on both sides: shops sort by local time.
        upper, lower = max(times) + timedelta(hours=1), min(times) - timedelta(hours=1)
        segments = spans(upper, lower, deep=self.deep, night=self.run.night)
        count = max(newest.total or 1, 1)
        width = int((upper - lower).total_seconds() * AIM / count)
        deep = (
            sum(_span(one) for one in segments if one["deep"]) / max((upper - lower).total_seconds(), 1) * count / AIM
        )
        return {
            "segments": segments,
            "upper": segments[0]["upper"],
            "width": max(width, 1),
            "rest": min(NIGHT_SECONDS / max(deep, 1), MOST_BETWEEN),
        }

    def _missing(self) -> bool:
        group = absent.waiting(self.run)
        if group:
            absent.look(self.run, self.client, group)
        asked = (
            None
            if self.job.params.get("marks")
            else absent.doubtful(self.run, self.cursor["compared"], self.cursor["listed"])
        )
        if asked:
            with transaction.atomic():
                self._end(
                    Reconciliation.Status.ASKS,
                    question=Reconciliation.Question.MISSING,
                    told={**self.run.told, **asked},
                )
                self._save(phase="end", place=None)
            return False
        return bool(group)

    def _marking(self) -> bool:
        with transaction.atomic():
            marked = absent.mark(self.run)
            self._save()
        return bool(marked)


def spans(upper: datetime, lower: datetime, *, deep: str, night: date) -> list[dict[str, Any]]:
    """The spans of creation time to walk in a night, newest first: {"upper", "lower", "deep"}.

    `deep`: "all" reads everything in full, "night" what is recent and a share of the rest, "" nothing.
    """

    def part(high: datetime, low: datetime, *, full: bool) -> dict[str, Any]:
        return {"upper": high.isoformat(), "lower": low.isoformat(), "deep": full}

    if deep == "all":
        return [part(upper, lower, full=True)]
    light = max(upper - LIGHT_DAYS, lower)
    if deep != "night":
        return [part(upper, light, full=False)]
    recent = max(upper - DEEP_DAYS, lower)
    found = [part(upper, recent, full=True)]
    if recent > light:
        found.append(part(recent, light, full=False))
    if recent > lower:
        share = (recent - lower) / SHARES
        low = lower + share * (night.toordinal() % SHARES)
        # Whole seconds, overlapping by one: between two shares nothing is left over.
        found.append(part((low + share).replace(microsecond=0) + SECOND, low.replace(microsecond=0), full=True))
    return found


def _plus(counts: dict[str, int], entity: str, number: int) -> dict[str, int]:
    return {**counts, entity: counts.get(entity, 0) + number}


def _span(segment: dict[str, Any]) -> float:
    return (datetime.fromisoformat(segment["upper"]) - datetime.fromisoformat(segment["lower"])).total_seconds()


def _next_width(seconds: float, rows: int) -> int:
    """Seconds of the next window: what would have held about AIM rows, at most four times this one."""
    return max(int(min(seconds * AIM / max(rows, 1), seconds * 4)), 1)


def _window(lower: datetime, upper: datetime) -> dict[str, Any]:
    # Both bounds are exclusive.
    return {
        "after": lower - SECOND,
        "before": upper,
        "dates_are_gmt": True,
        "status": "any",
        "orderby": "date",
        "order": "desc",
        "per_page": PER_PAGE,
    }
