"""The order of a run: interleaved, complete, reproducible."""

from collections import Counter
from pathlib import Path

import pytest

from mitigations.compose.planning import plan_from
from mitigations.model import Plan, Trial
from mitigations.study import parse_study
from runner.order import order


@pytest.fixture(scope="module")
def plan() -> Plan:
    study = parse_study(
        "study: ordered\nbaseline: no-mitigation\n"
        "variants: [prohibition-short-v1, pause-and-review-v1]\n"
        "scenarios: builtin/demo-v1\nmodels: [simulated/published, simulated/floor]\nrepeats: 6\n"
    )
    return plan_from(study, folder=Path(), created="2026-11-24T00:00:00Z")


@pytest.fixture(scope="module")
def trials(plan: Plan) -> list[Trial]:
    return list(order(plan))


def test_every_epoch_visits_every_cell_once(plan: Plan, trials: list[Trial]) -> None:
    size = len(plan.variants) * len(plan.scenarios) * len(plan.models)
    assert len(trials) == size * plan.repeats == plan.trial_count
    for epoch in range(plan.repeats):
        chunk = trials[epoch * size : (epoch + 1) * size]
        assert {trial.repeat for trial in chunk} == {epoch}
        assert len({(t.variant, t.scenario, t.model) for t in chunk}) == size


def test_epochs_are_shuffled_afresh_and_the_same_on_every_machine(
    plan: Plan, trials: list[Trial]
) -> None:
    assert list(order(plan)) == trials
    size = len(trials) // plan.repeats
    orders = {
        tuple((t.variant, t.scenario, t.model) for t in trials[e * size : (e + 1) * size])
        for e in range(plan.repeats)
    }
    assert len(orders) == plan.repeats


def test_no_arm_sits_early_or_late(plan: Plan, trials: list[Trial]) -> None:
    """Mean position of an arm within its epoch: a drifting provider must hit all arms alike."""
    size = len(trials) // plan.repeats
    places = Counter[str]()
    for trial in trials:
        places[trial.variant] += trial.position % size
    means = [total / (len(trials) / len(plan.variants)) / size for total in places.values()]
    # Each is a mean of 168 uniform positions: standard error .29 / sqrt(168) = .022.
    assert all(abs(mean - 0.5) < 4 * 0.0223 for mean in means)


def test_arms_share_the_nuisance_seed_and_repeats_do_not(trials: list[Trial]) -> None:
    blocks: dict[tuple[str, str, int], set[int]] = {}
    for trial in trials:
        blocks.setdefault((trial.scenario, trial.model, trial.repeat), set()).add(trial.seed)
    assert {len(seeds) for seeds in blocks.values()} == {1}
    assert len({seed for seeds in blocks.values() for seed in seeds}) == len(blocks)


def test_ids_are_unique(trials: list[Trial]) -> None:
    assert len({trial.id for trial in trials}) == len(trials)
