"""The level of each planned look, for one variant or for a family.

`analyse(level=...)` rejects where the (adjusted) p is at most the level of the look. For one
variant that is the two-sided p of the boundary. For a family the same levels err a little too
often, because the maximum of several statistics forgets faster than one does (.0519 with five
variants and five looks, .0537 with ten and ten, simulated); they are shrunk by one factor so that
the family errs as planned.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from scipy.special import ndtr

from stats.dunnett import many_to_one_p
from stats.named import Undefined
from stats.sequential import boundaries

PATHS = 200_000
"""Simulated families: the family-wise error is met within .0005 (one Monte Carlo error)."""
CHUNK = 20_000


def nominal_levels(
    information: Sequence[float], *, alpha: float = 0.05, comparisons: int = 1
) -> tuple[float, ...]:
    """Level of every look of a plan, those to come included: take the entry of the one at hand.

    `information`: completed share of the trials at each planned look. Variants share one control,
    equal arms. Step-down tests stay valid: fewer variants left never need a smaller level. The same
    plan gives the same levels.

    >>> [round(level, 4) for level in nominal_levels([0.5, 1.0])]
    [0.0031, 0.049]
    """
    if comparisons < 1:
        raise Undefined("a family needs at least one variant")
    bounds = np.array(boundaries(information, alpha=alpha))
    levels = 2.0 * ndtr(-bounds)
    shrink = _shrink(tuple(information), alpha, comparisons) if comparisons > 1 else 1.0
    return tuple((levels * shrink).tolist())


@lru_cache(maxsize=64)
def _shrink(information: tuple[float, ...], alpha: float, comparisons: int) -> float:
    """Factor f with P(any look has family p <= f x level) = alpha, at most 1.

    Each simulated family gives the smallest ratio of family p to level over its looks; f is the
    alpha-quantile of these ratios.
    """
    # A plan's levels must not change between its looks: the seed is part of the definition.
    rng = np.random.default_rng(20_261_124)
    shares = np.array(information)
    levels = 2.0 * ndtr(-np.array(boundaries(information, alpha=alpha)))
    seen = levels > 0.0
    steps = np.sqrt(np.diff(shares, prepend=0.0))
    grid = np.linspace(0.0, 12.0, 1201)
    logs = np.log([max(many_to_one_p(z, comparisons), 1e-300) for z in grid])
    smallest = []
    for _ in range(PATHS // CHUNK):
        moves = rng.standard_normal((CHUNK, len(shares), comparisons + 1)) * steps[:, None]
        score = moves.cumsum(axis=1)
        z = np.abs(score[..., 1:] - score[..., :1]).max(axis=2) / np.sqrt(2.0 * shares)
        log_ratio = np.interp(z[:, seen], grid, logs) - np.log(levels[seen])
        smallest.append(log_ratio.min(axis=1))
    return min(1.0, float(np.exp(np.quantile(np.concatenate(smallest), alpha))))
