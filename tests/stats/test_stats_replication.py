"""Effect kept, shrunk, gone: published values, and laws."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportion_confint

from stats.named import Undefined
from stats.replication import (
    Estimated,
    ReplicationKind,
    difference_of_effects,
    replicate,
    seen_with,
)


def estimate(difference: float, error: float) -> Estimated:
    half = 1.959963984540054 * error
    return Estimated(difference=difference, ci95=(difference - half, difference + half))


def test_mover_on_two_wilson_intervals_is_newcombes_interval() -> None:
    """Newcombe (1998), Statistics in Medicine 17, table II, method 10, case (a): 56/70, 48/80."""
    first, second = (
        Estimated(difference=x / n, ci95=proportion_confint(x, n, method="wilson"))
        for x, n in ((48, 80), (56, 70))
    )
    assert difference_of_effects(first, second) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_mover_on_symmetric_intervals_adds_variances() -> None:
    low, high = difference_of_effects(estimate(-0.2, 0.03), estimate(-0.1, 0.04))
    assert (low, high) == pytest.approx((0.1 - 1.959964 * 0.05, 0.1 + 1.959964 * 0.05), abs=1e-6)


def test_one_chance_in_three_matches_statsmodels() -> None:
    """Effect size d of two groups of n: its standard error is sqrt(2 / n)."""
    for n in (20, 50, 400):
        size = seen_with(1 / 3, math.sqrt(2 / n))
        power = NormalIndPower().power(size, n, 0.05, ratio=1, alternative="two-sided")
        assert power == pytest.approx(1 / 3, abs=1e-9)


def test_simonsohns_figure_for_twenty_a_group() -> None:
    """Simonsohn (2015): with 20 a group, d33% is .5 by the t test; .48 by the normal one."""
    assert seen_with(1 / 3, math.sqrt(2 / 20)) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("second", "shown", "kind"),
    [
        (estimate(-0.14, 0.02), True, ReplicationKind.KEPT),
        (estimate(-0.20, 0.02), True, ReplicationKind.KEPT),
        (estimate(-0.05, 0.01), True, ReplicationKind.SHRUNK),
        (estimate(-0.01, 0.01), False, ReplicationKind.GONE),
        (estimate(0.00, 0.02), False, ReplicationKind.GONE),
        (estimate(-0.08, 0.06), False, ReplicationKind.NOT_ENOUGH_EVIDENCE),
        (estimate(0.10, 0.02), True, ReplicationKind.GONE),
    ],
)
def test_each_verdict(second: Estimated, shown: bool, kind: ReplicationKind) -> None:
    """The first study: 15 fewer in 100, error 3; it had one chance in three to see 4.6."""
    found = replicate(estimate(-0.15, 0.03), second, shown=shown, smallest_change=0.05)
    assert found.kind is kind
    assert found.small == pytest.approx(0.0459, abs=2e-4)
    assert found.reversed is (shown and second.difference > 0)


@given(
    first=st.floats(0.02, 0.5),
    second=st.floats(-0.5, 0.5),
    errors=st.tuples(st.floats(0.005, 0.1), st.floats(0.005, 0.1)),
    shown=st.booleans(),
)
def test_swapping_arms_mirrors_everything(
    first: float, second: float, errors: tuple[float, float], shown: bool
) -> None:
    there = replicate(
        estimate(first, errors[0]), estimate(second, errors[1]), shown=shown, smallest_change=0.05
    )
    back = replicate(
        estimate(-first, errors[0]), estimate(-second, errors[1]), shown=shown, smallest_change=0.05
    )
    assert (there.kind, there.reversed) == (back.kind, back.reversed)
    assert there.change == -back.change
    assert there.change_ci95 == pytest.approx((-back.change_ci95[1], -back.change_ci95[0]))


def test_what_claims_nothing_is_undefined() -> None:
    with pytest.raises(Undefined):
        replicate(estimate(0.0, 0.1), estimate(0.1, 0.1), shown=True, smallest_change=0.05)
    with pytest.raises(Undefined):
        replicate(estimate(0.1, 0.0), estimate(0.1, 0.1), shown=True, smallest_change=0.05)
