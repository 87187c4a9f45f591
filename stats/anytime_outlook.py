"""What an anytime design is expected to need: the e-process of `stats.eprocess`, simulated."""

from typing import cast

import numpy as np
from scipy.special import betaln

from stats.eprocess import PRIOR_A, threshold
from stats.named import Undefined
from stats.power import Grid, PlannedLooks

PATHS = 2000
"""Simulated runs: the share is met within about one hundredth."""


def anytime_outlook(
    effect: float, grid: Grid, *, rate: float, prior_a: float = PRIOR_A
) -> PlannedLooks:
    """Power and expected share of the trials when one looks after every epoch and stops.

    Every cell has the control rate `rate`, or `rate` + `effect`; one variant of the family is
    followed. The same grid gives the same answer: the seed is part of the definition.
    """
    changed = rate + effect
    if not (0.0 <= rate <= 1.0 and 0.0 <= changed <= 1.0):
        raise Undefined("a rate lies between 0 and 1")
    # An outlook printed twice must not differ.
    rng = np.random.default_rng(20_261_124)
    pairs, shape = grid.scenarios * grid.models, (PATHS, grid.repeats)
    only_variant = rng.binomial(pairs, changed * (1.0 - rate), size=shape)
    left = rate * (1.0 - changed) / max(1.0 - changed * (1.0 - rate), 1e-12)
    only_control = rng.binomial(pairs - only_variant, min(1.0, left))
    plus = np.cumsum(only_variant, axis=1)
    minus = np.cumsum(only_control, axis=1)
    log_e = (
        betaln(plus + prior_a, minus + prior_a)
        - betaln(prior_a, prior_a)
        + (plus + minus) * np.log(2.0)
    )
    past = log_e >= np.log(threshold(grid.comparisons, alpha=grid.alpha))
    stopped = past.any(axis=1)
    epochs = np.where(stopped, past.argmax(axis=1) + 1, grid.repeats)
    share = cast("float", (epochs / grid.repeats).mean())
    return PlannedLooks(power=float(stopped.mean()), expected_share=float(share))
