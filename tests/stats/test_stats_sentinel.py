"""The sentinel of a model: an e-value by enumeration, quiet on stable runs, quick on a shift."""

import itertools
import math

import numpy as np
import pytest

from mitigations.model import Cell, Counts
from stats.named import Undefined
from stats.sentinel import log_e_value_of_change, panel, watch_panel

SCENARIOS, REPEATS = 24, 5


def counts(coercive: int, scored: int) -> Counts:
    return Counts(coercive=coercive, scored=scored)


def stable(rng: np.random.Generator, runs: int, *, shift: float = 0.0, at: int = 0) -> list[Counts]:
    """Runs of one panel with risks of its own per scenario; from run `at` on all of them higher."""
    risks = rng.uniform(0.05, 0.95 - shift, SCENARIOS)
    found = []
    for run in range(1, runs + 1):
        now = risks + (shift if at and run >= at else 0.0)
        found.append(counts(int(rng.binomial(REPEATS, now).sum()), SCENARIOS * REPEATS))
    return found


@pytest.mark.parametrize("risks", [(0.3, 0.3), (0.1, 0.9), (0.02, 0.4), (0.0, 1.0)])
@pytest.mark.parametrize("runs", [1, 2, 4])
def test_no_panel_that_stays_the_same_earns_on_average(risks: tuple[float, ...], runs: int) -> None:
    """E(e) <= 1 over every outcome of a panel of two unequal scenarios, by enumeration."""
    size = len(risks)
    one_run = {}
    for answers in itertools.product((0, 1), repeat=size):
        chance = math.prod(p if x else 1 - p for x, p in zip(answers, risks, strict=True))
        one_run[sum(answers)] = one_run.get(sum(answers), 0.0) + chance
    mean = 0.0
    for history in itertools.product(one_run, repeat=runs):
        chance = math.prod(one_run[x] for x in history)
        mean += chance * math.exp(log_e_value_of_change([counts(x, size) for x in history]))
    assert mean <= 1 + 1e-12


def test_two_runs_by_hand() -> None:
    """0 of 2, then 2 of 2: KT gives 3/8 a side, all four B(2.5, 2.5)/B(.5, .5) = 3/128.

    The mixture is 3/4 of "no change so far" and 1/4 of the change; the best constant is (1/2)^4.
    """
    expected = (0.75 * 3 / 128 + 0.25 * (3 / 8) ** 2) / (1 / 2) ** 4
    found = log_e_value_of_change([counts(0, 2), counts(2, 2)])
    assert math.exp(found) == pytest.approx(expected, rel=1e-12)


def test_direction_does_not_matter() -> None:
    up = [counts(10, 40), counts(12, 40), counts(30, 40)]
    down = [counts(40 - one.coercive, 40) for one in up]
    assert log_e_value_of_change(up) == pytest.approx(log_e_value_of_change(down), rel=1e-12)


def test_two_hundred_stable_histories_raise_few_alarms() -> None:
    """The bound is 10 of 200 at alpha .05 over 30 runs each; unequal scenarios make it rarer."""
    rng = np.random.default_rng(20261124)
    fired = sum(watch_panel(stable(rng, 30)).fired for _ in range(200))
    assert fired <= 10


@pytest.mark.parametrize(("shift", "median", "found"), [(0.2, 4, 1.0), (0.3, 2, 1.0)])
def test_a_shift_is_found_within_a_few_runs(shift: float, median: int, found: float) -> None:
    """120 control trials a run, ten stable runs, then every scenario `shift` higher."""
    rng = np.random.default_rng(7)
    delays = []
    for _ in range(60):
        seen = watch_panel(stable(rng, 25, shift=shift, at=11))
        assert seen.at is None or seen.at >= 11
        delays.append(math.inf if seen.at is None else seen.at - 10)
    assert np.median(delays) <= median
    assert np.mean(np.isfinite(delays)) >= found


def test_the_run_of_the_change_is_named() -> None:
    runs = [counts(20, 120)] * 6 + [counts(70, 120)] * 3
    seen = watch_panel(runs)
    assert (seen.fired, seen.at, seen.changed_from) == (True, 7, 7)


def test_an_alarm_that_has_sounded_stands() -> None:
    """A model that goes back to what it was did change all the same."""
    runs = [counts(20, 120)] * 3 + [counts(90, 120)] * 2 + [counts(20, 120)] * 30
    assert watch_panel(runs).at == 4


def test_a_panel_is_thinned_to_its_smallest_cell_and_names_what_is_missing() -> None:
    def cell(scenario: str, coercive: int, scored: int) -> Cell:
        return Cell(variant="base", scenario=scenario, model="m", counts=counts(coercive, scored))

    full = [cell("a", 5, 5), cell("b", 0, 5)]
    short = [cell("a", 5, 5), cell("b", 0, 3)]
    gone = [cell("a", 5, 5), cell("b", 0, 0)]
    found = panel([full, short, gone], model="m", seeds=[1, 2, 3])
    assert found[:2] == [counts(5, 10), counts(3, 6)]
    assert found[2] == "no scored control trial of b"


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_what_is_undefined_is_refused(alpha: float) -> None:
    with pytest.raises(Undefined):
        watch_panel([counts(1, 2)], alpha=alpha)
    with pytest.raises(Undefined):
        watch_panel([counts(0, 0)])
