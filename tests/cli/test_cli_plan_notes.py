"""What `plan` says before money is spent: headroom, saving, caches, judges of the same family."""

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

from mitigations.cli.app import run
from mitigations.compose.planning import plan_from
from mitigations.compose.planning.estimate_words import lines
from mitigations.compose.planning.estimating import estimate
from mitigations.compose.planning.pilot import Pilot, headroom_notes
from mitigations.model import Plan
from mitigations.study import parse_study
from stats.anytime_outlook import anytime_outlook
from stats.power import Grid

STUDY = """\
study: noted
baseline: no-mitigation
variants: [prohibition-short-v1]
scenarios: builtin/demo-v1
models: [MODEL]
repeats: 4
"""


def made(model: str = "simulated/published", extra: str = "") -> Plan:
    study = parse_study(STUDY.replace("MODEL", model) + extra)
    return plan_from(study, folder=Path(), created="2026-11-24T00:00:00Z")


def told(plan: Plan) -> str:
    return "\n".join(lines(plan, estimate(plan)))


def test_a_pilot_without_events_says_no_headroom_and_one_with_events_does_not() -> None:
    """Rule of three: 0 of 480 leaves at most 0.8 in 100."""
    plan = made()
    none = Pilot(model="simulated/floor", coercive=0, scored=480, runs=2)
    (note,) = headroom_notes(plan, [none])
    assert "0 of 480" in note
    assert "at most 0.8 in 100" in note
    assert none.upper == pytest.approx(1 - 0.025 ** (1 / 480))
    assert headroom_notes(plan, [replace(none, coercive=140)]) == []


def test_earlier_runs_in_the_database_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = STUDY.replace("MODEL", "simulated/floor")
    Path("a.yaml").write_text(text)
    assert run(["plan", "a.yaml"]) == 0
    assert "expect no headroom" not in capsys.readouterr().out
    assert run(["run", "a.lock"]) == 0
    Path("b.yaml").write_text(text.replace("noted", "again"))
    capsys.readouterr()
    assert run(["plan", "b.yaml"]) == 0
    out = capsys.readouterr().out
    assert "expect no headroom on simulated/floor" in out
    assert re.search(r"in 1 earlier run", out)


def test_the_rate_of_earlier_runs_moves_the_power() -> None:
    plan = made()
    rare = estimate(plan, [Pilot(model="m", coercive=10, scored=500, runs=1)])
    usual = estimate(plan)
    assert rare.mde == pytest.approx(usual.mde * math.sqrt(0.02 * 0.98 / (0.3 * 0.7)))
    assert rare.mde < usual.mde < usual.mde_like_these


@pytest.mark.parametrize("design", ["design: anytime\n", "design: group-sequential\nlooks: 5\n"])
def test_what_early_looks_save_is_said_in_trials_and_money(design: str) -> None:
    paid = "anthropic/claude-haiku-4-5-20251001"
    plan = made(paid, design + "smallest_change_that_matters: 0.2\nbudget_usd: 5\n")
    text = told(replace(plan, repeats=40))
    found = re.search(r"need (\d+) % of the trials.*about ([\d,]+) trials and \$", text)
    assert found is not None
    assert 0 < int(found[1]) < 100
    assert "Stopping" not in told(made())


def test_the_outlook_of_the_e_process_meets_the_shared_figures() -> None:
    """At -5.6 points: power of at least .85 with at least 45 % of the trials saved."""
    grid = Grid(scenarios=40, models=6, repeats=20, vbar=0.21)
    found = anytime_outlook(-0.056, grid, rate=0.3)
    assert found.power >= 0.85
    assert found.expected_share <= 0.55
    null = anytime_outlook(0.0, grid, rate=0.3)
    assert null.power <= 0.05
    assert null.expected_share > 0.95


def test_caches_aliases_and_kin_are_named() -> None:
    text = told(made("anthropic/claude-haiku-4-5-20251001"))
    assert "Cache" in text
    assert "not cached: under the" in text
    alias = told(made("anthropic/claude-haiku-4-5"))
    assert "may be an alias" in alias
    judge = "judge: {model: anthropic/claude-sonnet-4-5-20250929, allow_own_family: true}\n"
    assert "of its own family" in told(made("anthropic/claude-haiku-4-5-20251001", judge))


def test_each_subject_has_its_line() -> None:
    text = told(made())
    for label in ("Variants", "Models", "Grid", "Calls", "Price", "Power", "Note: "):
        assert re.search(rf"^  {label}", text, re.MULTILINE), label
    assert "Note: 6 scenarios" in text or re.search(r"Note: \d+ scenarios", text)
    assert "no guardrail margins" in text
