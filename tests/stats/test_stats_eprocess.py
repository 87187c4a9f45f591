"""Pair betting: fair under the null, closed at epochs, invertible."""

import math
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitigations.model import PairCell
from stats import eprocess
from stats.eprocess import Pairs
from stats.named import Undefined

counts = st.integers(0, 400)
priors = st.floats(0.3, 60)
inner = st.floats(-0.95, 0.95)


def pairs(plus, minus, zero=0):
    return Pairs(variant_only=plus, control_only=minus, concordant=zero)


def cell(scenario, plus, minus, zero):
    return PairCell(
        variant="v",
        scenario=scenario,
        model="m",
        variant_only=plus,
        control_only=minus,
        concordant=zero,
    )


@settings(max_examples=25, deadline=None)
@given(counts, counts, counts, priors)
def test_the_integral_at_zero_equals_the_closed_form(plus, minus, zero, prior):
    by_quadrature = eprocess.log_e_value_at(pairs(plus, minus, zero), 0.0, prior_a=prior)
    closed = eprocess.log_e_value(plus, minus, prior_a=prior)
    assert by_quadrature == pytest.approx(closed, abs=1e-8)


@pytest.mark.parametrize("size", [10**4, 10**6])
def test_the_quadrature_follows_a_peak_that_many_pairs_make_narrow(size):
    narrow = eprocess.log_e_value_at(pairs(size, size + 900, 8 * size), 0.0)
    assert narrow == pytest.approx(eprocess.log_e_value(size, size + 900), abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(counts, counts, counts, inner, priors)
def test_swapping_the_arms_mirrors_the_tested_difference(plus, minus, zero, d0, prior):
    there = eprocess.log_e_value_at(pairs(plus, minus, zero), d0, prior_a=prior)
    back = eprocess.log_e_value_at(pairs(minus, plus, zero), -d0, prior_a=prior)
    assert there == pytest.approx(back, abs=1e-9)


@pytest.mark.parametrize(("up", "down"), [(0.3, 0.3), (0.45, 0.15), (0.05, 0.25), (0.5, 0.0)])
def test_the_mean_e_value_under_the_null_is_one(up, down):
    """The definition of an e-value, by enumeration of every outcome of seven pairs."""
    n, mean = 7, 0.0
    for plus in range(n + 1):
        for minus in range(n + 1 - plus):
            zero = n - plus - minus
            ways = math.factorial(n) // math.prod(map(math.factorial, (plus, minus, zero)))
            chance = ways * up**plus * down**minus * (1 - up - down) ** zero
            mean += chance * eprocess.e_value_at(pairs(plus, minus, zero), up - down, prior_a=3)
    assert mean == pytest.approx(1.0, abs=1e-9)


def test_a_complete_epoch_of_unequal_strata_is_never_favourable():
    """One stratum helped, one harmed, nothing on average: the product over both is at most fair."""
    strata = ({1: 0.6, -1: 0.1, 0: 0.3}, {1: 0.1, -1: 0.6, 0: 0.3})
    mean = 0.0
    for one, two in product(*strata):
        found = [one, two]
        value = eprocess.e_value(found.count(1), found.count(-1), prior_a=1)
        mean += strata[0][one] * strata[1][two] * value
    assert mean < 1.0


def test_half_an_epoch_is_refused_because_it_would_be_favourable():
    """The first stratum alone bets on its own effect: the mean e-value of many pairs passes one."""
    up, down, n = 0.6, 0.1, 12
    mean = 0.0
    for plus in range(n + 1):
        for minus in range(n + 1 - plus):
            zero = n - plus - minus
            ways = math.factorial(n) // math.prod(map(math.factorial, (plus, minus, zero)))
            chance = ways * up**plus * down**minus * 0.3**zero
            mean += chance * eprocess.e_value(plus, minus)
    assert mean > 1.0
    state = eprocess.watch([cell("a", 3, 1, 0), cell("b", 0, 1, 2)], "v")
    assert state.e_value is None
    assert state.confidence_sequence is None
    assert "complete epochs" in state.reason


def test_nothing_is_claimed_before_the_first_epoch_is_complete():
    state = eprocess.watch([cell("a", 0, 0, 0)], "v")
    assert (state.e_value, state.rejected) == (None, None)
    assert state.reason


def test_rejection_asks_for_the_number_of_comparisons_over_alpha():
    cells = [cell("a", 2, 20, 18), cell("b", 1, 14, 25)]
    value = eprocess.e_value(3, 34)
    alone = eprocess.watch(cells, "v")
    assert alone.e_value == pytest.approx(value)
    assert (alone.threshold, alone.rejected) == (20.0, True)
    crowded = eprocess.watch(cells, "v", comparisons=math.ceil(value))
    assert crowded.threshold == pytest.approx(20.0 * math.ceil(value))
    assert crowded.rejected is False


@settings(max_examples=25, deadline=None)
@given(counts, counts, counts)
def test_the_confidence_sequence_is_where_the_evidence_stays_below_the_bar(plus, minus, zero):
    if plus + minus + zero == 0:
        return
    seen = pairs(plus, minus, zero)
    low, high = eprocess.confidence_sequence(seen)
    assert -1 <= low <= seen.difference <= high <= 1
    for edge in (low, high):
        if abs(edge) < 1:
            assert eprocess.log_e_value_at(seen, edge) == pytest.approx(math.log(20), abs=1e-4)


def test_more_confidence_never_narrows_the_sequence():
    seen = pairs(12, 30, 158)
    wide = eprocess.confidence_sequence(seen, alpha=0.01)
    narrow = eprocess.confidence_sequence(seen, alpha=0.1)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_an_e_value_past_the_largest_double_is_infinite_and_its_logarithm_is_not():
    assert eprocess.e_value(0, 10_000) == math.inf
    assert 6000 < eprocess.log_e_value(0, 10_000) < 10_000 * math.log(2)


@pytest.mark.parametrize("bad", [{"variant_only": -1}, {"prior_a": 0.0}, {"prior_a": math.nan}])
def test_impossible_inputs_have_a_reason(bad):
    given_values = {"variant_only": 1, "control_only": 2} | bad
    with pytest.raises(Undefined):
        eprocess.e_value(
            given_values["variant_only"],
            given_values["control_only"],
            prior_a=given_values.get("prior_a", 20.0),
        )


@pytest.mark.parametrize("d0", [-1.0, 1.0, 3.0])
def test_a_difference_of_one_or_more_is_no_hypothesis(d0):
    found = eprocess.e_value_quantities(
        pairs_variant_only=1, pairs_control_only=2, pairs_concordant=3, d0=d0
    )
    assert found["e_value"] is None
    assert found["reasons"]["e_value"]


def test_the_standing_alarm_remembers_the_highest_point():
    """An alarm that sounded once has sounded, whatever later runs say."""
    log_product, sounded = eprocess.standing_alarm([2.0, 1.5, -3.0])
    assert log_product == pytest.approx(0.5)
    assert sounded
    assert eprocess.standing_alarm([]) == (0.0, False)
    assert eprocess.standing_alarm([1.0, 1.0, -0.5])[1] is False
