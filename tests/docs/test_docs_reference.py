"""The reference pages are what the code says, and the code says something of every field."""

import re
from pathlib import Path

import pytest

from mitigations.cli.reference import commands_page, files_page, pages
from mitigations.cli.reference_verdicts import EXAMPLES, analysed
from mitigations.model import VerdictKind

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", sorted(pages()))
def test_a_reference_page_is_fresh(name):
    assert (DOCS / name).read_text(encoding="utf-8") == pages()[name], "run `make docs`"


def test_every_option_says_what_it_does():
    rows = re.findall(r"^\| (`[^|]+`) \| ([^|]*) \|", commands_page(), re.MULTILINE)
    assert len(rows) > 60
    assert [name for name, does in rows if not does.strip()] == []


def test_every_key_of_a_study_says_what_it_does():
    study = files_page().partition("## A variant's front matter")[0]
    rows = re.findall(r"^\| (`\w+`) \|.*\| ([^|]*) \|$", study, re.MULTILINE)
    assert len(rows) > 30
    assert [name for name, note in rows if not note.strip()] == []


def test_the_verdict_page_shows_every_verdict():
    shown = {analysed(example).comparisons[0].verdict.kind for example in EXAMPLES}
    assert shown == set(VerdictKind)
