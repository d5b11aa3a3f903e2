"""The one source of the present moment; business code never asks the system clock itself.

Tests and the demo move it: `with clock.shifted(timedelta(days=13)): ...` or `clock.advance(...)`.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

_shift = timedelta(0)
_fixed: datetime | None = None


def now() -> datetime:
    """The present moment in UTC, aware."""
    if _fixed is not None:
        return _fixed
    return datetime.now(UTC) + _shift


def monotonic() -> float:
    """Seconds for measuring spans, never moved."""
    return time.monotonic()


def advance(by: timedelta) -> None:
    """Move the clock of this process by the given time, in either direction."""
    global _shift, _fixed
    if _fixed is not None:
        _fixed += by
    else:
        _shift += by


def freeze(at: datetime) -> None:
    """Stop the clock of this process at an aware moment, until `reset` or a further `freeze`."""
    global _fixed
    if at.tzinfo is None:
        raise ValueError("freeze needs an aware datetime")
    _fixed = at.astimezone(UTC)


def reset() -> None:
    """Back to the system clock."""
    global _shift, _fixed
    _shift, _fixed = timedelta(0), None


@contextmanager
def frozen(at: datetime) -> Iterator[None]:
    """The clock stands at `at` inside the block and is as it was afterwards."""
    global _shift, _fixed
    before = (_shift, _fixed)
    freeze(at)
    try:
        yield
    finally:
        _shift, _fixed = before


@contextmanager
def shifted(by: timedelta) -> Iterator[None]:
    """The clock is moved inside the block and is as it was afterwards."""
    global _shift, _fixed
    before = (_shift, _fixed)
    advance(by)
    try:
        yield
    finally:
        _shift, _fixed = before
