"""Miettinen-Nurminen score inference for risk differences and ratios, one table or many strata.

Miettinen & Nurminen (1985), Statistics in Medicine 4, 213-226: the variance of every stratum is
taken at the maximum likelihood estimate under the tested value, with the factor N/(N-1). Limits are
finite for 0/n, n/n and one trial an arm. statsmodels 0.15 is not used: the coefficient of its cubic
is wrong (open issue 10269) and it raises for 0/n.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from stats.roots import decreasing_root
from stats.standardised import normalised
from stats.strata import FloatArray, Strata

Z95 = float(ndtri(0.975))


def difference_interval(
    strata: Strata, *, z: FloatArray | float | None = None, weights: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Limits of the weighted risk difference: |RD - d| = z sqrt(sum w^2 V_k(d)).

    `z` defaults to that of 95 %, `weights` to equal ones; `z` may be an array that broadcasts over
    the batch, and the limits have the shape of both. NaN where no stratum has both arms.
    """
    quantile = np.asarray(Z95 if z is None else z, dtype=np.float64)
    share = normalised(strata, weights)
    rd = _weighted_difference(strata, share)
    rd, quantile = np.broadcast_arrays(rd, quantile)
    prepared = _Prepared.of(strata, share)

    # Both sides at once: side +1 looks below the estimate, side -1 above it.
    side = np.array([1.0, -1.0]).reshape(2, *([1] * rd.ndim))

    def excess(mirrored: FloatArray) -> FloatArray:
        spread = np.sqrt(prepared.variance(side * mirrored))
        return np.asarray(side * rd - mirrored - quantile * spread)

    # At d = RD the excess is never positive, and 0 only where no variance is left there (0/n, n/n):
    # the limit is the crossing beyond it, so the search starts away from that point.
    start = side * rd
    floor = np.full(start.shape, -1.0)
    guess = np.maximum(start + excess(start), (start - 1.0) / 2)
    found = side * decreasing_root(
        excess, floor, start, np.where(guess < start, guess, (start - 1.0) / 2)
    )
    empty = ~strata.used.any(axis=-1)
    return np.where(empty, np.nan, found[0]), np.where(empty, np.nan, found[1])


def difference_z(strata: Strata, *, null: float, weights: FloatArray | None = None) -> FloatArray:
    """Score statistic of H0: weighted risk difference = `null`; 0 where it is met exactly."""
    share = normalised(strata, weights)
    gap = _weighted_difference(strata, share) - null
    spread = np.sqrt(_Prepared.of(strata, share).variance(np.full(gap.shape, float(null))))
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(np.abs(gap) < 1e-15, 0.0, gap / spread)
    return np.where(strata.used.any(axis=-1), statistic, np.nan)


def noninferiority_p(
    strata: Strata, *, margin: float, weights: FloatArray | None = None
) -> FloatArray:
    """One-sided p of H0: p1 - p0 <= -margin, for an outcome where more is better."""
    return np.asarray(ndtr(-difference_z(strata, null=-margin, weights=weights)))


def difference_variance(strata: Strata, difference: FloatArray) -> FloatArray:
    """Sum of w^2 V_k(d) under equal weights, V_k at the restricted estimate p1 = p0 + d.

    `difference` broadcasts over the batch of the strata.
    """
    return _Prepared.of(strata, strata.weights()).variance(np.asarray(difference))


def ratio_interval(
    strata: Strata, *, z: float | None = None, weights: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Limits of the ratio of the weighted risks: |P1 - r P0| = z sqrt(sum w^2 V_k(r)).

    0 below when the variant has no event, infinite above when control has none.
    """
    quantile = Z95 if z is None else z
    share = normalised(strata, weights)
    low = _lower_ratio(strata, share, quantile)
    with np.errstate(divide="ignore"):
        high = 1 / _lower_ratio(strata.swapped(), share, quantile)
    empty = ~strata.used.any(axis=-1)
    return np.where(empty, np.nan, low), np.where(empty, np.nan, high)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Prepared:
    """What the variance needs from the counts, computed once for all values of d."""

    x0: FloatArray
    n1: FloatArray
    n0: FloatArray
    total: FloatArray
    events: FloatArray
    scale: FloatArray
    """w^2 N/(N - 1): 0 in strata that are not used."""

    @classmethod
    def of(cls, strata: Strata, share: FloatArray) -> "_Prepared":
        used = strata.used
        n1, n0 = np.where(used, strata.n1, 1.0), np.where(used, strata.n0, 1.0)
        total = n1 + n0
        return cls(
            x0=strata.x0 * used,
            n1=n1,
            n0=n0,
            total=total,
            events=(strata.x1 + strata.x0) * used,
            scale=share**2 * total / (total - 1),
        )

    def variance(self, difference: FloatArray) -> FloatArray:
        """Sum of w^2 V_k(d), shape of `difference`."""
        d = difference[..., None]
        p0 = self._control_risk(d)
        p1 = p0 + d
        spread = p1 * (1 - p1) / self.n1 + p0 * (1 - p0) / self.n0
        return np.asarray(np.maximum((self.scale * spread).sum(axis=-1), 0.0))

    def _control_risk(self, d: FloatArray) -> FloatArray:
        """Closed-form root of the likelihood cubic (Miettinen & Nurminen 1985, appendix 1)."""
        a2 = ((self.n1 + 2 * self.n0) * d - self.total - self.events) / (3 * self.total)
        a1 = ((self.n0 * d - self.total - 2 * self.x0) * d + self.events) / self.total
        a0 = self.x0 * d * (1 - d) / self.total
        q = a2 * (a2 * a2 - a1 / 2) + a0 / 2
        size = np.sqrt(np.maximum(a2 * a2 - a1 / 3, 0.0))
        p = np.copysign(size, q)
        cube = size * size * p
        cosine = np.divide(q, cube, out=np.zeros_like(q), where=size > 1e-12)
        angle = (np.pi + np.arccos(np.clip(cosine, -1.0, 1.0))) / 3
        root = 2 * p * np.cos(angle) - a2
        return np.asarray(np.clip(root, np.maximum(0.0, -d), np.minimum(1.0, 1.0 - d)))


def _weighted_difference(strata: Strata, share: FloatArray) -> FloatArray:
    rate1, rate0 = strata.rates()
    return np.asarray((share * (rate1 - rate0)).sum(axis=-1))


def _lower_ratio(strata: Strata, share: FloatArray, z: float) -> FloatArray:
    """Crossing on the log scale; 0 where the variant has no event."""
    rate1, rate0 = strata.rates()
    p1, p0 = (share * rate1).sum(axis=-1), (share * rate0).sum(axis=-1)
    square = share**2

    def excess(log_ratio: FloatArray) -> FloatArray:
        ratio = np.exp(log_ratio)
        spread = np.sqrt((square * _ratio_variance(strata, ratio)).sum(axis=-1))
        # Relative to the sum of the two terms: finite at both ends, slope about -1 in between.
        scale = np.maximum(p1 + ratio * p0, 1e-300)
        return np.asarray(2 * (p1 - ratio * p0 - z * spread) / scale)

    widest = np.full(p1.shape, 60.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        observed = np.log(p1 / p0)
    guess = np.where(np.isfinite(observed), observed - 0.2, 0.0)
    found = np.exp(decreasing_root(excess, -widest, widest, guess))
    return np.where(p1 > 0, found, 0.0)


def _ratio_variance(strata: Strata, ratio: FloatArray) -> FloatArray:
    """V_k(r) per stratum at the restricted estimate p1 = r p0 (Miettinen & Nurminen, eq. 14)."""
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
