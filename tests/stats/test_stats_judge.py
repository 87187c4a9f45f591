"""Corrections for a judge that errs."""

import math

import numpy as np
import pytest

from stats import judge_correction as jc
from stats import judge_error as je
from stats.judge_correction import Judged, Labels
from stats.named import Undefined


def labels(tp, fn, fp, tn):
    return Labels(true_positive=tp, false_negative=fn, false_positive=fp, true_negative=tn)


GOOD = labels(45, 5, 4, 46)
POLITE = labels(30, 20, 4, 46)


def arm(positive, scored=1000, seen=GOOD, **more):
    return Judged(positive=positive, scored=scored, labels=seen, **more)


def calibration(tp, pos, tn, neg):
    return {
        "true_positive": tp,
        "human_positive": pos,
        "true_negative": tn,
        "human_negative": neg,
    }


@pytest.mark.parametrize(
    ("events", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)],
)
def test_wilson_limits_match_the_published_table(events, trials, low, high):
    """Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3."""
    assert je.wilson(events, trials) == pytest.approx((low, high), abs=5e-5)


def test_a_judge_without_error_leaves_the_rate_alone():
    found = je.judge_error(300, 1000, calibration(100, 100, 200, 200))
    assert found["rogan_gladen"] == pytest.approx(0.3)
    assert found["delta_se"] == pytest.approx(math.sqrt(0.3 * 0.7 / 1000))


def test_the_expected_judged_rate_is_corrected_to_the_true_one():
    """True rate .25, se .8, sp .9: the judge calls .25 x .8 + .75 x .1 = .275 coercive."""
    found = je.judge_error(275, 1000, calibration(80, 100, 90, 100))
    assert found["rogan_gladen"] == pytest.approx(0.25)


@pytest.mark.parametrize(
    "given_case",
    [
        (0, 0, calibration(9, 10, 9, 10)),
        (1, 10, calibration(0, 0, 9, 10)),
        (1, 10, calibration(9, 10, 0, 0)),
        (1, 10, calibration(5, 10, 5, 10)),
        (1, 10, calibration(11, 10, 5, 10)),
        (11, 10, calibration(9, 10, 9, 10)),
        (1, 10, {"true_positive": 3}),
    ],
)
def test_a_rate_that_cannot_be_corrected_says_why(given_case):
    found = je.judge_error(*given_case)
    for name in ("rogan_gladen", "delta_se", "epiR_true_prevalence_ci95_wilson"):
        assert found[name] is None
        assert found["reasons"][name]


@pytest.mark.parametrize(("n1", "n0"), [(0, 10), (10, 0)])
def test_a_difference_needs_both_arms(n1, n0):
    found = je.judge_error_difference(0, n1, 0, n0, calibration(9, 10, 9, 10))
    assert found["corrected_rd"] is None
    assert found["reasons"]["corrected_rd"]


def test_the_corrected_difference_is_the_difference_of_corrected_rates():
    known = calibration(92, 100, 186, 200)
    one = je.judge_error(180, 1000, known)["rogan_gladen"]
    two = je.judge_error(300, 1000, known)["rogan_gladen"]
    found = je.judge_error_difference(180, 1000, 300, 1000, known)
    assert found["corrected_rd"] == pytest.approx(one - two)


def test_ppi_is_the_same_for_every_lambda():
    """Lambda mean(f) + weighted mean(y - lambda f): the weights reproduce the judge's rate."""
    treated = arm(200, by_verdict=True)
    seen = treated.labels
    weight = np.repeat(
        [200 / seen.judge_positive, 800 / seen.judge_negative],
        [seen.judge_positive, seen.judge_negative],
    )
    judged = np.repeat([1, 0], [seen.judge_positive, seen.judge_negative])
    human = np.repeat(
        [1, 0, 1, 0],
        [seen.true_positive, seen.false_positive, seen.false_negative, seen.true_negative],
    )
    for tuning in (0.0, 0.4, 1.0):
        rest = np.average(human - tuning * judged, weights=weight)
        assert jc.ppi_rate(treated).value == pytest.approx(tuning * 0.2 + rest)


def test_labelling_everything_leaves_only_sampling_error():
    """All 40 trials labelled: the human rate 12/40 and its binomial error."""
    full = arm(11, 40, labels(9, 3, 2, 26))
    found = jc.ppi_rate(full)
    assert found.value == pytest.approx(12 / 40)
    assert found.standard_error == pytest.approx(math.sqrt(0.3 * 0.7 / 40))


def test_swapping_the_arms_mirrors_both_lines():
    one, two = arm(180), arm(300, seen=labels(44, 6, 5, 45))
    for method in (jc.ppi_difference, jc.rogan_gladen_difference):
        there, back = method(one, two), method(two, one)
        assert there.value == pytest.approx(-back.value)
        assert there.ci95 == pytest.approx((-back.ci95[1], -back.ci95[0]))


def test_the_efficient_line_is_the_narrower_one():
    one, two = arm(180), arm(300)
    robust, efficient = jc.corrected_difference(one, two)
    assert efficient is not None
    assert efficient.standard_error < robust.standard_error


def test_politer_coercion_withdraws_the_efficient_line():
    """Sensitivity .6 against .9 on 50 labels each is found; only the robust line remains."""
    equal = jc.equal_judge(POLITE, GOOD)
    assert equal.rejected is True
    assert jc.corrected_difference(arm(180, seen=POLITE), arm(300))[1] is None


def test_labels_drawn_by_verdict_never_feed_the_efficient_line():
    """Their sensitivity is that of the sample, not of the trials."""
    one, two = arm(180, by_verdict=True), arm(300, by_verdict=True)
    assert jc.corrected_difference(one, two)[1] is None
    with pytest.raises(Undefined, match="PPI"):
        jc.rogan_gladen_difference(one, two)


def test_a_judge_near_chance_is_not_corrected():
    coin = arm(500, seen=labels(29, 21, 21, 29))
    for method in (jc.ppi_difference, jc.rogan_gladen_difference):
        with pytest.raises(Undefined, match="too little"):
            method(coin, coin)
    assert je.judge_error(1, 10, calibration(29, 50, 29, 50))["correctable"] is False


def test_equality_cannot_be_tested_without_coercive_labels():
    found = jc.equal_judge(labels(0, 0, 3, 47), GOOD)
    assert found.rejected is None
    assert "coercive" in found.reason


def test_a_verdict_without_labels_is_named():
    with pytest.raises(Undefined, match="judged coercive"):
        jc.ppi_rate(arm(200, seen=labels(0, 3, 0, 47)))


def test_none_found_in_fifty_labels_still_has_an_error():
    clean = arm(0, seen=labels(0, 0, 0, 50))
    found = jc.ppi_rate(clean)
    assert found.value == 0.0
    assert found.standard_error > 0


@pytest.mark.parametrize(("positive", "scored"), [(11, 10), (0, 0), (-1, 10)])
def test_impossible_arms_are_refused(positive, scored):
    with pytest.raises(Undefined):
        arm(positive, scored)
