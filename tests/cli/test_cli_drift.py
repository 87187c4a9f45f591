"""A model that changes in mid-run is flagged; interleaving keeps it out of the verdict."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mitigations.cli.app import run
from mitigations.compose.planning import plan_study
from mitigations.compose.reporting import model_change, served_models
from mitigations.model import Trial
from mitigations.store import Store
from runner.order import order
from tests.cli.test_cli_attempts import KEY, answer, serving
from tests.fake_provider import Seen

STUDY = """\
study: changed
baseline: no-mitigation
variants: [pause-and-review-v1]
scenarios: builtin/demo-v1
cells: [depot-1, ferry-1]
models: [openai/gpt-5-mini-2025-08-07]
repeats: {repeats}
budget_usd: 20
"""


def switching(after: int, field: str) -> Callable[[Seen, int], dict[str, Any]]:
    """A provider whose served name or fingerprint is another one after so many requests."""

    def script(seen: Seen, number: int) -> dict[str, Any]:
        body = answer(seen, number)
        return body | {field: "another-one"} if number > after else body

    return script


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    (tmp_path / "changed.yaml").write_text(STUDY.format(repeats=3))
    (tmp_path / "providers.yaml").write_text(
        "providers: {openai: {base_url: 'http://127.0.0.1/v1'}}"
    )
    assert run(["-q", "plan", "changed.yaml"]) == 0
    return tmp_path


def alarms(folder: Path, number: int, **server: Any) -> Any:
    """Run the plan in a database of its own against such a provider; gives the alarm."""
    home = folder / str(number)
    home.mkdir()
    with serving(**server) as fake:
        where = f"providers: {{openai: {{base_url: '{fake.openai_url}'}}}}\n"
        (folder / "providers.yaml").write_text(where)
        assert run(["-q", "--db", f"{number}/m.duckdb", "run", "changed.lock"]) == 0
    with Store.open(home / "m.duckdb") as store:
        (run_id, _, _) = store.runs()[0]
        return model_change(served_models(store, run_id))


def test_a_model_that_changes_in_mid_run_is_flagged_twenty_times_of_twenty(planned: Path) -> None:
    draw = random.Random(20)
    found = []
    for number in range(20):
        field = ("model", "system_fingerprint")[number % 2]
        alarm = alarms(planned, number, script=switching(draw.randrange(1, 12), field))
        found.append(alarm.fired)
        assert "another-one" in alarm.detail
    assert found == [True] * 20


def test_a_model_that_stays_is_not_flagged(planned: Path) -> None:
    assert alarms(planned, 0).fired is False


# --- what a change does to the effect, by the order of the trials

REPEATS = 10
RATE, SHIFT = 0.3, 0.25
"""Coercive rate of both arms, and what the provider's change adds to it: no arm has an effect."""


def effect(trials: list[Trial], draw: random.Random, baseline: str) -> float:
    """Difference of the arms when the model changes at a random place of the run."""
    change = draw.uniform(0.25, 0.75) * len(trials)
    events = {True: 0, False: 0}
    for place, trial in enumerate(trials):
        rate = RATE + (SHIFT if place >= change else 0.0)
        events[trial.variant == baseline] += draw.random() < rate
    return (events[False] - events[True]) / (len(trials) / 2)


def test_interleaving_keeps_a_change_out_of_the_effect_and_blocks_do_not(tmp_path: Path) -> None:
    """Bias over 400 runs: at most 0.5 points interleaved, more than 5 arm after arm."""
    path = tmp_path / "changed.yaml"
    path.write_text(
        STUDY.format(repeats=REPEATS)
        .replace("cells: [depot-1, ferry-1]\n", "")
        .replace("openai/gpt-5-mini-2025-08-07", "simulated/null")
    )
    plan = plan_study(path, created="2026-11-24T00:00:00Z")
    interleaved = list(order(plan))
    blockwise = sorted(interleaved, key=lambda trial: trial.variant != plan.baseline.id)
    draw = random.Random(7)
    bias = {
        name: sum(effect(trials, draw, plan.baseline.id) for _ in range(400)) / 400
        for name, trials in (("interleaved", interleaved), ("blockwise", blockwise))
    }
    assert abs(bias["interleaved"]) <= 0.005, bias
    assert abs(bias["blockwise"]) > 0.05, bias
