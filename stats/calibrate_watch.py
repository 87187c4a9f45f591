"""Calibration of looking early: the e-process at every epoch, and planned looks. Target 6."""

import numpy as np
from scipy.special import betaln

from stats.agreement import Z95
from stats.calibrate_cells import Rng, Setting, base_rates, shift_for, shifted
from stats.calibrate_tally import Spec, Tally
from stats.eprocess import PRIOR_A, log_integrand, threshold
from stats.sequential import boundaries
from stats.strata import BoolArray, FloatArray

ALPHA = 0.05
LOOKS = 5
EFFECT = -0.056
SETTING = Setting(scenarios=20, models=4, repeats=20, base=(0.4, 0.8))
NULL_SPECS = {
    "watched": Spec(target=6, what="watched at every epoch: false positives", high=0.05),
    "covered": Spec(target=6, what="confidence sequence, coverage at all epochs", low=0.95),
    "planned": Spec(target=6, what="planned looks: false positives", high=0.0546),
}
EFFECT_SPECS = {
    "watched": Spec(target=6, what="watched at every epoch: power", low=0.85),
    "watched_saved": Spec(
        target=6, what="watched at every epoch: trials saved", low=0.45, share=False
    ),
    "covered": Spec(target=6, what="confidence sequence, coverage at all epochs", low=0.95),
    "planned": Spec(target=6, what="planned looks: power", low=0.94),
    "planned_saved": Spec(target=6, what="planned looks: trials saved", low=0.40, share=False),
    "fixed": Spec(target=6, what="one look at the end: power, for comparison"),
}


def null_watch(rng: Rng, setting: Setting, experiments: int) -> Tally:
    """A/A: equal rates in every stratum."""
    rates = base_rates(rng, setting, experiments)
    return _run(rng, setting, (rates, rates))


def split_watch(rng: Rng, setting: Setting, experiments: int) -> Tally:
    """Half the strata helped, half harmed, nothing on average: the trap inside an epoch."""
    middle = np.full((experiments, setting.strata), 0.5)
    swing = np.where(np.arange(setting.strata) % 2 == 0, 0.4, -0.4)
    return _run(rng, setting, (middle + swing, middle - swing))


def effect_watch(rng: Rng, setting: Setting, experiments: int) -> Tally:
    """A/B: 5.6 points less on average."""
    control = base_rates(rng, setting, experiments)
    return _run(rng, setting, (shifted(control, shift_for(setting.base, EFFECT)), control))


def _run(rng: Rng, setting: Setting, rates: tuple[FloatArray, FloatArray]) -> Tally:
    shape = (*rates[0].shape, setting.repeats)
    one, two = (rng.random(shape) < rate[..., None] for rate in rates)
    truth = (rates[0] - rates[1]).mean(axis=1)
    tally = Tally()
    _watch(tally, one, two, truth)
    _plan(tally, one, two)
    return tally


def _watch(tally: Tally, one: BoolArray, two: BoolArray, truth: FloatArray) -> None:
    """E-values after each epoch; stopping at the first past the threshold."""
    plus = (one & ~two).sum(axis=1).cumsum(axis=1).astype(float)
    minus = (two & ~one).sum(axis=1).cumsum(axis=1).astype(float)
    epochs = np.arange(1, one.shape[2] + 1)
    zero = one.shape[1] * epochs - plus - minus
    bar = np.log(threshold(1, alpha=ALPHA))
    logs = betaln(plus + PRIOR_A, minus + PRIOR_A) - betaln(PRIOR_A, PRIOR_A)
    _stop(tally, "watched", logs + (plus + minus) * np.log(2.0) >= bar)
    tally.add("covered", (log_e_values(plus, minus, zero, truth[:, None]) < bar).all(axis=1))


def log_e_values(
    plus: FloatArray, minus: FloatArray, zero: FloatArray, d0: FloatArray
) -> FloatArray:
    """`eprocess.log_e_value_at` over arrays, on one fixed grid that fits a few thousand pairs."""
    grid = np.linspace(-16.0, 4.0, 161)
    norm = betaln(PRIOR_A, PRIOR_A) + (2.0 * PRIOR_A - 1.0) * np.log(2.0)
    halves = []
    for up, down, null in ((plus, minus, d0), (minus, plus, -d0)):
        counts = (up[..., None], down[..., None], zero[..., None])
        logs = log_integrand(grid, counts, null[..., None], PRIOR_A)
        top = logs.max(axis=-1)
        halves.append(top + np.log(np.exp(logs - top[..., None]).sum(axis=-1)))
    return np.asarray(np.logaddexp(*halves) + np.log(grid[1] - grid[0]) - norm)


def _plan(tally: Tally, one: BoolArray, two: BoolArray) -> None:
    """The CMH z (the primary at this size) at equally spaced epochs against the boundaries."""
    repeats = one.shape[2]
    ends = [repeats * (look + 1) // LOOKS for look in range(LOOKS)]
    bounds = np.array(boundaries([end / repeats for end in ends], alpha=ALPHA))
    x1, x0 = (arm.cumsum(axis=2)[:, :, np.array(ends) - 1].astype(float) for arm in (one, two))
    n = np.array(ends, dtype=float)
    events = x1 + x0
    variance = events * (2.0 * n - events) / (4.0 * (2.0 * n - 1.0))
    deviation, spread = (x1 - events / 2.0).sum(axis=1), variance.sum(axis=1)
    z = np.divide(deviation, np.sqrt(spread), out=np.zeros_like(spread), where=spread > 0)
    _stop(tally, "planned", np.abs(z) >= bounds)
    tally.add("fixed", np.abs(z[:, -1]) >= Z95)


def _stop(tally: Tally, name: str, past: BoolArray) -> None:
    """Ever past the bar, and the share of looks (equal steps) that stopping at the first saves."""
    ever = past.any(axis=1)
    tally.add(name, ever)
    steps = past.shape[1]
    run = np.where(ever, past.argmax(axis=1) + 1, steps)
    tally.add(f"{name}_saved", 1.0 - run / steps)
