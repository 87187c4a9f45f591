"""Amendments: dated, reasoned, chained to the lock, applied by `run`, told in the report."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mitigations.cli.app import run
from mitigations.compose import kept, rebuilding, reporting
from mitigations.compose.planning import amending, open_lock
from mitigations.errors import MitigationsError
from mitigations.model import Plan
from mitigations.store import Store
from mitigations.study.amend import CannotAmend, amendments_path
from runner.order import order

STUDY = """\
study: amended
baseline: no-mitigation
variants: [prohibition-short-v1]
scenarios: builtin/demo-v1
models: [simulated/published, simulated/floor]
repeats: 2
"""
LOCK = Path("s.lock")
Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a command line beside a locked study."""
    monkeypatch.chdir(tmp_path)
    Path("s.yaml").write_text(STUDY)

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    assert call("plan", "s.yaml")[0] == 0
    return call


def amend(cli: Cli, *flags: str) -> tuple[int, str, str]:
    return cli("plan", "--amend", "s.lock", "--reason", "the provider was slow", *flags)


def departures() -> tuple[str, ...]:
    with Store.open(Path("mitigations.duckdb")) as store:
        (name, _, _), *_ = store.runs()
        made = reporting.report_run(store, kept.plan_of(store, name), name, commands=())
        assert made.run is not None
        return made.run.amendments


def test_more_repeats_before_the_run_stay_the_plans(cli: Cli) -> None:
    code, out, err = amend(cli, "--repeats", "3", "--by", "Ana", "--budget", "7")
    assert (code, err) == (0, "")
    assert "repeats changed to 3" in out
    before = LOCK.read_bytes()
    assert cli("run", "s.lock")[0] == 0
    assert LOCK.read_bytes() == before
    code, _, _ = cli("report", "-o", "r.md")
    text = Path("r.md").read_text()
    assert code == 0
    assert any("budget changed to $7.00; repeats changed to 3" in line for line in departures())
    assert "by Ana" in text
    assert "Reason: the provider was slow." in text
    assert "**Exploratory." not in text
    assert not any("unfinished" in line for line in departures())


def test_an_extension_after_the_data_is_exploratory(cli: Cli) -> None:
    """A fixed design that is extended on seeing results errs more often than its alpha."""
    cli("run", "s.lock")
    # Far later than the start: the command's clock counts whole seconds.
    late, change = "2099-01-01T00:00:00Z", {"repeats": 4}
    amending.amend_lock(LOCK, at=late, by="", reason="it looked close", change=change)
    assert cli("run", "s.lock")[0] == 0
    assert any("error rates do not hold" in line for line in departures())
    cli("report", "-o", "r.md")
    assert "**Exploratory." in Path("r.md").read_text()


def test_a_dropped_model_runs_no_more_and_what_ran_stays(cli: Cli) -> None:
    plan = open_lock(LOCK)
    whole = {trial.id: trial.position for trial in order(plan)}
    amend(cli, "--drop-model", "simulated/floor")
    now = amending.with_amendments(plan, LOCK)
    left = {trial.id: trial.position for trial in order(now)}
    assert left.items() < whole.items()
    assert {trial.model for trial in order(now)} == {"simulated/published"}
    assert cli("run", "s.lock")[0] == 0
    assert any("dropped simulated/floor" in line for line in departures())


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--repeats", "1"), "repeats can only grow"),
        (("--repeats", "2"), "repeats can only grow"),
        (("--drop-model", "openai/gpt"), "is no model of this plan"),
        (("--drop-model", "simulated/floor", "--drop-model", "simulated/published"), "no model"),
        ((), "nothing would change"),
        (("--set", "alpha=0.1"), "alpha cannot change after the lock"),
        (("--set", "baseline=prohibition-short-v1"), "baseline cannot change"),
        (("--set", "guardrails=0.2"), "margin chosen after the data"),
        (("--set", "seed=4"), "seed cannot change"),
        (("--set", "design=anytime"), "design cannot change"),
        (("--set", "outcome=2"), "outcome cannot change"),
        (("--set", "nonsense=4"), "nonsense cannot change"),
        (("--set", "nonsense"), "is no KEY=VALUE"),
        (("--exploratory", "--set", "alpha=2"), "alpha"),
        (("--exploratory", "--set", "alpha=true"), "alpha"),
        (("--exploratory", "--set", "smallest_change_that_matters=NaN"), "proportion"),
        (("--set", 'repeats="many"'), "whole number"),
        (("--set", "budget_usd=-4"), "US dollars"),
        (("--set", "drop_models=5"), "list"),
    ],
)
def test_what_an_amendment_may_not_change_is_refused(
    cli: Cli, flags: tuple[str, ...], message: str
) -> None:
    code, _, err = amend(cli, *flags)
    assert code == 2
    assert message in err
    assert 1 <= len(err.splitlines()) <= 3
    assert not amendments_path(LOCK).exists()


def test_a_reason_is_asked_for_and_a_lock(cli: Cli) -> None:
    assert "needs its reason" in cli("plan", "--amend", "s.lock", "--repeats", "9")[2]
    assert "take the .lock file" in cli("plan", "--amend", "s.yaml", "--reason", "x")[2]


def test_an_analysis_changed_late_is_labelled(cli: Cli) -> None:
    code, out, _ = amend(cli, "--exploratory", "--set", "alpha=0.1")
    assert code == 0
    assert "Exploratory." in out
    cli("run", "s.lock")
    cli("report", "-o", "r.md")
    assert "**Exploratory." in Path("r.md").read_text()


def test_every_field_of_an_amendment_is_held_by_its_hash(cli: Cli) -> None:
    amend(cli, "--repeats", "3")
    amend(cli, "--budget", "9")
    path = amendments_path(LOCK)
    lines = path.read_text().splitlines()
    first = json.loads(lines[0])
    others = {"change": {"repeats": 9}, "exploratory": True, "timestamp": {"kind": "git"}}
    for key in first:
        edited = first | {key: others.get(key, "x")}
        path.write_text("\n".join([json.dumps(edited), lines[1]]) + "\n")
        for command in (("run", "s.lock"), ("check", "s.lock")):
            assert cli(*command)[0] == 2, key
    for kept_lines in (lines[1:], [*reversed(lines)]):
        path.write_text("\n".join(kept_lines) + "\n")
        assert cli("run", "s.lock")[0] == 2
    path.write_text("\n".join(lines) + "\n")
    assert cli("run", "s.lock")[0] == 0


def test_amendments_survive_the_loss_of_the_database(cli: Cli) -> None:
    amend(cli, "--repeats", "3")
    cli("run", "s.lock")
    said = departures()
    Path("mitigations.duckdb").unlink()
    rebuilding.rebuild(Path("mitigations.duckdb"), Path("runs"), now=lambda: "2026-11-25T00:00:00Z")
    assert [line for line in departures() if "Amended" in line] == [
        line for line in said if "Amended" in line
    ]


def git(*arguments: str) -> None:
    flags = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(("git", *flags, *arguments), check=True, capture_output=True)


def test_a_commit_is_recorded_and_held_against_the_lock(cli: Cli) -> None:
    assert "in no git repository" in cli("plan", "--timestamp", "git", "s.lock")[2]
    git("init")
    assert "is not committed" in cli("plan", "--timestamp", "git", "s.lock")[2]
    git("add", "s.lock")
    git("commit", "-m", "Preregister")
    code, out, err = cli("plan", "--timestamp", "git", "s.lock", "--by", "Ana")
    assert (code, err) == (0, "")
    assert "holds the lock" in out
    assert "commit" not in "".join(amending.stamp_faults(plan_now(), LOCK))
    cli("run", "s.lock")
    assert any("git commit" in line for line in departures())
    cli("plan", "s.yaml", "--repeats", "5", "-o", "t.lock")
    git("add", "-f", "t.lock")
    LOCK.write_bytes(LOCK.read_bytes() + b"\n")
    assert amending.stamp_faults(plan_now(), LOCK)


def plan_now() -> Plan:
    return amending.with_amendments(open_lock(LOCK), LOCK)


def test_a_signature_file_is_recorded_by_its_hash(cli: Cli) -> None:
    Path("s.lock.sig").write_bytes(b"signed")
    assert cli("plan", "--timestamp", "s.lock.sig", "s.lock")[0] == 0
    assert "SHA-256" in cli("check", "s.lock")[1]
    Path("s.lock.sig").write_bytes(b"signed by another")
    assert "was changed" in cli("check", "s.lock")[1]
    assert cli("plan", "--timestamp", "nothing.sig", "s.lock")[0] == 2


def test_pages_can_call_it(cli: Cli) -> None:
    del cli
    with pytest.raises(CannotAmend):
        amending.amend_lock(
            LOCK, at="2026-11-24T00:00:00Z", by="", reason=" ", change={"repeats": 9}
        )
    plan, event = amending.amend_lock(
        LOCK, at="2026-11-24T00:00:00Z", by="", reason="x", change={"repeats": 9}
    )
    assert (plan.repeats, event.previous) == (9, plan.hash)
    with pytest.raises(MitigationsError):
        amending.stamp_lock(LOCK, "git", at="2026-11-24T00:00:00Z", by="")
