"""Wall-clock arithmetic in a shop's zone. All moments in and out are aware UTC datetimes.

A wall time that does not exist (clocks go forward) becomes the next minute that does; one that exists twice (clocks go
back) is the first of the two.
"""

import re
from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.utils.translation import ngettext

_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


def clock_time(text: str) -> time:
    """A time of day from "HH:MM". Raises ValueError for anything else."""
    found = _CLOCK.fullmatch(text)
    if not found:
        raise ValueError(text)
    return time(int(found[1]), int(found[2]))


def at_wall(wall: datetime, zone: ZoneInfo) -> datetime:
    """The moment at which clocks in the zone show the naive `wall`."""
    for minutes in range(24 * 60):
        candidate = wall + timedelta(minutes=minutes)
        moment = candidate.replace(tzinfo=zone, fold=0).astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None, fold=0) == candidate:
            return moment
        # In a gap: from here on only whole minutes are tried.
        wall = wall.replace(second=0, microsecond=0)
    raise ValueError(f"{wall} does not exist in {zone}")


def add_days(at: datetime, days: int, zone: ZoneInfo) -> datetime:
    """The same wall time that many calendar days later."""
    return at_wall(at.astimezone(zone).replace(tzinfo=None, fold=0) + timedelta(days=days), zone)


def add_months(at: datetime, months: int, zone: ZoneInfo) -> datetime:
    """The same day and wall time that many months later; the last day of a month that is too short.

    From 31 January one month leads to the end of February and two months to 31 March: count from one moment, not from
    the month before.
    """
    wall = at.astimezone(zone).replace(tzinfo=None, fold=0)
    year, month = divmod(wall.year * 12 + wall.month - 1 + months, 12)
    day = min(wall.day, monthrange(year, month + 1)[1])
    return at_wall(wall.replace(year=year, month=month + 1, day=day), zone)


def in_year(day: date, year: int) -> date:
    """The same day in another year; 29 February is kept on the 28th where there is none."""
    return day.replace(year=year, day=min(day.day, monthrange(year, day.month)[1]))


def next_at(at: datetime, wanted: time, zone: ZoneInfo) -> datetime:
    """The first moment, now or later, at which clocks show the wanted time of day."""
    today = at.astimezone(zone).date()
    found = at_wall(datetime.combine(today, wanted), zone)
    return found if found >= at else at_wall(datetime.combine(today + timedelta(days=1), wanted), zone)


def into_window(at: datetime, start: time, end: time, zone: ZoneInfo) -> datetime:
    """The moment itself when its time of day lies in [start, end), else the next start."""
    if start <= at.astimezone(zone).time() < end:
        return at
    return next_at(at, start, zone)


_SPAN = re.compile(r"(\d{1,4}) ?(minute|hour|day|week)s?")
_UNITS = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}


def span(text: str) -> timedelta:
    """A length of time from "3 days", "12 hours", "90 minutes" or "2 weeks". Raises ValueError for anything else."""
    found = _SPAN.fullmatch(text.strip())
    if not found:
        raise ValueError(text)
    return int(found[1]) * _UNITS[found[2]]


def span_words(text: str) -> str:
    """A checked span in the reader's language."""
    found = _SPAN.fullmatch(text.strip())
    assert found, text
    count = int(found[1])
    words = {
        "minute": ngettext("%(n)d minute", "%(n)d minutes", count),
        "hour": ngettext("%(n)d hour", "%(n)d hours", count),
        "day": ngettext("%(n)d day", "%(n)d days", count),
        "week": ngettext("%(n)d week", "%(n)d weeks", count),
    }
    return words[found[2]] % {"n": count}
