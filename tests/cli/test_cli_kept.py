"""A run keeps its own lock and scenarios: no later change of a pack can strand it."""

import json
import shutil
from pathlib import Path

import pytest

from mitigations.cli.app import run
from mitigations.scenarios.pack import BUILTIN

STUDY = """\
study: own
baseline: no-mitigation
variants: [prohibition-short-v1]
scenarios: packs/ours
models: [simulated/published]
repeats: 2
"""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MITIGATIONS_DB", raising=False)
    shutil.copytree(BUILTIN / "demo-v1", "packs/ours")
    Path("studies").mkdir()
    Path("studies/own.yaml").write_text(STUDY)
    assert run(["plan", "studies/own.yaml"]) == 0
    assert run(["run", "studies/own.lock"]) == 0
    return tmp_path


def _report(capsys: pytest.CaptureFixture[str]) -> object:
    assert run(["report", "-o", "report.json"]) == 0, capsys.readouterr().err
    return json.loads(Path("report.json").read_text())["analysis"]


def test_a_run_is_read_resumed_and_rebuilt_without_its_pack(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = _report(capsys)
    shutil.rmtree(workspace / "packs")
    assert _report(capsys) == whole
    assert run(["run", "studies/own.lock"]) == 0
    Path("mitigations.duckdb").unlink()
    assert run(["check", "--database", "--rebuild"]) == 0
    assert _report(capsys) == whole


def test_a_new_study_still_sees_the_pack_as_it_is_now(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(workspace / "packs")
    assert run(["plan", "studies/own.yaml"]) == 2
    assert "is not a scenario pack" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new"), [("hours", "weeks"), ('"scenarios"', '"scenes"'), ("{", "[")]
)
def test_an_edited_copy_is_found_out(
    workspace: Path, capsys: pytest.CaptureFixture[str], old: str, new: str
) -> None:
    (copy,) = workspace.glob("runs/*/scenarios.json")
    copy.write_text(copy.read_text().replace(old, new, 1))
    capsys.readouterr()
    assert run(["run", "studies/own.lock"]) == 2
    error = capsys.readouterr().err
    assert "scenario" in error
    assert len(error.splitlines()) <= 3
