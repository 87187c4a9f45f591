"""A look decides what its level allows, once; futility adds no error; stopping saves trials."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtri

from mitigations.model import Cell, Counts, PairCell, Settings
from stats.calibrate_cells import Setting, base_rates, shift_for, shifted
from stats.monitor import look_epochs, look_levels, take_look
from stats.sequential import boundaries, expected_share

PLANNED = Settings(baseline="a", design="group-sequential", looks=5, permutations=199)
ANYTIME = Settings(baseline="a", design="anytime", permutations=199)


def cells(counts: dict[str, list[int]], size: int) -> list[Cell]:
    """Arm to coercive counts by scenario, each out of `size`."""
    return [
        Cell(variant=arm, scenario=f"s{k}", model="m", counts=Counts(coercive=x, scored=size))
        for arm, row in counts.items()
        for k, x in enumerate(row)
    ]


@pytest.mark.parametrize(
    ("looks", "repeats", "ends"),
    [
        (5, 20, (4, 8, 12, 16, 20)),
        (3, 10, (4, 7, 10)),
        (5, 3, (1, 2, 3)),
        (2, 1, (1,)),
    ],
)
def test_looks_stand_at_whole_epochs_and_the_last_one_at_the_end(looks, repeats, ends):
    settings = Settings(baseline="a", design="group-sequential", looks=looks)
    assert look_epochs(settings, repeats) == ends
    levels = look_levels(settings, repeats, comparisons=1)
    bounds = boundaries([end / repeats for end in ends])
    assert [-ndtri(level / 2) for level in levels] == pytest.approx(list(bounds))


def test_an_anytime_design_looks_after_every_epoch_and_a_fixed_one_at_the_end():
    assert look_epochs(ANYTIME, 4) == (1, 2, 3, 4)
    assert look_epochs(Settings(baseline="a"), 4) == (4,)


def test_what_is_decided_stays_decided_and_all_decided_ends_the_run():
    table = cells({"a": [8, 8, 8, 8], "b": [1, 0, 1, 0], "c": [8, 7, 8, 8]}, 8)
    settings = replace(PLANNED, permutations=4999)
    look = take_look(table, settings, epochs=8, repeats=20)
    found = {one.variant: one for one in look.variants}
    assert (found["b"].crossed, found["c"].crossed, look.stop) == (True, False, False)
    assert (look.number, look.of, look.information) == (2, 5, 0.4)
    later = take_look(table, settings, epochs=8, repeats=20, decided={"c"})
    kept = {one.variant: one for one in later.variants}
    assert (kept["c"].crossed, kept["c"].decided, later.stop) == (False, True, True)


def test_the_last_look_ends_the_run_whatever_it_saw():
    table = cells({"a": [10] * 4, "b": [10] * 4}, 20)
    look = take_look(table, PLANNED, epochs=20, repeats=20)
    assert look.stop
    assert not look.variants[0].decided
    assert look.alpha_spent == pytest.approx(0.05)


def test_futility_stops_what_cannot_come_and_never_what_may():
    """Nothing seen at 80 % of a large run is futile; a large change at 20 % is not."""
    settings = Settings(
        baseline="a",
        design="group-sequential",
        looks=5,
        futility=0.1,
        permutations=199,
        smallest_change=0.02,
    )
    flat = take_look(cells({"a": [8] * 20, "b": [8] * 20}, 16), settings, epochs=16, repeats=20)
    assert flat.variants[0].futile
    assert flat.stop
    small = take_look(cells({"a": [3, 3, 4], "b": [1, 1, 1]}, 4), settings, epochs=4, repeats=20)
    assert small.variants[0].conditional_power > 0.5
    assert not small.stop
    without = Settings(baseline="a", design="group-sequential", looks=5, permutations=199)
    asked = take_look(cells({"a": [8] * 20, "b": [8] * 20}, 16), without, epochs=16, repeats=20)
    assert asked.variants[0].conditional_power is None
    assert not asked.stop


def test_conditional_power_is_that_of_brownian_motion():
    """Against a simulation of the rest of the run from the same z at the same information."""
    settings = Settings(
        baseline="a",
        design="group-sequential",
        looks=2,
        futility=0.4,
        permutations=199,
        smallest_change=0.1,
    )
    table = cells({"a": [11] * 10, "b": [9] * 10}, 20)
    look = take_look(table, settings, epochs=20, repeats=40)
    one = look.variants[0]
    rng = np.random.default_rng(5)
    rest = rng.binomial(20, (0.5, 0.4), size=(40_000, 10, 2)).sum(axis=1)
    x0, x1 = 110 + rest[:, 0], 90 + rest[:, 1]
    n = 400
    pooled = (x0 + x1) / (2 * n)
    z = (x1 - x0) / n / np.sqrt(pooled * (1 - pooled) * 2 / n)
    final = boundaries([0.5, 1.0])[-1]
    assert one.conditional_power == pytest.approx((z <= -final).mean(), abs=0.02)


def test_an_anytime_look_reads_the_e_value_of_the_pairs():
    table = cells({"a": [9] * 4, "b": [1] * 4}, 10)
    pairs = [
        PairCell(
            variant="b", scenario=f"s{k}", model="m", variant_only=0, control_only=8, concordant=2
        )
        for k in range(4)
    ]
    look = take_look(table, ANYTIME, epochs=10, repeats=20, pairs=pairs)
    one = look.variants[0]
    assert one.boundary == pytest.approx(20)
    assert one.statistic > 20
    assert one.crossed
    assert look.stop
    assert look.level is None
    early = take_look(table, ANYTIME, epochs=10, repeats=20)
    assert early.variants[0].statistic is None
    assert not early.stop


def share_used(effect: float, experiments: int, *, futility: float | None) -> tuple[float, float]:
    """Mean share of the planned trials and the share of rejections, through `take_look`."""
    setting = Setting(scenarios=20, models=2, repeats=20, base=(4.0, 6.0))
    rng = np.random.default_rng(1)
    used, rejected = [], 0
    control = base_rates(rng, setting, experiments)
    treated = shifted(control, shift_for(setting.base, effect)) if effect else control
    settings = Settings(
        baseline="a",
        design="group-sequential",
        looks=5,
        futility=futility,
        permutations=99,
        smallest_change=DESIGN,
    )
    for row in range(experiments):
        one = rng.random((setting.strata, 20)) < treated[row][:, None]
        two = rng.random((setting.strata, 20)) < control[row][:, None]
        for end in look_epochs(settings, 20):
            table = [
                Cell(
                    variant=arm,
                    scenario=f"s{k // 2}",
                    model=f"m{k % 2}",
                    counts=Counts(coercive=int(x), scored=end),
                )
                for arm, draws in (("a", two), ("b", one))
                for k, x in enumerate(draws[:, :end].sum(axis=1))
            ]
            look = take_look(table, settings, epochs=end, repeats=20)
            if look.stop:
                break
        used.append(look.information)
        rejected += look.variants[0].decided
    return float(np.mean(used)), rejected / experiments


DESIGN = 0.0757
"""Change in the rate at which the fixed design has about 90 % power: see the test below."""


def test_stopping_saves_trials_at_a_large_effect_and_futility_where_there_is_none():
    used, power = share_used(-2 * DESIGN, 12, futility=0.1)
    assert used <= 0.55
    assert power == 1.0
    nothing, errors = share_used(0.0, 12, futility=0.1)
    assert nothing < 1.0
    assert errors <= 3 / 12


@pytest.mark.slow
def test_the_share_of_trials_used_is_near_the_published_one():
    """0.74 at the design effect, 0.41 at twice it, 0.72 with futility where there is none."""
    error = 0.01 + 3 * 0.25 / math.sqrt(300)  # Monte Carlo
    for effect, futility, published in (
        (-DESIGN, None, 0.74),
        (-2 * DESIGN, None, 0.41),
        (0.0, 0.1, 0.72),
    ):
        used, rejected = share_used(effect, 300, futility=futility)
        shown = f"effect {effect:+.2f}, futility {futility}: {used:.3f} used, {rejected:.3f} shown"
        assert used == pytest.approx(published, abs=error), shown
        if not effect:
            assert rejected <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)


def test_the_design_effect_is_that_of_ninety_percent_power():
    """Exact expected shares of the design's boundaries at drifts of 90 % power and twice that."""
    shares = [0.2, 0.4, 0.6, 0.8, 1.0]
    bounds = boundaries(shares)
    drift = 1.96 + 1.2816
    assert expected_share(shares, bounds, drift=drift) == pytest.approx(0.74, abs=0.02)
    assert expected_share(shares, bounds, drift=2 * drift) == pytest.approx(0.41, abs=0.04)
