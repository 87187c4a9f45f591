"""Miettinen-Nurminen score inference for risk differences and ratios, one table or many strata.

Miettinen & Nurminen (1985), Statistics in Medicine 4, 213-226: the variance of every stratum is taken
at the maximum likelihood estimate under the tested value, with the factor N/(N-1). Limits are finite
for 0/n, n/n and one trial an arm. statsmodels 0.15 is not used: the coefficient of its cubic is wrong
(open issue 10269) and it raises for 0/n.
"""

import numpy as np
from scipy.special import ndtr, ndtri

from stats.roots import decreasing_root
from stats.standardised import normalised
from stats.strata import FloatArray, Strata


def difference_interval(
    strata: Strata, *, z: float | None = None, weights: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Limits of the weighted risk difference: |RD - d| = z sqrt(sum w^2 V_k(d)).

    Shape (...); `z` defaults to that of 95 %, `weights` to equal ones. NaN where no stratum has
    both arms.
    """
    quantile = float(ndtri(0.975)) if z is None else z
    share = normalised(strata, weights)
    low = _lower_difference(strata, share, quantile)
    high = -_lower_difference(strata.swapped(), share, quantile)
    empty = ~strata.used.any(axis=-1)
    return np.where(empty, np.nan, low), np.where(empty, np.nan, high)


def difference_z(
    strata: Strata, *, null: float, weights: FloatArray | None = None
) -> FloatArray:
    """Score statistic of H0: weighted risk difference = `null`; 0 where it is met exactly."""
    share = normalised(strata, weights)
    gap = _weighted_difference(strata, share) - null
    point = np.full(gap.shape, float(null))
    spread = np.sqrt((share**2 * difference_variance(strata, point)).sum(axis=-1))
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(np.abs(gap) < 1e-15, 0.0, gap / spread)
    return np.where(strata.used.any(axis=-1), statistic, np.nan)


def noninferiority_p(
    strata: Strata, *, margin: float, weights: FloatArray | None = None
) -> FloatArray:
    """One-sided p of H0: p1 - p0 <= -margin, for an outcome where more is better."""
    return np.asarray(ndtr(-difference_z(strata, null=-margin, weights=weights)))


def difference_variance(strata: Strata, difference: FloatArray) -> FloatArray:
    """V_k(d) per stratum, shape (..., K), at the restricted estimate p1 = p0 + d; 0 if not used."""
    d = np.asarray(difference)[..., None]
    used = strata.used
    n1, n0 = np.where(used, strata.n1, 1.0), np.where(used, strata.n0, 1.0)
    p0 = _restricted_control_risk(strata.x1 * used, n1, strata.x0 * used, n0, d)
    p1 = p0 + d
    total = n1 + n0
    variance = (p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0) * total / (total - 1)
    return np.where(used, np.maximum(variance, 0.0), 0.0)


def ratio_interval(
    strata: Strata, *, z: float | None = None, weights: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Limits of the ratio of the weighted risks: |P1 - r P0| = z sqrt(sum w^2 V_k(r)).

    0 below when the variant has no event, infinite above when control has none.
    """
    quantile = float(ndtri(0.975)) if z is None else z
    share = normalised(strata, weights)
    low = _lower_ratio(strata, share, quantile)
    with np.errstate(divide="ignore"):
        high = 1 / _lower_ratio(strata.swapped(), share, quantile)
    empty = ~strata.used.any(axis=-1)
    return np.where(empty, np.nan, low), np.where(empty, np.nan, high)


def _restricted_control_risk(
    x1: FloatArray, n1: FloatArray, x0: FloatArray, n0: FloatArray, d: FloatArray
) -> FloatArray:
    """Closed-form root of the likelihood cubic (Miettinen & Nurminen 1985, appendix 1)."""
    total, events = n1 + n0, x1 + x0
    a2 = ((n1 + 2 * n0) * d - total - events) / (3 * total)
    a1 = ((n0 * d - total - 2 * x0) * d + events) / total
    a0 = x0 * d * (1 - d) / total
    q = a2**3 - a2 * a1 / 2 + a0 / 2
    size = np.sqrt(np.maximum(a2**2 - a1 / 3, 0.0))
    p = np.copysign(size, q)
    cosine = np.divide(q, p**3, out=np.zeros_like(q), where=size > 1e-12)
    angle = (np.pi + np.arccos(np.clip(cosine, -1.0, 1.0))) / 3
    root = 2 * p * np.cos(angle) - a2
    return np.clip(root, np.maximum(0.0, -d), np.minimum(1.0, 1.0 - d))


def _weighted_difference(strata: Strata, share: FloatArray) -> FloatArray:
    rate1, rate0 = strata.rates()
    return np.asarray((share * (rate1 - rate0)).sum(axis=-1))


def _lower_difference(strata: Strata, share: FloatArray, z: float) -> FloatArray:
    rd = _weighted_difference(strata, share)
    square = share**2

    def excess(d: FloatArray) -> FloatArray:
        spread = np.sqrt((square * difference_variance(strata, d)).sum(axis=-1))
        return np.asarray(rd - d - z * spread)

    # At d = RD the excess is never positive, and 0 only where no variance is left there (0/n, n/n):
    # the limit is the crossing below it, so the search starts from the left of that point.
    floor = np.full(rd.shape, -1.0)
    return decreasing_root(excess, floor, rd, (rd + np.maximum(rd - 0.25, -1.0)) / 2)


def _lower_ratio(strata: Strata, share: FloatArray, z: float) -> FloatArray:
    """Crossing on the log scale; 0 where the variant has no event."""
    rate1, rate0 = strata.rates()
    p1, p0 = (share * rate1).sum(axis=-1), (share * rate0).sum(axis=-1)
    square = share**2

    def excess(log_ratio: FloatArray) -> FloatArray:
        ratio = np.exp(log_ratio)
        spread = np.sqrt((square * _ratio_variance(strata, ratio)).sum(axis=-1))
        # Divided by the larger of the two scales, so that both ends of the search stay finite.
        return np.asarray((p1 - ratio * p0 - z * spread) / np.maximum(ratio, 1.0))

    widest = np.full(p1.shape, 60.0)
    found = np.exp(decreasing_root(excess, -widest, widest, np.zeros(p1.shape), tolerance=1e-12))
    return np.where(p1 > 0, found, 0.0)


def _ratio_variance(strata: Strata, ratio: FloatArray) -> FloatArray:
    """V_k(r) per stratum at the restricted estimate p1 = r p0 (Miettinen & Nurminen 1985, eq. 14)."""
    r = np.asarray(ratio)[..., None]
    used = strata.used
    n1, n0 = np.where(used, strata.n1, 1.0), np.where(used, strata.n0, 1.0)
    x1, x0 = strata.x1 * used, strata.x0 * used
    total = n1 + n0
    linear = n1 * r + x1 + n0 + x0 * r
    root = np.sqrt(np.maximum(linear**2 - 4 * total * r * (x1 + x0), 0.0))
    # The smaller root of the quadratic, in the form that does not cancel for small r.
    p0 = np.clip(2 * (x1 + x0) / (linear + root), 0.0, np.minimum(1.0, 1.0 / r))
    p1 = np.minimum(r * p0, 1.0)
    variance = (p1 * (1 - p1) / n1 + r**2 * p0 * (1 - p0) / n0) * total / (total - 1)
    return np.where(used, np.maximum(variance, 0.0), 0.0)
