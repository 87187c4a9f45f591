"""What `plan` and `report` promise: sizes that add up, a worst price, no name that nobody gave."""

from dataclasses import replace
from pathlib import Path

import pytest

from mitigations.compose.planning import plan_from
from mitigations.compose.planning.estimate_words import lines
from mitigations.compose.planning.estimating import estimate
from mitigations.compose.reporting import Served, model_change
from mitigations.model import Plan
from mitigations.study import parse_study

STUDY = """\
study: priced
baseline: no-mitigation
variants: [pause-and-review-v1]
scenarios: builtin/{pack}
models: [anthropic/claude-haiku-4-5-20251001]
repeats: 3
judge: {{model: openai/gpt-5-2025-08-07, panel: {panel}}}
"""


def make_plan(pack: str = "demo-v1", panel: int = 1) -> Plan:
    study = parse_study(STUDY.format(pack=pack, panel=panel))
    return plan_from(study, folder=Path(), created="2026-11-24T00:00:00Z")


def test_every_seat_and_every_turn_is_counted() -> None:
    plan = make_plan(panel=3)
    assert estimate(plan).calls == plan.trial_count * (1 + 3)
    several = make_plan("corrigibility-v1")
    turns = sum(scenario.max_turns for scenario in several.scenarios)
    assert turns > len(several.scenarios)
    assert estimate(several).calls == 2 * 3 * turns + several.trial_count


def test_the_worst_price_allows_the_longest_answers_of_models_and_judges() -> None:
    """By hand from the prices: output tokens alone, at every call's limit."""
    plan = make_plan(panel=2)
    found = estimate(plan)
    model, judge = plan.models[0], plan.judge.models[0]
    assert model.price is not None
    assert judge.price is not None
    longest = plan.trial_count * (
        model.max_tokens * model.price.output_per_mtok
        + 2 * max(judge.max_tokens, 1024) * judge.price.output_per_mtok
    )
    assert found.usd_at_most > longest / 1e6
    assert 0 < found.usd_typical < found.usd_at_most
    assert any("without retries" in line for line in lines(plan, found))


def test_a_longer_panel_costs_and_takes_more() -> None:
    one, three = estimate(make_plan()), estimate(make_plan(panel=3))
    assert three.usd_at_most > one.usd_at_most
    assert three.usd_typical > one.usd_typical
    assert three.seconds > one.seconds


def test_looks_are_counted_only_where_they_are_planned() -> None:
    plan = make_plan()
    looks = replace(plan, settings=replace(plan.settings, looks=5))
    planned = replace(plan, settings=replace(looks.settings, design="group-sequential"))
    assert estimate(looks).expected_share is None
    assert estimate(planned).expected_share is not None


@pytest.mark.parametrize(
    ("names", "prints", "fired"),
    [
        (["a"], ["f"], False),
        (["a"], None, False),
        (["a", "b"], None, True),
        (["a"], ["f", "g"], True),
        (None, None, None),
    ],
)
def test_a_model_that_gave_no_name_is_not_said_to_have_kept_it(
    names: list[str] | None, prints: list[str] | None, fired: bool | None
) -> None:
    alarm = model_change([Served("openai/x", names, prints, ["{}"], 1)])
    assert alarm.fired is fired
    assert ("under one name" in alarm.detail) is (fired is False)


def test_no_answer_at_all_is_no_clean_bill() -> None:
    assert model_change([]).fired is None
