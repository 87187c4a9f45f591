"""Standardised risks: every stratum weighs the same, however many of its trials were lost.

Direct standardisation to the plan's own grid. Pooled rates are never used: with trials lost mainly
where the rate is high, a collapsed table rejects a true null almost always.
"""

from dataclasses import dataclass

import numpy as np

from stats.strata import FloatArray, Strata


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Standardised:
    """Weighted risks of shape (...). NaN: no stratum has both arms."""

    p1: FloatArray
    p0: FloatArray
    rd: FloatArray

    @property
    def rr(self) -> FloatArray:
        """`p1 / p0`: infinite at 0 in control only, NaN at 0 in both."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.p1 / self.p0)


def standardise(strata: Strata, weights: FloatArray | None = None) -> Standardised:
    """Risks averaged over the used strata, with equal weight or with `weights` fixed in the plan.

    Weights are taken relative to the strata that are used, so a dropped stratum changes the
    estimand and never counts as zero.
    """
    share = normalised(strata, weights)
    rate1, rate0 = strata.rates()
    p1, p0 = (share * rate1).sum(axis=-1), (share * rate0).sum(axis=-1)
    # The difference is averaged, not subtracted, so that equal rates give exactly zero.
    rd = (share * (rate1 - rate0)).sum(axis=-1)
    empty = ~strata.used.any(axis=-1)
    return Standardised(
        p1=np.where(empty, np.nan, p1),
        p0=np.where(empty, np.nan, p0),
        rd=np.where(empty, np.nan, rd),
    )


def normalised(strata: Strata, weights: FloatArray | None) -> FloatArray:
    """Weights over the used strata that add up to 1; `None` is equal weight."""
    if weights is None:
        return strata.weights()
    if (np.asarray(weights) < 0).any():
        raise ValueError("weights must not be negative")
    kept = np.where(strata.used, weights, 0.0)
    total = kept.sum(axis=-1, keepdims=True)
    return np.asarray(kept / np.where(total > 0, total, 1.0))


def standard_error(strata: Strata) -> FloatArray:
    """`sqrt((1/K^2) sum [p1 q1/(n1 - 1) + p0 q0/(n0 - 1)])`: unbiased within strata.

    NaN where a used stratum has one trial in an arm (it shows no variance) or none is used.
    """
    used = strata.used
    rate1, rate0 = strata.rates()
    single = (used & ((strata.n1 < 2) | (strata.n0 < 2))).any(axis=-1)
    spread1 = rate1 * (1 - rate1) / np.maximum(strata.n1 - 1, 1)
    spread0 = rate0 * (1 - rate0) / np.maximum(strata.n0 - 1, 1)
    variance = (strata.weights() ** 2 * (spread1 + spread0)).sum(axis=-1)
    return np.where(single | ~used.any(axis=-1), np.nan, np.sqrt(variance))


def leave_out(strata: Strata, groups: FloatArray) -> FloatArray:
    """Standardised difference without each group of strata.

    `groups` has shape (G, K), 1 where a stratum belongs to the group; the result has shape
    (..., G). NaN where nothing is left.
    """
    rate1, rate0 = strata.rates()
    used = strata.used.astype(np.float64)
    total = ((rate1 - rate0) * used).sum(axis=-1)[..., None] - ((rate1 - rate0) * used) @ groups.T
    left = used.sum(axis=-1)[..., None] - used @ groups.T
    return np.where(left > 0, total / np.maximum(left, 1.0), np.nan)
