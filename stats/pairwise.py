"""Several comparisons at once (Sidak 1967, JASA 62, 626-633); safe for correlated normal ones."""

import math

from scipy.special import ndtri

from stats.named import Undefined


def sidak_z(comparisons: int, *, alpha: float = 0.05) -> float:
    """Normal quantile of simultaneous two-sided intervals.

    >>> round(sidak_z(1), 4), round(sidak_z(3), 4)
    (1.96, 2.3877)
    """
    if comparisons < 1:
        raise Undefined("a family needs at least one comparison")
    return -float(ndtri((1.0 - (1.0 - alpha) ** (1.0 / comparisons)) / 2.0))


def sidak_p(p: float, comparisons: int) -> float:
    """Adjusted p: 1 - (1 - p)^comparisons.

    >>> round(sidak_p(0.01, 3), 6)
    0.029701
    """
    return float(-math.expm1(comparisons * math.log1p(-p))) if p < 1.0 else 1.0
