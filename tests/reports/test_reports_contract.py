"""The public JSON: every field described, every null explained, no NaN."""

import json
import math
from dataclasses import fields, replace
from pathlib import Path

import jsonschema
import pytest
from referencing import Registry, Resource

from mitigations.model import Claim, Comparison, Counts, Verdict, VerdictKind
from reports import analysis_json, report_json
from reports.contract import INTERVALS, NUMBERS
from reports.report import Ablated, Confirmed, Contrast, DosePoint, Extras

SCHEMAS = Path(__file__).parents[2] / "reports" / "schemas"


def validator(name):
    documents = [json.loads(path.read_text()) for path in SCHEMAS.glob("*.schema.json")]
    registry = Registry().with_resources(
        (document["$id"], Resource.from_contents(document)) for document in documents
    )
    schema = next(document for document in documents if document["$id"] == name)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema, registry=registry)


def walk(value):
    yield value
    for one in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        yield from walk(one)


def test_an_analysis_matches_its_schema(report):
    validator("urn:mitigations:analysis:1").validate(analysis_json(report.analysis))


@pytest.mark.parametrize("name", ["report", "bare_report"])
def test_a_report_matches_its_schema(name, request):
    validator("urn:mitigations:report:1").validate(report_json(request.getfixturevalue(name)))


def test_the_schema_refuses_what_it_does_not_know(report):
    document = analysis_json(report.analysis)
    document["comparisons"][0]["surprise"] = 1
    with pytest.raises(jsonschema.ValidationError):
        validator("urn:mitigations:analysis:1").validate(document)


def test_every_name_that_the_statistics_promise_is_there(report):
    promised = [
        "std_rd",
        "std_rd_ci95",
        "std_p1",
        "std_p0",
        "std_rr",
        "p_value",
        "p_adjusted",
        "p_holm",
        "simultaneous_ci95",
        "cmh_chi2",
        "cmh_p",
        "mh_or",
        "mh_or_ci95",
        "mh_rd",
        "mh_rr",
        "mh_rr_ci95",
        "breslow_day_tarone_chi2",
        "breslow_day_tarone_p",
        "scenario_t",
        "scenario_t_p",
        "scenario_t_ci95",
        "scenario_signflip_p",
        "e_value",
        "strata_used",
        "strata_dropped",
        "trials_lost",
        "verdict",
        "sentence",
        "per_model",
        "reasons",
    ]
    document = analysis_json(report.analysis)
    assert list(document)[:2] == ["schema", "baseline"]
    assert document["schema"] == "mitigations.analysis/1"
    assert {"family", "alarms", "comparisons"} <= document.keys()
    for one in document["comparisons"]:
        assert set(promised) <= one.keys()
        assert one["per_model"] == [] or set(promised) <= one["per_model"][0].keys()


def test_no_quantity_of_a_comparison_is_forgotten():
    """A new field of the noun must enter the contract, the CSV and the schema."""
    quantities = {one.name for one in fields(Comparison) if "float" in str(one.type)
                  or "Interval" in str(one.type)} - {"leave_one_out"}  # fmt: skip
    assert quantities == {*NUMBERS, *INTERVALS}


def test_every_null_has_its_reason(report):
    for one in analysis_json(report.analysis)["comparisons"]:
        for each in (one, *one["per_model"]):
            nulls = {name for name in (*NUMBERS, *INTERVALS) if each[name] is None}
            assert nulls <= each["reasons"].keys()


def test_a_forgotten_reason_is_supplied_and_a_given_one_is_kept(report):
    bare = Comparison(
        variant="v", control=Counts(coercive=0, scored=0), treated=Counts(coercive=0, scored=0),
        strata_used=0, verdict=Verdict(kind=VerdictKind.NOT_ENOUGH_EVIDENCE),
        reasons={"std_rd": "no trial was scored"},
    )  # fmt: skip
    one = analysis_json(replace(report.analysis, comparisons=(bare,)))["comparisons"][0]
    assert one["reasons"]["std_rd"] == "no trial was scored"
    assert one["reasons"]["mh_or"] == "not given by the analysis"


def test_infinite_numbers_are_strings_and_nan_is_refused(report):
    first = report.analysis.comparisons[0]
    endless = replace(first, mh_or=math.inf, mh_or_ci95=(-math.inf, math.inf))
    document = analysis_json(replace(report.analysis, comparisons=(endless,)))
    assert document["comparisons"][0]["mh_or"] == "Inf"
    assert document["comparisons"][0]["mh_or_ci95"] == ["-Inf", "Inf"]
    json.dumps(document, allow_nan=False)
    validator("urn:mitigations:analysis:1").validate(document)
    with pytest.raises(ValueError, match="NaN"):
        analysis_json(replace(report.analysis, comparisons=(replace(first, mh_or=math.nan),)))


def test_a_reduction_at_a_cost_is_its_own_verdict(report):
    verdicts = [one["verdict"] for one in analysis_json(report.analysis)["comparisons"]]
    assert verdicts == [
        "reduces", "reduces, at a cost", "no meaningful difference", "not enough evidence",
        "increases", "do not rely",
    ]  # fmt: skip


def test_json_holds_plain_values_only(report):
    plain = (dict, list, str, int, float, bool, type(None))
    assert all(type(value) in plain for value in walk(report_json(report)))


def test_the_sentence_of_the_contract_names_the_alarm(report):
    last = analysis_json(report.analysis)["comparisons"][-1]
    assert "9 % of the replies of rights-charter are missing" in last["sentence"]


def test_the_example_of_the_readme_is_true_to_the_schema():
    text = (SCHEMAS / "README.md").read_text().split("```json\n")[1].split("```")[0]
    example = json.loads(text)
    schema = json.loads((SCHEMAS / "analysis-1.schema.json").read_text())
    known = schema["$defs"]["comparison"]["properties"]
    assert example["schema"] == schema["properties"]["schema"]["const"]
    assert example["comparisons"][0].keys() <= known.keys()


def test_the_schema_describes_every_extra_that_a_report_can_hold():
    """A noun that gains a field without a line in the schema breaks every strict reader."""
    schema = json.loads((SCHEMAS / "report-1.schema.json").read_text())
    described = schema["properties"]["extras"]["properties"]
    assert set(described) == {one.name for one in fields(Extras)}


def test_what_ablations_and_confirmations_find_matches_the_schema(report):
    whole = replace(
        report,
        extras=replace(
            report.extras,
            ablation=(
                Ablated(
                    kind="dose", of="v", note="n",
                    contrasts=(Contrast(label="slope", difference=-0.1, ci95=(-0.2, 0.0)),),
                    points=(DosePoint(variant="v", dose=1.0, ci95=None,
                                      counts=Counts(coercive=1, scored=9)),),
                ),
            ),
            confirmation=(
                Confirmed(
                    variant="v", run="r", same_grid=True,
                    claim=Claim(variant="v", treatment_hash="t", verdict="reduces",
                                difference=-0.1, ci95=(-0.2, -0.05), p_adjusted=0.01,
                                control=(9, 20), treated=(3, 20)),
                ),
            ),
        ),
    )  # fmt: skip
    validator("urn:mitigations:report:1").validate(report_json(whole))
