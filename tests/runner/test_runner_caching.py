"""Which prefixes a cache can serve: held against a count over every request of the plan."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from mitigations.compose.planning import plan_from
from mitigations.model import CachePart, Placement, Plan
from mitigations.study import parse_study
from runner.caching import LIFE_S, Marks, cache_eligibility, prefixes, sentences
from runner.compose import realise, request
from runner.order import order

HAIKU = "anthropic/claude-haiku-4-5-20251001"
SONNET = "anthropic/claude-sonnet-4-5-20250929"
STUDY = """\
study: cached
baseline: no-mitigation
variants: [constitution-long-v1]
scenarios: builtin/demo-v1
models: [{models}]
repeats: {repeats}
nuisance: {nuisance}
"""


def planned(*, models: str = SONNET, repeats: int = 4, nuisance: str = "fixed") -> Plan:
    text = STUDY.format(models=models, repeats=repeats, nuisance=nuisance)
    return plan_from(parse_study(text), folder=Path("nowhere"), created="2026-11-24T00:00:00Z")


def at_the_start(plan: Plan) -> Plan:
    """The same plan with every treatment at the start of the system prompt."""
    moved = (replace(variant, placement=Placement.SYSTEM_START) for variant in plan.variants)
    return replace(plan, variants=tuple(moved))


def counted(plan: Plan, variant: str, part: CachePart) -> float:
    """Calls a prefix, by composing every request of the plan."""
    arms = {arm.id: arm for arm in plan.variants}
    scenarios = {scenario.id: scenario for scenario in plan.scenarios}
    seen: Counter[bytes] = Counter()
    for trial in order(plan):
        if trial.variant == variant:
            realised = realise(scenarios[trial.scenario], seed=trial.seed, fixed=plan.fix_nuisance)
            asked = request(arms[variant], realised, plan.models[0], key="", seed=0)
            seen.update(digest for found, digest, _ in prefixes(asked) if found is part)
    return seen.total() / len(seen)


@pytest.mark.parametrize("nuisance", ["fixed", "varied"])
@pytest.mark.parametrize("repeats", [1, 4])
def test_uses_are_those_of_the_whole_plan(nuisance: str, repeats: int) -> None:
    plan = at_the_start(planned(nuisance=nuisance, repeats=repeats))
    found = [entry for entry in cache_eligibility(plan) if entry.variant == "constitution-long-v1"]
    assert [entry.part for entry in found] == list(CachePart)
    for entry in found:
        # The sample is two repeats: with names drawn anew, later ones may differ a little.
        rough = pytest.approx(counted(plan, entry.variant, entry.part), rel=0.15)
        assert entry.uses == rough


def test_a_prefix_under_the_minimum_is_never_marked_and_says_so() -> None:
    entries = cache_eligibility(planned(models=HAIKU))
    assert entries
    assert not [entry for entry in entries if entry.pays]
    assert any("under the 4,096 tokens" in line for line in sentences(entries))


def test_an_unknown_minimum_marks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned()
    monkeypatch.setattr("runner.prices.cache_minimum", lambda _: None)
    entries = cache_eligibility(plan)
    assert {entry.reason for entry in entries} == {"what its cache needs is not known"}
    assert not [entry for entry in entries if entry.pays]


def test_the_scenario_pays_from_two_repeats_on_and_only_with_fixed_names() -> None:
    def parts(plan: Plan) -> set[CachePart]:
        found = cache_eligibility(plan, seconds_per_trial=0.1)
        return {e.part for e in found if e.pays and e.variant == "constitution-long-v1"}

    assert CachePart.SCENARIO in parts(at_the_start(planned(repeats=2)))
    assert CachePart.SCENARIO not in parts(at_the_start(planned(repeats=1)))
    assert CachePart.SCENARIO not in parts(at_the_start(planned(repeats=4, nuisance="varied")))


def test_what_returns_after_the_cache_forgot_is_not_marked() -> None:
    plan = at_the_start(planned())
    slow = cache_eligibility(plan, seconds_per_trial=LIFE_S)
    assert not [entry for entry in slow if entry.pays]
    assert any("lives 300 s" in entry.reason for entry in slow)


def test_free_models_have_no_entry() -> None:
    assert cache_eligibility(planned(models="simulated/floor")) == ()


def test_marks_follow_the_eligibility_and_change_no_text() -> None:
    plan = at_the_start(planned())
    marks = Marks(plan, seconds_per_trial=0.1)
    realised = realise(plan.scenarios[0], seed=0, fixed=True)
    plain, treated = (
        request(variant, realised, plan.models[0], key="k", seed=0) for variant in plan.variants
    )
    assert marks.mark(plain, plan.baseline.id) == plain
    marked = marks.mark(treated, plan.variants[1].id)
    assert marked.cache == (CachePart.SYSTEM, CachePart.SCENARIO)
    assert replace(marked, cache=()) == treated
