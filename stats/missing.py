"""Lost trials as a third state: bounds over every way they could have ended, and the alarm.

Manski (1990), AER P&P 80 (worst-case bounds); Pearson's chi-square for loss by arm.
"""

import numpy as np
from scipy.special import chdtrc

from mitigations.model import Alarm
from stats.strata import FloatArray, Grid

LOSS_ALPHA = 0.001
"""Level of the differential-loss alarm: it must not sound over ordinary noise."""

LOSS_ALARM = "lost replies differ by arm"


def missing_bounds(grid: Grid) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest standardised difference of each variant; arrays of shape (variants,).

    Over the strata in which both arms were tried at all, scored or lost. NaN without such strata.
    """
    tried = grid.scored + grid.lost
    both = (tried[1:] > 0) & (tried[0] > 0)
    least = grid.events / np.maximum(tried, 1.0)
    most = (grid.events + grid.lost) / np.maximum(tried, 1.0)
    size = both.sum(axis=1)
    low = ((least[1:] - most[0]) * both).sum(axis=1) / np.maximum(size, 1)
    high = ((most[1:] - least[0]) * both).sum(axis=1) / np.maximum(size, 1)
    return np.where(size > 0, low, np.nan), np.where(size > 0, high, np.nan)


def loss_p(lost1: int, tried1: int, lost0: int, tried0: int) -> float:
    """Chi-square p (one degree of freedom, no correction) that two arms lose trials alike.

    1 when nothing, or everything, was lost.
    """
    lost, tried = lost1 + lost0, tried1 + tried0
    if not 0 < lost < tried or min(tried1, tried0) == 0:
        return 1.0
    gap = lost1 * (tried0 - lost0) - lost0 * (tried1 - lost1)
    chi2 = tried * gap**2 / (lost * (tried - lost) * tried1 * tried0)
    return float(chdtrc(1.0, chi2))


def loss_alarm(grid: Grid) -> Alarm:
    """Fires for every variant whose share of lost trials differs from control's at p < .001."""
    lost = grid.lost.sum(axis=1)
    tried = lost + grid.scored.sum(axis=1)
    fired, parts = [], []
    for row, name in enumerate(grid.variants, start=1):
        p = loss_p(int(lost[row]), int(tried[row]), int(lost[0]), int(tried[0]))
        if p < LOSS_ALPHA:
            fired.append(name)
            parts.append(
                f"{name} lost {int(lost[row])} of {int(tried[row])} replies, the baseline "
                f"{int(lost[0])} of {int(tried[0])}"
            )
    detail = "; ".join(parts) or f"{int(lost.sum())} of {int(tried.sum())} replies were lost"
    return Alarm(name=LOSS_ALARM, fired=bool(fired), detail=detail, variants=tuple(fired))
