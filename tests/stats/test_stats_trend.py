"""Doses, clauses and scenario factors."""

import math

import numpy as np
import pytest
from scipy.stats import ttest_ind

from stats import trend
from stats.mantel_haenszel import cmh
from stats.named import Undefined
from stats.strata import strata_from_rows

EVENTS = [[5, 3, 2, 1], [6, 5, 3, 2], [0, 0, 0, 0]]
TRIALS = [[10] * 4] * 3
FACTORIAL = [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_one_stratum_gives_the_cochran_armitage_test():
    """R help of prop.trend.test, smokers among patients: chi2 = 8.2249, with N for N - 1."""
    smokers, patients = [83, 90, 129, 70], [86, 93, 136, 82]
    found = trend.dose_trend([1, 2, 3, 4], [smokers], [patients])
    size = sum(patients)
    assert found.z**2 * size / (size - 1) == pytest.approx(8.2249, abs=5e-5)


def test_two_doses_give_the_cmh_test_and_difference():
    rows = [(5, 10, 3, 12), (8, 9, 4, 10), (0, 5, 0, 5)]
    found = trend.dose_trend(
        [0, 1], [(c, a) for a, _, c, _ in rows], [(d, b) for _, b, _, d in rows]
    )
    named = [dict(zip(("x1", "n1", "x0", "n0"), row, strict=True)) for row in rows]
    chi2 = float(cmh(strata_from_rows(named)).chi2)
    assert found.z**2 == pytest.approx(chi2)


def test_the_units_of_the_dose_change_the_slope_and_nothing_else():
    base = trend.dose_trend([0, 1, 2, 3], EVENTS, TRIALS)
    scaled = trend.dose_trend([5, 15, 25, 35], EVENTS, TRIALS)
    assert scaled.p_value == pytest.approx(base.p_value)
    assert scaled.slope == pytest.approx(base.slope / 10)


def test_the_slope_is_the_within_stratum_least_squares_slope():
    found = trend.dose_trend([0, 1, 2, 3], EVENTS, TRIALS)
    rates = np.array(EVENTS).sum(axis=0) / 30
    assert found.slope == pytest.approx(np.polyfit([0, 1, 2, 3], rates, 1)[0])
    low, high = found.slope_ci95
    assert (high < 0) is (found.p_value < 0.05)
    assert low < found.slope < high


def test_a_stratum_that_shifts_all_doses_alike_brings_no_trend():
    """Rates .9 and .1 in two strata, doses unbalanced over them: pooled it would look like one."""
    found = trend.dose_trend([0, 1], [[90, 9], [1, 10]], [[100, 10], [10, 100]])
    assert found.slope == pytest.approx(0.0, abs=1e-12)
    assert found.p_value == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("events", "trials"),
    [([[0, 0]], [[5, 5]]), ([[5, 5]], [[5, 5]]), ([[2, 0]], [[5, 0]]), ([[1, 0]], [[1, 0]])],
)
def test_no_information_about_a_trend_is_said(events, trials):
    with pytest.raises(Undefined, match="trend"):
        trend.dose_trend([0, 1], events, trials)


@pytest.mark.parametrize(
    ("events", "trials"), [([[6, 1]], [[5, 5]]), ([[1, 2, 3]], [[5, 5, 5]]), ([], [])]
)
def test_impossible_tables_are_refused(events, trials):
    with pytest.raises(Undefined):
        trend.dose_trend([0, 1], events, trials)


def test_a_full_factorial_gives_plain_on_minus_off_means():
    first, second = trend.clause_effects(("a", "b"), FACTORIAL, EVENTS, TRIALS)
    rates = np.array(EVENTS).sum(axis=0) / 30
    assert first.difference == pytest.approx(rates[2:].mean() - rates[:2].mean())
    assert second.difference == pytest.approx(rates[[1, 3]].mean() - rates[[0, 2]].mean())
    assert first.confounded_with == ()


def test_intervals_and_adjusted_p_values_agree():
    for effect in trend.clause_effects(("a", "b"), FACTORIAL, EVENTS, TRIALS):
        low, high = effect.simultaneous_ci95
        assert (low > 0 or high < 0) is (effect.p_adjusted < 0.05)


def test_a_half_fraction_names_what_it_confounds():
    half = [[0, 0, 1], [0, 1, 0], [1, 0, 0], [1, 1, 1]]
    found = trend.clause_effects(("a", "b", "c"), half, EVENTS, TRIALS)
    assert [effect.confounded_with for effect in found] == [
        (("b", "c"),),
        (("a", "c"),),
        (("a", "b"),),
    ]


def test_reading_a_clause_as_its_absence_mirrors_its_effect():
    flipped = [[1 - a, b] for a, b in FACTORIAL]
    there = trend.clause_effects(("a", "b"), FACTORIAL, EVENTS, TRIALS)[0]
    back = trend.clause_effects(("a", "b"), flipped, EVENTS, TRIALS)[0]
    assert there.difference == pytest.approx(-back.difference)
    assert there.p_adjusted == pytest.approx(back.p_adjusted)


def test_a_stratum_without_one_variant_drops_out():
    short = [[10] * 4, [10] * 4, [10, 10, 10, 0]]
    lost = [[5, 3, 2, 1], [6, 5, 3, 2], [9, 9, 9, 0]]
    full = trend.clause_effects(("a", "b"), FACTORIAL, EVENTS[:2], TRIALS[:2])
    assert trend.clause_effects(("a", "b"), FACTORIAL, lost, short) == full


@pytest.mark.parametrize(
    ("on", "events", "trials", "message"),
    [
        ([[0, 0], [1, 1]], [[1, 2]], [[5, 5]], "separate"),
        (FACTORIAL, [[0, 0, 0, 0]], [[5] * 4], "both outcomes"),
        (FACTORIAL, [[1, 1, 1, 0]], [[5, 5, 5, 0]], "every variant"),
    ],
)
def test_clauses_that_cannot_be_judged_say_why(on, events, trials, message):
    with pytest.raises(Undefined, match=message):
        trend.clause_effects(("a", "b"), on, events, trials)


def test_a_factor_level_is_compared_by_welchs_test_over_scenarios():
    values = {"s1": 0.1, "s2": 0.3, "s3": 0.5, "s4": 0.9, "s5": 0.2}
    factors = {s: {"stakes": "high" if s in ("s3", "s4") else "low"} for s in values}
    high, low = trend.factor_effects(values, factors)
    oracle = ttest_ind([0.5, 0.9], [0.1, 0.3, 0.2], equal_var=False)
    assert high.p_value == pytest.approx(oracle.pvalue)
    limits = oracle.confidence_interval()
    assert high.ci95 == pytest.approx((limits.low, limits.high))
    assert low.difference == pytest.approx(-high.difference)
    assert (high.scenarios, low.scenarios) == (2, 3)


@pytest.mark.parametrize("values", [{"s1": 0.1, "s2": 0.4, "s3": 0.5}, dict.fromkeys("abcd", 0.5)])
def test_a_level_without_an_interval_says_why(values):
    first, second, *rest = sorted(values)
    one_sided = {first, second} if len(rest) > 1 else {first}
    factors = {s: {"f": "x" if s in one_sided else "y"} for s in values}
    found = trend.factor_effects(values, factors)[0]
    assert found.ci95 is None
    assert found.p_value is None
    assert found.reason
    assert math.isfinite(found.difference)
