"""Adjusted p-values for a family. Definitions as R's `p.adjust`; input order is kept.

Holm (1979); Hochberg (1988); Hommel (1988); Benjamini & Hochberg (1995); Benjamini & Yekutieli
(2001).
"""

from collections.abc import Sequence

import numpy as np

from stats.strata import FloatArray


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Step-down Bonferroni: valid under any dependence.

    >>> holm([0.01, 0.04, 0.03])
    (0.03, 0.06, 0.06)
    """
    p, order = _sorted(p_values)
    factors = np.arange(len(p), 0, -1)
    return _restore(np.maximum.accumulate(factors * p), order)


def hochberg(p_values: Sequence[float]) -> tuple[float, ...]:
    """Step-up Bonferroni: needs non-negative dependence."""
    p, order = _sorted(p_values)
    factors = np.arange(len(p), 0, -1)
    return _restore(np.minimum.accumulate((factors * p)[::-1])[::-1], order)


def hommel(p_values: Sequence[float]) -> tuple[float, ...]:
    """Closed Simes procedure (Wright 1992, Biometrics 48, appendix); same needs as Hochberg."""
    p, order = _sorted(p_values)
    size = len(p)
    if size < 2:
        return _restore(p, order)
    ranks = np.arange(1, size + 1)
    smallest = float((size * p / ranks).min())
    adjusted = np.full(size, smallest)
    running = adjusted.copy()
    for m in range(size - 1, 1, -1):
        head, tail = np.arange(size - m + 1), np.arange(size - m + 1, size)
        bound = float((m * p[tail] / np.arange(2, m + 1)).min())
        running[head] = np.minimum(m * p[head], bound)
        running[tail] = running[size - m]
        adjusted = np.maximum(adjusted, running)
    return _restore(np.maximum(adjusted, p), order)


def benjamini_hochberg(p_values: Sequence[float]) -> tuple[float, ...]:
    """False discovery rate; for slices labelled exploratory only."""
    p, order = _sorted(p_values)
    return _restore(_step_up_rate(p), order)


def benjamini_yekutieli(p_values: Sequence[float]) -> tuple[float, ...]:
    """False discovery rate under any dependence."""
    p, order = _sorted(p_values)
    harmonic = float((1 / np.arange(1, len(p) + 1)).sum())
    return _restore(_step_up_rate(p, harmonic), order)


def _step_up_rate(p: FloatArray, factor: float = 1.0) -> FloatArray:
    scaled = factor * len(p) / np.arange(1, len(p) + 1) * p
    return np.asarray(np.minimum.accumulate(scaled[::-1])[::-1])


def _sorted(p_values: Sequence[float]) -> tuple[FloatArray, np.ndarray]:
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError("p-values must be a flat sequence of numbers between 0 and 1")
    order = np.argsort(p, kind="stable")
    return p[order], order


def _restore(adjusted: FloatArray, order: np.ndarray) -> tuple[float, ...]:
    out = np.empty(len(order))
    out[order] = np.minimum(adjusted, 1.0)
    return tuple(out.tolist())
