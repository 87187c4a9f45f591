"""Approval: one journal beside the texts, bound to one text, asked for by `plan`."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mitigations.cli.app import run
from mitigations.compose import approving
from mitigations.compose.planning import open_lock
from mitigations.errors import InvalidFile
from variants import StatusRefused

TEXT = """\
---
id: our-channel-v1
title: A channel
hypothesis: A channel makes threats needless.
author: Ana
---
If something is wrong, write to oversight@example.org.
"""
STUDY = """\
study: approved
baseline: no-mitigation
variants: [our-channel-v1]
scenarios: builtin/demo-v1
models: [simulated/published]
repeats: 2
"""
AT = "2026-11-24T12:00:00Z"
VARIANTS = Path("variants")
Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a command line in a small workspace."""
    monkeypatch.chdir(tmp_path)
    VARIANTS.mkdir()
    (VARIANTS / "our-channel-v1.md").write_text(TEXT)
    Path("s.yaml").write_text(STUDY)

    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return call


def approved(cli: Cli) -> None:
    assert cli("check", "--propose", "our-channel-v1", "--by", "Ben", "--note", "ready")[0] == 0
    assert cli("check", "--approve", "our-channel-v1", "--by", "Cleo")[0] == 0


def test_an_approval_is_recorded_shown_and_locked(cli: Cli) -> None:
    code, _, err = cli("plan", "s.yaml", "--require-approved")
    assert code == 2
    assert "our-channel-v1 is a draft" in err
    assert "mitigations check --propose our-channel-v1 --by WHO" in err
    assert not Path("s.lock").exists()
    cli("check", "--propose", "our-channel-v1", "--by", "Ben")
    assert (
        "mitigations check --approve our-channel-v1"
        in cli("plan", "s.yaml", "--require-approved")[2]
    )
    cli("check", "--approve", "our-channel-v1", "--by", "Cleo")
    code, out, err = cli("plan", "s.yaml", "--require-approved")
    assert (code, err) == (0, "")
    assert "approved by Cleo" in out
    (recorded,) = open_lock(Path("s.lock")).approvals
    assert (recorded.variant, recorded.status, recorded.by) == (
        "our-channel-v1",
        "approved",
        "Cleo",
    )
    cli("run", "s.lock")
    cli("report", "-o", "r.md")
    assert "approved by Cleo on" in Path("r.md").read_text()
    code, out, _ = cli("check", "our-channel-v1")
    assert code == 0
    assert out.index("proposed by Ben") < out.rindex("approved by Cleo")
    shown = json.loads(cli("--json", "check", "our-channel-v1")[1])
    assert [event["status"] for event in shown["history"]] == ["proposed", "approved"]


def test_editing_voids_and_every_command_that_shows_the_text_says_so(cli: Cli) -> None:
    approved(cli)
    path = VARIANTS / "our-channel-v1.md"
    path.write_text(TEXT.replace("is wrong", "seems wrong"))
    for command in (
        ("check", "our-channel-v1"),
        ("check", "variants"),
        ("diff", "our-channel-v1", "no-mitigation"),
        ("plan", "s.yaml"),
    ):
        assert "void" in cli(*command)[1], command
    code, _, err = cli("plan", "s.yaml", "--require-approved", "--yes")
    assert code == 2
    assert "edited since Cleo approved it" in err
    path.write_text(TEXT)
    assert cli("plan", "s.yaml", "--require-approved", "--yes")[0] == 0


@pytest.mark.parametrize("by", ["Ana", "Ben", " ben ", ""])
def test_nobody_approves_their_own(cli: Cli, by: str) -> None:
    cli("check", "--propose", "our-channel-v1", "--by", "Ben")
    code, _, err = cli("check", "--approve", "our-channel-v1", "--by", by)
    assert code == 2
    assert 1 < len(err.splitlines()) <= 3
    assert len(approving.all_events(VARIANTS)) == 1


def test_approvals_outlive_the_database(cli: Cli) -> None:
    """The journal beside the texts is the truth; the database holds no status that it lacks."""
    approved(cli)
    cli("plan", "s.yaml")
    cli("run", "s.lock")
    os.unlink("mitigations.duckdb")  # noqa: PTH108 - the point is that the file is gone
    assert approving.history("our-channel-v1", VARIANTS)[-1].by == "Cleo"
    assert cli("plan", "s.yaml", "--require-approved", "--yes")[0] == 0


def test_a_retired_text_is_not_planned_as_approved(cli: Cli) -> None:
    approved(cli)
    cli("check", "--retire", "our-channel-v1", "--by", "Cleo", "--note", "backfired")
    assert "retired by Cleo" in cli("plan", "s.yaml", "--require-approved")[2]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{}", "variant"),
        ("not json", "Invalid JSON"),
        ('{"variant": "a", "extra": 1}', "status event"),
        ("<<<<<<< main", "Invalid JSON"),
    ],
)
def test_a_damaged_journal_is_named_with_its_line(cli: Cli, line: str, message: str) -> None:
    approved(cli)
    path = VARIANTS / approving.FILE_NAME
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(InvalidFile, match=message) as caught:
        approving.all_events(VARIANTS)
    assert caught.value.line == 3
    code, _, err = cli("plan", "s.yaml", "--require-approved")
    assert (code, "Traceback" in err) == (2, False)


def test_every_single_byte_of_an_approval_counts(cli: Cli) -> None:
    """Another hash, name or status is another event: it approves nothing, or is refused."""
    approved(cli)
    path = VARIANTS / approving.FILE_NAME
    first, second = path.read_text().splitlines()
    event = json.loads(second)
    for key, value in (
        ("text_hash", "0" * 64),
        ("variant", "another-v1"),
        ("status", "proposed"),
        ("status", "retired"),
        ("at", "yesterday"),
    ):
        path.write_text(first + "\n" + json.dumps(event | {key: value}) + "\n")
        assert cli("plan", "s.yaml", "--require-approved")[0] == 2, key


def test_pages_call_the_same_functions(cli: Cli) -> None:
    del cli
    approving.propose("prohibition-short-v1", by="Ben", at=AT, folder=VARIANTS)
    with pytest.raises(StatusRefused):
        approving.approve("prohibition-short-v1", by="Ben", at=AT, folder=VARIANTS)
    event = approving.approve("prohibition-short-v1", by="Cleo", at=AT, folder=VARIANTS)
    assert approving.history("prohibition-short-v1", VARIANTS)[-1] == event


def test_one_may_approve_ones_own_where_the_workspace_says_so(cli: Cli) -> None:
    """The author and the proposer alike; without the file, and with a damaged one, nobody may."""
    propose, approve = ("--propose", "our-channel-v1"), ("--approve", "our-channel-v1")
    assert cli("check", *propose, "--by", "Ana")[0] == 0
    assert cli("check", *approve, "--by", "Ana")[0] == 2
    file = Path("workspace.yaml")
    file.write_text("approval: no-one\n")
    code, _, err = cli("check", *approve, "--by", "Ana")
    assert (code, "workspace.yaml:1" in err) == (2, True)
    file.write_text("approval: anyone\n")
    assert cli("check", *approve, "--by", "Ana")[0] == 0
    code, out, _ = cli("check")
    assert (code, "checked" in out) == (0, True)
    file.write_text("approval: yes-please\n")
    assert cli("check")[0] == 2
