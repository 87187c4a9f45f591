"""Calibration through the door: cells into `stats.analyse`, verdicts out."""

import numpy as np

from mitigations.model import Cell, Counts, Settings, VerdictKind
from stats.analysis import analyse
from stats.calibrate_cells import Rng, Setting, base_rates
from stats.calibrate_tally import Spec, Tally
from stats.conditional import permutation_test
from stats.strata import Strata

SETTING = Setting(scenarios=12, models=3, repeats=5, base=(0.4, 0.8))
CLAIMS = {VerdictKind.REDUCES, VerdictKind.INCREASES}
SPECS = {
    "primary": Spec(target=2, what="primary p at most .05, per variant", high=0.0546),
    "covered": Spec(target=3, what="coverage of the primary interval", low=0.945, high=0.985),
    "family": Spec(target=5, what="any adjusted p at most .05", high=0.055),
    "claimed": Spec(target=5, what="any verdict `reduces` or `increases`", high=0.055),
    "same": Spec(
        target=2, what="p of analyse() equal to p of the batch functions", low=1.0, high=1.0
    ),
}


def null_path(rng: Rng, setting: Setting, experiments: int) -> Tally:
    """A/A/A: two variants and a control that share every true rate."""
    tally = Tally()
    rates = base_rates(rng, setting, experiments)
    events = rng.binomial(setting.repeats, np.repeat(rates[:, None], 3, axis=1))
    for counts in events:
        found = analyse(_cells(counts, setting), Settings(baseline="control", permutations=999))
        p_values = np.array([c.p_value for c in found.comparisons], dtype=float)
        limits = np.array([c.std_rd_ci95 for c in found.comparisons], dtype=float)
        tally.add("primary", p_values <= 0.05)
        tally.add("covered", (limits[:, 0] <= 0) & (limits[:, 1] >= 0))
        adjusted = np.array([c.p_adjusted for c in found.comparisons], dtype=float)
        tally.add("family", np.array([(adjusted <= 0.05).any()]))
        tally.add("claimed", np.array([any(c.verdict.kind in CLAIMS for c in found.comparisons)]))
        again = [permutation_test(_strata(counts, arm, setting)).midp for arm in (1, 2)]
        tally.add("same", np.isclose(sorted(p_values), sorted(again), rtol=1e-12))
    return tally


def _cells(counts: np.ndarray, setting: Setting) -> list[Cell]:
    names = ("control", "variant-1", "variant-2")
    return [
        Cell(
            variant=names[arm],
            scenario=f"s{stratum // setting.models:02d}",
            model=f"m{stratum % setting.models}",
            counts=Counts(coercive=int(x), scored=setting.repeats),
        )
        for arm, row in enumerate(counts)
        for stratum, x in enumerate(row)
    ]


def _strata(counts: np.ndarray, arm: int, setting: Setting) -> Strata:
    n = np.full(setting.strata, float(setting.repeats))
    return Strata(
        x1=counts[arm].astype(float),
        n1=n,
        x0=counts[0].astype(float),
        n0=n,
        scenario=setting.scenario,
    )
