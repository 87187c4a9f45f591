"""Pair betting: an e-process that may be looked at after every complete epoch.

The r-th valid trial of the variant is paired with the r-th of control in each scenario x model
stratum: D = +1 when only the variant was coercive, -1 when only control was, 0 when both or neither
were. Against H0: standardised risk difference = d0 a bettor who stakes lambda multiplies the wealth
by 1 + lambda (D - d0); mixing over lambda gives E(d0). Over one pair in every stratum the expected
product is at most (1 + lambda (mean - d0))^K = 1 (inequality of the means), so E is a
supermartingale **at complete epochs only**, however unequal the strata are. By Ville's inequality
P(E(d0) ever >= 1/alpha) <= alpha.

Sources: Waudby-Smith & Ramdas (2024), JRSS-B 86, 1-27 (betting, confidence sequences by inversion);
Turner, Ly & Grunwald (2024), JSPI 230 (two streams); Ville (1939).
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import betaln

from mitigations.model import Interval, PairCell
from stats.named import Quantities, Undefined, collect, count

PRIOR_A = 20.0
"""Beta(a, a) prior of the stakes: a = 20 bets on differences of a few points per pair."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Pair counts summed over the strata, closed at an epoch."""

    variant_only: int
    control_only: int
    concordant: int

    @property
    def total(self) -> int:
        """All pairs."""
        return self.variant_only + self.control_only + self.concordant

    @property
    def difference(self) -> float:
        """Mean of D: the paired risk difference, variant minus control."""
        if self.total == 0:
            raise Undefined("no complete epoch yet: there is no pair to bet on")
        return (self.variant_only - self.control_only) / self.total


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What may be shown of one variant after an epoch."""

    pairs: Pairs | None
    e_value: float | None
    threshold: float
    rejected: bool | None
    confidence_sequence: Interval | None
    reason: str = ""


def log_e_value(variant_only: int, control_only: int, *, prior_a: float = PRIOR_A) -> float:
    """Natural logarithm of `e_value`; finite where the e-value itself overflows."""
    stakes = _positive(prior_a)
    plus, minus = count(variant_only, "variant_only"), count(control_only, "control_only")
    shift = betaln(plus + stakes, minus + stakes) - betaln(stakes, stakes)
    return float(shift) + (plus + minus) * math.log(2.0)


def e_value(variant_only: int, control_only: int, *, prior_a: float = PRIOR_A) -> float:
    """Evidence against "no difference" from the discordant pairs; infinite past 1e308.

    `B(n+ + a, n- + a) / B(a, a) * 2^(n+ + n-)`: the closed form of E(0). Raises `Undefined` for
    negative counts or a prior that is not positive.

    >>> round(e_value(12, 30, prior_a=5), 6)
    11.034166
    """
    return _exp(log_e_value(variant_only, control_only, prior_a=prior_a))


def e_value_at(pairs: Pairs, d0: float, *, prior_a: float = PRIOR_A) -> float:
    """Evidence against "the standardised risk difference is d0", -1 < d0 < 1.

    `E(d0) = integral over u in (-1, 1) of prod (1 + lambda (D - d0))`, u = 2B - 1, B ~ Beta(a, a),
    lambda = u/(1 + d0) for u > 0 and u/(1 - d0) for u < 0: the largest stakes that cannot go broke.
    """
    return _exp(log_e_value_at(pairs, d0, prior_a=prior_a))


def log_e_value_at(pairs: Pairs, d0: float, *, prior_a: float = PRIOR_A) -> float:
    """Natural logarithm of `e_value_at`, by quadrature that follows the peak of the integrand."""
    stakes = _positive(prior_a)
    if not -1.0 < d0 < 1.0:
        raise Undefined("d0 must lie strictly between -1 and 1")
    plus = count(pairs.variant_only, "variant_only")
    minus = count(pairs.control_only, "control_only")
    zero = count(pairs.concordant, "concordant")
    upper = _log_half(plus, minus, zero, d0=d0, stakes=stakes)
    # u < 0 is u > 0 with the arms, and so the sign of d0, swapped.
    lower = _log_half(minus, plus, zero, d0=-d0, stakes=stakes)
    norm = float(betaln(stakes, stakes)) + (2.0 * stakes - 1.0) * math.log(2.0)
    return float(np.logaddexp(upper, lower)) - norm


def confidence_sequence(pairs: Pairs, *, alpha: float = 0.05, prior_a: float = PRIOR_A) -> Interval:
    """Differences d0 with E(d0) < 1/alpha: covers the truth at all epochs at once.

    E is convex in d0 (with s = 1/(1 + d0) each u > 0 gives a polynomial in s with non-negative
    coefficients; u < 0 mirrors it) and at most 1 at the mean of D, so the set is an interval.
    """
    if not 0.0 < alpha < 1.0:
        raise Undefined("alpha must lie strictly between 0 and 1")
    middle = pairs.difference
    bar = -math.log(alpha)

    def excess(d0: float) -> float:
        return log_e_value_at(pairs, d0, prior_a=prior_a) - bar

    return _edge(excess, middle, -1.0), _edge(excess, middle, 1.0)


def threshold(comparisons: int, *, alpha: float = 0.05) -> float:
    """The e-value at which one of `comparisons` variants is rejected: Bonferroni, (K - 1)/alpha."""
    return comparisons / alpha


def total(cells: Iterable[PairCell], variant: str) -> Pairs:
    """Sum one variant's pairs over its strata.

    Raises `Undefined` unless every stratum holds the same number of pairs: inside an epoch the
    e-process is not valid (a grid half helped, half harmed false-alarms almost always).
    """
    mine = [cell for cell in cells if cell.variant == variant]
    sizes = {cell.variant_only + cell.control_only + cell.concordant for cell in mine}
    if len(sizes) > 1:
        raise Undefined(
            "the strata hold different numbers of pairs "
            f"({min(sizes)} to {max(sizes)}); an e-value exists at complete epochs only"
        )
    if not sizes or sizes == {0}:
        raise Undefined("no complete epoch yet: there is no pair to bet on")
    return Pairs(
        variant_only=sum(cell.variant_only for cell in mine),
        control_only=sum(cell.control_only for cell in mine),
        concordant=sum(cell.concordant for cell in mine),
    )


def watch(
    cells: Sequence[PairCell],
    variant: str,
    *,
    comparisons: int = 1,
    alpha: float = 0.05,
    prior_a: float = PRIOR_A,
) -> Watch:
    """State of one variant at the last complete epoch; simultaneous over the family."""
    bar = threshold(comparisons, alpha=alpha)
    try:
        pairs = total(cells, variant)
    except Undefined as exc:
        return Watch(
            pairs=None,
            e_value=None,
            threshold=bar,
            rejected=None,
            confidence_sequence=None,
            reason=str(exc),
        )
    value = e_value(pairs.variant_only, pairs.control_only, prior_a=prior_a)
    return Watch(
        pairs=pairs,
        e_value=value,
        threshold=bar,
        rejected=value >= bar,
        confidence_sequence=confidence_sequence(pairs, alpha=alpha / comparisons, prior_a=prior_a),
    )


def standing_alarm(log_e_values: Iterable[float], *, alpha: float = 0.05) -> tuple[float, bool]:
    """Multiply the e-values of independent runs; returns the log of the product and the alarm.

    A product of e-values under the same null is an e-value, so the alarm may stand for ever and be
    looked at after every run: it sounds falsely at most once in 1/alpha histories.
    """
    logs = np.cumsum([0.0, *log_e_values])
    return float(logs[-1]), bool(logs.max() >= -math.log(alpha))


def e_value_quantities(
    *,
    pairs_variant_only: int,
    pairs_control_only: int,
    pairs_concordant: int = 0,
    prior_a: float = PRIOR_A,
    d0: float = 0.0,
) -> Quantities:
    """Reference names of kind `e_value`; the closed form exists for d0 = 0 only."""
    pairs = Pairs(
        variant_only=pairs_variant_only,
        control_only=pairs_control_only,
        concordant=pairs_concordant,
    )

    def closed() -> float:
        if d0 != 0:
            raise Undefined("the closed form is that of d0 = 0")
        return e_value(pairs_variant_only, pairs_control_only, prior_a=prior_a)

    return collect(
        {
            "e_value": lambda: e_value_at(pairs, d0, prior_a=prior_a),
            "e_value_closed_form": closed,
        }
    )


def log_integrand(
    logit: FloatArray, counts: Sequence[FloatArray | float], d0: FloatArray | float, stakes: float
) -> FloatArray:
    """Log of the u > 0 half of E(d0) at u = 1/(1 + exp(-logit)), the Jacobian included.

    `counts` are the pairs with D = +1, -1 and 0; all arguments broadcast.
    """
    plus, minus, zero = counts
    log_u = -np.logaddexp(0.0, -logit)
    log_1mu = -np.logaddexp(0.0, logit)
    u = np.exp(log_u)
    return (
        plus * np.log1p(u * ((1.0 - d0) / (1.0 + d0)))
        # D = -1 gives the factor 1 - u whatever d0 is, and the prior (1 - u)^(a-1) (1 + u)^(a-1).
        + (minus + stakes) * log_1mu
        + zero * np.log1p(-u * (d0 / (1.0 + d0)))
        + (stakes - 1.0) * np.log1p(u)
        + log_u
    )


def _log_half(plus: int, minus: int, zero: int, *, d0: float, stakes: float) -> float:
    """Log of the integral over u in (0, 1).

    On the logit scale the integrand is smooth, unimodal (a product of functions log-concave in u)
    and decays exponentially, so the trapezoid rule converges geometrically once its range fits the
    peak; the range is found by zooming until nothing within exp(-45) of the top is cut.
    """
    counts = (float(plus), float(minus), float(zero))
    low, high = -60.0, 60.0 + 60.0 / stakes
    for _ in range(60):
        grid = np.linspace(low, high, 401)
        logs = log_integrand(grid, counts, d0, stakes)
        inside = np.flatnonzero(logs > logs.max() - 45.0)
        first, last = max(inside[0] - 1, 0), min(inside[-1] + 1, 400)
        if last - first > 300:
            break
        low, high = float(grid[first]), float(grid[last])
    top = float(logs.max())
    return top + math.log(float(np.exp(logs - top).sum()) * float(grid[1] - grid[0]))


def _edge(excess: Callable[[float], float], middle: float, end: float) -> float:
    """Where `excess` crosses zero between the middle and one end of (-1, 1)."""
    outer = end * (1.0 - 1e-12)
    if abs(middle) >= abs(outer) and middle * end > 0:
        return end
    if excess(outer) < 0.0:
        return end
    return float(brentq(excess, middle * (1.0 - 1e-12), outer, xtol=1e-10))


def _positive(prior_a: float) -> float:
    if not (math.isfinite(prior_a) and prior_a > 0):
        raise Undefined(f"prior_a must be a positive number, not {prior_a!r}")
    return float(prior_a)


def _exp(log_value: float) -> float:
    try:
        return math.exp(log_value)
    except OverflowError:
        return math.inf
