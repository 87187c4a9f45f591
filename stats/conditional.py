"""Exact inference given every stratum's margins.

Under H0 the variant events of a stratum follow a hypergeometric law; the total T over the strata
follows the convolution of these laws. The same law, tilted by the odds ratio, gives the conditional
estimate and its exact interval. With one stratum this is Fisher's test.

Sources: Fisher (1935); Gart (1970), Biometrika 57 (common odds ratio); Lancaster (1961), JASA 56
(mid-p); definitions as in R's `mantelhaen.test(exact = TRUE)` and `fisher.test`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from scipy.special import gammaln

from mitigations.model import Interval
from stats.mantel_haenszel import cmh, odds_ratio
from stats.named import Undefined
from stats.strata import BoolArray, FloatArray, IntArray, Strata

LAW_WORK = 500_000_000
"""Multiplications beyond which an exact law is not computed at all: about half a second."""

EXACT_WORK = 100_000_000
"""Multiplications beyond which the CMH normal law stands in: about 25 ms.

At this size T ranges over more than 10,000 values. The two p-values then differ by no more than
half the probability of a single total, 0.005 at most, because T moves in whole steps and the normal
law does not (a slow test holds this).
"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Law:
    """Law of T: probabilities of `low`, `low + 1`, ...; the null mean; and the observed T."""

    low: int
    pmf: FloatArray
    mean: float
    observed: int
    odds: float = 1.0
    """The common odds ratio under which `pmf` holds."""

    @property
    def support(self) -> FloatArray:
        """The values T can take."""
        return self.low + np.arange(len(self.pmf), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class PermutationTest:
    """Two-sided p of no effect in any stratum."""

    p: float
    midp: float
    exact: bool
    """False: the run was so large that the CMH normal law stood in for both."""


def table_laws(strata: Strata, *, odds: float = 1.0) -> tuple[FloatArray, FloatArray]:
    """Lower ends (K,) and hypergeometric probabilities (K, width), padded by zeros.

    Fisher's noncentral law where `odds` is not 1.
    """
    events = strata.x1 + strata.x0
    low = np.maximum(0.0, events - strata.n0)
    high = np.minimum(strata.n1, events)
    width = int((high - low).max(initial=0.0)) + 1
    count = np.asarray(low[:, None] + np.arange(width), dtype=np.float64)
    inside = count <= high[:, None]
    count = np.where(inside, count, low[:, None])
    columns = tuple(part[:, None] for part in (strata.n1, strata.n0, events))
    n1, n0, m = columns
    logs = _log_choose(n1, count) + _log_choose(n0, m - count) - _log_choose(n1 + n0, m)
    if odds != 1.0:
        logs = logs + np.log(odds) * (count - low[:, None])
        logs = logs - logs.max(axis=1, keepdims=True)
    pmf = np.where(inside, np.exp(logs), 0.0)
    # Rounding of gammaln grows with the counts; the laws are made to add up to one exactly.
    return low, pmf / pmf.sum(axis=1, keepdims=True)


def work(strata: Strata) -> float:
    """Multiplications that the exact law of these strata takes, roughly, and numbers it holds."""
    events = strata.x1 + strata.x0
    widths = np.minimum(strata.n1, events) - np.maximum(0.0, events - strata.n0)
    widths = np.where(strata.used, widths, 0.0)
    convolution = float(((np.cumsum(widths) - widths) * widths).sum())
    return convolution + len(widths) * float(widths.max(initial=0.0))


def total_law(strata: Strata) -> Law:
    """Law of the total variant events over K strata of shape (K,), by direct convolution.

    Direct, because an FFT bottoms out at 1e-16 and a tail probability may be smaller.
    """
    return group_laws(strata, np.zeros(strata.x1.shape, dtype=np.int64), 1)[0]


def odds_law(strata: Strata) -> Law:
    """The same under the Mantel-Haenszel odds ratio: what odds ratios are estimated from.

    Tilted back and forth it is the same family of laws; centred where the data are, it does not
    underflow there however far from equal odds they lie.
    """
    odds = float(odds_ratio(strata).estimate)
    centre = odds if np.isfinite(odds) and odds > 0 else 1.0
    return group_laws(strata, np.zeros(strata.x1.shape, dtype=np.int64), 1, odds=centre)[0]


def group_laws(strata: Strata, groups: IntArray, count: int, *, odds: float = 1.0) -> list[Law]:
    """The law of each of `count` groups of strata; `groups` holds codes of shape (K,)."""
    informative = strata.informative
    fixed = strata.x1 * (strata.used & ~informative)
    kept = _compress(strata, informative)
    codes = groups[informative]
    low, rows = table_laws(kept, odds=odds)
    # From the margins, not from the probabilities: the far ends of a large table underflow to zero.
    widths = (np.minimum(kept.n1, kept.x1 + kept.x0) - low).astype(np.int64) + 1
    expected = kept.n1 * (kept.x1 + kept.x0) / (kept.n1 + kept.n0)
    laws = []
    for group in range(count):
        members = np.flatnonzero(codes == group)
        constant = float(fixed[groups == group].sum())
        laws.append(
            Law(
                low=int(low[members].sum() + constant),
                pmf=convolve([rows[k, : widths[k]] for k in members]),
                mean=float(expected[members].sum()) + constant,
                observed=int(kept.x1[members].sum() + constant),
                odds=odds,
            )
        )
    return laws


def join(laws: Sequence[Law]) -> Law:
    """Law of the total over groups that are independent given their margins."""
    return Law(
        low=sum(law.low for law in laws),
        pmf=convolve([law.pmf for law in laws]),
        mean=float(sum(law.mean for law in laws)),
        observed=sum(law.observed for law in laws),
    )


def convolve(laws: Sequence[FloatArray]) -> FloatArray:
    """Law of a sum of independent variables; [1.0] for none."""
    return reduce(np.convolve, sorted(laws, key=len), np.ones(1))


def permutation_test(strata: Strata) -> PermutationTest:
    """P(|T - E T| >= observed) under within-stratum permutation; mid-p counts ties half.

    Shape (K,). p = 1 when no stratum is informative. Past `EXACT_WORK` the CMH z without continuity
    correction, which the mid-p tends to, stands in.
    """
    if not strata.informative.any():
        return PermutationTest(p=1.0, midp=1.0, exact=True)
    if work(strata) > EXACT_WORK:
        normal = float(cmh(strata).p)
        return PermutationTest(p=normal, midp=normal, exact=False)
    return law_test(total_law(strata))


def law_test(law: Law) -> PermutationTest:
    """The permutation test read off a law that is known already.

    A law with a single possible total can contradict nothing: p = 1, and no half of a tie.
    """
    if law.pmf.size == 1:
        return PermutationTest(p=1.0, midp=1.0, exact=True)
    distance = np.abs(law.support - law.mean)
    observed = abs(law.observed - law.mean)
    # Counts differ by whole steps, the mean is a sum of quotients: a slack far below a step.
    slack = 1e-8 * max(1.0, observed)
    tied = np.abs(distance - observed) <= slack
    beyond = float(law.pmf[(distance > observed) & ~tied].sum())
    ties = float(law.pmf[tied].sum())
    return PermutationTest(p=min(1.0, beyond + ties), midp=min(1.0, beyond + ties / 2), exact=True)


def minimum_likelihood_p(law: Law) -> float:
    """Sum of the probabilities no larger than the observed one's (relative slack 1e-7, as R)."""
    at = law.pmf[law.observed - law.low]
    return min(1.0, float(law.pmf[law.pmf <= at * (1 + 1e-7)].sum()))


def lower_tail_p(law: Law) -> float:
    """P(T <= observed): one-sided, for a variant risk below control."""
    return min(1.0, float(law.pmf[: law.observed - law.low + 1].sum()))


def conditional_odds_ratio(law: Law) -> float:
    """Conditional maximum likelihood odds ratio: the tilt that makes the mean of T the observed.

    0 at the lowest possible T, infinite at the highest. Raises `Undefined` when T can take one
    value only.
    """
    _need_two_values(law)
    if law.observed == law.low:
        return 0.0
    if law.observed == law.low + len(law.pmf) - 1:
        return np.inf
    return _solve_tilt(law, lambda tilted: float(tilted @ law.support) - law.observed)


def exact_odds_interval(law: Law, *, confidence: float = 0.95) -> Interval:
    """Exact interval of the common odds ratio: each tail holds half of what is left out."""
    _need_two_values(law)
    tail = (1 - confidence) / 2
    at = law.observed - law.low
    low, high = 0.0, float(np.inf)
    if at > 0:
        low = _solve_tilt(law, lambda tilted: float(tilted[at:].sum()) - tail)
    if at < len(law.pmf) - 1:
        high = _solve_tilt(law, lambda tilted: tail - float(tilted[: at + 1].sum()))
    return low, high


def _need_two_values(law: Law) -> None:
    if len(law.pmf) < 2:
        raise Undefined("given the margins only one table is possible: no odds ratio can be seen")


def _solve_tilt(law: Law, increasing: object) -> float:
    """Odds ratio at which an increasing function of the tilted law is zero."""
    # Imported here: the rest of an analysis does not need it, and it costs a quarter of a second.
    from scipy.optimize import brentq  # noqa: PLC0415

    assert callable(increasing)
    steps = np.arange(len(law.pmf), dtype=np.float64)
    centre = float(np.log(law.odds))
    with np.errstate(divide="ignore"):
        logs = np.log(law.pmf)

    def at(log_odds: float) -> float:
        tilted = logs + (log_odds - centre) * steps
        tilted = np.exp(tilted - tilted.max())
        return float(increasing(tilted / tilted.sum()))

    edge = 1.0
    while at(centre - edge) > 0 or at(centre + edge) < 0:
        edge *= 2
    return float(np.exp(brentq(at, centre - edge, centre + edge, xtol=1e-13, rtol=1e-13)))


def _log_choose(n: FloatArray, k: FloatArray) -> FloatArray:
    return np.asarray(gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1))


def _compress(strata: Strata, keep: BoolArray) -> Strata:
    return Strata(
        x1=strata.x1[keep],
        n1=strata.n1[keep],
        x0=strata.x0[keep],
        n0=strata.n0[keep],
        scenario=strata.scenario[keep],
    )
