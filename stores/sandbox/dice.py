"""Repeatable chance: the same seed and path give the same numbers on every machine."""

from random import Random


def dice(seed: int, stream: int, number: int, step: int = 0) -> Random:
    """A generator of its own for one thing: `stream` says what is drawn, `number` and `step` for whom."""
    return Random((((seed << 4 | stream) << 24 | number) << 8) | step)  # noqa: S311 -- made-up data, no secrets
