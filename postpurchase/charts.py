"""Drawings that the server makes: SVG paths from numbers. Every chart has its answer in words and a table twin."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spark:
    """A sparkline of 240 x 40: `line` without the last step, `unfinished` the last step, `area` below both."""

    line: str
    unfinished: str
    area: str
    answer: str


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + " ".join(f"{x:.1f},{y:.1f}" for x, y in points) if points else ""


def spark(values: Sequence[float | None], *, answer: str) -> Spark | None:
    """A sparkline of the values, the last one not finished; None with fewer than three known ones."""
    known = [(n, value) for n, value in enumerate(values) if value is not None]
    if len(known) < 3:
        return None
    low, high = min(value for _n, value in known), max(value for _n, value in known)
    reach, steps = (high - low) or 1, max(len(values) - 1, 1)
    points = [(n * 240 / steps, 37 - (value - low) * 33 / reach) for n, value in known]
    area = f"{_path(points)} {points[-1][0]:.1f},40 {points[0][0]:.1f},40z"
    return Spark(_path(points[:-1]), _path(points[-2:]), area, answer)


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where, and what it says."""

    place: float
    words: str


@dataclass(frozen=True)
class Curve:
    """A line in a frame, with the ticks of both axes and the frame's edges."""

    line: str
    across: list[Tick]
    up: list[Tick]
    left: float
    right: float
    top: float
    bottom: float
    width: float
    height: float

    def x(self, share: float) -> float:
        return round(self.left + (self.right - self.left) * share, 1)


def curve(
    values: Sequence[float], *, width: float = 340, height: float = 214, every: int = 30, unit: str = "%"
) -> Curve:
    """A line through values of equal distance; the vertical axis begins at zero and ends at a round number."""
    left, right, top, bottom = 36.0, width - 10, 8.0, height - 24
    highest = max(values, default=0) or 1
    step = next(size for size in (1, 2, 5, 10, 20, 25, 50, 100, 1000, 10_000, 10**9) if highest / size <= 4)
    ceiling = step * max(int(-(-highest // step)), 1)
    last = max(len(values) - 1, 1)
    points = [
        (left + (right - left) * n / last, bottom - (bottom - top) * value / ceiling) for n, value in enumerate(values)
    ]
    return Curve(
        line=_path(points),
        across=[Tick(round(left + (right - left) * n / last, 1), str(n)) for n in range(0, last + 1, every)],
        up=[
            Tick(round(bottom - (bottom - top) * mark / ceiling, 1), f"{mark}{unit}")
            for mark in range(0, ceiling + 1, step)
        ],
        left=left,
        right=right,
        top=top,
        bottom=bottom,
        width=width,
        height=height,
    )
