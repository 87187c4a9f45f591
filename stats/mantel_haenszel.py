"""Mantel-Haenszel methods over strata: test, common odds ratio, ratio and difference, homogeneity.

Sources: Mantel & Haenszel (1959); Robins, Breslow & Greenland (1986), Biometrics 42 (variance of
log OR); Greenland & Robins (1985), Biometrics 41 (variance of log RR); Breslow & Day (1980), sec.
4.4; Tarone (1985), Biometrika 72. All take arrays of shape (..., K) and mark what does not exist by
NaN.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, ndtri

from stats.strata import FloatArray, Strata


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChiSquare:
    """A statistic, its degrees of freedom and its upper-tail p."""

    chi2: FloatArray
    df: FloatArray
    p: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ratio:
    """A ratio with its interval on the log scale."""

    estimate: FloatArray
    low: FloatArray
    high: FloatArray


def score_sums(strata: Strata) -> tuple[FloatArray, FloatArray]:
    """Observed minus expected variant events, and their hypergeometric variance, per stratum."""
    total = np.where(strata.used, strata.n1 + strata.n0, 2.0)
    events = strata.x1 + strata.x0
    expected = strata.n1 * events / total
    variance = strata.n1 * strata.n0 * events * (total - events) / (total**2 * (total - 1))
    used = strata.used
    return np.where(used, strata.x1 - expected, 0.0), np.where(used, variance, 0.0)


def cmh(strata: Strata, *, continuity: bool = False) -> ChiSquare:
    """Cochran-Mantel-Haenszel test of no association in any stratum, one degree of freedom.

    With `continuity`, |sum(a - E a)| is reduced by min(0.5, itself), as in R: it never changes
    sign.
    """
    deviation, variance = (part.sum(axis=-1) for part in score_sums(strata))
    size = np.abs(deviation)
    if continuity:
        size = size - np.minimum(0.5, size)
    chi2 = _divide(size**2, variance)
    return ChiSquare(
        chi2=chi2, df=np.ones_like(chi2), p=np.asarray(chdtrc(1.0, chi2), dtype=np.float64)
    )


def odds_ratio(strata: Strata, *, confidence: float = 0.95) -> Ratio:
    """Mantel-Haenszel common odds ratio with the Robins-Breslow-Greenland interval.

    Infinite when only its denominator is zero; without an interval when it is 0 or infinite.
    """
    total = np.where(strata.used, strata.n1 + strata.n0, 1.0)
    safe1, safe0 = strata.n1 - strata.x1, strata.n0 - strata.x0
    used = strata.used
    good, bad = used * strata.x1 * safe0 / total, used * safe1 * strata.x0 / total
    along, across = (strata.x1 + safe0) / total, (safe1 + strata.x0) / total
    r, s = good.sum(axis=-1), bad.sum(axis=-1)
    variance = (
        _divide((along * good).sum(axis=-1), 2 * r**2)
        + _divide((along * bad + across * good).sum(axis=-1), 2 * r * s)
        + _divide((across * bad).sum(axis=-1), 2 * s**2)
    )
    return _log_interval(_divide(r, s), variance, confidence)


def risk_ratio(strata: Strata, *, confidence: float = 0.95) -> Ratio:
    """Mantel-Haenszel risk ratio over every used stratum with the Greenland-Robins interval."""
    used = strata.used
    total = np.where(used, strata.n1 + strata.n0, 1.0)
    events = strata.x1 + strata.x0
    r = (used * strata.x1 * strata.n0 / total).sum(axis=-1)
    s = (used * strata.x0 * strata.n1 / total).sum(axis=-1)
    product = strata.n1 * strata.n0 * events / total**2 - strata.x1 * strata.x0 / total
    return _log_interval(_divide(r, s), _divide((used * product).sum(axis=-1), r * s), confidence)


def risk_difference(strata: Strata) -> FloatArray:
    """Risk difference with Mantel-Haenszel weights n1 n0 / (n1 + n0)."""
    rate1, rate0 = strata.rates()
    weight = mh_weights(strata)
    return _divide((weight * (rate1 - rate0)).sum(axis=-1), weight.sum(axis=-1))


def mh_weights(strata: Strata) -> FloatArray:
    """`n1 n0 / (n1 + n0)` in used strata, 0 elsewhere; not normalised."""
    total = np.where(strata.used, strata.n1 + strata.n0, 1.0)
    return np.where(strata.used, strata.n1 * strata.n0 / total, 0.0)


def breslow_day(strata: Strata) -> tuple[ChiSquare, ChiSquare]:
    """Homogeneity of the odds ratio over informative strata: Breslow-Day, and with Tarone's term.

    Evaluated at the Mantel-Haenszel odds ratio, df = informative strata - 1. NaN with fewer than
    two informative strata, or when that ratio is 0 or infinite.
    """
    odds = odds_ratio(strata).estimate[..., None]
    odds = np.where(np.isfinite(odds) & (odds > 0), odds, np.nan)
    informative = strata.informative
    events = strata.x1 + strata.x0
    # The fitted count solves a (n0 - m + a) = OR (n1 - a)(m - a); this form of the root does not
    # cancel at OR = 1, where the quadratic degenerates.
    linear = strata.n0 - events + odds * (strata.n1 + events)
    product = odds * strata.n1 * events
    with np.errstate(divide="ignore", invalid="ignore"):
        fitted = 2 * product / (linear + np.sqrt(linear**2 + 4 * (1 - odds) * product))
        variance = 1 / (
            1 / fitted
            + 1 / (strata.n1 - fitted)
            + 1 / (events - fitted)
            + 1 / (strata.n0 - events + fitted)
        )
        gap = np.where(informative, strata.x1 - fitted, 0.0)
        terms = np.where(informative, gap**2 / variance, 0.0).sum(axis=-1)
    spread = np.where(informative, variance, 0.0).sum(axis=-1)
    df = informative.sum(axis=-1) - 1.0
    terms = np.where(df >= 1, terms, np.nan)
    corrected = terms - _divide(gap.sum(axis=-1) ** 2, spread)
    safe_df = np.maximum(df, 1.0)
    return (
        ChiSquare(chi2=terms, df=df, p=chdtrc(safe_df, terms)),
        ChiSquare(chi2=corrected, df=df, p=chdtrc(safe_df, np.maximum(corrected, 0.0))),
    )


def _log_interval(estimate: FloatArray, variance: FloatArray, confidence: float) -> Ratio:
    z = ndtri(0.5 + confidence / 2)
    inside = (estimate > 0) & np.isfinite(estimate)
    half = z * np.sqrt(np.where(inside, variance, np.nan))
    return Ratio(estimate=estimate, low=estimate * np.exp(-half), high=estimate * np.exp(half))


def _divide(top: FloatArray, bottom: FloatArray) -> FloatArray:
    """Quotient with x/0 = Inf and 0/0 = NaN, without a warning."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.divide(top, bottom))
