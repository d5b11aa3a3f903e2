"""Telling a cache's answer from the shop's own: by the `Age` header, and by a `Date` that does not move on."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from postpurchase import clock

# A cache of some seconds does no harm: polls look back much further than that.
OLD = timedelta(seconds=60)
LAGS = timedelta(seconds=120)


def told_at(headers: Mapping[str, str]) -> datetime | None:
    """The time that the shop's server put on its answer; None when it put none that can be read."""
    try:
        at = parsedate_to_datetime(headers.get("Date", ""))
    except (TypeError, ValueError, IndexError):
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def age(headers: Mapping[str, str]) -> timedelta:
    """How long a cache has kept this answer, by its own word."""
    text = headers.get("Age", "").strip()
    return timedelta(seconds=int(text[:9])) if text.isdecimal() else timedelta(0)


class Freshness:
    """Of one shop: the newest time that it told, against which later answers are held.

    The shop's clock may be hours wrong; all that counts is whether it goes on.
    """

    def __init__(self) -> None:
        self._newest: tuple[datetime, float] | None = None

    def is_stale(self, headers: Mapping[str, str]) -> bool:
        """Whether this answer is older than the moment in which it came."""
        at, now = told_at(headers), clock.monotonic()
        lags = False
        if at is not None:
            if self._newest is not None:
                due = self._newest[0] + timedelta(seconds=now - self._newest[1])
                lags = at < due - LAGS
            if self._newest is None or at > self._newest[0]:
                self._newest = (at, now)
        return lags or age(headers) >= OLD

    def start_anew(self) -> None:
        """The clock of the shop was set back, or stands: what was told before says nothing any more."""
        self._newest = None
