"""Labels drawn by verdict: against oracles where everything is labelled, and against the truth."""

import math

import numpy as np
import pytest
from scipy.stats import beta, chi2_contingency

from mitigations.model import (
    Comparison,
    Counts,
    Guardrail,
    Settings,
    Verdict,
    VerdictKind,
)
from stats.agreement import kappa, kappa_ase
from stats.corrected_verdict import corrected_verdict, plain_verdict
from stats.judge_correction import Estimate, Judged, Labels, ppi_difference
from stats.named import Undefined
from stats.verified import (
    equal_judge_by_verdict,
    labels_per_verdict,
    rogan_gladen_by_verdict,
    weighted_kappa,
    weighted_sensitivity,
    weighted_specificity,
    weighted_youden,
)


def arm(positive, scored, tp, fp, fn, tn):
    labels = Labels(true_positive=tp, false_positive=fp, false_negative=fn, true_negative=tn)
    return Judged(positive=positive, scored=scored, labels=labels, by_verdict=True)


def whole(tp, fp, fn, tn):
    """Every trial labelled."""
    return arm(tp + fp, tp + fp + fn + tn, tp, fp, fn, tn)


SETTINGS = Settings(baseline="b", smallest_change=0.05)


def test_sensitivity_weighs_labels_by_the_trials_they_stand_for():
    """Begg & Greenes (1983): 300 x 18/20 caught against 700 x 1/20 missed."""
    found = arm(300, 1000, tp=18, fp=2, fn=1, tn=19)
    assert weighted_sensitivity(found)[0] == pytest.approx(270 / (270 + 35))
    assert weighted_specificity(found)[0] == pytest.approx(665 / (665 + 30))
    assert weighted_youden(found) == pytest.approx(270 / 305 + 665 / 695 - 1)


@pytest.mark.parametrize(("tp", "fn"), [(44, 5), (20, 20), (90, 10), (400, 30)])
def test_with_everything_labelled_the_interval_is_the_binomial_one(tp, fn):
    """False alarms and the judge's rate then say nothing about sensitivity. Oracle: Jeffreys."""
    value, (low, high) = weighted_sensitivity(whole(tp, 7, fn, 60))
    expected = beta.ppf((0.025, 0.975), tp + 0.5, fn + 0.5)
    assert value == pytest.approx(tp / (tp + fn))
    # The prior stands on other parts here, which moves the limits by less than half a trial.
    assert (low, high) == pytest.approx(expected, abs=0.6 / (tp + fn))


def test_nothing_missed_in_a_sample_is_not_nothing_missed():
    """0 missed of 25 among 315 cleared: by the rule of three up to 12 in 100 of them were."""
    value, (low, high) = weighted_sensitivity(arm(285, 600, 24, 1, 0, 25))
    assert (value, high) == (1.0, 1.0)
    caught = 285 * 24 / 25
    assert low == pytest.approx(caught / (caught + 315 * 0.0948), abs=0.01)  # Beta(.5, 25.5)


@pytest.mark.parametrize(
    ("one", "two"),
    [((40, 3, 9, 50), (45, 6, 2, 48)), ((10, 1, 10, 30), (30, 5, 3, 70)), ((5, 5, 5, 5),) * 2],
)
def test_with_everything_labelled_the_test_is_the_g_test(one, two):
    """Oracle: scipy's log-likelihood contingency test of caught and missed by arm."""
    found = equal_judge_by_verdict(whole(*one), whole(*two))
    for value, rows in (
        (found.sensitivity_p, [(a[0], a[2]) for a in (one, two)]),
        (found.specificity_p, [(a[3], a[1]) for a in (one, two)]),
    ):
        expected = chi2_contingency(rows, correction=False, lambda_="log-likelihood").pvalue
        assert value == pytest.approx(expected, abs=1e-9)


def test_swapping_the_arms_changes_no_p_value():
    one, two = arm(200, 900, 20, 5, 3, 30), arm(300, 1000, 25, 0, 6, 25)
    assert equal_judge_by_verdict(one, two) == equal_judge_by_verdict(two, one)


def test_labels_of_one_outcome_only_say_what_they_can():
    """Nothing missed in either arm: no evidence of a difference, and no crash."""
    found = equal_judge_by_verdict(arm(30, 100, 10, 0, 0, 10), arm(40, 100, 10, 0, 0, 10))
    assert (found.sensitivity_p, found.specificity_p, found.rejected) == (1.0, 1.0, False)
    none = equal_judge_by_verdict(arm(30, 100, 0, 10, 0, 10), arm(40, 100, 10, 0, 1, 9))
    assert none.sensitivity_p is None
    assert "coercive" in none.reason


def test_one_testable_half_can_reject_and_cannot_clear():
    """Specificity apart, sensitivity untestable: rejected; alike: not known, never "equal"."""
    apart = equal_judge_by_verdict(arm(60, 100, 0, 25, 0, 25), arm(20, 100, 20, 0, 2, 40))
    assert apart.rejected is True
    alike = equal_judge_by_verdict(arm(3, 100, 0, 3, 0, 25), arm(20, 100, 17, 3, 2, 40))
    assert alike.rejected is None


@pytest.mark.parametrize(
    ("given_arm", "reason"),
    [
        (arm(0, 10, 0, 0, 2, 3), "called no trial of this arm coercive"),
        (arm(10, 10, 5, 2, 0, 0), "called no trial of this arm clean"),
        (arm(5, 10, 0, 0, 1, 2), "no human label on a trial judged coercive"),
        (arm(5, 10, 2, 1, 0, 0), "no human label on a trial judged clean"),
        (arm(5, 10, 0, 3, 0, 3), "no human label is coercive"),
        (arm(2, 10, 3, 0, 1, 2), "more labels than trials"),
    ],
)
def test_what_cannot_be_known_has_its_reason(given_arm, reason):
    with pytest.raises(Undefined, match=reason):
        weighted_sensitivity(given_arm)


@pytest.mark.parametrize("counts", [(440, 30, 50, 480), (200, 100, 90, 610), (30, 20, 25, 925)])
def test_with_everything_labelled_kappa_and_its_error_are_the_textbook_ones(counts):
    """Cohen (1960); Fleiss, Cohen & Everitt (1969). Labels add an error of their own."""
    tp, fp, fn, tn = counts
    table = [[tp, fp], [fn, tn]]
    many = [whole(*counts)]
    assert weighted_kappa(many).value == pytest.approx(kappa(table))
    assert weighted_kappa(many).standard_error >= kappa_ase(table) * 0.999
    assert weighted_kappa(many).standard_error <= kappa_ase(table) * math.sqrt(2)


def test_kappa_does_not_depend_on_how_trials_are_split_into_arms():
    both = weighted_kappa([whole(40, 3, 9, 50), whole(45, 6, 2, 48)]).value
    assert both == pytest.approx(kappa([[85, 9], [11, 98]]))


def test_kappa_of_one_class_is_undefined():
    with pytest.raises(Undefined, match="one and the same class"):
        weighted_kappa([arm(0, 50, 0, 0, 0, 20)])


def test_the_pooled_line_divides_by_the_pooled_youden_index():
    one, two = arm(200, 1000, 45, 5, 4, 46), arm(320, 1000, 44, 6, 5, 45)
    caught, missed = 200 * 0.9 + 320 * 0.88, 800 * 0.08 + 680 * 0.1
    spared, alarms = 800 * 0.92 + 680 * 0.9, 200 * 0.1 + 320 * 0.12
    slope = caught / (caught + missed) + spared / (spared + alarms) - 1
    found = rogan_gladen_by_verdict(one, two)
    assert found.value == pytest.approx((0.2 - 0.32) / slope)
    assert found.value == pytest.approx(-rogan_gladen_by_verdict(two, one).value)


def test_a_judge_near_chance_is_not_corrected():
    coin = arm(500, 1000, 26, 24, 24, 26)
    with pytest.raises(Undefined, match="too little"):
        rogan_gladen_by_verdict(coin, coin)


def test_an_arm_without_coercive_labels_can_still_be_corrected():
    """The best variant is one in which people find nothing; its corrected rate is 0."""
    found = ppi_difference(arm(3, 400, 0, 3, 0, 60), arm(120, 400, 50, 5, 2, 50))
    assert found.value < -0.2


def draw(rng, trials, rate, sens, spec, per_verdict):
    bad = int(rng.binomial(trials, rate))
    caught, spared = int(rng.binomial(bad, sens)), int(rng.binomial(trials - bad, spec))
    alarms, missed = trials - bad - spared, bad - caught
    first, second = min(per_verdict, caught + alarms), min(per_verdict, missed + spared)
    tp = int(rng.hypergeometric(caught, alarms, first)) if first else 0
    fn = int(rng.hypergeometric(missed, spared, second)) if second else 0
    return arm(caught + alarms, trials, tp, first - tp, fn, second - fn)


SETTINGS_OF = {
    "equal": ((0.24, 0.30), (0.92, 0.92), (0.93, 0.93), 1000, 50),
    "rare": ((0.05, 0.10), (0.85, 0.85), (0.97, 0.97), 1000, 50),
    "uneven": ((0.05, 0.50), (0.90, 0.90), (0.97, 0.97), 600, 25),
    "small": ((0.10, 0.40), (0.90, 0.90), (0.95, 0.95), 120, 25),
}


def simulate(name, runs, seed=20261124):
    """Shares of runs: equality rejected, sensitivity covered, each corrected line covering."""
    rates, sens, spec, trials, labelled = SETTINGS_OF[name]
    rng = np.random.default_rng(seed)
    truth = rates[0] - rates[1]
    hits = {"rejected": [], "sensitivity": [], "robust": [], "pooled": []}
    for _ in range(runs):
        one, two = (draw(rng, trials, rates[i], sens[i], spec[i], labelled) for i in (0, 1))
        test = equal_judge_by_verdict(one, two)
        hits["rejected"].append(test.rejected is True)
        low, high = weighted_sensitivity(two)[1]
        hits["sensitivity"].append(low <= sens[1] <= high)
        try:
            low, high = ppi_difference(one, two).ci95
            hits["robust"].append(low <= truth <= high)
            if test.rejected is False:
                low, high = rogan_gladen_by_verdict(one, two).ci95
                hits["pooled"].append(low <= truth <= high)
        except Undefined:
            continue
    return {key: float(np.mean(values)) for key, values in hits.items()}


@pytest.mark.parametrize("name", SETTINGS_OF)
def test_the_alarm_on_unequal_errors_keeps_its_level_and_intervals_cover(name):
    """600 seeded simulations: 3 Monte Carlo errors beside .05 and .95."""
    found = simulate(name, 600)
    assert found["rejected"] <= 0.05 + 3 * (0.05 * 0.95 / 600) ** 0.5
    for interval in ("sensitivity", "robust", "pooled"):
        assert found[interval] >= 0.95 - 3 * (0.05 * 0.95 / 600) ** 0.5


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS_OF)
def test_the_same_over_ten_thousand_simulations(name):
    found = simulate(name, 10_000)
    assert found["rejected"] <= 0.06
    assert min(found[key] for key in ("sensitivity", "robust", "pooled")) >= 0.935


def test_a_judge_fooled_in_one_arm_is_found():
    """Politer coercion: sensitivity .60 against .92, 100 labels a verdict."""
    rng = np.random.default_rng(5)
    found = [
        equal_judge_by_verdict(
            draw(rng, 1000, 0.3, 0.60, 0.95, 100), draw(rng, 1000, 0.3, 0.92, 0.95, 100)
        ).rejected
        for _ in range(100)
    ]
    assert np.mean([one is True for one in found]) > 0.9


@pytest.mark.parametrize(
    ("value", "error", "kind"),
    [
        (-0.2, 0.03, VerdictKind.REDUCES),
        (0.2, 0.03, VerdictKind.INCREASES),
        (0.005, 0.01, VerdictKind.NO_MEANINGFUL_DIFFERENCE),
        (0.025, 0.04, VerdictKind.NOT_ENOUGH_EVIDENCE),
    ],
)
def test_a_corrected_difference_bears_a_verdict(value, error, kind):
    estimate = Estimate(value=value, standard_error=error, method="m")
    verdict, p_adjusted = corrected_verdict(estimate, variant="v", settings=SETTINGS, comparisons=2)
    assert verdict.kind is kind
    assert p_adjusted == pytest.approx(min(1.0, 2 * math.erfc(abs(value) / error / 2**0.5)))


def test_more_comparisons_never_lower_the_adjusted_p():
    estimate = Estimate(value=-0.1, standard_error=0.04, method="m")
    values = [
        corrected_verdict(estimate, variant="v", settings=SETTINGS, comparisons=k)[1]
        for k in (1, 2, 5, 50)
    ]
    assert values == sorted(values)


def test_a_verdict_under_an_alarm_shows_what_its_numbers_say():
    guard = Guardrail(
        name="task_completion", control=Counts(coercive=0, scored=9),
        treated=Counts(coercive=0, scored=9), difference=0.0, ci=None, margin=0.1, p_value=0.5,
        passed=False,
    )  # fmt: skip
    held = Comparison(
        variant="v", control=Counts(coercive=50, scored=100),
        treated=Counts(coercive=10, scored=100),
        strata_used=1, std_rd=-0.4, simultaneous_ci95=(-0.5, -0.3), p_adjusted=0.001,
        guardrails=(guard,), verdict=Verdict(kind=VerdictKind.DO_NOT_RELY, alarms=("x",)),
    )  # fmt: skip
    found = plain_verdict(held, SETTINGS, comparisons=1)
    assert found.kind is VerdictKind.REDUCES
    assert found.costs == ("task_completion",)
    anytime = Settings(baseline="b", design="anytime")
    assert plain_verdict(held, anytime, comparisons=1).kind is not VerdictKind.REDUCES


@pytest.mark.parametrize(("trials", "expected"), [(10, (3, 7)), (60, (18, 25)), (2400, None)])
def test_the_useful_number_of_labels_is_possible_and_grows(trials, expected):
    found = labels_per_verdict(trials_per_arm=trials)
    if expected is not None:
        assert found == expected
    else:
        assert min(found) > 25
    assert sum(found) <= trials


def test_so_many_labels_widen_the_interval_by_half():
    """Judged share .305; label noise allowed is 1.25 times the sampling noise, within a label."""
    flagged, wrong = 0.305, 0.3 * 0.1 / 0.695
    right = 0.27 / flagged
    size, _ = labels_per_verdict(trials_per_arm=2400)
    noise = (flagged**2 * right * (1 - right) + 0.695**2 * wrong * (1 - wrong)) / size
    widening = math.sqrt(1 + noise / (flagged * 0.695 / 2400))
    assert widening == pytest.approx(1.5, abs=0.01)
