"""Change of an effect between two runs: the interval, and what it is taken over."""

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from mitigations.model import Cell, Counts
from stats.rerun import effect_changes, mover


def cell(variant, scenario, coercive, scored, model="m") -> Cell:
    counts = Counts(coercive=coercive, scored=scored)
    return Cell(variant=variant, scenario=scenario, model=model, counts=counts)


def test_mover_of_two_wilson_intervals_is_newcombes_published_interval():
    """Newcombe (1998), table II, method 10, case (a): 56/70 against 48/80."""
    sides = [(x / n, proportion_confint(x, n, method="wilson")) for x, n in ((48, 80), (56, 70))]
    assert mover(*sides) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_with_symmetric_intervals_it_is_the_wald_interval_of_the_difference():
    low, high = mover((-0.1, (-0.16, -0.04)), (-0.3, (-0.38, -0.22)))
    assert (low, high) == pytest.approx((-0.2 - 0.1, -0.2 + 0.1))


def test_swapping_the_runs_mirrors_the_change():
    first = [cell("no", s, 6, 20) for s in "ab"] + [cell("v", s, 2, 20) for s in "ab"]
    second = [cell("no", s, 5, 20) for s in "ab"] + [cell("v", s, 9, 20) for s in "ab"]
    (there,) = effect_changes(first, second, baseline="no", variants=["v"])
    (back,) = effect_changes(second, first, baseline="no", variants=["v"])
    assert there.change == pytest.approx(-back.change)
    assert there.interval == pytest.approx((-back.interval[1], -back.interval[0]))
    assert there.change == pytest.approx(0.2 + 0.2)
    assert there.differs is True


def test_only_places_with_both_arms_in_both_runs_count():
    first = [cell("no", "a", 5, 10), cell("v", "a", 1, 10), cell("no", "b", 9, 10)]
    second = [
        *(cell("no", s, 5, 10) for s in "ab"),
        cell("v", "a", 1, 10),
        cell("v", "b", 9, 10),
    ]
    (found,) = effect_changes(first, second, baseline="no", variants=["v"])
    assert (found.strata_used, found.change) == (1, pytest.approx(0.0))
    assert found.differs is False


def test_without_a_shared_place_there_is_a_reason_and_no_number():
    (found,) = effect_changes(
        [cell("no", "a", 1, 2)], [cell("no", "a", 1, 2)], baseline="no", variants=["v"]
    )
    assert (found.change, found.interval, found.differs) == (None, None, None)
    assert "both runs" in found.reason


def test_two_runs_of_one_truth_seldom_differ():
    """Two variants, the same rates in both runs: the family errs in at most 5 % of histories."""
    draw = np.random.default_rng(5)
    rates = {"no": 0.4, "v": 0.2, "w": 0.35}
    wrong = 0
    for _ in range(400):
        runs = [
            [cell(v, s, int(draw.binomial(12, p)), 12) for v, p in rates.items() for s in "abcdef"]
            for _ in range(2)
        ]
        found = effect_changes(*runs, baseline="no", variants=["v", "w"])
        wrong += any(one.differs for one in found)
    # 5 % of 400 is 20; four Monte Carlo errors above it.
    assert wrong <= 20 + 4 * 4.4
