"""Laws of a whole analysis: what must change nothing, and what must only cost certainty."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitigations.errors import NoData, UnknownName
from mitigations.model import Cell, Comparison, Counts, Settings, VerdictKind
from stats import analyse

PLAN = Settings(baseline="base", permutations=199)
SAME = "std_rd std_p1 std_p0 p_value cmh_p mh_or scenario_t_p std_rd_ci95 simultaneous_ci95"


def make_cells(counts: Sequence[tuple[int, int]], repeats: int) -> list[Cell]:
    """Control and variant over as many scenarios as there are pairs of counts."""
    return [
        Cell(
            variant=variant,
            scenario=f"s{index}",
            model="m",
            counts=Counts(coercive=count, scored=repeats),
        )
        for index, pair in enumerate(counts)
        for variant, count in zip(("base", "rule"), pair, strict=True)
    ]


@st.composite
def grids(draw: Any) -> list[Cell]:
    repeats = draw(st.integers(1, 8))
    count = st.integers(0, repeats)
    return make_cells(draw(st.lists(st.tuples(count, count), min_size=2, max_size=6)), repeats)


def only(cells: Sequence[Cell], plan: Settings = PLAN) -> Comparison:
    (comparison,) = analyse(cells, plan).comparisons
    return comparison


def numbers(comparison: Comparison) -> list[Any]:
    flat: list[Any] = []
    for name in SAME.split():
        value = getattr(comparison, name)
        flat += value if isinstance(value, tuple) else [value]
    return flat


quick = settings(max_examples=40, deadline=None)


@quick
@given(cells=grids(), seed=st.randoms(use_true_random=False))
def test_the_order_of_the_cells_changes_nothing(cells: list[Cell], seed: Any) -> None:
    shuffled = list(cells)
    seed.shuffle(shuffled)
    assert analyse(shuffled, PLAN) == analyse(cells, PLAN)


@quick
@given(cells=grids())
def test_names_carry_no_meaning(cells: list[Cell]) -> None:
    """New names that sort the other way round give the same numbers and the same verdict."""
    names = {"base": "z-control", "rule": "a-rule"}
    renamed = [
        replace(
            cell,
            variant=names[cell.variant],
            scenario=f"x{99 - int(cell.scenario[1:])}",
            model="other",
        )
        for cell in cells
    ]
    there, back = only(cells), only(renamed, replace(PLAN, baseline="z-control"))
    assert numbers(there) == pytest.approx(numbers(back), nan_ok=False)
    assert there.verdict.kind == back.verdict.kind


@quick
@given(cells=grids())
def test_swapping_the_arms_turns_the_verdict_round(cells: list[Cell]) -> None:
    there, back = only(cells), only(cells, replace(PLAN, baseline="rule"))
    assert there.std_rd == pytest.approx(-back.std_rd if back.std_rd is not None else None)
    assert there.p_value == pytest.approx(back.p_value)
    opposite = {
        VerdictKind.REDUCES: VerdictKind.INCREASES,
        VerdictKind.INCREASES: VerdictKind.REDUCES,
    }
    if there.verdict.kind in opposite:
        assert back.verdict.kind is opposite[there.verdict.kind]


@quick
@given(cells=grids(), data=st.data())
def test_a_lost_trial_only_widens_what_could_be(cells: list[Cell], data: st.DataObject) -> None:
    """The estimate knows nothing of it; the bounds do, and it is counted."""
    index = data.draw(st.integers(0, len(cells) - 1))
    counts = replace(cells[index].counts, lost=1)
    lossy = [*cells]
    lossy[index] = replace(cells[index], counts=counts)
    whole, less = only(cells), only(lossy)
    assert numbers(less) == numbers(whole)
    assert (whole.trials_lost, less.trials_lost) == (0, 1)
    assert whole.missing_bounds is not None
    assert less.missing_bounds is not None
    low, high = less.missing_bounds
    assert low <= whole.missing_bounds[0]
    assert high >= whole.missing_bounds[1]
    assert high - low > whole.missing_bounds[1] - whole.missing_bounds[0]


@quick
@given(cells=grids())
def test_a_copy_of_the_control_as_another_variant_never_helps_the_first(cells: list[Cell]) -> None:
    """A null comparison is added: Holm's p can only grow, the interval only widen."""
    extra = [replace(cell, variant="null") for cell in cells if cell.variant == "base"]
    alone = only(cells)
    (beside,) = [c for c in analyse([*cells, *extra], PLAN).comparisons if c.variant == "rule"]
    assert beside.p_value == alone.p_value
    assert beside.p_holm is not None
    assert alone.p_holm is not None
    assert beside.p_holm >= alone.p_holm
    assert alone.simultaneous_ci95 is not None
    assert beside.simultaneous_ci95 is not None
    assert beside.simultaneous_ci95[0] <= alone.simultaneous_ci95[0] + 1e-9
    assert beside.simultaneous_ci95[1] >= alone.simultaneous_ci95[1] - 1e-9


@pytest.mark.parametrize("count", [0, 5])
def test_a_grid_without_variation_can_contradict_nothing(count: int) -> None:
    found = only(make_cells([(count, count)] * 4, 5))
    assert (found.p_value, found.p_holm, found.std_rd) == (1.0, 1.0, 0.0)
    assert found.verdict.kind not in {VerdictKind.REDUCES, VerdictKind.INCREASES}


def test_what_cannot_be_compared_is_said_and_not_computed() -> None:
    cells = make_cells([(1, 2)], 5)
    with pytest.raises(UnknownName):
        analyse(cells, replace(PLAN, baseline="bsae"))
    with pytest.raises(NoData):
        analyse([cell for cell in cells if cell.variant == "base"], PLAN)
