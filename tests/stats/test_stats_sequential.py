"""Planned looks: published boundaries and the laws of spending."""

import math

import pytest

from stats import sequential as sq
from stats.looks import nominal_levels
from stats.named import Undefined

FIVE = (0.2, 0.4, 0.6, 0.8, 1.0)


@pytest.mark.parametrize(
    ("looks", "published"),
    [
        (1, (1.9600,)),
        (2, (2.9626, 1.9686)),
        (3, (3.7103, 2.5114, 1.9930)),
        (4, (4.3326, 2.9631, 2.3590, 2.0141)),
        (5, (4.8769, 3.3569, 2.6803, 2.2898, 2.0310)),
    ],
)
def test_boundaries_match_the_published_ones(looks, published):
    """Two-sided .05, equal looks: Reboussin et al. (2000), Control. Clin. Trials 21 (ldbounds)."""
    found = sq.boundaries([(k + 1) / looks for k in range(looks)])
    assert found == pytest.approx(published, abs=2e-4)


@pytest.mark.parametrize("information", [FIVE, (0.1, 0.15, 0.9, 1.0), (0.01, 0.5, 0.50001, 1.0)])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_all_looks_together_err_exactly_as_often_as_planned(information, alpha):
    bounds = sq.boundaries(information, alpha=alpha)
    assert sq.crossing(information, bounds).power == pytest.approx(alpha, abs=1e-8)


@pytest.mark.parametrize("looks", [1, 2, 3, 4])
def test_a_run_that_ends_on_the_boundary_has_the_spent_alpha_as_its_p(looks):
    information = FIVE[: looks + 1]
    bound = sq.boundaries(information)[-1]
    assert sq.stagewise_p(bound, information) == pytest.approx(sq.spent(information[-1]), abs=1e-9)
    assert sq.stagewise_p(-bound, information) == pytest.approx(sq.spent(information[-1]), abs=1e-9)


def test_all_of_alpha_is_spent_at_the_end_and_next_to_nothing_early():
    assert sq.spent(1.0) == pytest.approx(0.05)
    assert sq.spent(0.2) < 2e-6
    assert sq.spent(1.3) == sq.spent(1.0)


def test_swapping_the_arms_mirrors_estimate_and_intervals():
    there = sq.stagewise_estimate(2.9, 0.02, FIVE[:3])
    back = sq.stagewise_estimate(-2.9, 0.02, FIVE[:3])
    assert there[0] == pytest.approx(-back[0], abs=1e-7)
    assert there[1] == pytest.approx((-back[1][1], -back[1][0]), abs=1e-7)


def test_stopping_early_is_corrected_towards_zero():
    """The plain estimate after an early stop exaggerates; the median-unbiased one is smaller."""
    centre, (low, high) = sq.stagewise_estimate(3.0, 0.02, FIVE[:3])
    assert low < centre < high
    assert 0 < centre < 3.0 * 0.02


def test_with_one_look_everything_is_the_fixed_analysis():
    centre, limits = sq.stagewise_estimate(2.5, 0.02, [1.0])
    assert centre == pytest.approx(0.05)
    assert limits == pytest.approx((0.05 - 1.959964 * 0.02, 0.05 + 1.959964 * 0.02), abs=1e-7)
    assert sq.stagewise_p(2.5, [1.0]) == pytest.approx(0.012419, abs=1e-6)


@pytest.mark.parametrize("z", [-3.4, -2.0, 2.6, 2.9])
def test_the_repeated_interval_excludes_zero_exactly_when_the_look_rejects(z):
    found = sq.look(z, FIVE[:3])
    low, high = sq.repeated_interval(z * 0.02, 0.02, FIVE[:3])
    assert (low > 0 or high < 0) is found.rejected
    assert found.rejected is (math.erfc(abs(z) / math.sqrt(2)) <= found.nominal_alpha)


def test_more_drift_means_more_power_and_fewer_trials():
    bounds = sq.boundaries(FIVE)
    powers = [sq.crossing(FIVE, bounds, drift=d).power for d in (0.0, 1.0, 2.0, 4.0, -4.0)]
    shares = [sq.expected_share(FIVE, bounds, drift=d) for d in (0.0, 1.0, 2.0, 4.0, -4.0)]
    assert powers[:4] == sorted(powers[:4])
    assert shares[:4] == sorted(shares[:4], reverse=True)
    assert powers[4] == pytest.approx(powers[3])
    assert shares[4] == pytest.approx(shares[3])


def test_conditional_power_is_one_half_when_the_projection_ends_on_the_bound():
    """z sqrt(t) + drift (1 - t) = bound."""
    found = sq.conditional_power(2.0, 0.25, final_bound=2.0310, drift=(2.0310 - 1.0) / 0.75)
    assert found == pytest.approx(0.5)
    with pytest.raises(Undefined):
        sq.conditional_power(2.0, 1.0, final_bound=2.0, drift=1.0)


@pytest.mark.parametrize("information", [(), (0.0, 1.0), (0.5, 0.5), (0.6, 0.4), (0.5, 1.2)])
def test_looks_that_do_not_move_forward_are_refused(information):
    with pytest.raises(Undefined, match="increase"):
        sq.boundaries(information)


def test_the_levels_of_one_variant_are_the_published_boundaries_as_p_values():
    """Two looks: z = 2.9626 and 1.9686, to four decimals."""
    published = [math.erfc(z / math.sqrt(2)) for z in (2.9626, 1.9686)]
    assert nominal_levels([0.5, 1.0]) == pytest.approx(published, abs=6e-6)


def test_a_family_looks_at_a_smaller_level_and_with_one_look_at_alpha():
    """The maximum of several statistics forgets faster than one does."""
    alone, family = nominal_levels(FIVE), nominal_levels(FIVE, comparisons=5)
    assert all(0.9 * a < b < a for a, b in zip(alone, family, strict=True))
    assert nominal_levels([1.0], comparisons=5)[0] == pytest.approx(0.05, abs=0.0015)


def test_a_plan_has_the_same_levels_whenever_it_is_asked():
    first = nominal_levels(FIVE, comparisons=3)
    nominal_levels(FIVE, comparisons=4)
    assert nominal_levels(FIVE, comparisons=3) == first


def test_a_family_without_variants_is_refused():
    with pytest.raises(Undefined, match="variant"):
        nominal_levels(FIVE, comparisons=0)
