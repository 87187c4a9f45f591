"""Paired outcomes: McNemar's test.

Source: Fagerland, Lydersen & Laake (2013), BMC Medical Research Methodology 13:91.
"""

import math

from scipy.special import betainc, gammaln

from stats.named import count


def mcnemar_exact_p(b: int, c: int) -> float:
    """Two-sided binomial p of `b` among `b + c` discordant pairs at 1/2; 1 when there are none.

    Raises `Undefined` unless both are whole numbers of at least 0, as `mcnemar_midp` does.

    >>> mcnemar_exact_p(12, 3)
    0.03515625
    """
    _check(b, c)
    if b + c == 0:
        return 1.0
    return min(1.0, 2.0 * _lower_tail(b, c))


def mcnemar_midp(b: int, c: int) -> float:
    """`2 (P(X < min) + P(X = min) / 2)`; 1 when b = c.

    >>> round(mcnemar_midp(12, 3), 6)
    0.021271
    """
    _check(b, c)
    if b == c:
        return 1.0
    # In logarithms: the binomial coefficient alone overflows from about 1,000 pairs.
    log_point = gammaln(b + c + 1) - gammaln(b + 1) - gammaln(c + 1) - (b + c) * math.log(2.0)
    return min(1.0, 2.0 * _lower_tail(b, c) - math.exp(log_point))


def _lower_tail(b: int, c: int) -> float:
    """P(X <= min) of Binomial(b + c, 1/2), as a beta integral: `bdtr` is wrong past 1e6 pairs."""
    return float(betainc(max(b, c), min(b, c) + 1.0, 0.5))


def _check(b: int, c: int) -> None:
    count(b, "pairs with only the variant coercive")
    count(c, "pairs with only control coercive")
