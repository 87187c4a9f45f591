"""Ordered doses, clauses switched on and off, and scenario factors.

The three share one idea: strata (scenario x model) are held fixed, and a rate is never compared
across them. Variances pool each stratum's arms, so a grid without events in some arm still has an
interval, and an interval excludes 0 exactly when its test rejects.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from mitigations.model import Interval
from stats.named import Undefined

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """Change of the coercive rate per unit of dose, within strata."""

    slope: float
    slope_ci95: Interval
    z: float
    p_value: float
    strata_used: int
    """Strata with events and non-events in at least two doses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MainEffect:
    """Clause on minus clause off, averaged over the other clauses and over the strata."""

    clause: str
    difference: float
    simultaneous_ci95: Interval
    p_adjusted: float
    confounded_with: tuple[tuple[str, str], ...]
    """Pairs of clauses whose interaction this design cannot tell from the main effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorEffect:
    """One level of one scenario factor against all other scenarios."""

    factor: str
    level: str
    scenarios: int
    mean: float
    difference: float | None
    ci95: Interval | None
    p_value: float | None
    reason: str = ""


def dose_trend(
    doses: Sequence[float],
    events: Sequence[Sequence[int]],
    trials: Sequence[Sequence[int]],
    *,
    alpha: float = 0.05,
) -> Trend:
    """Stratified Cochran-Armitage test; rows of `events` and `trials` are strata, columns doses.

    Source: Mantel (1963), JASA 58, 690-700 (extended Mantel-Haenszel, one degree of freedom). The
    slope is the within-stratum least-squares slope. Raises `Undefined` without information.
    """
    score, x, n = np.asarray(doses, dtype=float), _matrix(events), _matrix(trials)
    if x.shape != n.shape or x.shape[1] != score.size:
        raise Undefined("events and trials need one row per stratum and one column per dose")
    if (x > n).any() or (x < 0).any():
        raise Undefined("events lie between 0 and the trials")
    size, hits = n.sum(axis=1), x.sum(axis=1)
    used = size > 1
    size, hits, x, n = size[used], hits[used], x[used], n[used]
    centred = score[None, :] - (n @ score / size)[:, None]
    squares = (n * centred**2).sum(axis=1)
    scatter = hits * (size - hits) / (size * (size - 1.0))
    informative = (squares > 0) & (scatter > 0)
    if not informative.any():
        raise Undefined("no stratum has both outcomes and two doses: a trend cannot be seen")
    score_sum, spread = float((centred * x).sum()), float(squares.sum())
    error = math.sqrt(float((scatter * squares).sum()))
    z, slope = score_sum / error, score_sum / spread
    half = -float(ndtri(alpha / 2.0)) * error / spread
    return Trend(
        slope=slope,
        slope_ci95=(slope - half, slope + half),
        z=z,
        p_value=float(2.0 * ndtr(-abs(z))),
        strata_used=int(informative.sum()),
    )


def clause_effects(
    clauses: Sequence[str],
    on: Sequence[Sequence[bool]],
    events: Sequence[Sequence[int]],
    trials: Sequence[Sequence[int]],
    *,
    alpha: float = 0.05,
) -> tuple[MainEffect, ...]:
    """Main effects from a full or fractional factorial of variants.

    `on[v][c]` says whether variant v holds clause c; rows of `events` and `trials` are strata,
    columns variants. Least squares on the stratum-standardised rates (plain on-minus-off means when
    the design is orthogonal); strata where a variant has no trial drop out. Intervals and p-values
    are simultaneous by Sidak (1967, JASA 62), exact for orthogonal designs and safe for others.

    Raises `Undefined` when the variants cannot separate the clauses.
    """
    x, n = _matrix(events), _matrix(trials)
    signs = np.where(np.asarray(on, dtype=bool), 0.5, -0.5)
    if signs.shape != (x.shape[1], len(clauses)) or x.shape != n.shape:
        raise Undefined("the design needs one row per variant and one column per clause")
    effects, errors = _least_squares(signs, x, n)
    family = len(clauses)
    bar = -float(ndtri((1.0 - (1.0 - alpha) ** (1.0 / family)) / 2.0))
    return tuple(
        MainEffect(
            clause=clause,
            difference=float(effect),
            simultaneous_ci95=(float(effect - bar * error), float(effect + bar * error)),
            p_adjusted=_sidak(float(2.0 * ndtr(-abs(effect) / error)), family),
            confounded_with=_confounded(index, clauses, signs),
        )
        for index, (clause, effect, error) in enumerate(zip(clauses, effects, errors, strict=True))
    )


def _least_squares(
    signs: FloatArray, x: FloatArray, n: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Main effects and their standard errors over the strata that hold every variant."""
    design = np.column_stack([np.ones(len(signs)), signs])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise Undefined("the variants cannot separate the clauses: two always come together")
    full = (n > 0).all(axis=1)
    if not full.any():
        raise Undefined("no stratum has trials of every variant")
    x, n = x[full], n[full]
    size, hits = n.sum(axis=1), x.sum(axis=1)
    scatter = hits * (size - hits) / (size * np.maximum(size - 1.0, 1.0))
    variances = (scatter[:, None] / n).mean(axis=0) / len(n)
    if not variances.any():
        raise Undefined("no stratum has both outcomes: no clause can be seen to matter")
    solve = np.linalg.pinv(design)
    return (solve @ (x / n).mean(axis=0))[1:], np.sqrt((solve**2 @ variances)[1:])


def factor_effects(
    values: Mapping[str, float],
    factors: Mapping[str, Mapping[str, str]],
    *,
    alpha: float = 0.05,
) -> tuple[FactorEffect, ...]:
    """Main effect of each factor level on a per-scenario value, clustered by scenario.

    `values` maps a scenario to its mean over models: the coercive rate of control, of a variant, or
    their difference. `factors` maps a scenario to its factor levels. The scenario is the unit, so
    repeats and models never count as evidence about a level. Welch's t (1947) against all other
    scenarios; unadjusted for the other factors and for looking at many: exploratory.
    """
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for scenario in sorted(values):
        for factor, level in factors.get(scenario, {}).items():
            groups[factor, level].append(scenario)
    found = []
    for (factor, level), inside in sorted(groups.items()):
        known = {s for s in values if factor in factors.get(s, {})}
        here = [values[s] for s in inside]
        there = [values[s] for s in sorted(known - set(inside))]
        found.append(_level(factor, level, (here, there), alpha))
    return tuple(found)


def _level(
    factor: str, level: str, samples: tuple[Sequence[float], Sequence[float]], alpha: float
) -> FactorEffect:
    here, there = (np.asarray(sample, dtype=float) for sample in samples)
    mean = float(here.mean())
    reason = ""
    if min(here.size, there.size) < 2:
        reason = "fewer than two scenarios with, or without, this level"
    elif here.var() + there.var() == 0:
        reason = "the scenarios do not vary within the levels"
    if reason:
        return FactorEffect(
            factor=factor,
            level=level,
            scenarios=here.size,
            mean=mean,
            difference=float(mean - there.mean()) if there.size else None,
            ci95=None,
            p_value=None,
            reason=reason,
        )
    parts = here.var(ddof=1) / here.size, there.var(ddof=1) / there.size
    error = math.sqrt(sum(parts))
    freedom = sum(parts) ** 2 / (parts[0] ** 2 / (here.size - 1) + parts[1] ** 2 / (there.size - 1))
    difference = float(mean - there.mean())
    half = float(stdtrit(freedom, 1.0 - alpha / 2.0)) * error
    return FactorEffect(
        factor=factor,
        level=level,
        scenarios=here.size,
        mean=mean,
        difference=difference,
        ci95=(difference - half, difference + half),
        p_value=float(2.0 * stdtr(freedom, -abs(difference) / error)),
    )


def _confounded(
    index: int, clauses: Sequence[str], signs: FloatArray
) -> tuple[tuple[str, str], ...]:
    """Interactions that are not orthogonal to one clause's column."""
    column = signs[:, index] * 2.0
    pairs = []
    for a, b in combinations(range(len(clauses)), 2):
        product = signs[:, a] * signs[:, b] * 4.0
        if index not in {a, b} and abs(float(column @ product)) > 1e-9:
            pairs.append((clauses[a], clauses[b]))
    return tuple(pairs)


def _sidak(p: float, family: int) -> float:
    return float(-math.expm1(family * math.log1p(-p))) if p < 1.0 else 1.0


def _matrix(rows: Sequence[Sequence[int]]) -> FloatArray:
    if not rows or len({len(row) for row in rows}) > 1:
        raise Undefined("every stratum needs the same columns, and there must be a stratum")
    return np.asarray(rows, dtype=float)
