"""The rules by which benchmarks are judged."""

from collections.abc import Callable, Iterator

from bench.harness import TRIES, Comparison, compare


def _told(seconds: list[float]) -> Callable[[], float]:
    """A side that times itself: the first pass is the one that is thrown away."""
    left: Iterator[float] = iter([9.0, *seconds])
    return lambda: next(left)


def _compare(floor: list[float], ours: list[float], *, rounds: int = 5) -> Comparison:
    return compare("x", aim=2, limit=3, units=1, unit="rows", floor=_told(floor), ours=_told(ours), rounds=rounds)


def test_one_slow_round_of_the_floor_has_the_whole_series_taken_anew() -> None:
    found = _compare([1, 1, 1, 1, 1.2, *[2.0] * 5], [9.0] * 5 + [4.0] * 5)
    assert (found.tries, found.ratio, found.missed) == (2, 2.0, False)


def test_a_floor_that_stays_shaky_gives_no_ratio_and_fails() -> None:
    found = _compare([1, 1, 1, 1, 1.2] * TRIES, [1.0] * 5 * TRIES)
    assert (found.tries, found.ratio, found.missed) == (TRIES, None, True)


def test_above_the_aim_and_within_the_limit_is_said_and_passes() -> None:
    found = _compare([1.0] * 5, [2.5] * 5)
    assert found.missed is False
    assert "above the aim" in found.row()


def test_above_the_limit_fails() -> None:
    assert _compare([1.0] * 5, [3.1] * 5).missed is True


def test_a_trial_of_few_rounds_gives_no_ratio_and_does_not_fail() -> None:
    found = _compare([1.0], [9.0], rounds=1)
    assert (found.ratio, found.missed) == (None, False)
