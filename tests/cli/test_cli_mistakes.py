"""What a new user gets wrong: each answer names the file, and what to type instead."""

from pathlib import Path

import pytest

from mitigations.cli.app import run


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new workspace as the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MITIGATIONS_DB", raising=False)
    assert run(["init", "team", "-q"]) == 0
    monkeypatch.chdir(tmp_path / "team")
    return tmp_path / "team"


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a refused command says: one to three lines, and exit code 2."""
    capsys.readouterr()
    assert run(arguments) == 2
    text = capsys.readouterr().err
    assert text.startswith("mitigations: ")
    assert 1 <= len(text.splitlines()) <= 3, text
    return text


@pytest.mark.usefixtures("team")
def test_a_name_with_a_typo_is_answered_with_the_nearest(capsys):
    assert "Did you mean studies/first.yaml?" in said(capsys, "plan", "studies/frist.yaml")
    assert "In studies: first.yaml, real-models.yaml" in said(capsys, "plan", "studies/x.yaml")


@pytest.mark.usefixtures("team")
def test_a_lock_that_was_not_made_yet_names_the_command_that_makes_it(capsys):
    told = said(capsys, "run", "studies/first.lock")
    assert "Lock the study first: mitigations plan studies/first.yaml" in told
    assert "ends in .lock" in said(capsys, "run", "studies/nothing.lock")


def test_the_wrong_folder_is_named(capsys, team, monkeypatch):
    monkeypatch.chdir(team.parent)
    told = said(capsys, "plan", "studies/first.yaml")
    assert f"There is no folder studies in {team.parent}: is this the workspace?" in told


def test_new_twice_says_how_to_copy_and_that_the_file_is_kept(capsys, team):
    assert run(["new", "mine-v1"]) == 0
    (team / "variants" / "mine-v1.md").write_text("mine")
    told = said(capsys, "new", "mine-v1")
    assert "Edit it, or copy it under another id: mitigations new ID --from mine-v1" in told
    assert (team / "variants" / "mine-v1.md").read_text() == "mine"
    told = said(capsys, "new", "prohibition-short-v1")
    assert "is a shipped variant\n  Copy it under another id: mitigations new ID --from" in told


@pytest.mark.usefixtures("team")
def test_a_workspace_made_inside_another_says_so(capsys):
    assert run(["init", "team"]) == 0
    assert "Note: this folder is a workspace too" in capsys.readouterr().out


@pytest.mark.usefixtures("team")
def test_a_template_that_was_not_filled_in_names_each_place(capsys):
    assert run(["new", "mine-v1"]) == 0
    capsys.readouterr()
    assert run(["check", "variants/mine-v1.md"]) == 2
    out = capsys.readouterr().out
    assert "hypothesis: the placeholder 'TODO' is still there" in out
    assert "author: the placeholder 'TODO' is still there" in out


@pytest.mark.usefixtures("team")
def test_a_variant_file_with_a_typo_is_answered_with_the_nearest(capsys):
    told = said(capsys, "check", "variants/kind-remindr-v1.md")
    assert "Did you mean variants/kind-reminder-v1.md?" in told
    told = said(capsys, "check", "kind-remindr-v1")
    assert "no file or variant 'kind-remindr-v1'; did you mean 'kind-reminder-v1'?" in told
