"""Wall-clock arithmetic in a shop's zone. All moments in and out are aware UTC datetimes.

A wall time that does not exist (clocks go forward) becomes the next minute that does; one that exists twice (clocks go
back) is the first of the two.
"""

import re
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

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
