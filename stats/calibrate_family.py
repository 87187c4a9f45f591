"""Calibration of the family: five variants against one control. Target 5."""

import numpy as np

from stats.calibrate_cells import Rng, Setting, base_rates, shift_for, shifted
from stats.calibrate_tally import Spec, Tally
from stats.dunnett import many_to_one_p, step_down_dunnett
from stats.looks import nominal_levels
from stats.maxt import step_down_max_t
from stats.strata import BoolArray, FloatArray

ALPHA = 0.05
VARIANTS = 5
LOOKS = 5
PERMUTATIONS = 999
"""Enough at one level of .05; an analysis draws 9,999 to give a p-value."""

COMMON = Setting(scenarios=12, models=3, repeats=10, base=(0.4, 0.8))
RARE = Setting(scenarios=12, models=3, repeats=10, base=(0.15, 3.0))
FALSE = {"wrong": Spec(target=5, what="any true null rejected", high=0.055)}
PARTIAL = FALSE | {
    "power": Spec(target=5, what="average power, step-down max-T", share=False),
    "dunnett": Spec(target=5, what="average power, step-down Dunnett", share=False),
    "gap": Spec(
        target=5, what="average power, max-T minus Dunnett", low=-0.01, high=0.01, share=False
    ),
}


def null_family(rng: Rng, setting: Setting, experiments: int) -> Tally:
    """No variant differs."""
    return _run(rng, setting, experiments, differing=0)


def partial_family(rng: Rng, setting: Setting, experiments: int) -> Tally:
    """Two of five variants lower the rate by 8 points."""
    return _run(rng, setting, experiments, differing=2)


def planned_family(rng: Rng, setting: Setting, experiments: int) -> Tally:
    """No variant differs, five looks, the family's levels on Dunnett's p of the CMH z."""
    tally = Tally()
    rates = base_rates(rng, setting, experiments)
    step = setting.repeats // LOOKS
    draws = rng.binomial(step, rates, size=(LOOKS, VARIANTS + 1, *rates.shape)).astype(float)
    sums = draws.cumsum(axis=0)
    levels = nominal_levels([(k + 1) / LOOKS for k in range(LOOKS)], comparisons=VARIANTS)
    wrong = np.zeros(experiments, dtype=bool)
    for look, level in enumerate(levels):
        events, size = sums[look], float(step * (look + 1))
        largest = np.abs(_cmh_z(events[1:], events[0], size)).max(axis=0)
        wrong |= np.array([many_to_one_p(z, VARIANTS) <= level for z in largest])
    tally.add("wrong", wrong)
    return tally


def _cmh_z(events: FloatArray, control: FloatArray, size: float) -> FloatArray:
    """CMH z over the last axis, `size` trials in every cell."""
    total = events + control
    spread = (total * (2.0 * size - total) / (4.0 * (2.0 * size - 1.0))).sum(axis=-1)
    gap = ((events - control) / 2.0).sum(axis=-1)
    return np.asarray(gap / np.sqrt(np.where(spread > 0, spread, np.inf)))


def _run(rng: Rng, setting: Setting, experiments: int, *, differing: int) -> Tally:
    tally = Tally()
    control = base_rates(rng, setting, experiments)
    treated = shifted(control, shift_for(setting.base, -0.08)) if differing else control
    arms = [control] + [treated] * differing + [control] * (VARIANTS - differing)
    events = rng.binomial(setting.repeats, np.stack(arms, axis=1)).astype(float)
    trials = np.full((VARIANTS + 1, setting.strata), float(setting.repeats))
    seeds = rng.integers(2**31, size=experiments)
    hits = np.array([_rejected(e, trials, int(s)) for e, s in zip(events, seeds, strict=True)])
    tally.add("wrong", hits[:, 0, differing:].any(axis=1))
    if differing:
        power = hits[:, :, :differing].mean(axis=2)
        tally.add("power", power[:, 0])
        tally.add("dunnett", power[:, 1])
        tally.add("gap", power[:, 0] - power[:, 1])
    return tally


def _rejected(events: FloatArray, trials: FloatArray, seed: int) -> BoolArray:
    """Rejections by max-T (row 0) and by step-down Dunnett on the same CMH z (row 1)."""
    adjusted = step_down_max_t(events, trials, permutations=PERMUTATIONS, seed=seed, alpha=ALPHA)
    z = _cmh_z(events[1:], events[0], float(trials[0, 0]))
    return np.asarray(np.array([adjusted, step_down_dunnett(z.tolist())]) <= ALPHA)
