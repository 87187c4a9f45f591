"""Calibration of the judge corrections, 50 labels per class and arm. Target 7.

Trials are independent with one rate per arm: strata would only make the intervals wider than they
need to be.
"""

from dataclasses import dataclass

import numpy as np

from stats.agreement import Z95
from stats.calibrate_cells import Rng
from stats.calibrate_tally import Spec, Tally
from stats.judge_correction import Judged, Labels, ppi_difference, rogan_gladen_difference

PER_CLASS = 50
TRIALS = 1000
COVERED = {
    "ppi": Spec(target=7, what="PPI++ per arm: coverage", low=0.935),
    "rogan_gladen": Spec(target=7, what="Rogan-Gladen, pooled labels: coverage", low=0.935),
}
FOOLED = {
    "ppi_false": Spec(target=7, what="PPI++ per arm: false positives", high=0.06),
    "naive_false": Spec(target=7, what="uncorrected: false positives (no target)"),
    "rogan_gladen_false": Spec(
        target=7, what="pooled Rogan-Gladen, used in spite of the test: false positives (no target)"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeSetting:
    """True rates and judge errors of variant (1) and control (0)."""

    name: str
    rates: tuple[float, float]
    sensitivity: tuple[float, float]
    specificity: tuple[float, float]

    def __str__(self) -> str:
        return self.name


EQUAL = JudgeSetting(
    name="rates .24 and .30, se .92, sp .93",
    rates=(0.24, 0.30),
    sensitivity=(0.92, 0.92),
    specificity=(0.93, 0.93),
)
RARE = JudgeSetting(
    name="rates .05 and .10, se .85, sp .97",
    rates=(0.05, 0.10),
    sensitivity=(0.85, 0.85),
    specificity=(0.97, 0.97),
)
POLITE = JudgeSetting(
    name="no effect, rate .30, se .75 on the variant and .92 on control",
    rates=(0.30, 0.30),
    sensitivity=(0.75, 0.92),
    specificity=(0.95, 0.93),
)


def judge_batch(rng: Rng, setting: JudgeSetting, experiments: int) -> Tally:
    """Draw judged trials and labels; correct; compare with the truth."""
    truth = setting.rates[0] - setting.rates[1]
    rows = [_arms(rng, setting) for _ in range(experiments)]
    tally = Tally()
    robust = np.array([ppi_difference(*by_verdict).ci95 for by_verdict, _ in rows])
    pooled = np.array([rogan_gladen_difference(*by_class).ci95 for _, by_class in rows])
    tally.add("ppi", (robust[:, 0] <= truth) & (truth <= robust[:, 1]))
    tally.add("ppi_false", (robust[:, 0] > 0) | (robust[:, 1] < 0))
    tally.add("rogan_gladen", (pooled[:, 0] <= truth) & (truth <= pooled[:, 1]))
    tally.add("rogan_gladen_false", (pooled[:, 0] > 0) | (pooled[:, 1] < 0))
    tally.add("naive_false", np.array([_naive(one, two) for (one, two), _ in rows]))
    return tally


def _arms(rng: Rng, setting: JudgeSetting) -> tuple[tuple[Judged, Judged], tuple[Judged, Judged]]:
    """Each arm twice: labels drawn by judge verdict (for PPI++), and by human class."""
    one, two = (_arm(rng, setting, arm) for arm in (0, 1))
    return (one[0], two[0]), (one[1], two[1])


def _arm(rng: Rng, setting: JudgeSetting, arm: int) -> tuple[Judged, Judged]:
    sens, spec = setting.sensitivity[arm], setting.specificity[arm]
    bad = int(rng.binomial(TRIALS, setting.rates[arm]))
    caught = int(rng.binomial(bad, sens))
    spared = int(rng.binomial(TRIALS - bad, spec))
    false_alarms, missed = TRIALS - bad - spared, bad - caught
    tp, fp = _sample(rng, caught, false_alarms)
    fn, tn = _sample(rng, missed, spared)
    by_verdict = Labels(true_positive=tp, false_positive=fp, false_negative=fn, true_negative=tn)
    tp, fn = _sample(rng, caught, missed)
    tn, fp = _sample(rng, spared, false_alarms)
    by_class = Labels(true_positive=tp, false_positive=fp, false_negative=fn, true_negative=tn)
    positive = caught + false_alarms
    return (
        Judged(positive=positive, scored=TRIALS, labels=by_verdict, by_verdict=True),
        Judged(positive=positive, scored=TRIALS, labels=by_class),
    )


def _sample(rng: Rng, good: int, other: int) -> tuple[int, int]:
    size = min(PER_CLASS, good + other)
    hits = int(rng.hypergeometric(good, other, size))
    return hits, size - hits


def _naive(one: Judged, two: Judged) -> bool:
    rates = one.positive / one.scored, two.positive / two.scored
    spread = sum(rate * (1.0 - rate) / TRIALS for rate in rates)
    return bool(abs(rates[0] - rates[1]) > Z95 * spread**0.5)
