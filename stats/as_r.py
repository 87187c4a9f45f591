"""Conditional odds ratios as R prints them, for numbers that are to be compared with R's.

R solves for them by `uniroot` at its default tolerance of 1.2e-4 on (0, 1), or on the reciprocal
for ratios above 1: the later digits of what R prints are the path of that search.
`stats.conditional` solves the same equations to rounding. Sources: R `fisher.test`,
`mantelhaen.test`, and `zeroin.c` (Brent 1973, chapter 4).
"""

import sys
from collections.abc import Callable

import numpy as np

from mitigations.model import Interval
from stats.conditional import Law
from stats.strata import FloatArray

EPSILON = sys.float_info.epsilon
TOLERANCE = EPSILON**0.25


def odds_ratio_as_r(law: Law) -> float:
    """R's conditional estimate: 0 at the lowest possible total, also where no other is possible."""
    steps = np.arange(len(law.pmf))
    at = law.observed - law.low
    if at == 0:
        return 0.0
    if at == len(law.pmf) - 1:
        return np.inf

    def excess(odds: float) -> float:
        return float(_tilted(law, odds) @ steps) - at

    return _search(excess)


def odds_interval_as_r(law: Law, *, confidence: float = 0.95) -> Interval:
    """R's exact limits: 0 to Inf where only one total is possible."""
    tail = (1 - confidence) / 2
    at = law.observed - law.low
    low, high = 0.0, float(np.inf)
    if at > 0:
        low = _search(lambda odds: float(_tilted(law, odds)[at:].sum()) - tail)
    if at < len(law.pmf) - 1:
        high = _search(lambda odds: tail - float(_tilted(law, odds)[: at + 1].sum()))
    return low, high


def zeroin(function: Callable[[float], float], low: float, high: float) -> float:
    """Brent's root finder, step by step as R runs it."""
    a, b = low, high
    fa, fb = function(a), function(b)
    c, fc = a, fa
    for _ in range(1000):
        previous = b - a
        if abs(fc) < abs(fb):
            a, b, c = b, c, b
            fa, fb, fc = fb, fc, fb
        least = 2 * EPSILON * abs(b) + TOLERANCE / 2
        step = (c - b) / 2
        if abs(step) <= least or fb == 0:
            return b
        if abs(previous) >= least and abs(fa) > abs(fb):
            p, q = _interpolation((a, b, c), (fa, fb, fc))
            if p < 0.75 * (c - b) * q - abs(least * q) / 2 and p < abs(previous * q / 2):
                step = p / q
        if abs(step) < least:
            step = least if step > 0 else -least
        a, fa = b, fb
        b += step
        fb = function(b)
        if (fb > 0 and fc > 0) or (fb < 0 and fc < 0):
            c, fc = a, fa
    return b


def _interpolation(
    points: tuple[float, float, float], values: tuple[float, float, float]
) -> tuple[float, float]:
    """Secant or inverse quadratic step p/q, p made non-negative."""
    a, b, c = points
    fa, fb, fc = values
    if a == c:
        ratio = fb / fa
        p, q = (c - b) * ratio, 1.0 - ratio
    else:
        q, t1, t2 = fa / fc, fb / fc, fb / fa
        p = t2 * ((c - b) * q * (q - t1) - (b - a) * (t1 - 1.0))
        q = (q - 1.0) * (t1 - 1.0) * (t2 - 1.0)
    return (p, -q) if p > 0 else (-p, q)


def _search(increasing: Callable[[float], float]) -> float:
    """Root in the odds ratio: on (0, 1) below 1, on its reciprocal above."""
    at_one = increasing(1.0)
    if at_one > 0:
        return zeroin(increasing, 0.0, 1.0)
    if at_one < 0:
        return 1 / zeroin(lambda t: increasing(1 / t), EPSILON, 1.0)
    return 1.0


def _tilted(law: Law, odds: float) -> FloatArray:
    """The law of the total under a common odds ratio."""
    steps = np.arange(len(law.pmf))
    if odds == 0:
        return np.asarray(steps == 0, dtype=np.float64)
    with np.errstate(divide="ignore"):
        logs = np.log(law.pmf) + (np.log(odds) - np.log(law.odds)) * steps
    weights = np.exp(logs - logs.max())
    return np.asarray(weights / weights.sum())
