"""What came of many runs, as one table."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.simulation.ending import Result
from tests.simulation.sometimes import SOMETIMES

FIGURES = (
    "obligations", "told", "excused", "lost", "unsettled", "reordered", "invented",
    "mangled", "uncorrected", "duplicated", "unrecorded",
)  # fmt: skip
HOUR = 3600
WIDE = 44


@dataclass(slots=True)
class Summary:
    """
    What came of all runs so far.

    Attributes:
        bad: What repeats those that went wrong.
    """

    runs: int = 0
    seconds: float = 0.0
    cost: float = 0.0
    figures: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)

    def add(self, result: Result, again: str) -> None:
        """Add a run, which the command *again* repeats."""
        self.runs += 1
        self.seconds += result.seconds
        self.cost += result.cost
        self.figures.update(result.verdict.figures)
        self.counts.update(result.counts)
        if result.verdict.violations:
            self.bad.append(again)

    def missed(self) -> list[str]:
        """Return what never happened, though it must."""
        return [name for name in SOMETIMES if not self.counts[name]]

    def lines(self) -> Iterator[str]:
        """Yield the table."""
        speed = self.seconds / self.cost if self.cost else 0.0
        yield f"{'runs':<{WIDE}}{self.runs:>12,}"
        yield f"{'simulated hours':<{WIDE}}{self.seconds / HOUR:>12,.1f}"
        yield f"{'times real time, on one core':<{WIDE}}{speed:>12,.0f}"
        others = sorted(self.figures.keys() - {*FIGURES})
        for name in (*FIGURES, *others):
            yield f"{name:<{WIDE}}{self.figures[name]:>12,}"
        yield ""
        for name in sorted(self.counts):
            if not name.startswith("logged"):
                yield f"{name:<{WIDE}}{self.counts[name]:>12,}"
        if missed := self.missed():
            yield f"never happened: {', '.join(missed)}"
        for again in self.bad:
            yield f"violated: python -m tests.simulation {again}"
