"""Paired outcomes: McNemar's test.

Source: Fagerland, Lydersen & Laake (2013), BMC Medical Research Methodology 13:91.
"""

from scipy.special import bdtr, binom


def mcnemar_exact_p(b: int, c: int) -> float:
    """Two-sided binomial p of `b` among `b + c` discordant pairs at 1/2; 1 when there are none.

    >>> mcnemar_exact_p(12, 3)
    0.03515625
    """
    if b + c == 0:
        return 1.0
    return min(1.0, 2.0 * float(bdtr(min(b, c), b + c, 0.5)))


def mcnemar_midp(b: int, c: int) -> float:
    """`2 (P(X < min) + P(X = min) / 2)`; 1 when b = c.

    >>> round(mcnemar_midp(12, 3), 6)
    0.021271
    """
    if b == c:
        return 1.0
    point = float(binom(b + c, min(b, c))) * 0.5 ** (b + c)
    return min(1.0, 2.0 * float(bdtr(min(b, c), b + c, 0.5)) - point)
