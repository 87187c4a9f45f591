"""Power, smallest visible effect, and what would settle an open question.

Two formulas for two proportions (the reference names) and the grid formulas of the product:
`SE^2 = 2 vbar / (S M R)` for "this grid", `tau^2 / S + 2 vbar / (S M R)` for "scenarios like
these", with S scenarios, M models, R repeats, vbar the mean of p(1 - p) over the cells and tau^2
the variance of the true effect between scenarios. Rates and effects are proportions.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from stats.dunnett import dunnett_critical
from stats.named import Quantities, Undefined, collect
from stats.sequential import boundaries, crossing, expected_share

Z80 = 0.8416212335729143
"""Normal quantile of 80 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Size of a run and how noisy its cells are."""

    scenarios: int
    models: int
    repeats: int
    vbar: float
    """Mean of p(1 - p) over the cells, from a pilot or the plan; at most 0.25."""
    tau2: float = 0.0
    """Variance of the true effect between scenarios; 0 asks question (a), "this grid"."""
    comparisons: int = 1
    """Variants tested against the baseline: sets the family constant."""
    alpha: float = 0.05

    def __post_init__(self) -> None:
        if min(self.scenarios, self.models, self.repeats, self.comparisons) < 1:
            raise Undefined("a grid needs at least one scenario, model, repeat and comparison")
        if not 0.0 <= self.vbar <= 0.25:
            raise Undefined(f"vbar is a mean of p(1 - p) and lies in 0 to 0.25, not {self.vbar!r}")
        if not self.tau2 >= 0.0:
            raise Undefined(f"tau2 is a variance, not {self.tau2!r}")

    @property
    def standard_error(self) -> float:
        """Standard error of the standardised risk difference."""
        sampling = 2.0 * self.vbar / (self.scenarios * self.models * self.repeats)
        return math.sqrt(self.tau2 / self.scenarios + sampling)

    @property
    def constant(self) -> float:
        """Family constant: Dunnett's two-sided critical value, 1.96 for one comparison."""
        return dunnett_critical(self.comparisons, self.alpha)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settle:
    """What would make a run see an effect with 80 % power; None where that road does not lead."""

    effect: float
    repeats: int | None
    """Repeats per cell in all, with the scenarios as they are."""
    scenarios: int | None
    """Scenarios in all, with the repeats as they are."""
    reason: str = ""


def vbar(rates: Sequence[float]) -> float:
    """Mean of p(1 - p) over the cells; the scatter that repeats average away."""
    if len(rates) == 0:
        raise Undefined("no cell with a scored trial")
    shares = np.asarray(rates, dtype=float)
    return float((shares * (1.0 - shares)).mean())


def tau2(differences: Sequence[float], *, sampling_variance: float) -> float:
    """Variance of the true effect between scenarios: observed minus sampling, at least 0.

    `differences` are per-scenario mean differences, `sampling_variance` that of one of them,
    2 vbar / (M R). Source: Hedges & Olkin (1985), moment estimator.
    """
    if len(differences) < 2:
        raise Undefined("the scatter between scenarios needs at least two scenarios")
    return max(0.0, float(np.var(np.asarray(differences, dtype=float), ddof=1)) - sampling_variance)


def power(effect: float, grid: Grid) -> float:
    """Chance that the two-sided test of one comparison rejects at a true `effect`."""
    if grid.standard_error == 0:
        raise Undefined("the grid has no sampling variance: every rate is 0 or 1")
    drift, bar = abs(effect) / grid.standard_error, grid.constant
    return float(ndtr(drift - bar) + ndtr(-drift - bar))


def mde(grid: Grid) -> float:
    """Smallest effect seen with 80 % power: (family constant + 0.842) SE."""
    return (grid.constant + Z80) * grid.standard_error


def settle(effect: float, grid: Grid) -> Settle:
    """Repeats, or scenarios, in all that would show `effect` with 80 % power.

    More repeats shrink only the sampling part: where tau^2 / S alone is too wide, only new
    scenarios help, and the answer says so.
    """
    if effect == 0:
        raise Undefined("an effect of exactly zero can never be shown")
    needed = (abs(effect) / (grid.constant + Z80)) ** 2
    room = needed - grid.tau2 / grid.scenarios
    per_repeat = 2.0 * grid.vbar / (grid.scenarios * grid.models)
    repeats = max(1, math.ceil(per_repeat / room - 1e-9)) if room > 0 else None
    one = replace(grid, scenarios=1).standard_error ** 2
    scenarios = max(1, math.ceil(one / needed - 1e-9))
    reason = "" if repeats else "the effect varies too much between scenarios: add scenarios"
    return Settle(effect=effect, repeats=repeats, scenarios=scenarios, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedLooks:
    """What a group-sequential design gives up and what it saves at one effect."""

    power: float
    expected_share: float
    """Mean share of the planned trials that is run; 1 minus this is saved."""


def planned_looks(effect: float, grid: Grid, *, looks: int) -> PlannedLooks:
    """Power and expected share of the trials with equally spaced looks (Lan-DeMets, Bonferroni)."""
    if looks < 1:
        raise Undefined("a design needs at least one look")
    if grid.standard_error == 0:
        raise Undefined("the grid has no sampling variance: every rate is 0 or 1")
    information = [(look + 1) / looks for look in range(looks)]
    bounds = boundaries(information, alpha=grid.alpha / grid.comparisons)
    drift = effect / grid.standard_error
    return PlannedLooks(
        power=crossing(information, bounds, drift=drift).power,
        expected_share=expected_share(information, bounds, drift=drift),
    )


def power_quantities(p0: float, p1: float, alpha: float, n_per_arm: float) -> Quantities:
    """Reference names of kind `power`: two proportions, `n_per_arm` trials in each arm.

    `power_two_sided_strict` and `n_per_arm_80` (infinite for equal rates) follow R's
    `power.prop.test(strict = TRUE)`, `power_arcsine` Cohen (1988), section 6.
    """
    return collect(
        {
            "power_two_sided_strict": lambda: _pooled(p0, p1, alpha, n_per_arm, both=True),
            "power_upper_tail_only": lambda: _pooled(p0, p1, alpha, n_per_arm, both=False),
            "power_arcsine": lambda: _arcsine(p0, p1, alpha, n_per_arm),
            "n_per_arm_80": lambda: _n_per_arm(p0, p1, alpha, target=0.8),
        }
    )


def _check(p0: float, p1: float, alpha: float, n_per_arm: float) -> None:
    if not (0.0 <= p0 <= 1.0 and 0.0 <= p1 <= 1.0):
        raise Undefined("p0 and p1 are proportions between 0 and 1")
    if not 0.0 < alpha < 1.0:
        raise Undefined("alpha must lie strictly between 0 and 1")
    if not (n_per_arm > 0 and math.isfinite(n_per_arm)):
        raise Undefined("n_per_arm must be a positive number of trials")


def _pooled(p0: float, p1: float, alpha: float, n_per_arm: float, *, both: bool) -> float:
    """Normal approximation: pooled variance under H0, unpooled under H1."""
    _check(p0, p1, alpha, n_per_arm)
    mean = (p0 + p1) / 2.0
    bar = -float(ndtri(alpha / 2.0)) * math.sqrt(2.0 * mean * (1.0 - mean))
    spread = math.sqrt(p0 * (1.0 - p0) + p1 * (1.0 - p1))
    signal = math.sqrt(n_per_arm) * abs(p1 - p0)
    if mean in {0.0, 1.0}:
        raise Undefined("both rates are 0, or both are 1: nothing can vary")
    if spread == 0:  # 0 against 1: the outcome is certain, so the power is 0 or 1
        return float(signal > bar)
    near = float(ndtr((signal - bar) / spread))
    return near + float(ndtr(-(signal + bar) / spread)) if both else near


def _arcsine(p0: float, p1: float, alpha: float, n_per_arm: float) -> float:
    """Cohen's h: difference of 2 asin(sqrt(p)), variance 1/n whatever the rates."""
    _check(p0, p1, alpha, n_per_arm)
    size = abs(2.0 * math.asin(math.sqrt(p1)) - 2.0 * math.asin(math.sqrt(p0)))
    bar = -float(ndtri(alpha / 2.0))
    signal = size * math.sqrt(n_per_arm / 2.0)
    return float(ndtr(signal - bar) + ndtr(-signal - bar))


def _n_per_arm(p0: float, p1: float, alpha: float, *, target: float) -> float:
    """Trials per arm, not rounded, at which the strict power reaches `target`."""
    _check(p0, p1, alpha, 1.0)
    if p0 == p1:
        return math.inf
    if alpha >= target:
        raise Undefined(f"alpha is at least {target}: the power is there without a trial")

    def missing(log_n: float) -> float:
        return _pooled(p0, p1, alpha, math.exp(log_n), both=True) - target

    # From fewer trials than any to more than atoms; rates closer than doubles tell apart need more.
    if missing(180.0) < 0:
        return math.inf
    return math.exp(float(brentq(missing, -200.0, 180.0, xtol=1e-13, rtol=1e-13)))
