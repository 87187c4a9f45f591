"""Question (b), "scenarios like these": the scenario is the unit, its mean difference the datum.

Student's t over scenarios for the interval; sign flips for the p (Fisher 1935, sec. 21: under the
null a scenario's difference is as likely to point either way); max-T over scenarios across variants
(Westfall & Young 1993).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from mitigations.model import Interval
from stats.named import Undefined
from stats.strata import FloatArray, Strata

EXACT_SCENARIOS = 20
"""Up to here all 2^S sign patterns are counted; above, patterns are drawn."""

FEW_SCENARIOS, FEW_WITH_EVENTS = 20, 10
"""Below these the interval covers less than it says (.88 was measured)."""

SLACK = 1e-9
"""Sums of the same differences in another order differ by rounding; ties are counted as ties."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioT:
    """One-sample t over scenarios, df = S - 1."""

    mean: float
    t: float
    p: float
    ci: Interval


def scenario_differences(strata: Strata) -> FloatArray:
    """Mean difference of each scenario over its used strata; NaN for a scenario without one.

    Shape (..., S), S the number of scenarios that `strata.scenario` names.
    """
    codes = int(strata.scenario.max(initial=-1)) + 1
    member = (strata.scenario[:, None] == np.arange(codes)).astype(np.float64)
    rate1, rate0 = strata.rates()
    used = strata.used.astype(np.float64)
    sums, sizes = ((rate1 - rate0) * used) @ member, used @ member
    return np.where(sizes > 0, sums / np.maximum(sizes, 1.0), np.nan)


def scenario_t(differences: FloatArray, *, confidence: float = 0.95) -> ScenarioT:
    """Mean of the scenario differences over its standard error, from values of shape (S,).

    Raises `Undefined` for fewer than two scenarios or when all differences are equal.
    """
    values = differences[~np.isnan(differences)]
    if len(values) < 2:
        raise Undefined("needs at least two scenarios with both arms")
    mean = float(values.mean())
    spread = float(values.std(ddof=1))
    if spread <= SLACK * max(1e-3, float(np.abs(values).max())):
        raise Undefined("every scenario shows the same difference: no variance between scenarios")
    error = spread / len(values) ** 0.5
    df = len(values) - 1
    half = float(stdtrit(df, 0.5 + confidence / 2)) * error
    t = float(mean / error)
    return ScenarioT(mean=mean, t=t, p=float(2 * stdtr(df, -abs(t))), ci=(mean - half, mean + half))


def sign_flip_p(differences: FloatArray, *, permutations: int = 9999, seed: int = 0) -> float:
    """P(|sum of randomly signed differences| >= observed), the observed pattern included.

    Exact up to `EXACT_SCENARIOS`; above, `permutations` patterns are drawn and the observed one
    added. 1 when every difference is zero. Raises `Undefined` for fewer than two scenarios.
    """
    values = differences[~np.isnan(differences)]
    if len(values) < 2:
        raise Undefined("needs at least two scenarios with both arms")
    observed = abs(float(values.sum()))
    target = observed - SLACK * max(1.0, float(np.abs(values).sum()))
    if len(values) <= EXACT_SCENARIOS:
        return _exact_flips(values, target)
    rng = np.random.Generator(np.random.SFC64(seed))
    flipped = np.abs(_signs(permutations, len(values), rng) @ values)
    return (1 + int((flipped >= target).sum())) / (1 + permutations)


def scenario_max_t(
    differences: FloatArray, *, permutations: int = 9999, seed: int = 0
) -> tuple[float, ...]:
    """Step-down adjusted p of each variant for question (b), from differences (variants, S).

    A scenario's differences change sign together in all variants, which keeps their dependence. The
    statistic is |sum| over the root of the sum of squares, which no flip changes. A variant without
    any difference has p = 1.
    """
    values = np.nan_to_num(np.asarray(differences, dtype=np.float64))
    size = np.sqrt((values**2).sum(axis=1, keepdims=True))
    scaled = values / np.where(size > 0, size, 1.0)
    observed = np.abs(scaled.sum(axis=1))
    order = np.argsort(-observed, kind="stable")
    rng = np.random.Generator(np.random.SFC64(seed))
    flipped = np.abs(_signs(permutations, values.shape[1], rng) @ scaled.T)[:, order]
    maxima = np.maximum.accumulate(flipped[:, ::-1], axis=1)[:, ::-1]
    extreme = (maxima >= observed[order] - SLACK).sum(axis=0)
    adjusted = np.empty(len(order))
    adjusted[order] = np.maximum.accumulate((1 + extreme) / (1 + permutations))
    return tuple(adjusted.tolist())


def caution(strata: Strata) -> str:
    """What to say beside question (b) when scenarios are too few; empty when they are enough."""
    size = int(strata.scenario.max(initial=-1)) + 1
    trials = np.bincount(strata.scenario, weights=strata.used, minlength=size)
    events = np.bincount(
        strata.scenario, weights=(strata.x1 + strata.x0) * strata.used, minlength=size
    )
    scenarios, with_events = int((trials > 0).sum()), int((events > 0).sum())
    if scenarios < FEW_SCENARIOS:
        many = "scenario" if scenarios == 1 else "scenarios"
        return f"only {scenarios} {many}: below {FEW_SCENARIOS} the interval is approximate"
    if with_events < FEW_WITH_EVENTS:
        return (
            f"only {with_events} scenarios have any coercive reply: below {FEW_WITH_EVENTS} "
            "the interval covers less than it says"
        )
    return ""


def _exact_flips(values: FloatArray, target: float) -> float:
    """Share of sign patterns with |sum| >= target: the two halves are enumerated and matched."""
    half = len(values) // 2
    left, right = _signed_sums(values[:half]), np.sort(_signed_sums(values[half:]))
    if target <= 0:
        return 1.0
    above = len(right) - np.searchsorted(right, target - left, side="left")
    below = np.searchsorted(right, -target - left, side="right")
    return float((above.sum() + below.sum()) / (len(left) * len(right)))


def _signed_sums(values: Sequence[float] | FloatArray) -> FloatArray:
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def _signs(rows: int, columns: int, rng: np.random.Generator) -> FloatArray:
    return np.asarray(rng.integers(0, 2, size=(rows, columns), dtype=np.int8) * 2.0 - 1.0)
