"""Laws that hold for any counts: nothing raises, nothing is NaN, swapped arms mirror."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stats import quantities
from stats.conditional import permutation_test
from stats.mantel_haenszel import mh_weights
from stats.multiplicity import benjamini_hochberg, benjamini_yekutieli, hochberg, holm, hommel
from stats.paired import mcnemar_exact_p, mcnemar_midp
from stats.scenarios import sign_flip_p
from stats.score import difference_interval, ratio_interval
from stats.standardised import standardise
from stats.strata import strata_from_rows
from stats.two_by_two import newcombe_interval

ADJUSTMENTS = (holm, hochberg, hommel, benjamini_hochberg, benjamini_yekutieli)


@st.composite
def arms(draw):
    n1, n0 = draw(st.integers(0, 6)), draw(st.integers(0, 6))
    return {
        "x1": draw(st.integers(0, n1)),
        "n1": n1,
        "x0": draw(st.integers(0, n0)),
        "n0": n0,
        "scenario": draw(st.integers(1, 3)),
    }


STRATA = st.lists(arms(), min_size=1, max_size=6)
TABLES = st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=8)


def _swapped(rows):
    return [
        {**row, "x1": row["x0"], "n1": row["n0"], "x0": row["x1"], "n0": row["n1"]} for row in rows
    ]


def _defined(found):
    for name, value in found.items():
        if name == "reasons":
            continue
        parts = value if isinstance(value, tuple) else (value,)
        assert not any(isinstance(part, float) and math.isnan(part) for part in parts), name
        assert (value is None) == (name in found["reasons"]), name
        if isinstance(value, tuple) and len(value) == 2:
            assert value[0] <= value[1], name


@settings(max_examples=80, deadline=None)
@given(STRATA)
def test_any_strata_give_defined_quantities(rows):
    _defined(quantities.stratified_2x2(rows))


@settings(max_examples=25, deadline=None)
@given(TABLES)
def test_any_table_gives_defined_quantities(counts):
    x1, rest1, x0, rest0 = counts
    _defined(quantities.two_by_two(x1, x1 + rest1, x0, x0 + rest0))


@settings(max_examples=25, deadline=None)
@given(STRATA)
def test_least_squares_over_any_cells_gives_defined_quantities(rows):
    columns = ("scenario", "x1", "n1", "x0", "n0")
    found = quantities.clustered_quantities([[row[name] for name in columns] for row in rows])
    _defined(found)


@settings(max_examples=60, deadline=None)
@given(STRATA)
def test_swapping_the_arms_mirrors_every_difference_and_inverts_every_ratio(rows):
    there, back = quantities.stratified_2x2(rows), quantities.stratified_2x2(_swapped(rows))
    for name in ("std_rd", "mh_rd", "scenario_t"):
        if there[name] is None:
            assert back[name] is None
        else:
            assert there[name] == pytest.approx(-back[name], abs=1e-12)
    for name in ("cmh_p", "perm_absdev_midp", "scenario_signflip_p", "breslow_day_tarone_p"):
        assert there[name] == (None if back[name] is None else pytest.approx(back[name]))
    if there["std_rd_ci95"] is not None:
        low, high = back["std_rd_ci95"]
        assert there["std_rd_ci95"] == pytest.approx((-high, -low), abs=1e-8)
    if there["mh_or"] not in {None, 0.0, math.inf}:
        assert there["mh_or"] == pytest.approx(1 / back["mh_or"])


@settings(max_examples=40, deadline=None)
@given(STRATA, st.randoms(use_true_random=False))
def test_the_order_of_the_strata_changes_nothing(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    one, two = quantities.stratified_2x2(rows), quantities.stratified_2x2(shuffled)
    for name, value in one.items():
        if name != "reasons" and value is not None:
            assert two[name] == pytest.approx(value, rel=1e-7, abs=1e-9), name


@settings(max_examples=60, deadline=None)
@given(STRATA)
def test_the_score_interval_is_finite_holds_the_estimate_and_stays_in_range(rows):
    strata = strata_from_rows(rows)
    for weights in (None, mh_weights(strata)):
        low, high = difference_interval(strata, weights=weights)
        estimate = standardise(strata, weights).rd
        if strata.used.any():
            assert -1 <= low <= estimate + 1e-9
            assert estimate - 1e-9 <= high <= 1
    low, high = ratio_interval(strata)
    if strata.used.any():
        assert 0 <= low <= high


@settings(max_examples=30, deadline=None)
@given(STRATA, st.floats(0.1, 3.5))
def test_the_score_interval_inverts_the_score_test(rows, z):
    """At each limit inside (-1, 1) the statistic equals z."""
    strata = strata_from_rows(rows)
    low, high = (float(limit) for limit in difference_interval(strata, z=z))
    if not strata.used.any():
        return
    for limit, sign in ((low, 1), (high, -1)):
        if -1 + 1e-6 < limit < 1 - 1e-6:
            assert sign * _statistic(strata, limit) == pytest.approx(z, rel=1e-4)


def _statistic(strata, null):
    from stats.score import difference_z

    return float(difference_z(strata, null=null))


@settings(max_examples=40, deadline=None)
@given(STRATA)
def test_uninformative_strata_do_not_move_the_permutation_test(rows):
    extra = [
        {"x1": 0, "n1": 4, "x0": 0, "n0": 5},
        {"x1": 3, "n1": 3, "x0": 2, "n0": 2},
        {"x1": 2, "n1": 4, "x0": 0, "n0": 0},
    ]
    one = permutation_test(strata_from_rows(rows))
    two = permutation_test(strata_from_rows(rows + extra))
    assert one.midp == pytest.approx(two.midp, rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(P_VALUES, st.floats(0, 1))
def test_an_added_comparison_never_lowers_a_family_wise_p(p_values, extra):
    """False discovery rates may fall: that is what makes them exploratory."""
    for adjust in (holm, hochberg, hommel):
        before, after = adjust(p_values), adjust([*p_values, max([extra, *p_values])])
        for one, two in zip(before, after, strict=False):
            assert two >= one - 1e-12


@settings(max_examples=60, deadline=None)
@given(P_VALUES)
def test_adjusted_p_values_keep_order_and_never_fall_below_the_raw_ones(p_values):
    for adjust in ADJUSTMENTS:
        adjusted = adjust(p_values)
        assert all(q >= p - 1e-15 for p, q in zip(p_values, adjusted, strict=True))
        order = np.argsort(p_values, kind="stable")
        assert (np.diff(np.array(adjusted)[order]) >= -1e-12).all()


@given(st.integers(0, 30), st.integers(0, 30))
def test_mcnemar_does_not_care_which_arm_is_first(b, c):
    assert mcnemar_exact_p(b, c) == mcnemar_exact_p(c, b)
    assert 0 < mcnemar_midp(b, c) <= mcnemar_exact_p(b, c) <= 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-6, 6), min_size=2, max_size=9))
def test_sign_flips_equal_the_plain_enumeration(sixths):
    values = np.array(sixths) / 6
    size = len(values)
    patterns = 1 - 2 * ((np.arange(2**size)[:, None] >> np.arange(size)) & 1)
    sums = np.abs(patterns @ np.array(sixths))
    expected = float((sums >= abs(sum(sixths))).mean())
    assert sign_flip_p(values) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(TABLES)
def test_newcombes_interval_mirrors(counts):
    x1, rest1, x0, rest0 = counts
    n1, n0 = x1 + rest1 + 1, x0 + rest0 + 1
    low, high = newcombe_interval(x1, n1, x0, n0)
    assert newcombe_interval(x0, n0, x1, n1) == pytest.approx((-high, -low))
    assert -1 - 1e-12 <= low <= x1 / n1 - x0 / n0 <= high <= 1 + 1e-12
