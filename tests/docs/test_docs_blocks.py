"""Every code block of every page runs, is read by what reads such a file, or says why not."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer.main
import yaml

from mitigations.cli.app import _globals_first, app
from mitigations.compose.exchange.mapping import MappingFile
from mitigations.compose.workspace import WorkspaceFile
from mitigations.files import parse_yaml, validate
from mitigations.providers import ProvidersFile
from mitigations.study import parse_study
from tests.docs.blocks import PAGES, ROOT, STUDY, Block, blocks, call, commands, edit, ours, play
from tests.exchange.promptfoo_help import CONFIG, result
from variants import parse_variant

BLOCKS = [block for page in PAGES for block in blocks(page)]
RUN_PAGES = [
    page
    for page in PAGES
    if any(not block.language and block.mark != "not run" for block in blocks(page))
]
ELSEWHERE = {
    ("scenarios.md", "yaml"): "tests/scenarios/test_scenarios_docs.py",
    ("judges.md", "markdown"): "tests/runner/test_runner_judge.py",
    ("variants.md", "markdown"): "tests/variants/test_variants_docs.py",
}
"""Blocks that another test reads or runs."""
FIRST = (ROOT / "mitigations" / "workspace" / "studies" / "first.yaml").read_text()


def name(block: Block) -> str:
    return f"{block.page}:{block.line}"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A workspace with a small run, as the how-to pages suppose it."""
    folder = tmp_path_factory.mktemp("docs") / "team"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder.parent)
        assert call(["init", "team"])[0] == 0
        patch.chdir(folder)
        edit(folder)
        first = Path("studies/first.yaml").read_text()
        Path("studies/first.yaml").write_text(first.replace("study: first", f"study: {STUDY}"))
        ours_only = re.sub("variants: .*", "variants: [our-channel-v1]", first)
        paid = "models: [simulated/published, openai/gpt-5-mini-2025-08-07]\nbudget_usd: 25"
        autumn = re.sub("(?m)^models: .*", paid, ours_only).replace("study: first", "study: autumn")
        Path("studies/autumn.yaml").write_text(autumn)
        Path("studies/weekly.yaml").write_text(first.replace("study: first", "study: weekly"))
        assert call(["new", "our-channel-v1", "--from", "escalation-channel-v1"])[0] == 0
        with Path("variants/our-channel-v1.md").open("a") as file:
            file.write("A person answers within the hour.\n")
        edit(folder)
        for words in (["plan", "studies/first.yaml"], ["run", "studies/first.lock"]):
            assert call(words)[0] == 0
    return folder


@pytest.mark.parametrize("block", [b for b in BLOCKS if not b.language], ids=name)
def test_every_command_line_is_one_that_the_program_takes(block):
    group = typer.main.get_command(app)
    for words in commands(block):
        arguments = ours(words)
        if arguments is None or "..." in arguments:
            continue
        rest = _globals_first(arguments)
        with group.make_context("mitigations", rest, resilient_parsing=False) as context:
            command, left = group, [*context._protected_args, *context.args]
            while left and getattr(command, "commands", None):
                command, left = command.commands[left[0]], left[1:]
        if command is not group:
            command.make_context("x", left)


@pytest.mark.parametrize("page", RUN_PAGES, ids=lambda page: page.name)
def test_the_commands_of_a_page_run_in_their_order(page, finished, tmp_path, monkeypatch):
    here = tmp_path / "here"
    shutil.copytree(finished, here) if page.name not in FRESH else here.mkdir()
    shutil.copytree(ROOT / "docs" / "examples", here / "docs" / "examples")
    monkeypatch.chdir(here)
    monkeypatch.setattr(os, "environ", {**os.environ, "MITIGATIONS_DB": "mitigations.duckdb"})
    if page.name in SUPPOSES:
        SUPPOSES[page.name](here)
    for block in blocks(page):
        if block.mark == "file":
            Path(block.note).write_text(block.text)
            edit(Path())
        elif not block.language and block.mark != "not run" and not is_data(block):
            play(block)


def of_other_tools(here: Path) -> None:
    """Logs of Inspect, a config and results of promptfoo."""
    tests = ROOT / "tests" / "exchange"
    shutil.copytree(tests / "agentic_misalignment", here / "logs", ignore=IGNORE)
    (here / "promptfooconfig.yaml").write_text(CONFIG)
    kinds = ((0, 0), (0, 1), (1, 0), (1, 1))
    found = [result(prompt, test, passed=bool(test)) for prompt, test in kinds]
    (here / "out.json").write_text(json.dumps({"results": {"results": found}}))


def a_repository(here: Path) -> None:
    """A study under version control, with the signature of its lock beside it."""
    (here / "autumn.lock.sig").write_text("signed")
    for words in (
        ["init", "-q"],
        ["config", "user.name", "Ana"],
        ["config", "user.email", "a@b.c"],
    ):
        subprocess.run(["git", *words], cwd=here, check=True)


IGNORE = shutil.ignore_patterns("*.md")
SUPPOSES = {"exchange.md": of_other_tools, "proposing.md": a_repository}
"""What else a page takes as given."""
FRESH = {"README.md", "tutorial.md"}
"""Pages that start from nothing."""


def is_data(block: Block) -> bool:
    """A block without language that shows a file or a diagram: named by its page below."""
    return (block.page, block.text.split("\n", 1)[0][:20]) in DATA


DATA = {
    ("analyze.md", "variant,scenario,mod"),
    ("architecture.md", "variants/library/*.m"),
    ("architecture.md", "a due slot --compose"),
}


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.mark == "not run"], ids=name)
def test_a_block_that_is_not_run_says_why(block):
    assert len(block.note.split()) >= 3


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language], ids=name)
def test_a_block_of_a_file_is_read_by_what_reads_such_files(block, finished, monkeypatch):
    if block.mark == "not run" or (block.page, block.language) in ELSEWHERE:
        return
    if block.language == "yaml":
        read_yaml(block.text)
    elif block.language == "markdown":
        parse_variant(block.text, block.note)
    elif block.language == "python":
        monkeypatch.chdir(finished)
        exec(compile(block.text, name(block), "exec"), {})
    else:
        pytest.fail(f"{name(block)}: nothing here reads {block.language}; mark it `not run`")


def read_yaml(text: str) -> None:
    """As the program reads it: by the model of the file that it is, or as part of a study."""
    doc = parse_yaml(text, "page")
    keys = set(yaml.safe_load(text))
    if "providers" in keys:
        validate(ProvidersFile, doc, what="a providers file")
    elif "approval" in keys:
        validate(WorkspaceFile, doc, what="a workspace file")
    elif "score" in keys:
        validate(MappingFile, doc, what="a mapping")
    elif "study" in keys:
        parse_study(text)
    else:
        parse_study(re.sub(rf"^(?:{'|'.join(keys)}):.*\n", "", FIRST, flags=re.MULTILINE) + text)


def test_the_pages_that_other_tests_read_are_read_there():
    for (page, _), test in ELSEWHERE.items():
        assert re.search(page.removesuffix(".md"), (ROOT / test).read_text()), (page, test)


def test_the_index_names_every_page():
    index = (ROOT / "docs" / "README.md").read_text()
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {page for page in pages if f"]({page}" not in index} == set()


def test_the_architecture_page_names_every_package():
    page = (ROOT / "docs" / "architecture.md").read_text()
    folders = {path.parent.name for path in (ROOT / "mitigations").glob("*/__init__.py")}
    assert {
        name for name in folders if f"mitigations.{name}" not in page.replace("/", ".")
    } == set()


def test_there_are_blocks_to_hold():
    assert len(BLOCKS) > 40
