"""Headroom: can these control rates show a reduction at all?"""

from dataclasses import replace

import numpy as np
from scipy.special import betaincinv

from mitigations.model import Interval
from stats.conditional import permutation_test
from stats.strata import Strata


def clopper_pearson(events: int, trials: int, *, confidence: float = 0.95) -> Interval:
    """Exact limits of one proportion (Clopper & Pearson 1934); for 0 of n the upper is finite.

    Over strata with different rates and equal sizes the limits of the mean rate are conservative
    (Hoeffding 1956, Annals of Mathematical Statistics 27).

    >>> low, high = clopper_pearson(0, 480)
    >>> low, round(high, 4)
    (0.0, 0.0077)
    """
    tail = (1 - confidence) / 2
    low = 0.0 if events == 0 else float(betaincinv(events, trials - events + 1, tail))
    high = 1.0 if events == trials else float(betaincinv(events + 1, trials - events, 1 - tail))
    return low, high


def no_headroom(strata: Strata, *, smallest_change: float, level: float) -> float | None:
    """Upper limit of the control rate when no reduction can be shown, else None.

    That is: control has no event at all; or its upper limit lies below the smallest change that
    matters and even a variant without a single event would not reach p <= `level`.
    """
    used = strata.used
    events, trials = int(strata.x0[used].sum()), int(strata.n0[used].sum())
    if trials == 0:
        return None
    upper = clopper_pearson(events, trials)[1]
    if events == 0:
        return upper
    if upper > smallest_change:
        return None
    best = permutation_test(replace(strata, x1=np.zeros_like(strata.x1)))
    return upper if best.midp > level else None
