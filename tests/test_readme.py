"""The README promises commands and files: each exists."""

import re
from pathlib import Path

import pytest

from mitigations.cli.app import GROUPS, _commands
from mitigations.errors import MitigationsError
from mitigations.study import parse_study

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_command_a_page_names_exists(page: Path) -> None:
    named = set(re.findall(r"(?:^|`|&& |bin/)mitigations ([a-z]+)", page.read_text(), re.MULTILINE))
    known = {*_commands(), *GROUPS}
    assert named <= known, named - known


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_file_a_page_points_to_exists(page: Path) -> None:
    text = page.read_text()
    paths = set(
        re.findall(r"`((?:docs|tests|mitigations|stats|reports|runner|variants)/[\w./-]+)`", text)
    )
    paths |= set(re.findall(r"\]\((?!http|#|urn)([^)\s]+)\)", text))
    missing = {
        path
        for path in paths
        if not (ROOT / path).exists() and not (page.parent / path.partition("#")[0]).exists()
    }
    assert not {path for path in missing if "my-idea" not in path and "kind-escalation" not in path}


def test_no_page_names_a_place_of_one_machine() -> None:
    for page in PAGES:
        assert not re.search(r"/(?:home|work|root|Users)/", page.read_text()), page


def test_every_command_and_exit_code_is_documented() -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    named = {*_commands(), *GROUPS}
    assert {name for name in named if f"`mitigations {name}" not in page} == set()
    codes = {kind.exit_code for kind in _every_error(MitigationsError)}
    assert {code for code in codes if not re.search(rf"\b{code}\b", page)} == set()


def test_the_study_on_the_page_is_a_study() -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    (block,) = re.findall(r"```yaml\n(.+?)```", page, re.DOTALL)
    assert parse_study(block).id == "november-coercion"


def _every_error(kind: type[MitigationsError]) -> set[type[MitigationsError]]:
    return {kind}.union(*(_every_error(sub) for sub in kind.__subclasses__()))
