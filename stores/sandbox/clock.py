"""The store's own clock and its time zone. Every date that the store writes comes from here."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

ISO = "%Y-%m-%dT%H:%M:%S"
# WordPress's rest_parse_date: a time is demanded, a zone is not.
_REST_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?P<zone>[Zz]|[+-]\d{2}(?::?\d{2})?)?$")


class StoreClock:
    """Ticks like `source` (default: real time in UTC), from wherever it was set."""

    def __init__(self, zone: str, source: Callable[[], datetime] | None = None) -> None:
        self.zone_name = zone
        self.zone = ZoneInfo(zone)
        self._source = source or (lambda: datetime.now(UTC))
        self._offset = timedelta()

    def now(self) -> datetime:
        """Now in UTC, whole seconds."""
        return (self._source() + self._offset).astimezone(UTC).replace(microsecond=0)

    def set(self, moment: datetime) -> None:
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        self._offset = moment - self._source()

    def advance(self, by: timedelta) -> None:
        self._offset += by

    def gmt(self) -> str:
        return self.now().strftime(ISO)

    def local(self, gmt: str) -> str:
        """A naive GMT text as the store's local time."""
        return datetime.strptime(gmt, ISO).replace(tzinfo=UTC).astimezone(self.zone).strftime(ISO)

    def to_gmt(self, local: str) -> str:
        """A naive local text as GMT."""
        return datetime.strptime(local, ISO).replace(tzinfo=self.zone).astimezone(UTC).strftime(ISO)

    def filter_date(self, text: str, *, gmt: bool) -> str | None:
        """What WooCommerce compares a stored GMT date with, or None when the text is no date to it.

        Naive is the site's time, or GMT with the flag. A date with a zone is first made local; with the flag that local
        value is then taken for GMT, which is WooCommerce's double shift.
        """
        match = _REST_DATE.match(text)
        if not match:
            return None
        try:
            moment = datetime.fromisoformat(text.upper().replace(" ", "T"))
        except ValueError:
            return None
        if moment.tzinfo is not None:
            moment = moment.astimezone(self.zone).replace(tzinfo=None)
        naive = moment.replace(microsecond=0).strftime(ISO)
        return naive if gmt else self.to_gmt(naive)

    def write_date(self, text: str) -> tuple[str, str] | None:
        """(local, gmt) of a date that a client wrote: naive is site time. None when it is no date."""
        text = text.strip()
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            text += "T00:00:00"
        gmt = self.filter_date(text, gmt=False)
        return None if gmt is None else (self.local(gmt), gmt)
