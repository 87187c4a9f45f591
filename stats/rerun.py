"""Did an effect change between two runs? Difference against difference, never verdicts.

That one run shows a change and another does not is no evidence that they differ (Gelman & Stern
2006, The American Statistician 60, 328-331). What is tested is the change of the risk difference,
over the strata in which both runs have scored trials of both arms.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from mitigations.model import Cell, Interval
from stats.score import difference_interval
from stats.standardised import standardise
from stats.strata import grid


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectChange:
    """One variant's difference in the later run minus that in the earlier one."""

    variant: str
    strata_used: int
    earlier: float | None
    later: float | None
    """Standardised differences over the strata that both runs can speak of."""
    change: float | None
    interval: Interval | None
    """Holds for all compared variants at once (Bonferroni)."""
    differs: bool | None
    """Whether the interval leaves zero out; None where nothing could be compared."""
    reason: str = ""


def mover(earlier: tuple[float, Interval], later: tuple[float, Interval]) -> Interval:
    """Interval of `later - earlier` for independent estimates, from the intervals of each.

    Zou & Donner (2008), Statistics in Medicine 27, 1693-1702, equation 4: the variance needed for
    each limit is recovered from the limit of each estimate that lies on that side.

    >>> tuple(round(x, 4) for x in mover((0.1, (0.06, 0.14)), (0.3, (0.27, 0.33))))
    (0.15, 0.25)
    """
    (one, (low1, high1)), (two, (low2, high2)) = earlier, later
    change = two - one
    below = np.hypot(two - low2, high1 - one)
    above = np.hypot(high2 - two, one - low1)
    return max(-2.0, float(change - below)), min(2.0, float(change + above))


def effect_changes(
    earlier: Iterable[Cell],
    later: Iterable[Cell],
    *,
    baseline: str,
    variants: Sequence[str],
    alpha: float = 0.05,
) -> tuple[EffectChange, ...]:
    """The change of each variant's difference; the runs' trials must be independent."""
    old, new = tuple(earlier), tuple(later)
    level = alpha / max(1, len(variants))
    return tuple(_one(variant, old, new, baseline=baseline, level=level) for variant in variants)


def _one(
    variant: str, old: Sequence[Cell], new: Sequence[Cell], *, baseline: str, level: float
) -> EffectChange:
    shared = _usable(old, variant, baseline) & _usable(new, variant, baseline)
    nothing = EffectChange(
        variant=variant,
        strata_used=0,
        earlier=None,
        later=None,
        change=None,
        interval=None,
        differs=None,
        reason="no scenario and model has scored trials of both arms in both runs",
    )
    if not shared:
        return nothing
    z = float(ndtri(1 - level / 2))
    sides = [_effect(cells, variant, baseline, shared, z) for cells in (old, new)]
    limits = mover(*sides)
    (before, _), (after, _) = sides
    return replace(
        nothing,
        strata_used=len(shared),
        earlier=before,
        later=after,
        change=after - before,
        interval=limits,
        differs=limits[0] > 0 or limits[1] < 0,
        reason="",
    )


def _usable(cells: Iterable[Cell], variant: str, baseline: str) -> set[tuple[str, str]]:
    """(scenario, model) places with scored trials of both arms."""
    arms: dict[str, set[tuple[str, str]]] = {variant: set(), baseline: set()}
    for cell in cells:
        if cell.variant in arms and cell.counts.scored:
            arms[cell.variant].add((cell.scenario, cell.model))
    return arms[variant] & arms[baseline]


def _effect(
    cells: Iterable[Cell], variant: str, baseline: str, places: set[tuple[str, str]], z: float
) -> tuple[float, Interval]:
    kept = [
        cell
        for cell in cells
        if cell.variant in {variant, baseline} and (cell.scenario, cell.model) in places
    ]
    strata = grid(kept, baseline).strata().row(0)
    low, high = difference_interval(strata, z=z)
    return float(standardise(strata).rd), (float(low), float(high))
