"""Do people come back? Retention rate, repeat rate, cohorts, and the time to a second order.

All of it counts *counted* orders alone (paid, not fully refunded, not trashed, not a test), by the day they were placed.
Each number is one query whose cost grows with the orders of the store and whose answer does not: the database pairs
every order with the same customer's next one and counts the pairs by month; Python adds up at most a few hundred rows.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from postpurchase import clock
from stores.models import Order, Store

# Shares of fewer people than this are hatched and never called best.
FEW = 20
MONTHS = 12
SECOND_ORDER_DAYS = 180

_PAIRS = """
SELECT customer_id, created_gmt AS at,
       LEAD(created_gmt) OVER (PARTITION BY customer_id ORDER BY created_gmt, id) AS next_at,
       ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY created_gmt, id) AS nth
FROM {table}
WHERE store_id = %s AND counted AND customer_id IS NOT NULL AND created_gmt <= %s
"""
_DAYS = {
    "sqlite": "CAST(julianday(next_at) - julianday(at) AS INTEGER)",
    "postgresql": "CAST(FLOOR(EXTRACT(EPOCH FROM next_at - at) / 86400) AS INTEGER)",
}


def _query(
    store: Store, until: datetime, sql: str, params: Sequence[datetime | int], **parts: str
) -> list[tuple[int, ...]]:
    """Run `sql` over the pairs; it names them `pairs`, the days between the two orders `{days}`, and other parts."""
    adapt = connection.ops.adapt_datetimefield_value
    pairs = _PAIRS.format(table=connection.ops.quote_name(Order._meta.db_table))
    values = [adapt(one) if isinstance(one, datetime) else one for one in (store.pk, until, *params)]
    with connection.cursor() as cursor:
        cursor.execute(f"WITH pairs AS ({pairs}) {sql.format(days=_DAYS[connection.vendor], **parts)}", values)
        return [tuple(row) for row in cursor.fetchall()]


def _bucket(column: str, bounds: Sequence[datetime]) -> tuple[str, list[datetime]]:
    """SQL for the index of the first bound that `column` is not after; NULL stays NULL; after all bounds is len."""
    whens = " ".join(f"WHEN {column} <= %s THEN {n}" for n in range(len(bounds)))
    return f"CASE WHEN {column} IS NULL THEN NULL {whens} ELSE {len(bounds)} END", list(bounds)


def _months_before(at: datetime, months: int) -> datetime:
    """The same day and time some months earlier, in the zone of `at`; the month's last day when it is shorter."""
    year, month = divmod(at.year * 12 + at.month - 1 - months, 12)
    for day in range(at.day, at.day - 4, -1):
        try:
            return at.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    raise AssertionError("every month has 28 days")


@dataclass(frozen=True)
class Rate:
    """Retention rate at one moment, over the 12 months before it: (end - new) / start x 100.

    A customer is active with at least one counted order in the 12 months before. `start` were active 12 months
    earlier, `end` are active now, `new` had their first order in between.
    """

    at: datetime
    start: int
    end: int
    new: int

    @property
    def kept(self) -> int:
        return self.end - self.new

    @property
    def percent(self) -> float | None:
        """None when nobody was active at the start: then there is no rate."""
        return self.kept * 100 / self.start if self.start else None


def rates(store: Store, *, points: int = MONTHS + 1) -> list[Rate]:
    """The rate now and at the ends of the months before, oldest first. One query."""
    now = timezone.localtime(clock.now(), store.tz)
    # bounds[i] is (2 * 12 + points - 1 - i) months ago; the last one is now.
    reach = 2 * MONTHS + points - 1
    bounds = [_months_before(now, reach - n) for n in range(reach + 1)]
    at_sql, at_params = _bucket("at", bounds)
    next_sql, next_params = _bucket("next_at", bounds)
    rows = _query(
        store,
        now,
        "SELECT {at}, {following}, CASE WHEN nth = 1 THEN 1 ELSE 0 END, COUNT(*) FROM pairs GROUP BY 1, 2, 3",
        [*at_params, *next_params],
        at=at_sql,
        following=next_sql,
    )
    active, new = [0] * (reach + 1), [0] * (reach + 1)
    for begun, following, first, count in rows:
        # This order is a customer's latest at each bound from its own up to the one before the next order.
        for bound in range(begun, min(begun + MONTHS, following if following is not None else reach + 1, reach + 1)):
            active[bound] += count
        if first:
            for bound in range(begun, min(begun + MONTHS, reach + 1)):
                new[bound] += count
    return [Rate(bounds[n], start=active[n - MONTHS], end=active[n], new=new[n]) for n in range(2 * MONTHS, reach + 1)]


@dataclass(frozen=True)
class CohortCell:
    """Of a cohort, those who had ordered again by the end of this many months after the first order's month."""

    again: int
    size: int
    finished: bool

    @property
    def percent(self) -> float:
        return self.again * 100 / self.size

    @property
    def few(self) -> bool:
        return self.size < FEW


@dataclass(frozen=True)
class Cohort:
    """The people whose first counted order fell in one calendar month of the store."""

    month: datetime
    size: int
    cells: list[CohortCell]


def cohorts(store: Store, *, months: int = MONTHS) -> list[Cohort]:
    """The last calendar months, oldest first, the present one included. One query."""
    now = timezone.localtime(clock.now(), store.tz)
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    starts = [_months_before(first, months - 1 - n) for n in range(months)]
    # The bounds are the last moments before each month, so bucket n + 1 holds month n and none holds what is older.
    ends = [one - timedelta(microseconds=1) for one in starts]
    at_sql, at_params = _bucket("at", ends)
    next_sql, next_params = _bucket("next_at", ends)
    rows = _query(
        store,
        now,
        "SELECT {at}, {following}, COUNT(*) FROM pairs WHERE nth = 1 AND at >= %s GROUP BY 1, 2",
        [*at_params, *next_params, starts[0]],
        at=at_sql,
        following=next_sql,
    )
    sizes = [0] * (months + 1)
    again: dict[tuple[int, int], int] = {}
    for cohort, following, count in rows:
        sizes[cohort] += count
        if following is not None:
            again[cohort, following - cohort] = again.get((cohort, following - cohort), 0) + count
    made = []
    for n, start in enumerate(starts):
        bucket, cells, sum_again = n + 1, [], again.get((n + 1, 0), 0)
        for later in range(1, months - n):
            sum_again += again.get((bucket, later), 0)
            if sizes[bucket]:
                cells.append(CohortCell(sum_again, sizes[bucket], finished=n + later < months - 1))
        made.append(Cohort(start, sizes[bucket], cells))
    return made


@dataclass(frozen=True)
class Repeat:
    """Of the people with a counted order in a period, those with at least two counted orders so far."""

    buyers: int
    repeaters: int

    @property
    def percent(self) -> float | None:
        return self.repeaters * 100 / self.buyers if self.buyers else None


def repeat_rate(store: Store, *, days: int = 365) -> Repeat:
    """Repeat rate of the buyers of the last `days`. One query."""
    now = clock.now()
    ((buyers, repeaters),) = _query(
        store,
        now,
        "SELECT COUNT(*), COALESCE(SUM(CASE WHEN orders > 1 THEN 1 ELSE 0 END), 0) FROM "
        "(SELECT MAX(nth) AS orders FROM pairs GROUP BY customer_id HAVING MAX(at) > %s) AS people",
        [now - timedelta(days=days)],
    )
    return Repeat(int(buyers), int(repeaters))


@dataclass(frozen=True)
class Waiting:
    """How long people take to their second order: `share[n]` percent had ordered again by day n."""

    buyers: int
    came_back: int
    share: list[float]
    quarter: int | None
    median: int | None
    three_quarters: int | None


def time_to_second(store: Store) -> Waiting:
    """Over first-time buyers of 180 to 730 days ago, so that each had 180 days to come back. One query."""
    now = clock.now()
    rows = _query(
        store,
        now,
        "SELECT {days}, COUNT(*) FROM pairs WHERE nth = 1 AND at > %s AND at <= %s GROUP BY 1",
        [now - timedelta(days=730), now - timedelta(days=SECOND_ORDER_DAYS)],
    )
    buyers = sum(count for _days, count in rows)
    by_day = [0] * (SECOND_ORDER_DAYS + 1)
    for days, count in rows:
        if days is not None and 0 <= days <= SECOND_ORDER_DAYS:
            by_day[days] += count
    sums, total = [], 0
    for count in by_day:
        total += count
        sums.append(total)

    def day_of(part: float) -> int | None:
        return bisect_right(sums, total * part - 1e-9) if total else None

    share = [one * 100 / buyers for one in sums] if buyers else []
    return Waiting(buyers, total, share, day_of(0.25), day_of(0.5), day_of(0.75))


def days_between(store: Store) -> dict[int, int]:
    """Whole days from a counted order to the same person's next one, and how often that was so. One query."""
    rows = _query(store, clock.now(), "SELECT {days}, COUNT(*) FROM pairs WHERE next_at IS NOT NULL GROUP BY 1", [])
    return {int(days): int(count) for days, count in rows}


@dataclass(frozen=True)
class Point:
    """A share at one moment of a series."""

    part: int
    whole: int

    @property
    def percent(self) -> float | None:
        return self.part * 100 / self.whole if self.whole else None


def repeat_within_90_days(store: Store, *, weeks: int = 12) -> list[Point]:
    """Of those who first bought 90 to 181 days before a week's end, the share that ordered again within 90 days.

    One point for each of the last `weeks` weeks, the oldest first. One query.
    """
    now, span = clock.now(), 13
    newest = now - timedelta(days=90)
    bounds = [newest - timedelta(weeks=weeks + span - 1 - n) for n in range(weeks + span)]
    at_sql, at_params = _bucket("at", bounds)
    rows = _query(
        store,
        now,
        "SELECT {at}, SUM(CASE WHEN {days} < 90 THEN 1 ELSE 0 END), COUNT(*) "
        "FROM pairs WHERE nth = 1 AND at > %s AND at <= %s GROUP BY 1",
        [*at_params, bounds[0], newest],
        at=at_sql,
    )
    found = {int(week): (int(part), int(whole)) for week, part, whole in rows}
    points = []
    for last in range(span, weeks + span):
        weeks_of_point = [found.get(n, (0, 0)) for n in range(last - span + 1, last + 1)]
        points.append(Point(sum(part for part, _w in weeks_of_point), sum(whole for _p, whole in weeks_of_point)))
    return points
