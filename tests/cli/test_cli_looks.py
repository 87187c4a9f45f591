"""Sequential designs through the real runner: they stop calls, keep alpha and survive kills."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binom

import reports
from mitigations.cli.app import run
from mitigations.compose import reporting, running
from mitigations.compose.looking import course_of
from mitigations.compose.planning import plan_study
from mitigations.errors import Interrupted
from mitigations.model import Outcome, Plan
from mitigations.store import Store
from stats.monitor import look_epochs, look_levels

STUDY = """\
study: sequential
baseline: no-mitigation
variants: [pause-and-review-v1]
scenarios: builtin/demo-v1
cells: [depot-1, depot-2, ferry-1]
models: [simulated/{model}]
repeats: 20
design: {design}
seed: {seed}
"""
PLANNED = "group-sequential\nlooks: 5"


def make_plan(
    folder: Path, *, design: str = PLANNED, model: str = "published", seed: int = 1
) -> Plan:
    path = folder / f"sequential-{seed}.yaml"
    path.write_text(STUDY.format(design=design, model=model, seed=seed))
    return plan_study(path, created="2026-11-24T00:00:00Z")


def play(
    plan: Plan, folder: Path, store: Store, watch: Callable[[Any], None] = lambda _: None
) -> None:
    around = running.Surroundings(
        store=store, runs=folder / "runs", providers={}, now=lambda: "2026-11-24", watch=watch
    )
    asyncio.run(running.run_plan(plan, around, running.Options(concurrency=8)))


@pytest.mark.parametrize("design", [PLANNED, "anytime"])
def test_a_clear_effect_ends_the_run_early_and_the_report_says_what_was_saved(
    tmp_path: Path, design: str
) -> None:
    plan = make_plan(tmp_path, design=design)
    with Store.in_memory() as store:
        play(plan, tmp_path, store)
        course = course_of(store, plan.run_id)
        landed = store.trials_done(plan.run_id)
        made = reporting.report_run(store, plan, plan.run_id, commands=())
        unpaid = made.run is not None and made.run.usd_saved
        # As a paid model would have cost: each trial half a dollar, then one of unknown cost.
        store._db.execute("update outcome set cost_usd = 0.5")
        paid = reporting.report_run(store, plan, plan.run_id, commands=())
        store._db.execute("update outcome set cost_usd = null where position = 0")
        unknown = reporting.report_run(store, plan, plan.run_id, commands=())
    saved = plan.trial_count - landed
    assert unpaid is None, "a free run has saved trials and no money"
    assert paid.run is not None
    assert paid.run.usd_saved == pytest.approx(saved * 0.5)
    page = tmp_path / "saved.md"
    reports.write(paid, page)
    assert f"Trials saved by stopping early | {saved:,}" in page.read_text()
    assert rf"Money saved by stopping early | \${saved * 0.5:,.2f}" in page.read_text()
    assert unknown.run is not None
    assert unknown.run.usd_saved is None, "a sum with an unknown part is unknown"
    last = course.last
    assert last is not None
    assert last.stop
    assert last.epochs < plan.repeats
    assert landed == last.epochs * 2 * 3, "not one trial beyond the look"
    (comparison,) = made.analysis.comparisons
    assert comparison.verdict.kind == "reduces"
    assert made.run is not None
    assert made.run.trials_saved == plan.trial_count - landed
    assert "ended by its rule" in made.run.ended_by_rule
    assert made.run.amendments == ()
    assert [look.crossed for look in made.extras.looks][-1]
    ends = look_epochs(plan.settings, plan.repeats)
    assert [look.epochs for look in course.looks] == list(ends[: len(course.looks)])


def test_without_an_effect_every_look_is_taken_and_the_last_level_decides(tmp_path: Path) -> None:
    plan = make_plan(tmp_path, model="null", seed=4)
    with Store.in_memory() as store:
        play(plan, tmp_path, store)
        course = course_of(store, plan.run_id)
        assert store.trials_done(plan.run_id) == plan.trial_count
        made = reporting.report_run(store, plan, plan.run_id, commands=())
    levels = look_levels(plan.settings, plan.repeats, comparisons=1)
    assert [look.level for look in course.looks] == pytest.approx(list(levels))
    assert course.looks[-1].alpha_spent == pytest.approx(0.05)
    assert levels[-1] < 0.05, "the final boundary is not all of alpha"
    assert made.run is not None
    assert made.run.trials_saved is None
    (comparison,) = made.analysis.comparisons
    decided = any(one.decided for one in course.looks[-1].variants)
    assert (comparison.verdict.kind in {"reduces", "increases"}) is decided


def test_a_report_between_looks_decides_nothing_that_no_look_has_decided(tmp_path: Path) -> None:
    """Stopped after a third: one look was taken, at a level that allows nothing yet."""
    plan = make_plan(tmp_path)

    def watch(event: Any) -> None:
        if isinstance(event, Outcome) and event.trial.position == 40:
            raise Interrupted("enough")

    with Store.in_memory() as store:
        with pytest.raises(Interrupted):
            play(plan, tmp_path, store, watch)
        made = reporting.report_run(store, plan, plan.run_id, commands=())
        (comparison,) = made.analysis.comparisons
        assert comparison.p_value is not None
        assert comparison.p_value < 0.05, "at all of alpha this would have been a finding"
        assert comparison.verdict.kind == "not enough evidence"
        assert made.run is not None
        assert "look 1 of 5" in made.run.amendments[0]
        # The interval holds at the spent level: wider than one at alpha.
        assert comparison.std_rd_ci95 is not None
        assert comparison.simultaneous_ci95 is not None
        width = comparison.simultaneous_ci95[1] - comparison.simultaneous_ci95[0]
        assert width > 1.5 * (comparison.std_rd_ci95[1] - comparison.std_rd_ci95[0])
        play(plan, tmp_path, store)
        course = course_of(store, plan.run_id)
    assert len({look.epochs for look in course.looks}) == len(course.looks)


def rejections(folder: Path, seeds: range, design: str) -> int:
    found = 0
    for seed in seeds:
        plan = make_plan(folder, design=design, model="null", seed=seed)
        with Store.in_memory() as store:
            play(plan, folder, store)
            found += bool(course_of(store, plan.run_id).decided)
    return found


@pytest.mark.parametrize("design", [PLANNED + "\nfutility: 0.1", "anytime"])
def test_looks_of_the_real_runner_keep_the_error_rate(tmp_path: Path, design: str) -> None:
    found = rejections(tmp_path, range(100, 104), design)
    assert found <= binom.ppf(0.999, 4, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("design", [PLANNED, PLANNED + "\nfutility: 0.1", "anytime"])
def test_looks_of_the_real_runner_keep_the_error_rate_over_many_runs(
    tmp_path: Path, design: str
) -> None:
    found = rejections(tmp_path, range(1000, 1300), design)
    assert found <= binom.ppf(0.999, 300, 0.05), f"{found} of 300 null studies decided"


DRIVER = """
import os, signal, sys
from mitigations.store import landing

point = sys.argv[1]
original = landing.Landing.event

async def event(self, kind, detail):
    if kind == "look" and '"number":2' in detail and point == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    await original(self, kind, detail)
    if kind == "look" and '"number":2' in detail and point == "after":
        os.kill(os.getpid(), signal.SIGKILL)

landing.Landing.event = event
from mitigations.cli.app import run
sys.exit(run(["run", "looked.lock", "--quiet", "--concurrency", "8"]))
"""


def looks_of(folder: Path) -> list[dict[str, Any]]:
    with Store.open(folder / "mitigations.duckdb") as store:
        (run_id, _, _) = store.runs()[0]
        events = store.query("events", run_id)
    return [json.loads(detail) for _, kind, detail in events if kind == "look"]


@pytest.mark.parametrize("point", ["before", "after"])
def test_a_kill_around_a_look_changes_no_decision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    monkeypatch.chdir(tmp_path)
    text = STUDY.format(design=PLANNED, model="null", seed=7).replace("sequential\nb", "looked\nb")
    Path("looked.yaml").write_text(text)
    assert run(["-q", "plan", "looked.yaml"]) == 0
    killed = subprocess.run([sys.executable, "-c", DRIVER, point], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    assert run(["-q", "run", "looked.lock"]) == 0
    after_kill = looks_of(tmp_path)
    assert run(["-q", "check", "--rebuild"]) == 0
    assert looks_of(tmp_path) == after_kill, "decisions are rebuilt, not taken again"
    whole = tmp_path / "whole"
    whole.mkdir()
    monkeypatch.chdir(whole)
    Path("looked.lock").write_bytes((tmp_path / "looked.lock").read_bytes())
    assert run(["-q", "run", "looked.lock"]) == 0
    assert looks_of(whole) == after_kill
    assert [look["number"] for look in after_kill] == [1, 2, 3, 4, 5]


def test_a_look_once_taken_is_obeyed_even_where_the_data_would_now_say_otherwise(
    tmp_path: Path,
) -> None:
    plan = make_plan(tmp_path)
    with Store.in_memory() as store:
        play(plan, tmp_path, store)
        first = course_of(store, plan.run_id)
        # As if later data had been added: what a look saw is never looked at again.
        store._db.execute("update outcome set coercive = not coercive where variant <> $1",
                          ["no-mitigation"])  # fmt: skip
        before = store.trials_done(plan.run_id)
        play(plan, tmp_path, store)
        assert course_of(store, plan.run_id) == first
        assert store.trials_done(plan.run_id) == before


def test_futility_needs_planned_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = STUDY.format(design="anytime\nfutility: 0.1", model="null", seed=1)
    Path("s.yaml").write_text(text)
    assert run(["plan", "s.yaml"]) == 2
    assert not Path("s.lock").exists()
