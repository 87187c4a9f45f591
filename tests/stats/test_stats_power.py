"""Power, smallest visible effect and what would settle a question."""

import math
from dataclasses import replace

import pytest

from stats import power as pw
from stats.named import Undefined
from stats.power import Grid

BASE = Grid(scenarios=20, models=4, repeats=10, vbar=0.12)


def test_cohens_table_gives_the_arcsine_power():
    """Cohen (1988), table 6.3.5: h = .30, n = 175, two-sided .05: power .80."""
    p1 = math.sin(math.asin(math.sqrt(0.5)) + 0.15) ** 2
    found = pw.power_quantities(0.5, p1, 0.05, 175)
    assert found["power_arcsine"] == pytest.approx(0.80, abs=0.006)


def test_the_number_of_trials_reaches_the_power_it_is_for():
    n = pw.power_quantities(0.3, 0.2, 0.05, 300)["n_per_arm_80"]
    assert pw.power_quantities(0.3, 0.2, 0.05, n)["power_two_sided_strict"] == pytest.approx(0.8)


def test_exchanging_the_rates_changes_nothing():
    there = pw.power_quantities(0.3, 0.2, 0.05, 300)
    back = pw.power_quantities(0.2, 0.3, 0.05, 300)
    assert there.pop("reasons") == back.pop("reasons") == {}
    assert there == pytest.approx(back)


def test_equal_rates_have_the_level_as_power_and_need_infinitely_many_trials():
    found = pw.power_quantities(0.3, 0.3, 0.05, 300)
    assert found["power_two_sided_strict"] == pytest.approx(0.05)
    assert found["power_upper_tail_only"] == pytest.approx(0.025)
    assert found["n_per_arm_80"] == math.inf


def test_certain_outcomes_have_a_power_of_zero_or_one():
    found = pw.power_quantities(0.0, 1.0, 0.05, 10)
    assert found["power_two_sided_strict"] == 1.0
    assert pw.power_quantities(0.0, 1.0, 0.05, 1)["power_two_sided_strict"] == 0.0


@pytest.mark.parametrize(
    "given_case",
    [(-0.1, 0.2, 0.05, 10), (0.1, 1.2, 0.05, 10), (0.1, 0.2, 0.0, 10), (0.0, 0.0, 0.05, 10)],
)
def test_impossible_questions_say_why(given_case):
    found = pw.power_quantities(*given_case)
    assert found["power_two_sided_strict"] is None
    assert found["reasons"]["power_two_sided_strict"]


def test_no_trials_have_no_power_but_the_number_needed_exists():
    found = pw.power_quantities(0.1, 0.2, 0.05, 0)
    assert found["power_two_sided_strict"] is None
    assert found["n_per_arm_80"] > 0


def test_the_power_at_the_smallest_visible_effect_is_eighty_percent():
    assert pw.power(pw.mde(BASE), BASE) == pytest.approx(0.8, abs=1e-4)


def test_one_comparison_uses_the_plain_normal_quantile():
    """(1.96 + .842) sqrt(2 x .12 / 800)."""
    assert pw.mde(BASE) == pytest.approx(2.8016 * math.sqrt(0.24 / 800), rel=1e-4)


def test_more_variants_and_more_scatter_hide_more():
    assert pw.mde(replace(BASE, comparisons=5)) > pw.mde(BASE)
    assert pw.mde(replace(BASE, tau2=0.01)) > pw.mde(BASE)


@pytest.mark.parametrize("tau2", [0.0, 0.002])
def test_what_would_settle_it_is_just_enough(tau2):
    grid = replace(BASE, tau2=tau2)
    advice = pw.settle(0.04, grid)
    assert advice.repeats is not None
    for size, field in ((advice.repeats, "repeats"), (advice.scenarios, "scenarios")):
        assert pw.mde(replace(grid, **{field: size})) <= 0.04 + 1e-9
        assert pw.mde(replace(grid, **{field: size - 1})) > 0.04


def test_repeats_cannot_beat_scatter_between_scenarios():
    """tau^2 / S alone is wider than the effect: only scenarios help, and the answer says so."""
    advice = pw.settle(0.05, replace(BASE, tau2=0.09))
    assert advice.repeats is None
    assert advice.scenarios > BASE.scenarios
    assert "add scenarios" in advice.reason


def test_scatter_between_scenarios_is_what_sampling_does_not_explain():
    differences = [0.1, -0.1, 0.3, -0.3]
    variance = 0.2 / 3
    assert pw.tau2(differences, sampling_variance=0.01) == pytest.approx(variance - 0.01)
    assert pw.tau2(differences, sampling_variance=1.0) == 0.0
    with pytest.raises(Undefined):
        pw.tau2([0.1], sampling_variance=0.0)


def test_looking_early_saves_most_where_the_effect_is_large():
    none, some, large = (pw.planned_looks(e, BASE, looks=5) for e in (0.0, 0.05, 0.1))
    assert none.power == pytest.approx(0.05)
    assert 1.0 > none.expected_share > some.expected_share > large.expected_share > 0.2
    assert pw.planned_looks(0.05, BASE, looks=1).power == pytest.approx(pw.power(0.05, BASE))


@pytest.mark.parametrize(
    "change", [{"scenarios": 0}, {"vbar": 0.3}, {"vbar": math.nan}, {"tau2": -1.0}]
)
def test_impossible_grids_are_refused(change):
    with pytest.raises(Undefined):
        replace(BASE, **change)


def test_a_grid_without_variance_has_no_power_to_give():
    with pytest.raises(Undefined, match="0 or 1"):
        pw.power(0.1, replace(BASE, vbar=0.0))


def test_the_mean_of_nothing_is_not_zero():
    with pytest.raises(Undefined):
        pw.vbar([])
    assert pw.vbar([0.5, 0.0]) == pytest.approx(0.125)
