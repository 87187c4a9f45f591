"""One process owns the file: who comes second, and what commands do while it is up."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mitigations.compose import service as remote
from mitigations.compose.judging.records import keep
from mitigations.compose.opening import open_store
from mitigations.compose.ownership import announce, find_owner, owner_path
from mitigations.errors import Interrupted, MitigationsError, NoData
from mitigations.model import JudgeCheck
from mitigations.store import Store
from mitigations.web.services import Services
from tests.web.conftest import Process, spawn

Serve = Callable[..., Process]
CHECK = JudgeCheck(
    judge="openai/gpt-5",
    rubric_hash="a" * 64,
    checked_at="2026-11-24T08:00:00Z",
    coercive_at=3,
    seed=0,
    pairs=90,
    compared=80,
    flipped=1,
    lost=0,
    flips_ci95=(0.0003, 0.068),
    wordings=3,
    cases=10,
    complete=10,
    agreed=9,
    agreed_ci95=(0.555, 0.997),
    right={"as it is": 9},
    calls=210,
    cost_usd=0.1,
)


def test_eight_processes_race_for_the_file(workspace: Path) -> None:
    """One wins; seven leave with 6 and name the winner's process."""
    with Store.open(workspace / "mitigations.duckdb"):
        pass
    racing = [spawn(workspace, "serve", "--port", "0") for _ in range(8)]
    begin = time.monotonic()
    losers = []
    while len(losers) < 7 and time.monotonic() - begin < 60:
        losers = [one for one in racing if one.poll() is not None]
        time.sleep(0.05)
    (winner,) = [one for one in racing if one.poll() is None]
    said = [one.communicate()[1] for one in losers]
    assert [one.returncode for one in losers] == [6] * 7
    assert all(f"in use by PID {winner.pid}" in text for text in said), said
    winner.send_signal(signal.SIGTERM)
    winner.communicate(timeout=60)
    with Store.open(workspace / "mitigations.duckdb", create=False) as store:
        assert store.runs() == []


def test_the_owner_file_is_private_and_goes_with_its_process(workspace: Path, serve: Serve) -> None:
    process = serve(workspace)
    path = owner_path(process.db)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_text())["pid"] == process.popen.pid
    process.stop()
    assert process.popen.returncode == 0
    assert not path.exists()


def test_commands_hand_their_work_to_the_service(
    workspace: Path, serve: Serve, command: Any
) -> None:
    """run, report and check give what they give without it, by the process that owns the file."""
    command(workspace, "plan", "studies/first.yaml")
    process = serve(workspace)
    code, out, err = command(workspace, "run", "studies/first.lock")
    assert (code, "is complete" in out) == (0, True)
    total = int(re.findall(r"(\d+)/\1 trials", err)[-1])
    code, out, _ = command(workspace, "report", "-o", "through.html")
    assert code == 0
    through = out.replace("through", "alone")
    code, out, _ = command(workspace, "--json", "report", "-o", "through.json")
    assert (code, "comparisons" in json.loads(out)["analysis"]) == (0, True)
    assert command(workspace, "check", "--database")[0] == 0
    code, _, err = command(workspace, "check", "--rebuild")
    assert (code, f"PID {process.popen.pid}" in err) == (6, True)
    assert command(workspace, "report", "nope")[0] == 2
    code, _, err = command(workspace, "report", "-o", "x.docx")
    assert (code, "no report format" in err) == (2, True)
    process.stop()
    code, out, _ = command(workspace, "report", "-o", "alone.html")
    assert (code, out) == (0, through)
    made = {name: (workspace / f"{name}.html").read_bytes() for name in ("through", "alone")}
    assert made["through"].replace(b"through.html", b"alone.html") == made["alone"]
    with Store.open(process.db, create=False) as store:
        assert sum(store.run_sizes().values()) == total


@pytest.mark.slow
def test_a_command_that_may_not_speak_to_the_service_names_it(
    workspace: Path, serve: Serve, command: Any
) -> None:
    """Without the owner file, as for another user, the lock on the database decides."""
    command(workspace, "plan", "studies/first.yaml")
    process = serve(workspace)
    owner_path(process.db).unlink()
    for arguments in (("run", "studies/first.lock"), ("report",), ("check", "--database")):
        code, _, err = command(workspace, *arguments)
        assert (code, f"PID {process.popen.pid}" in err) == (6, True), arguments


def test_a_stale_owner_file_is_not_believed(workspace: Path, command: Any) -> None:
    """Left by a killed process: dead pid, a pid that is somebody else, an address without answer"""
    command(workspace, "plan", "studies/first.yaml")
    db = workspace / "mitigations.duckdb"
    announce(db, url="http://127.0.0.1:9", secret="x")
    assert find_owner(db) is not None
    assert command(workspace, "run", "studies/first.lock")[0] == 0
    dead = spawn(workspace, "--version")
    dead.communicate()
    path = owner_path(db)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"pid": dead.pid}))
    path.chmod(0o600)
    assert find_owner(db) is None
    assert command(workspace, "report", "-o", "r.md")[0] == 0
    for text in ("", "[]", "{}", '{"pid": 1}', "\x00"):
        path.write_text(text)
        assert find_owner(db) is None
        assert command(workspace, "check", "--database")[0] == 0


def test_an_owner_file_that_others_can_read_is_not_believed(tmp_path: Path) -> None:
    db = tmp_path / "x.duckdb"
    announced = announce(db, url="http://127.0.0.1:9", secret="x")
    assert find_owner(db) == announced.owner
    announced.path.chmod(0o644)
    assert find_owner(db) is None


@pytest.mark.slow
def test_a_killed_service_is_taken_over(workspace: Path, serve: Serve) -> None:
    first = serve(workspace)
    first.popen.kill()
    first.popen.wait()
    second = serve(workspace)
    owner = find_owner(second.db)
    assert owner is not None
    assert owner.pid == second.popen.pid
    with urllib.request.urlopen(second.url, timeout=10) as answer:
        assert answer.status == 200


def test_a_withdrawal_leaves_the_file_of_whoever_came_after(tmp_path: Path) -> None:
    db = tmp_path / "x.duckdb"
    mine = announce(db, url="http://127.0.0.1:1", secret="a")
    theirs = announce(db, url="http://127.0.0.1:2", secret="b")
    mine.withdraw()
    assert find_owner(db) == theirs.owner
    theirs.withdraw()
    assert find_owner(db) is None


@pytest.mark.slow
def test_ctrl_c_on_the_command_stops_the_run_of_the_service(workspace: Path, serve: Serve) -> None:
    study = workspace / "studies" / "first.yaml"
    study.write_text(study.read_text().replace("repeats: 2", "repeats: 300"))
    spawn(workspace, "plan", "studies/first.yaml").communicate()
    process = serve(workspace)
    running = spawn(workspace, "run", "studies/first.lock")
    deadline = time.monotonic() + 60
    with_rows = f"{process.url}/api/runs"
    while time.monotonic() < deadline:
        with urllib.request.urlopen(with_rows, timeout=10) as answer:
            found = json.load(answer)
        if found and found[0]["state"] == "running" and found[0]["landed"]:
            break
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "interrupted; the same command resumes" in err
    with urllib.request.urlopen(with_rows, timeout=10) as answer:
        (run,) = json.load(answer)
    assert run["state"] == "stopped"
    assert 0 < run["landed"] < run["total"]


@pytest.mark.slow
def test_a_stopped_service_leaves_a_run_that_the_command_line_finishes(
    workspace: Path, serve: Serve, command: Any
) -> None:
    study = workspace / "studies" / "first.yaml"
    study.write_text(study.read_text().replace("repeats: 2", "repeats: 60"))
    command(workspace, "plan", "studies/first.yaml")
    process = serve(workspace)
    owner = find_owner(process.db)
    assert owner is not None
    service = remote.service_of(process.db)
    assert service is not None
    job = service.post("/api/owner/runs", {"lock": str(workspace / "studies" / "first.lock")})
    process.stop()
    assert process.popen.returncode == 0
    with Store.open(process.db, create=False) as store:
        assert store.query("events", job["run"])[-1][1] in {"stopped", "started"}
    code, out, _ = command(workspace, "run", "studies/first.lock")
    assert (code, "is complete" in out) == (0, True)
    assert command(workspace, "check", "--database")[0] == 0


@pytest.mark.slow
def test_commands_read_one_state_of_a_run_that_goes_on(
    workspace: Path, serve: Serve, command: Any
) -> None:
    """Whatever lands between their queries, rows, cells and journal agree in what they see."""
    study = workspace / "studies" / "first.yaml"
    study.write_text(study.read_text().replace("repeats: 2", "repeats: 150"))
    command(workspace, "plan", "studies/first.yaml")
    serve(workspace)
    running = spawn(workspace, "run", "studies/first.lock")
    sizes, looked = [], 0
    while running.poll() is None and looked < 40:
        code, _, err = command(workspace, "export", "-o", "o.csv")
        if code:
            assert "no run" in err or "no outcome" in err.lower(), err
            continue
        looked += 1
        sizes.append(len((workspace / "o.csv").read_text().splitlines()))
        code, out, _ = command(workspace, "check", "--database")
        assert code == 0, out
        assert command(workspace, "gate")[0] == 4
    running.communicate(timeout=120)
    assert looked >= 3
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


def test_a_killed_reader_holds_nothing_for_long(services: Services) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    name, _ = services.readings.begin(dead.pid, fresh=False)
    kept, _ = services.readings.begin(os.getpid(), fresh=False)
    assert services.readings.give_up() == 1
    with pytest.raises(MitigationsError, match="given up"):
        services.readings.get(name)
    services.readings.end(kept)
    assert services.readings.give_up() == 0


def test_another_version_than_the_service_is_told_so(
    workspace: Path, serve: Serve, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(workspace)
    monkeypatch.setattr("mitigations.compose.service.__version__", "0.0.1")
    code, _, err = command(workspace, "gate")
    assert (code, "and this is 0.0.1" in err) == (6, True)


def test_checks_of_judges_are_kept_by_the_service(workspace: Path, serve: Serve) -> None:
    check = CHECK
    process = serve(workspace)
    with open_store(process.db) as store:
        keep(check, store, workspace / "runs")
    with open_store(process.db) as store:
        assert store.judge_checks(check.judge, check.rubric_hash) == [check]
    process.stop()
    with Store.open(process.db, create=False) as store:
        assert store.judge_checks(check.judge, check.rubric_hash) == [check]


def test_the_exit_code_of_the_service_is_the_commands() -> None:
    assert isinstance(remote.refused("x", 4), NoData)
    assert isinstance(remote.refused("x", 130), Interrupted)
    for code in (1, 2, 4, 5, 6, 130):
        assert remote.refused("x", code).exit_code == code


def test_tokens_by_the_command_line(workspace: Path, command: Any) -> None:
    file = ("--token-file", "tokens.json")
    code, out, _ = command(workspace, "serve", *file, "--new-token", "ana", "--role", "run")
    assert code == 0
    token = out.splitlines()[-1]
    assert re.fullmatch(r"mit_[A-Za-z0-9_-]{43}", token)
    code, out, _ = command(workspace, "serve", *file, "--list-tokens")
    assert (code, out.startswith("ana\tread, run\tsince 2")) == (0, True)
    assert token not in out
    assert command(workspace, "serve", *file, "--revoke", "ana")[0] == 0
    assert "revoked" in command(workspace, "serve", *file, "--list-tokens")[1]
    for wrong in (
        ("serve", "--new-token", "ana", "--role", "run"),
        ("serve", *file, "--new-token", "ana"),
        ("serve", *file, "--new-token", "ana", "--role", "admin"),
        ("serve", *file, "--new-token", "../x", "--role", "run"),
        ("serve", *file, "--revoke", "nobody"),
        ("serve", "--token-file", "absent.json", "--list-tokens"),
        ("serve", "--host", "0.0.0.0"),
        ("serve", "--role", "run"),
    ):
        code, _, err = command(workspace, *wrong)
        assert code == 2, wrong
        assert "Traceback" not in err


@pytest.mark.slow
def test_a_port_in_use_is_said(workspace: Path, tmp_path: Path, serve: Serve, command: Any) -> None:
    process = serve(workspace)
    port = process.url.rpartition(":")[2]
    other = tmp_path / "other"
    other.mkdir()
    code, _, err = command(other, "serve", "--port", port)
    assert (code, "cannot be bound" in err) == (2, True)
    assert not owner_path(other / "mitigations.duckdb").exists()
    assert os.environ.get("MITIGATIONS_DB") is None
