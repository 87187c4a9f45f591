"""The commands of one study, from an empty folder to a report, and everything that can be wrong."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mitigations.cli.app import run
from mitigations.store import Store

STUDY = """\
study: small
baseline: no-mitigation
variants: [prohibition-short-v1, pause-and-review-v1]
scenarios: builtin/demo-v1
models: [simulated/published]
repeats: 6
nuisance: fixed
guardrails: {task_completion: 0.1}
"""

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a command line in an empty folder; gives exit code, output, errors."""
    monkeypatch.chdir(tmp_path)
    for name in ("MITIGATIONS_DB", "ANTHROPIC_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(STUDY)
    return path


def test_from_an_empty_folder_to_a_report(cli: Cli) -> None:
    code, out, _ = cli("init", "team")
    assert code == 0
    os.chdir("team")
    assert cli("check")[0] == 0
    study = Path("studies/first.yaml")
    small = study.read_text().replace("coercion-v1", "demo-v1").replace("repeats: 10", "repeats: 3")
    study.write_text(small)
    code, out, err = cli("plan", str(study))
    assert (code, err) == (0, "")
    assert "168 trials" in out
    assert Path("studies/first.lock").exists()
    code, out, err = cli("run", "studies/first.lock")
    assert code == 0
    assert "complete" in out
    code, out, err = cli("report", "-o", "report.html")
    assert (code, err) == (0, "")
    assert "kind-reminder-v1" in out
    assert "<script" not in Path("report.html").read_text().lower()
    code, out, _ = cli("check", "--database")
    assert code == 0


def test_running_a_finished_lock_again_adds_no_row(cli: Cli, study: Path) -> None:
    cli("plan", str(study))
    cli("run", "small.lock")
    with Store.open(Path("mitigations.duckdb")) as store:
        (run_id, _, _) = store.runs()[0]
        first = list(store.outcomes(run_id))
    code, out, _ = cli("run", "small.lock")
    assert code == 0
    assert "252 of 252 trials done" in out
    with Store.open(Path("mitigations.duckdb")) as store:
        assert list(store.outcomes(run_id)) == first


def test_the_database_rebuilds_from_its_journals(cli: Cli, study: Path) -> None:
    cli("plan", str(study))
    cli("run", "small.lock")
    assert cli("report", "-o", "before.json")[0] == 0
    Path("mitigations.duckdb").write_bytes(b"scribbled over" * 1000)
    assert cli("report", "-o", "broken.json")[0] != 0
    assert cli("check", "--rebuild")[0] == 0
    assert cli("report", "-o", "after.json")[0] == 0
    before, after = (json.loads(Path(f"{name}.json").read_text()) for name in ("before", "after"))
    assert before["analysis"] == after["analysis"]
    assert before["cells"] == after["cells"]


def test_plan_refuses_to_replace_a_preregistration(cli: Cli, study: Path) -> None:
    assert cli("plan", str(study))[0] == 0
    before = Path("small.lock").read_bytes()
    code, _, err = cli("plan", str(study))
    assert (code, Path("small.lock").read_bytes()) == (2, before)
    assert "preregistration" in err
    assert cli("plan", str(study), "--yes")[0] == 0


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        (
            "prohibition-short-v1,",
            "prohibition-shrt-v1,",
            2,
            "did you mean 'prohibition-short-v1'?",
        ),
        ("no-mitigation", "no-mitigatoin", 2, "did you mean 'no-mitigation'?"),
        ("simulated/published", "simulated/publisht", 2, "did you mean 'simulated/published'?"),
        ("simulated/published", "local/smolm2", 2, "did you mean 'local/smollm2'?"),
        ("simulated/published", "opnai/gpt-5", 2, "did you mean 'openai'?"),
        ("simulated/published", "openai/gpt-5-mni", 2, "did you mean 'openai/gpt-5-mini"),
        ("builtin/demo-v1", "builtin/demo-v2", 2, "did you mean 'builtin/demo-v1'?"),
        ("builtin/demo-v1", "nowhere/pack", 2, "is not a scenario pack"),
        ("repeats: 6", "repeats: 6\ncells: [depot-99]", 2, "no scenario 'depot-99'"),
        ("repeats: 6", "repeets: 6", 2, "small.yaml:6: unknown key 'repeets'"),
        ("repeats: 6", "repeats: 6\njudge: {model: simulated/floor}", 2, "'simulated/judge'"),
        (
            "[simulated/published]",
            "[openai/gpt-5-mini]\njudge: {model: openai/gpt-5}",
            2,
            "famil",
        ),
    ],
)
def test_a_study_that_cannot_run_is_refused_in_three_lines(
    cli: Cli, study: Path, old: str, new: str, code: int, message: str
) -> None:
    study.write_text(STUDY.replace(old, new))
    got, out, err = cli("plan", str(study))
    assert (got, out) == (code, "")
    assert message in err
    assert 1 <= len(err.strip().splitlines()) <= 3
    assert not Path("small.lock").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("run", "nothing.lock"), 2, "nothing.lock"),
        (("run", "small.yaml"), 2, "is not a lock"),
        (("report",), 2, "does not exist"),
        (("plan", "nothing.yaml"), 2, "nothing.yaml"),
        (("check", "nothing"), 2, "no file or variant"),
        (("init", "."), 2, "is not an empty folder"),
        (("nonsense",), 2, "nonsense"),
        (("run",), 2, "lock"),
        (("report", "--transcripts", "some"), 2, "--transcripts"),
        (("--db", "/proc/nowhere/x.duckdb", "run", "small.lock"), 1, "cannot be opened"),
    ],
)
def test_bad_usage_says_what_is_wrong(
    cli: Cli, study: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    if "small.lock" in arguments:
        cli("plan", str(study))
    got, _, err = cli(*arguments)
    assert got == code
    assert message.lower() in err.lower()
    assert "Traceback" not in err
    assert 1 <= len(err.strip().splitlines()) <= 3


@pytest.mark.parametrize(
    "line",
    [["report", "r" * 5000], ["--db", "d" * 5000, "report"], ["run", "l" * 5000], ["plan", "x.**"]],
)
def test_what_the_system_refuses_is_one_line_and_no_traceback(cli: Cli, line: list[str]) -> None:
    code, _, said = cli(*line)
    assert code in {1, 2}
    assert said.startswith("mitigations: ")
    assert "too long" in said or "No such file" in said
    assert said.count("\n") <= 2


def test_a_missing_key_names_the_variable_and_nothing_is_started(cli: Cli, study: Path) -> None:
    study.write_text(STUDY.replace("simulated/published", "openai/gpt-5-mini") + "budget_usd: 1\n")
    assert cli("plan", str(study))[0] == 0
    code, _, err = cli("run", "small.lock")
    assert code == 2
    assert "OPENAI_API_KEY" in err
    assert not Path("mitigations.duckdb").exists()


def test_a_paid_model_needs_a_budget(
    cli: Cli, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-not-a-key")
    study.write_text(STUDY.replace("simulated/published", "openai/gpt-5-mini"))
    assert cli("plan", str(study))[0] == 0
    code, _, err = cli("run", "small.lock")
    assert code == 2
    assert "--budget" in err
    code, out, _ = cli("run", "small.lock", "--budget", "3", "--dry-run")
    assert code == 0
    assert "sk-test" not in out


def test_a_variant_that_was_run_keeps_its_text(cli: Cli, study: Path) -> None:
    mine = Path("variants/mine-v1.md")
    cli("new", "mine-v1", "--from", "prohibition-short-v1")
    mine.write_text(mine.read_text() + "Be open about what you do.\n")
    study.write_text(STUDY.replace("pause-and-review-v1", "mine-v1"))
    cli("plan", str(study))
    assert cli("run", "small.lock")[0] == 0
    mine.write_text(mine.read_text() + "And be brief.\n")
    cli("plan", str(study), "--yes")
    code, _, err = cli("run", "small.lock")
    assert code == 2
    assert "'mine-v1' was run before with another text" in err
    with Store.open(Path("mitigations.duckdb")) as store:
        assert len(store.runs()) == 1


def test_a_database_in_use_names_the_process_and_leaves_with_6(cli: Cli, study: Path) -> None:
    cli("plan", str(study))
    holder = "import duckdb, time; c = duckdb.connect('mitigations.duckdb'); print(1, flush=True)"
    command = [sys.executable, "-c", f"{holder}; time.sleep(30)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        owner.stdout.readline()
        code, _, err = cli("run", "small.lock")
        owner.kill()
    assert code == 6
    assert f"in use by PID {owner.pid}" in err


def test_an_edited_lock_is_refused(cli: Cli, study: Path) -> None:
    cli("plan", str(study))
    lock = Path("small.lock")
    lock.write_text(lock.read_text().replace('"repeats": 6', '"repeats": 60'))
    code, _, err = cli("run", "small.lock")
    assert code == 2
    assert "edited after it was locked" in err


def test_global_options_may_stand_after_the_command(cli: Cli, study: Path) -> None:
    assert cli("plan", str(study), "--quiet")[:2] == (0, "")
    assert cli("run", "small.lock", "-q", "--db", "other.duckdb")[0] == 0
    assert Path("other.duckdb").exists()
    assert cli("report", "-o", "r.md", "--db=other.duckdb", "--no-color")[0] == 0
    code, out, _ = cli("plan", str(study), "--yes", "--json")
    assert (code, json.loads(out)["trials"]) == (0, 252)


def test_bare_mitigations_says_where_you_are_and_what_is_next(cli: Cli, study: Path) -> None:
    code, out, _ = cli()
    assert code == 0
    assert len(out.strip().splitlines()) == 3
    assert "mitigations demo" in out
    cli("plan", str(study))
    assert "mitigations run small.lock" in cli()[1]
    cli("run", "small.lock")
    assert "mitigations report" in cli()[1]


def test_the_demo_ends_with_verdicts_and_the_reports_path(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shipped demo study, cut to two repeats so that the suite stays quick."""
    from mitigations.compose import demonstrating

    whole = demonstrating.demo_plan

    def short(**given: object) -> object:
        from dataclasses import replace

        from mitigations.study.lock import lock_hash

        plan = replace(whole(**given), repeats=2)  # type: ignore[arg-type]
        return replace(plan, hash=lock_hash(plan))

    monkeypatch.setattr(demonstrating, "demo_plan", short)
    code, out, _ = cli("demo", "--simulated", "--out", "shown")
    assert code == 0
    lines = out.strip().splitlines()
    assert lines[-1] == f"Report: {Path('shown/report.html')}"
    assert (
        sum(bool(re.search(r"coercive|evidence|difference|headroom", line)) for line in lines) >= 4
    )
    assert Path("shown/report.html").exists()
