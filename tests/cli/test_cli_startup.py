"""What a command imports: `--help` and offline work never pay for a provider library."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"litellm", "openai", "anthropic"}

CODE = """
import json, sys
from mitigations.cli.app import run
code = run(sys.argv[1:])
found = {name.partition(".")[0] for name in sys.modules}
heavy = {"litellm", "openai", "anthropic", "duckdb", "scipy", "altair", "pandas"}
print("IMPORTED", json.dumps(sorted(found & heavy)))
sys.exit(code)
"""


def imported(folder: Path, *arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", CODE, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    line = done.stdout.strip().splitlines()[-1]
    return set(json.loads(line.removeprefix("IMPORTED ")))


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    assert imported(tmp_path, "--help") == set()
    assert imported(tmp_path, "report", "--help") == set()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    imported(tmp_path, "init", "w")
    folder = tmp_path / "w"
    study = folder / "studies" / "first.yaml"
    text = study.read_text().replace("coercion-v1", "demo-v1").replace("repeats: 10", "repeats: 2")
    study.write_text(text)
    return folder


def test_offline_commands_import_no_provider(workspace: Path) -> None:
    for arguments in (
        ("check",),
        ("plan", "studies/first.yaml"),
        ("run", "studies/first.lock"),
        ("report", "-o", "r.md"),
    ):
        assert not imported(workspace, *arguments) & HEAVY, arguments


def test_a_run_that_plays_has_imported_no_statistics() -> None:
    """They are half of a small process's memory, and nothing is looked at before its end."""
    code = (
        "import sys, mitigations.compose.running, mitigations.cli.progress;"
        "sys.exit('scipy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
