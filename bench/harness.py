"""How we measure: floor and ours alternate, at least five rounds, medians and ranges; no ratio over a shaky floor."""

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROUNDS = 5
SHAKY = 0.15


@dataclass
class Series:
    """Seconds of the rounds of one side."""

    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """Half the range of the middle rounds, as a share of the median."""
        ordered = sorted(self.seconds)
        middle = ordered[1:-1] if len(ordered) >= 5 else ordered
        return (middle[-1] - middle[0]) / 2 / self.median if self.median else 0.0

    def __str__(self) -> str:
        scale, unit = (1, "s") if self.median >= 0.1 else (1000, "ms")
        low, middle, high = (f"{each * scale:.3f}" for each in (min(self.seconds), self.median, max(self.seconds)))
        return f"{middle} {unit} ({low}-{high})"


@dataclass
class Comparison:
    """One line of the report: ours against its floor."""

    name: str
    aim: float
    floor: Series
    ours: Series
    units: int
    unit: str
    limit: float
    notes: list[str] = field(default_factory=list)

    @property
    def ratio(self) -> float | None:
        """None when the floor varied by more than 15 % or there were too few rounds: then a ratio would say nothing."""
        few = len(self.floor.seconds) < ROUNDS
        return None if few or self.floor.spread > SHAKY else self.ours.median / self.floor.median

    @property
    def missed(self) -> bool:
        return self.ratio is not None and self.ratio > self.limit

    def row(self) -> str:
        ratio = "not printed: the floor varies, or too few rounds" if self.ratio is None else f"{self.ratio:.2f}x"
        rate = self.units / self.ours.median
        verdict = "" if self.ratio is None else " MISSED" if self.missed else " ok"
        if self.ratio is not None and self.aim < self.ratio <= self.limit:
            verdict = f" above the aim, within the limit of {self.limit:g}x"
        lines = [
            f"{self.name}",
            f"  floor {self.floor}   ours {self.ours}   {rate:,.0f} {self.unit}/s",
            f"  ratio {ratio} (aim at most {self.aim:g}x){verdict}",
        ]
        return "\n".join(lines + [f"  {note}" for note in self.notes])


def compare(
    name: str,
    *,
    aim: float,
    units: int,
    unit: str,
    floor: Callable[[], object],
    ours: Callable[[], object],
    before: Callable[[], object] = lambda: None,
    after: Callable[[], object] = lambda: None,
    limit: float | None = None,
    rounds: int = ROUNDS,
) -> Comparison:
    """Run floor and ours in turn; `before` each side the stage is put back, `after` it is looked at, both untimed.

    A side that returns a float has timed itself, such as the median of its requests. `limit`, where there is one
    beyond the aim, is what may not be exceeded.
    """
    sides = {"floor": Series(), "ours": Series()}
    for side in ("floor", "ours"):
        # A first pass of each warms caches and is thrown away.
        before()
        (floor if side == "floor" else ours)()
        after()
    for _ in range(rounds):
        for side, run in (("floor", floor), ("ours", ours)):
            before()
            gc.collect()
            began = time.perf_counter()
            told = run()
            took = time.perf_counter() - began
            sides[side].seconds.append(told if isinstance(told, float) else took)
            after()
    return Comparison(name, aim, sides["floor"], sides["ours"], units, unit, limit or aim)


def show(*found: Comparison) -> int:
    """Print the lines of a benchmark; 1 when one missed."""
    for one in found:
        print(one.row(), flush=True)
    return int(any(one.missed for one in found))


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def forget_peak() -> None:
    """Let `peak_rss_kb` begin anew: what came before, such as migrations, is not measured."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")


def peak_rss_kb() -> int:
    """The largest resident set of this process since `forget_peak`, in KB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])
