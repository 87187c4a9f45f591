"""Counting what happened in simulated experiments, and holding it against a target."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt


@dataclass(slots=True)
class Tally:
    """Number, sum and sum of squares of each named quantity; adding tallies merges runs."""

    sums: dict[str, tuple[int, float, float]] = field(default_factory=dict)

    def add(self, name: str, values: npt.ArrayLike) -> None:
        """Count one value per experiment; truth counts 1."""
        numbers = np.asarray(values, dtype=float)
        n, total, squares = self.sums.get(name, (0, 0.0, 0.0))
        self.sums[name] = (
            n + numbers.size,
            total + float(numbers.sum()),
            squares + float((numbers**2).sum()),
        )

    def merge(self, other: "Tally") -> None:
        """Add what another process counted."""
        for name, (n, total, squares) in other.sums.items():
            mine = self.sums.get(name, (0, 0.0, 0.0))
            self.sums[name] = (mine[0] + n, mine[1] + total, mine[2] + squares)

    def finding(self, name: str, spec: "Spec", setting: str) -> "Finding":
        """What was observed of one quantity, beside its target."""
        n, total, squares = self.sums[name]
        mean = total / n
        # Two successes and two failures added: none seen in n is not an error of zero.
        floor = (total + 2.0) / (n + 4.0)
        variance = squares / n - mean**2
        if spec.share:
            variance = floor * (1.0 - floor)
        return Finding(
            target=spec.target,
            what=spec.what,
            setting=setting,
            observed=mean,
            experiments=n,
            error=math.sqrt(max(variance, 0.0) / n),
            low=spec.low,
            high=spec.high,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A quantity, the number of its target in the specification, and the limits."""

    target: int
    what: str
    low: float | None = None
    high: float | None = None
    share: bool = True
    """True for a share of experiments, False for a mean of other numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the calibration page."""

    target: int
    what: str
    setting: str
    observed: float
    experiments: int
    error: float
    """Monte Carlo standard error of `observed`."""
    low: float | None
    high: float | None

    @property
    def met(self) -> bool | None:
        """Inside the target as observed; None for a figure without a target."""
        if self.low is None and self.high is None:
            return None
        return self._inside(slack=0.0)

    @property
    def credible(self) -> bool:
        """Within four Monte Carlo errors of the target: what a small run can tell."""
        return self._inside(slack=4.0 * self.error)

    def _inside(self, *, slack: float) -> bool:
        above = self.low is None or self.observed >= self.low - slack
        return above and (self.high is None or self.observed <= self.high + slack)


def findings(tally: Tally, specs: Mapping[str, Spec], setting: str) -> tuple[Finding, ...]:
    """Findings of the quantities that were counted, in the order of the specs."""
    return tuple(
        tally.finding(name, spec, setting) for name, spec in specs.items() if name in tally.sums
    )
