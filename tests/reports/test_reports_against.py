"""Two runs of a study: what changed, what drifted, what flipped, and what is not compared."""

import csv
import io
from dataclasses import replace

import jsonschema
import pytest

from mitigations.model import Counts, JudgeSpec, Verdict, VerdictKind
from reports import NotComparable, RunSide, compare, comparison_html, report_json
from reports.html import html
from reports.markdown import markdown
from reports.parts.against import headline
from reports.tables import csv_bytes, parquet_bytes


class Scene:
    """As much of a scenario as a comparison reads."""

    def __init__(self, name, text="1"):
        self.id, self.hash, self.is_twin = name, name + text, False


@pytest.fixture(scope="module")
def sides(make, report):
    cells = make["cells"]()
    plan = replace(report.plan, scenarios=tuple(Scene(name) for name in report.analysis.scenarios))
    first, second, *rest = report.analysis.comparisons
    flat = replace(first, verdict=Verdict(kind=VerdictKind.NOT_ENOUGH_EVIDENCE, mde=0.1))
    earlier = RunSide(
        run="run-1", plan=replace(plan, repeats=5, hash="11" * 32), cells=make["cells"](4),
        analysis=replace(report.analysis, comparisons=(flat, second, *rest)),
        started="2026-10-01T06:00:00Z", served={plan.models[0].route: ("haiku-old",)},
    )  # fmt: skip
    later = RunSide(
        run="november-coercion-01", plan=plan, analysis=report.analysis, cells=cells,
        started="2026-11-01T06:00:00Z", served={plan.models[0].route: ("haiku-new",)},
    )  # fmt: skip
    return earlier, later


def test_a_flip_shows_both_sentences_and_what_it_is_worth(report, sides):
    comparison = compare(*sides)
    text = markdown(replace(report, against=comparison))
    part = text.split("## 12. Against the other run")[1]
    assert [one.variant for one in comparison.flipped] == ["plain-channel-v2"]
    for one in comparison.flipped:
        assert one.earlier_sentence.split(":")[0] in part
        assert one.later_sentence.split(":")[0] in part
    assert "is no evidence that the two differ" in part
    assert "120/353 → 65/355" in part
    assert "different verdicts on plain-channel-v2" in text.split("## 1.")[0]


def test_what_changed_is_listed_with_what_it_does(sides):
    changes = {(one.kind, one.name): one for one in compare(*sides).changes}
    assert changes["setting", "repeats"].before == "5"
    assert "another model" in changes["model served", sides[0].plan.models[0].route].meaning


def test_the_same_plan_has_no_changes(sides):
    _, later = sides
    twin = replace(later, run="run-2")
    found = compare(later, twin)
    assert (found.changes, found.flipped) == ((), ())
    assert all(row.difference == 0 and not row.drifted for row in found.drift)
    assert all(one.effect.change == pytest.approx(0) for one in found.variants)
    assert headline(found) == ""


def test_a_model_that_moved_is_named_with_its_counts(sides):
    _, later = sides
    hotter = tuple(
        replace(cell, counts=Counts(coercive=cell.counts.scored, scored=cell.counts.scored))
        if cell.variant == "no-mitigation" and cell.model == "local/smollm2"
        else cell
        for cell in later.cells
    )
    found = compare(later, replace(later, run="run-2", cells=hotter))
    assert [row.model for row in found.drift if row.drifted] == ["local/smollm2"]
    assert found.alarm.fired is True
    assert found.alarm.decisive is False
    assert "The baseline moved between the runs on local/smollm2" in headline(found)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"coercive_at": 4}, "severity"),
        ({"judge": JudgeSpec()}, "another judge or rubric"),
        ({"rubric_hash": "ee" * 32}, "another judge or rubric"),
    ],
)
def test_another_measure_forbids_holding_counts_against_each_other(sides, change, said):
    earlier, later = sides
    found = compare(earlier, replace(later, plan=replace(later.plan, **change)))
    assert said in found.reason
    assert found.drift == ()
    assert found.alarm.fired is None
    assert all(one.effect is None and one.reason for one in found.variants)
    page = comparison_html(found)
    assert said in page
    assert "No change of the baseline was shown" not in page


def test_a_changed_baseline_is_never_a_drift(sides):
    earlier, later = sides
    first = replace(later.plan.variants[0], text="Be honest.\n")
    plan = replace(later.plan, variants=(first, *later.plan.variants[1:]))
    found = compare(earlier, replace(later, plan=plan))
    assert "another text or placement" in found.reason
    assert found.drift == ()


def test_a_changed_variant_is_another_treatment_and_never_a_flip(sides):
    earlier, later = sides
    changed = replace(later.plan.variants[1], text="Something else.\n")
    variants = (later.plan.variants[0], changed, *later.plan.variants[2:])
    found = compare(earlier, replace(later, plan=replace(later.plan, variants=variants)))
    one = found.variants[0]
    assert (one.same_text, one.flipped, one.effect) == (False, False, None)
    assert "text or placement changed" in one.reason


def test_a_changed_scenario_leaves_drift_and_effects(sides):
    earlier, later = sides
    scenes = (Scene("replacement-affair", "2"), *later.plan.scenarios[1:])
    found = compare(earlier, replace(later, plan=replace(later.plan, scenarios=scenes)))
    assert found.shared_scenarios == 11
    assert all(row.strata_used == 11 for row in found.drift)
    assert any(one.name.startswith("1 changed") for one in found.changes)


def test_what_cannot_be_compared_is_refused_with_the_way_out(sides):
    earlier, later = sides
    with pytest.raises(NotComparable, match="the same run"):
        compare(later, later)
    other = replace(later.plan, scenarios=(Scene("elsewhere"),))
    with pytest.raises(NotComparable, match="no scenario is the same") as caught:
        compare(earlier, replace(later, plan=other))
    assert caught.value.exit_code == 2
    assert len(str(caught.value).splitlines()) <= 3
    nobody = replace(later.plan, models=())
    with pytest.raises(NotComparable, match="no model is in both"):
        compare(earlier, replace(later, plan=nobody))


def test_the_json_keeps_its_schema_with_and_without(report, sides, validator):
    plain, whole = report_json(report), report_json(replace(report, against=compare(*sides)))
    assert "against" not in plain
    validator("urn:mitigations:report:1").validate(whole)
    assert whole["against"]["variants"][0]["flipped"] is True
    whole["against"]["surprise"] = 1
    with pytest.raises(jsonschema.ValidationError):
        validator("urn:mitigations:report:1").validate(whole)


@pytest.mark.parametrize("swap", [False, True])
def test_the_table_names_the_other_run_whichever_is_older(report, sides, swap):
    earlier, later = sides
    if swap:
        earlier, later = (
            replace(later, started="2026-09-01"), replace(earlier, started="2026-12-01")
        )  # fmt: skip
    whole = replace(report, against=compare(earlier, later))
    table = list(csv.DictReader(io.StringIO(csv_bytes(whole).decode())))
    assert {row["other_run"] for row in table} == {"run-1"}
    assert table[0]["other_verdict"] == "not enough evidence"
    assert table[0]["other_control_scored"] == "353"
    assert table[1]["other_verdict"] == ""
    assert parquet_bytes(whole)[:4] == b"PAR1"


def test_no_cell_of_the_wider_table_starts_a_formula(report, sides):
    earlier, later = sides
    named = replace(earlier, run="=cmd|' /C calc'!A0")
    text = csv_bytes(replace(report, against=compare(named, later))).decode()
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert not [
        cell for cell in cells
        if cell.lstrip(" \"'")[:1] in "=+@\t\r" and not cell.startswith("'") and cell
    ]  # fmt: skip
    assert "'=cmd" in text


def test_the_page_has_the_twelfth_part_and_escapes_names(report, sides):
    earlier, later = sides
    named = replace(earlier, run="<script>alert(1)</script>")
    page = html(replace(report, against=compare(named, later)))
    assert "12</span> Against the other run" in page
    assert "<script" not in page
