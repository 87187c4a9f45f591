"""Whatever the grid: an analysis, valid JSON, a reason for every null, exactly one verdict."""

import json
from pathlib import Path

import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st

from mitigations.model import Cell, Counts, PairCell, Settings, VerdictKind
from reports import analysis_json
from stats import analyse

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "reports" / "schemas" / "analysis-1.schema.json").read_text()
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


@st.composite
def counts(draw):
    scored = draw(st.integers(0, 5))
    return Counts(
        coercive=draw(st.sampled_from([0, scored, draw(st.integers(0, scored))])),
        scored=scored,
        lost=draw(st.sampled_from([0, 0, 1, 4])),
    )


@st.composite
def grids(draw):
    """Up to three variants, two models and four scenarios, with cells missing anywhere."""
    variants = ["base", *draw(st.lists(st.sampled_from("abc"), min_size=1, unique=True))]
    scenarios, models = draw(st.integers(1, 4)), draw(st.integers(1, 2))
    names = [
        (v, f"s{s}", f"m{m}") for v in variants for s in range(scenarios) for m in range(models)
    ]
    kept = draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    required = {("base", "s0", "m0"), (variants[1], "s0", "m0"), *kept}
    return [
        Cell(variant=v, scenario=s, model=m, counts=draw(counts())) for v, s, m in sorted(required)
    ]


@st.composite
def pair_cells(draw):
    only = st.integers(0, 3)
    return [
        PairCell(
            variant=variant,
            scenario="s0",
            model="m0",
            variant_only=draw(only),
            control_only=draw(only),
            concordant=draw(only),
        )
        for variant in draw(st.lists(st.sampled_from("abc"), unique=True))
    ]


@settings(max_examples=40, deadline=None)
@given(
    cells=grids(),
    pairs=pair_cells(),
    benign=st.one_of(st.just([]), grids()),
    design=st.sampled_from(["fixed", "anytime", "group-sequential"]),
)
def test_any_grid_gives_a_valid_document(cells, pairs, benign, design):
    plan = Settings(
        baseline="base",
        permutations=49,
        design=design,
        guardrail_margins={"refusal": 0.1, "tasks": 0.05},
    )
    analysis = analyse(cells, plan, pairs=pairs, guardrails={"refusal": benign})
    document = json.loads(json.dumps(analysis_json(analysis), allow_nan=False))
    VALIDATOR.validate(document)
    for one in analysis.comparisons:
        for each in (one, *one.per_model):
            assert isinstance(each.verdict.kind, VerdictKind)
    for entry in document["comparisons"]:
        for each in (entry, *entry["per_model"]):
            missing = [name for name, value in each.items() if value is None and name != "model"]
            assert set(missing) <= set(each["reasons"]), missing
            assert "not given by the analysis" not in each["reasons"].values()
