"""What a run could have seen, and what would settle an open question."""

from dataclasses import dataclass

import numpy as np

from stats.named import Undefined
from stats.power import Grid, mde, settle
from stats.strata import Strata


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Smallest visible change, and how much more data an answer would take; None: no such road."""

    mde: float | None = None
    more_repeats: int | None = None
    more_scenarios: int | None = None


def outlook(
    strata: Strata,
    *,
    comparisons: int,
    alpha: float,
    difference: float | None,
    smallest_change: float,
) -> Outlook:
    """From the used strata of one comparison, shape (K,).

    An open question is settled when the interval excludes zero or fits inside the smallest change
    that matters, whichever is nearer to the estimate; never planned for more than that change.
    """
    variance = cell_variance(strata)
    if difference is None or not variance:
        return Outlook()
    scenarios = len(np.unique(strata.scenario))
    repeats = float(np.concatenate([strata.n1, strata.n0]).mean())
    power_grid = Grid(
        scenarios=scenarios,
        models=max(1, round(len(strata.x1) / scenarios)),
        repeats=max(1, round(repeats)),
        vbar=variance,
        comparisons=comparisons,
        alpha=alpha,
    )
    size = abs(difference)
    target = min(smallest_change, max(size, smallest_change - size))
    smallest = mde(power_grid)
    # A change of more than 100 in 100 cannot be: no change at all would likely be seen.
    visible = smallest if smallest <= 1 else None
    try:
        needed = settle(target, power_grid)
    except Undefined:
        return Outlook(mde=visible)
    return Outlook(
        mde=visible,
        more_repeats=_more(needed.repeats, power_grid.repeats),
        more_scenarios=_more(needed.scenarios, scenarios),
    )


def cell_variance(strata: Strata) -> float:
    """Mean of p(1 - p) over the cells of both arms, each unbiased by n/(n - 1).

    With one trial a cell no cell shows its variance: p(1 - p) of all of them bounds it from above.
    """
    trials = np.concatenate([strata.n1, strata.n0])
    events = np.concatenate([strata.x1, strata.x0])
    if not len(trials):
        return 0.0
    several = trials > 1
    if not several.any():
        rate = float(events.sum() / trials.sum())
        return rate * (1 - rate)
    rate = events[several] / trials[several]
    spread = rate * (1 - rate) * trials[several] / (trials[several] - 1)
    return min(0.25, float(spread.mean()))


def _more(needed: int | None, present: int) -> int | None:
    return needed - present if needed is not None and needed > present else None
