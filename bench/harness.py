"""How we measure: floor and ours alternate, at least five rounds, medians and ranges; no ratio over a shaky floor.

A floor whose rounds range over more than 15 % of their median says nothing: the whole series, of both sides, is thrown
away and taken anew, a few times at most; no single round is left out. Without a ratio the aim is not shown, so the run fails.
"""

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROUNDS = 5
SHAKY = 0.15
TRIES = 3


@dataclass
class Series:
    """Seconds of the rounds of one side."""

    seconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def spread(self) -> float:
        """The whole range of the rounds, as a share of the median."""
        return (max(self.seconds) - min(self.seconds)) / self.median if self.median else 0.0

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
    rounds: int = ROUNDS
    tries: int = 1
    notes: list[str] = field(default_factory=list)

    @property
    def ratio(self) -> float | None:
        """None when the floor varied by more than 15 % or there were too few rounds: then a ratio would say nothing."""
        few = len(self.floor.seconds) < ROUNDS
        return None if few or self.floor.spread > SHAKY else self.ours.median / self.floor.median

    @property
    def missed(self) -> bool:
        """Over the limit, or without a ratio that would show that it is not. Runs of a few rounds only try the code."""
        if self.rounds < ROUNDS:
            return False
        return self.ratio is None or self.ratio > self.limit

    def row(self) -> str:
        ratio = "not printed: the floor varies, or too few rounds" if self.ratio is None else f"{self.ratio:.2f}x"
        rate = self.units / self.ours.median
        verdict = " MISSED" if self.missed else "" if self.ratio is None else " ok"
        if self.ratio is not None and self.aim < self.ratio <= self.limit:
            verdict = f" above the aim, within the limit of {self.limit:g}x"
        again = f", series {self.tries}" if self.tries > 1 else ""
        lines = [
            f"{self.name}",
            f"  floor {self.floor}, range {self.floor.spread:.0%}{again}   ours {self.ours}   {rate:,.0f} {self.unit}/s",
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
    for run in (floor, ours):
        # A first pass of each warms caches and is thrown away.
        before()
        run()
        after()
    tries = 0
    while True:
        tries += 1
        sides = (Series(), Series())
        for _ in range(rounds):
            for side, run in zip(sides, (floor, ours), strict=True):
                before()
                gc.collect()
                began = time.perf_counter()
                told = run()
                took = time.perf_counter() - began
                side.seconds.append(told if isinstance(told, float) else took)
                after()
        if tries == TRIES or rounds < ROUNDS or sides[0].spread <= SHAKY:
            break
    return Comparison(name, aim, *sides, units, unit, limit or aim, rounds, tries)


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
