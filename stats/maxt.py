"""Step-down max-T over the variants of a family, by permuting arm labels within strata.

Westfall & Young (1993), chapter 2; Romano & Wolf (2005), JASA 100 (step-down); Phipson & Smyth
(2010), SAGMB 9 (the observed labelling counts as one: p is never 0). In a stratum the arms still in
the family and the control are permuted jointly, so their events follow a multivariate
hypergeometric law. Once a variant is rejected it leaves, and the labels of those left are permuted
anew: their p-values then hold whatever effect the rejected one has.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from stats.strata import FloatArray, IntArray

CHUNK = 2_000_000
"""Drawn counts held in memory at once."""


def step_down_max_t(
    events: FloatArray,
    trials: FloatArray,
    *,
    permutations: int = 9999,
    seed: int = 0,
    alpha: float = 0.05,
    single_p: Sequence[float] | None = None,
) -> tuple[float, ...]:
    """Adjusted two-sided p of every variant against the control in row 0.

    Args:
        events: coercive trials, shape (arms, K), control first. The statistic is the absolute CMH z
            of a variant and control.
        trials: scored trials, the same shape.
        permutations: relabellings drawn for each step. p = (1 + more extreme + ties/2) /
            (1 + drawn): ties count half, as in the primary mid-p.
        seed: of the generator; the result does not depend on the order of the variants.
        alpha: level up to which a variant leaves the family; the others are judged together.
        single_p: exact p of each variant on its own, used when it is the last one left.

    Returns:
        One p for each row but the first. A variant without an informative stratum has p = 1.
    """
    observed = np.abs(_pairwise_z(events[:, None, :], trials))[:, 0]
    order = _content_order(events[1:], trials[1:], observed)
    adjusted = np.ones(len(observed))
    rng = np.random.Generator(np.random.SFC64(seed))
    remaining = list(order)
    floor = 0.0
    while remaining:
        if len(remaining) == 1 and single_p is not None:
            adjusted[remaining[0]] = max(floor, single_p[remaining[0]])
            break
        exceed = _exceedances(events, trials, remaining, observed, permutations, rng)
        for rank, variant in enumerate(remaining):
            floor = max(floor, (1 + float(exceed[rank])) / (1 + permutations))
            adjusted[variant] = floor
            if floor <= alpha and rank + 1 < len(remaining):
                remaining = remaining[rank + 1 :]
                break
        else:
            break
    _, variance = _stratum_terms(events[1:], trials[1:], events[:1], trials[:1])
    adjusted[variance.sum(axis=1) == 0] = 1.0
    return tuple(adjusted.tolist())


def _exceedances(
    events: FloatArray,
    trials: FloatArray,
    variants: list[int],
    observed: FloatArray,
    permutations: int,
    rng: np.random.Generator,
) -> FloatArray:
    """How often the maximum over `variants[r:]` passes the observed one of `variants[r]`."""
    rows = np.array([0, *(variant + 1 for variant in variants)])
    sizes, totals = trials[rows], events[rows].sum(axis=0)
    capacity = sizes.sum(axis=0)
    open_strata = (totals > 0) & (totals < capacity)
    exceed = np.zeros(len(variants))
    targets = observed[np.array(variants)][:, None]
    slack = 1e-9 * np.maximum(targets, 1e-3)
    for drawn in _relabellings(sizes[:, open_strata], totals[open_strata], permutations, rng):
        statistics = np.abs(_accumulated_z(drawn, sizes[:, open_strata]))
        maxima = np.maximum.accumulate(statistics[::-1], axis=0)[::-1]
        above, reached = maxima > targets + slack, maxima >= targets - slack
        exceed += (above.sum(axis=1) + reached.sum(axis=1)) / 2
    if not open_strata.any():
        exceed += permutations
    return exceed


def _relabellings(
    sizes: FloatArray, totals: FloatArray, permutations: int, rng: np.random.Generator
) -> Iterator[list[IntArray]]:
    """Batches of drawn events, one array of shape (batch, arms) for each stratum."""
    arms, strata = sizes.shape
    if strata == 0:
        return
    batch = max(1, min(permutations, CHUNK // (arms * strata) + 1))
    for start in range(0, permutations, batch):
        count = min(batch, permutations - start)
        yield [
            _draw(sizes[:, k].astype(np.int64), int(totals[k]), count, rng) for k in range(strata)
        ]


def _draw(sizes: IntArray, total: int, count: int, rng: np.random.Generator) -> IntArray:
    """Events of every arm when `total` events fall on the trials at random; (count, arms)."""
    capacity = int(sizes.sum())
    # Shuffling costs one step an event, the chain of hypergeometric draws a fixed price an arm.
    shuffle = min(total, capacity - total) < 8 * len(sizes)
    method: Literal["count", "marginals"] = "count" if shuffle else "marginals"
    return np.asarray(rng.multivariate_hypergeometric(sizes, total, size=count, method=method))


def _accumulated_z(drawn: list[IntArray], sizes: FloatArray) -> FloatArray:
    """CMH z of each variant under each relabelling; shape (variants, batch)."""
    deviation: FloatArray | float = 0.0
    variance: FloatArray | float = 0.0
    for k, counts in enumerate(drawn):
        arms = counts.T.astype(np.float64)
        gap, spread = _stratum_terms(arms[1:], sizes[1:, k, None], arms[:1], sizes[:1, k, None])
        deviation = deviation + gap
        variance = variance + spread
    return _z(np.asarray(deviation), np.asarray(variance))


def _stratum_terms(
    x1: FloatArray, n1: FloatArray, x0: FloatArray, n0: FloatArray
) -> tuple[FloatArray, FloatArray]:
    total = n1 + n0
    events = x1 + x0
    used = (n1 > 0) & (n0 > 0)
    share = np.where(used, 1 / np.maximum(total, 1.0), 0.0)
    scale = np.where(used, n1 * n0 * share**2 / np.maximum(total - 1, 1.0), 0.0)
    return (x1 * n0 - x0 * n1) * share, events * (total - events) * scale


def _pairwise_z(events: FloatArray, trials: FloatArray) -> FloatArray:
    """CMH z of every variant against row 0; `events` has shape (arms, batch, K)."""
    gap, spread = _stratum_terms(events[1:], trials[1:, None], events[:1], trials[:1, None])
    return _z(gap.sum(axis=-1), spread.sum(axis=-1))


def _z(deviation: FloatArray, variance: FloatArray) -> FloatArray:
    return deviation / np.sqrt(np.where(variance > 0, variance, np.inf))


def _content_order(events: FloatArray, trials: FloatArray, observed: FloatArray) -> list[int]:
    """Variants by falling statistic, ties by their counts: names and input order do not matter."""
    keys = [(-float(observed[i]), tuple(events[i]), tuple(trials[i])) for i in range(len(observed))]
    return sorted(range(len(observed)), key=lambda i: keys[i])
