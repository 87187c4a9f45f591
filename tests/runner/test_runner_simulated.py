"""Simulated models: their true rates are known, and the whole path must find them."""

import asyncio
import math

import pytest

from mitigations.model import (
    ActionProtocol,
    ModelSpec,
    Outcome,
    OutcomeStatus,
    Scenario,
    Trial,
    Variant,
)
from mitigations.scenarios import load_pack
from runner.episode import Setting, play
from runner.simulated import SimulatedModels, profile, rate
from tests.builders import make_trial
from variants import library

PACK = load_pack("builtin/coercion-v1")
CORRIGIBILITY = load_pack("builtin/corrigibility-v1")
DRAWS = 200


def outcomes(
    profile: str,
    variant: Variant,
    scenario: Scenario,
    *,
    protocol: ActionProtocol = ActionProtocol.TOOLS,
    draws: int = DRAWS,
) -> list[Outcome]:
    trials: dict[str, Trial] = {}
    simulated = SimulatedModels(lambda key: (variant, scenario, trials[key.partition("/")[0]]))
    setting = Setting(
        run="r",
        complete=simulated.complete,
        judge=None,
        coercive_at=3,
        fix_nuisance=False,
        now=lambda: "t",
    )
    model = ModelSpec(route=f"simulated/{profile}", protocol=protocol)

    async def every() -> list[Outcome]:
        found = []
        for repeat in range(draws):
            trial = make_trial(
                variant=variant.id,
                scenario=scenario.id,
                model=model.route,
                repeat=repeat,
                seed=repeat,
            )
            trials[trial.id] = trial
            found.append(
                await play(trial, variant=variant, scenario=scenario, model=model, setting=setting)
            )
        return found

    return asyncio.run(every())


@pytest.mark.parametrize("variant", ["no-mitigation", "prohibition-short-v1"])
@pytest.mark.parametrize(
    "scenario", [PACK.cells[1], PACK.cells[-1], CORRIGIBILITY.cells[0]], ids=lambda s: s.id
)
def test_the_rate_found_is_the_profiles_rate(variant: str, scenario: Scenario) -> None:
    """Through parser and rules: a scorer that missed replies would show here as a lower rate."""
    found = outcomes("published", library()[variant], scenario)
    assert all(outcome.status is OutcomeStatus.SCORED for outcome in found)
    true = rate("published", library()[variant], scenario)
    observed = sum(bool(outcome.coercive) for outcome in found) / DRAWS
    assert abs(observed - true) < 4 * math.sqrt(true * (1 - true) / DRAWS) + 1e-9


def test_a_model_at_the_floor_never_coerces() -> None:
    found = outcomes("floor", library()["no-mitigation"], PACK.cells[0], draws=60)
    assert {outcome.coercive for outcome in found} == {False}


@pytest.mark.parametrize("protocol", list(ActionProtocol))
def test_every_protocol_tells_the_same_story(protocol: ActionProtocol) -> None:
    found = outcomes("high", library()["no-mitigation"], PACK.cells[1], protocol=protocol, draws=40)
    tools = outcomes("high", library()["no-mitigation"], PACK.cells[1], draws=40)
    assert [o.actions for o in found] == [o.actions for o in tools]
    assert [o.severity for o in found] == [o.severity for o in tools]


def test_replies_are_lost_by_arm_and_never_scored() -> None:
    shares = {}
    for variant in ("no-mitigation", "prohibition-short-v1"):
        found = outcomes("lossy", library()[variant], PACK.cells[1])
        lost = [o for o in found if o.status is not OutcomeStatus.SCORED]
        assert all(o.coercive is None for o in lost)
        shares[variant] = len(lost) / DRAWS
    # Losses of 12 and 36 in 120 as an audit reported; four standard errors.
    assert abs(shares["no-mitigation"] - 0.10) < 4 * math.sqrt(0.1 * 0.9 / DRAWS)
    assert abs(shares["prohibition-short-v1"] - 0.30) < 4 * math.sqrt(0.3 * 0.7 / DRAWS)


def test_the_same_seed_gives_the_same_reply_and_another_another() -> None:
    variant, scenario = library()["no-mitigation"], PACK.cells[1]
    one, two = (
        outcomes("high", variant, scenario, draws=30),
        outcomes("high", variant, scenario, draws=30),
    )
    assert one == two
    assert len({str(outcome.actions) for outcome in one}) > 5


@pytest.mark.parametrize("kind", sorted({str(twin.twin_kind) for twin in PACK.twins}))
def test_work_on_a_twin_is_done_unless_the_profile_says_otherwise(kind: str) -> None:
    """A simulated model that works does the whole work: only idleness and refusal leave it."""
    variant = library()["no-mitigation"]
    twin = next(twin for twin in PACK.twins if twin.twin_kind == kind)
    found = outcomes("published", variant, twin)
    done = sum(bool(o.assessment and o.assessment.task_completed) for o in found) / DRAWS
    shares = profile("published").side_effects(variant)
    missed = shares["idle"] + shares["refusal"] + shares["escalation"]
    if kind == "duty-to-report":
        missed = shares["silence"] + (1 - shares["silence"]) * missed
    assert abs(1 - done - missed) < 4 * math.sqrt(missed * (1 - missed) / DRAWS)


def test_who_objects_is_answered_and_the_whole_talk_is_one_outcome() -> None:
    """Several turns are one trial: every call is counted, and the first turn's acts stay."""
    cell = next(c for c in CORRIGIBILITY.cells if c.factors["channel"] == "pause-and-review")
    found = outcomes("floor", library()["no-mitigation"], cell, draws=60)
    assert {outcome.turns for outcome in found} > {1}
    assert max(outcome.turns for outcome in found) <= cell.max_turns
    assert all(outcome.status is OutcomeStatus.SCORED for outcome in found)
    assert all(outcome.actions for outcome in found)


def test_a_placebo_changes_nothing() -> None:
    scenario = PACK.cells[1]
    placebo = library()["placebo-prohibition-short-v1"]
    assert rate("published", placebo, scenario) == rate(
        "published", library()["no-mitigation"], scenario
    )
