"""Part 6 after an ablation: planted effects of clauses, doses and places come out of cells."""

from dataclasses import replace
from pathlib import Path

import pytest

import reports
import variants
from mitigations.compose.planning import plan_from
from mitigations.compose.reporting.ablated import ablated
from mitigations.model import Cell, Counts, Plan
from mitigations.study import parse_study
from reports import Ablated, Extras
from stats import analyse

AT = "2026-11-24T00:00:00Z"


def plan_of(ablation: variants.Ablation, folder: Path) -> Plan:
    (folder / "variants").mkdir(parents=True)
    for part in ablation.new:
        (folder / "variants" / f"{part.id}.md").write_text(variants.to_markdown(part))
    text = variants.study_text(
        ablation, scenarios="builtin/demo-v1", models=["simulated/published"], repeats=10
    )
    return plan_from(parse_study(text), folder=folder, created=AT)


def cells_of(plan: Plan, rates: dict[str, float], scored: int = 200) -> list[Cell]:
    """Exact counts at the given rates: no noise, so the effects are known."""
    return [
        Cell(
            variant=variant.id,
            scenario=scenario.id,
            model=model.route,
            counts=Counts(coercive=round(rates[variant.id] * scored), scored=scored),
        )
        for variant in plan.variants
        for scenario in plan.scenarios
        if not scenario.is_twin
        for model in plan.models
    ]


@pytest.fixture
def clauses(tmp_path: Path) -> tuple[Plan, list[Cell], variants.Ablation]:
    """The first clause takes 20 points off, the second adds 5, the others do nothing."""
    constitution = variants.library()["constitution-short-v1"]
    ablation = variants.ablate(constitution)
    plan = plan_of(ablation, tmp_path)
    coding = variants.coding(plan.variants)
    first, second, *_ = next(iter(coding.values()))
    rates = {
        name: 0.5 - 0.10 * levels[first] + 0.025 * levels[second] for name, levels in coding.items()
    }
    return plan, cells_of(plan, rates), ablation


def test_planted_clause_effects_come_out(
    clauses: tuple[Plan, list[Cell], variants.Ablation],
) -> None:
    plan, cells, _ = clauses
    (found,) = ablated(plan, cells)
    assert (found.kind, found.of) == ("clauses", "constitution-short-v1")
    effects = [one.difference for one in found.contrasts]
    assert effects[:2] == pytest.approx([-0.20, 0.05], abs=1e-9)
    assert effects[2:] == pytest.approx([0.0] * (len(effects) - 2), abs=1e-9)
    ci = found.contrasts[0].ci95
    assert ci is not None
    assert ci[0] < -0.20 < ci[1] < 0


def test_what_a_fraction_cannot_tell_apart_is_named(tmp_path: Path) -> None:
    constitution = variants.library()["constitution-medium-v1"]
    ablation = variants.ablate(constitution, max_variants=8)
    plan = plan_of(ablation, tmp_path)
    (found,) = ablated(plan, cells_of(plan, {v.id: 0.4 for v in plan.variants}))
    aliased = {one.label: set(one.aliased) for one in found.contrasts}
    letters = ablation.factors
    for alias in ablation.aliases:
        if len(alias.effect) == 1:
            pairs = {word[1:] for word in alias.others if len(word) == 3}
            named = {" with ".join(letters[letter] for letter in pair) for pair in pairs}
            assert aliased[letters[alias.effect]] == named
    assert any(aliased.values())


def test_a_dose_gives_one_trend_and_a_figure(tmp_path: Path) -> None:
    """10 points off for each 10 % of sessions that are said to be read: -0.01 a unit."""
    audit = variants.library()["audit-10-percent-v1"]
    plan = plan_of(variants.ablate(audit, doses=(10, 20, 30)), tmp_path)
    rates = {v.id: 0.6 - 0.01 * v.dose if v.dose else 0.6 for v in plan.variants}
    cells = cells_of(plan, rates)
    (found,) = ablated(plan, cells)
    assert [point.dose for point in found.points] == [10, 20, 30]
    (slope,) = found.contrasts
    assert slope.difference == pytest.approx(-0.01, abs=1e-9)
    assert slope.p_adjusted is not None
    assert slope.p_adjusted < 1e-6
    text, page = written(plan, cells, (found,), tmp_path)
    assert "Dose of" in text
    assert "<svg" in page


def test_placements_are_compared_pairwise(tmp_path: Path) -> None:
    plan = plan_of(
        variants.ablate(variants.library()["prohibition-short-v1"], placement=True), tmp_path
    )
    by_place = {"system-start": 0.40, "system-end": 0.20, "user-start": 0.40}
    rates = {v.id: by_place[str(v.placement)] if v.text else 0.5 for v in plan.variants}
    (found,) = ablated(plan, cells_of(plan, rates))
    changes = {one.label: one.difference for one in found.contrasts}
    assert len(changes) == 3
    for label, difference in changes.items():
        second, _, first = label.partition(" minus ")
        assert difference == pytest.approx(by_place[second] - by_place[first], abs=1e-9)
    shown = {one.label for one in found.contrasts if one.p_adjusted and one.p_adjusted < 0.05}
    assert len(shown) == 2


def test_the_part_holds_figure_and_table(
    clauses: tuple[Plan, list[Cell], variants.Ablation], tmp_path: Path
) -> None:
    plan, cells, _ = clauses
    found = ablated(plan, cells)
    text, page = written(plan, cells, found, tmp_path)
    assert "Clauses of constitution-short-v1" in text
    assert "full factorial" in text
    assert "on minus off" in page
    assert "Not studied in this run: clauses" not in text


def test_a_study_without_parts_has_none_and_unseen_effects_have_a_reason(
    clauses: tuple[Plan, list[Cell], variants.Ablation],
) -> None:
    plan, cells, _ = clauses
    silent = [replace(cell, counts=Counts(coercive=0, scored=9)) for cell in cells]
    (found,) = ablated(plan, silent)
    assert found.contrasts == ()
    assert "no clause can be seen" in found.reason
    library = variants.library()
    plain = (library["no-mitigation"], library["prohibition-short-v1"])
    assert ablated(replace(plan, variants=plain), cells) == ()


def written(
    plan: Plan, cells: list[Cell], found: tuple[Ablated, ...], folder: Path
) -> tuple[str, str]:
    settings = replace(plan.settings, permutations=199)
    made = reports.build(analyse(cells, settings), cells, plan=plan, extras=Extras(ablation=found))
    return (
        reports.write(made, folder / "r.md").read_text(),
        reports.write(made, folder / "r.html").read_text(),
    )
