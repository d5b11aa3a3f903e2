"""How many requests of the backfill are under way at once: 1 to 4, by how the store answers.

It begins with 2, takes one more while answers stay near the store's own median, one less when they do not, and goes down
to 1 with smaller pages when the store struggles. "Gentle" is one request, then a pause as long as its answer took.
"""

import statistics
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, TypeVar

from postpurchase import clock
from stores.woo.errors import ToldToWait

MOST = 4
# Beside a poll, a fetch or a write-back of the same shop one call less.
BESIDE = 3
PAGE = 100
SMALLEST = 5
# An answer costs the store about as much as this many orders before it has read the first one.
BASE = 20
NEAR, FAR = 1.3, 2.0
KEPT = 9
# So long after being told to wait, one request at a time is enough.
EASY = timedelta(hours=1)
GOOD_IN_A_ROW = 8

Answer = TypeVar("Answer")


class Stopped(Exception):
    """The request was not made: the store asked for rest before its turn came."""


class Flight:
    """The requests of one slice. `state()` goes into the cursor, so that the next slice begins where this one was."""

    def __init__(self, kept: dict[str, Any] | None = None, *, gentle: bool = False) -> None:
        kept = kept or {}
        self.limit: int = min(max(int(kept.get("limit", 2)), 1), BESIDE)
        self.size: int = min(max(int(kept.get("size", PAGE)), SMALLEST), PAGE)
        # What may be under way at once at present; `room` changes it.
        self.most = BESIDE
        self.told: ToldToWait | None = None
        self._usual: float | None = kept.get("usual")
        self._easy: str = kept.get("easy", "")
        if self._easy and datetime.fromisoformat(self._easy) < clock.now():
            self._easy = ""
        self._gentle = gentle or bool(self._easy)
        if self._gentle:
            self.limit = 1
        self._good = 0
        self._since: deque[float] = deque(maxlen=KEPT)
        self._round = 0
        self._flying = 0
        self._change = threading.Condition()
        self._stopped = threading.Event()
        self._pool = ThreadPoolExecutor(MOST, thread_name_prefix="backfill")

    def state(self) -> dict[str, Any]:
        """What the next slice should know."""
        return {"limit": self.limit, "size": self.size, "usual": self._usual, "easy": self._easy}

    def ask(self, call: Callable[[], Answer], *, rows: Callable[[Answer], int] | None = None) -> "Future[Answer]":
        """Make the call as soon as there is room. With `rows`, its time counts as that of so many rows."""
        return self._pool.submit(self._make, self._round, call, rows)

    @property
    def wants_more(self) -> bool:
        """Whether the store bears as many calls as may be made beside others."""
        return self.limit >= BESIDE and not self._gentle

    def room(self, most: int) -> None:
        """Let so many calls be under way at once from now on. Comes back when no more than that are."""
        with self._change:
            self.most, self.limit = most, min(self.limit, most)
            self._change.notify_all()
            self._change.wait_for(lambda: self._flying <= most)

    def drop(self) -> None:
        """Forget what was asked for: what has not begun is not asked any more."""
        with self._change:
            self._round += 1
            self._change.notify_all()

    def stop(self) -> None:
        """Let no further request out."""
        with self._change:
            self._stopped.set()
            self._change.notify_all()

    def close(self) -> None:
        """Wait for what is under way; what has not begun is dropped."""
        self.stop()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def struggles(self) -> None:
        """The store failed: one request at a time, of half the size, until it has proved well again."""
        with self._change:
            self.limit, self._good = 1, 0
            self.size = max(self.size // 2, SMALLEST)
            self._since.clear()

    def _make(self, of: int, call: Callable[[], Answer], rows: Callable[[Answer], int] | None) -> Answer:
        def void() -> bool:
            return self._stopped.is_set() or of != self._round

        with self._change:
            self._change.wait_for(lambda: self._flying < self.limit or void())
            if void():
                raise Stopped
            self._flying += 1
        pause = 0.0
        try:
            begun = clock.monotonic()
            found = call()
            seconds = clock.monotonic() - begun
            slow = self._answered(seconds, rows(found)) if rows else False
            pause = seconds if slow or self._gentle else 0.0
            return found
        except ToldToWait as told:
            self._rest(told)
            raise
        finally:
            if pause:
                # Not a sleep: closing must not wait for it. The answer is handed over only afterwards.
                self._stopped.wait(pause)
            with self._change:
                self._flying -= 1
                self._change.notify_all()

    def _rest(self, told: ToldToWait) -> None:
        with self._change:
            if self.told is None or told.seconds > self.told.seconds:
                self.told = told
            self._easy = (clock.now() + timedelta(seconds=told.seconds) + EASY).isoformat()
        self.stop()

    def _answered(self, seconds: float, rows: int) -> bool:
        """Note the time of an answer; whether it was far beyond what is usual for this store."""
        # As a full page would have taken.
        unit = seconds * (PAGE + BASE) / (rows + BASE)
        with self._change:
            self._since.append(unit)
            self._good += 1
            if self.size < PAGE and self._good % GOOD_IN_A_ROW == 0:
                self.size = min(self.size * 2, PAGE)
            median = statistics.median(self._since)
            enough = len(self._since) >= max(self.limit, 3)
            if enough and self.limit <= 2:
                # A store that was busy at the first answers is measured anew.
                self._usual = min(self._usual or median, median)
            if self._usual is None:
                return False
            if enough and not self._gentle:
                if median <= self._usual * NEAR and self.limit < self.most:
                    self._aim(self.limit + 1)
                elif median > self._usual * FAR and self.limit > 1:
                    self._aim(self.limit - 1)
            return unit > self._usual * FAR and self.limit == 1

    def _aim(self, limit: int) -> None:
        self.limit = limit
        self._since.clear()
        self._change.notify_all()
