"""Calibration of the two questions on one variant: targets 2, 3, 4 and 8."""

import numpy as np

from stats.calibrate_cells import Rng, Setting, base_rates, draw, shift_for, shifted, single
from stats.calibrate_tally import Spec, Tally
from stats.conditional import permutation_test
from stats.named import Undefined
from stats.power import Grid, power
from stats.scenarios import scenario_differences, scenario_t, sign_flip_p
from stats.score import difference_interval
from stats.strata import FloatArray, Strata

ALPHA = 0.05
NULL_SPECS = {
    "primary": Spec(target=2, what="false positives of the primary", low=0.040, high=0.0546),
    "coverage": Spec(target=3, what="coverage of the primary interval", low=0.945, high=0.985),
    "finite": Spec(target=3, what="finite primary intervals", low=1.0, high=1.0),
}
RANDOM_SPECS = {
    "t": Spec(target=4, what="question (b), t over scenarios: false positives", high=0.056),
    "signflip": Spec(target=4, what="question (b), sign flips: false positives", high=0.056),
    "primary": Spec(target=4, what="the primary where it does not belong (no target)"),
}
POWER_SPECS = {
    "rejected": Spec(target=8, what="power of the primary, simulated"),
    "predicted": Spec(target=8, what="power, predicted from vbar", share=False),
    "gap": Spec(
        target=8, what="simulated minus predicted power", low=-0.02, high=0.02, share=False
    ),
    "coverage": Spec(target=3, what="coverage under an effect", low=0.945, high=0.985),
}


def null_grid(rng: Rng, setting: Setting, experiments: int) -> Tally:
    """A/A: both arms share every true rate."""
    tally = Tally()
    rates = base_rates(rng, setting, experiments)
    strata = draw(rng, (rates, rates), setting)
    tally.add("primary", primary(strata) <= ALPHA)
    low, high = difference_interval(strata)
    tally.add("coverage", (low <= 0.0) & (high >= 0.0))
    tally.add("finite", np.isfinite(low) & np.isfinite(high))
    return tally


def effect_grid(rng: Rng, setting: Setting, experiments: int) -> Tally:
    """A/B: the variant lowers every rate by the same log odds, 5.6 points on average."""
    tally = Tally()
    control = base_rates(rng, setting, experiments)
    treated = shifted(control, shift_for(setting.base, -0.056))
    truth = (treated - control).mean(axis=1)
    strata = draw(rng, (treated, control), setting)
    rejected = primary(strata) <= ALPHA
    tally.add("rejected", rejected)
    predicted = np.array([_predicted(setting, t, c) for t, c in zip(treated, control, strict=True)])
    tally.add("predicted", predicted)
    tally.add("gap", rejected - predicted)
    low, high = difference_interval(strata)
    tally.add("coverage", (low <= truth) & (high >= truth))
    return tally


def random_scenarios(rng: Rng, setting: Setting, experiments: int) -> Tally:
    """No effect over the population of scenarios, but one in each: its sign is a coin's."""
    tally = Tally()
    rates = base_rates(rng, setting, experiments)
    swing = rng.normal(0.0, 1.0, (experiments, setting.scenarios)).repeat(setting.models, axis=1)
    strata = draw(rng, (shifted(rates, swing / 2.0), shifted(rates, -swing / 2.0)), setting)
    tally.add("primary", primary(strata) <= ALPHA)
    differences = scenario_differences(strata)
    tally.add("t", np.array([_t_p(row) for row in differences]) <= ALPHA)
    tally.add("signflip", np.array([sign_flip_p(row) for row in differences]) <= ALPHA)
    return tally


def primary(strata: Strata) -> FloatArray:
    """Primary mid-p of each experiment of a batch, by the function that the service calls."""
    return np.array([permutation_test(single(strata, i)).midp for i in range(len(strata.x1))])


def _t_p(differences: FloatArray) -> float:
    """1 where the test does not exist: the service claims nothing there."""
    try:
        return scenario_t(differences).p
    except Undefined:
        return 1.0


def _predicted(setting: Setting, treated: FloatArray, control: FloatArray) -> float:
    noise = (treated * (1 - treated) + control * (1 - control)).mean() / 2.0
    grid = Grid(
        scenarios=setting.scenarios,
        models=setting.models,
        repeats=setting.repeats,
        vbar=float(noise),
        alpha=ALPHA,
    )
    return power(float((treated - control).mean()), grid)
