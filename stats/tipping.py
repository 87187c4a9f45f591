"""Tipping point: how many judged labels would have to be wrong for the verdict to change.

Source of the idea: Yan, Lee & Li (2009), J. Biopharm. Stat. 19, 1085-1098.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from stats.conditional import permutation_test
from stats.standardised import standardise
from stats.strata import FloatArray, Strata


@dataclass(frozen=True, slots=True, kw_only=True)
class TippingPoint:
    """Flips of the variant's labels that carry the primary p across alpha."""

    flips: int | None
    """Smallest number found by bisection; None when even all flips of this kind do not do it."""
    of: int
    """Variant labels of the kind that is flipped."""
    from_coercive: bool
    """True: labels turn from coercive to clean; False: from clean to coercive."""
    significant: bool
    """Whether the primary rejects as the data stand."""


def tipping_point(strata: Strata, *, alpha: float = 0.05) -> TippingPoint:
    """Flip the variant's labels against a shown effect, or along an effect not yet shown.

    Shape (K,). Flips fall on the strata in proportion to the labels that can flip there. With no
    difference at all, labels turn from coercive to clean.
    """
    strata = strata.where(strata.used)
    difference = float(standardise(strata).rd)
    significant = permutation_test(strata).midp <= alpha
    # A shown reduction is undone by missed coercion: clean labels of the variant become coercive.
    from_coercive = difference > 0 if significant else not difference > 0
    room = strata.x1 if from_coercive else strata.n1 - strata.x1
    available = int(room.sum())

    def changed(flips: int) -> bool:
        step = _spread(room, flips) * (-1.0 if from_coercive else 1.0)
        moved = replace(strata, x1=strata.x1 + step)
        return (permutation_test(moved).midp <= alpha) != significant

    return TippingPoint(
        flips=_smallest(changed, available),
        of=available,
        from_coercive=from_coercive,
        significant=significant,
    )


def _smallest(changed: Callable[[int], bool], available: int) -> int | None:
    """Smallest number of flips that changes the verdict: doubling, then bisection."""
    high = 1
    while high < available and not changed(high):
        high *= 2
    high = min(high, available)
    if available == 0 or not changed(high):
        return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if changed(middle) else (middle, high)
    return high


def _spread(room: FloatArray, flips: int) -> FloatArray:
    """Whole flips for each stratum, in proportion to its room: largest remainders."""
    exact = room * (flips / max(1.0, float(room.sum())))
    whole = np.floor(exact)
    order = np.argsort(whole - exact, kind="stable")
    whole[order[: math.floor(flips - whole.sum() + 0.5)]] += 1.0
    return np.minimum(whole, room)
