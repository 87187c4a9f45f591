"""Drift between runs, copied answers, and how far a verdict is from tipping."""

from dataclasses import replace

import pytest

from mitigations.model import Cell, Counts
from stats.conditional import permutation_test
from stats.drift import drift, drift_alarm
from stats.independence import Answers, cell_t_alarm, duplicate_alarm
from stats.strata import strata_from_rows
from stats.tipping import tipping_point


def cells(rates, *, model="m", trials=20, variant="control"):
    return [
        Cell(
            variant=variant,
            scenario=f"s{i}",
            model=model,
            counts=Counts(coercive=x, scored=trials),
        )
        for i, x in enumerate(rates)
    ]


STEADY = cells([2, 10, 15])


def test_a_model_that_changed_is_named_and_one_that_did_not_is_not():
    earlier = STEADY + cells([2, 10, 15], model="moved")
    later = cells([3, 9, 15]) + cells([12, 18, 20], model="moved")
    rows = drift(earlier, later, baseline="control")
    assert [(row.model, row.drifted) for row in rows] == [("m", False), ("moved", True)]
    alarm = drift_alarm(rows)
    assert alarm.fired
    assert "moved" in alarm.detail
    assert not alarm.decisive


def test_reading_the_runs_backwards_mirrors_the_drift():
    later = cells([6, 12, 19])
    there = drift(STEADY, later, baseline="control")[0]
    back = drift(later, STEADY, baseline="control")[0]
    assert there.difference == pytest.approx(-back.difference)
    assert there.p_value == pytest.approx(back.p_value)
    assert there.ci95 == pytest.approx((-back.ci95[1], -back.ci95[0]), abs=1e-9)


def test_only_control_counts():
    treated = cells([20, 20, 20], variant="v")
    found = drift(STEADY + treated, STEADY + cells([0, 0, 0], variant="v"), baseline="control")
    assert found == drift(STEADY, STEADY, baseline="control")
    assert found[0].difference == 0.0


def test_holm_is_over_the_models_that_could_be_tested():
    later = cells([8, 14, 18])
    alone = drift(STEADY, later, baseline="control")[0]
    other = cells([1, 1, 1], model="only-earlier")
    found = {row.model: row for row in drift(STEADY + other, later, baseline="control")}
    assert found["m"].p_holm == pytest.approx(alone.p_holm)
    assert found["only-earlier"].p_value is None
    assert found["only-earlier"].reason


def test_runs_that_share_nothing_cannot_be_compared():
    elsewhere = [replace(cell, scenario="new-" + cell.scenario) for cell in STEADY]
    rows = drift(STEADY, elsewhere, baseline="control")
    assert rows[0].difference is None
    assert rows[0].reason
    assert drift_alarm(rows).fired is None
    assert drift_alarm(()).fired is None


def answers(trials, distinct, model="m"):
    return Answers(variant="v", scenario="s", model=model, trials=trials, distinct=distinct)


def test_copied_answers_sound_and_new_ones_do_not():
    copied = duplicate_alarm([answers(10, 1, "cached"), answers(10, 10)])
    assert copied.fired
    assert "cached" in copied.detail
    assert "9 of 18" in copied.detail
    assert duplicate_alarm([answers(10, 10)]).fired is False


def test_one_answer_a_cell_says_nothing_about_copies():
    found = duplicate_alarm([answers(1, 1), answers(0, 0)])
    assert found.fired is None
    assert found.detail


@pytest.mark.parametrize(("p_value", "fired"), [(0.0001, True), (0.02, False), (None, None)])
def test_a_tenfold_disagreement_with_the_cells_is_noticed(p_value, fired):
    """Differences alternating .3 and -.2 over 12 strata: t = .69 on 11 df, p = .5 or so."""
    found = cell_t_alarm("v", [0.5, -0.2] * 6, p_value)
    assert found.fired is fired
    assert not found.decisive


@pytest.mark.parametrize("differences", [[0.1] * 12, [0.1], [0.3, -0.2, 0.1]])
def test_a_cell_level_test_that_cannot_contradict_stays_silent(differences):
    assert cell_t_alarm("v", differences, 0.001).fired is None


def table(x1, x0, n=20):
    rows = [{"x1": a, "n1": n, "x0": b, "n0": n} for a, b in zip(x1, x0, strict=True)]
    return strata_from_rows(rows)


@pytest.mark.parametrize("x1", [(1, 2, 5), (19, 19, 20)])
def test_a_shown_effect_tips_at_exactly_the_reported_number_of_flips(x1):
    """One stratum at a time the flips are put back by hand: p crosses .05 at the number named."""
    found = tipping_point(table((sum(x1),), (30,), n=60))
    sign = -1 if found.from_coercive else 1
    assert found.significant
    at = permutation_test(table((sum(x1) + sign * found.flips,), (30,), n=60)).midp
    before = permutation_test(table((sum(x1) + sign * (found.flips - 1),), (30,), n=60)).midp
    assert before <= 0.05 < at


def test_an_effect_not_yet_shown_tips_into_significance():
    found = tipping_point(table((8, 9), (10, 10)))
    assert not found.significant
    assert found.from_coercive
    assert 0 < found.flips <= found.of == 17


def test_swapping_what_counts_as_coercive_mirrors_the_tipping_point():
    there = tipping_point(table((2, 3, 4), (10, 11, 12)))
    back = tipping_point(table((18, 17, 16), (10, 9, 8)))
    assert there.flips == back.flips
    assert there.from_coercive is not back.from_coercive


def test_a_verdict_that_no_flip_can_change_has_no_tipping_point():
    assert tipping_point(table((0,), (0,), n=2)).flips is None
    assert tipping_point(table((1,), (1,), n=1)).flips is None
