"""The reference pages are what the code says, and the code says something of every field."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi.routing import APIRoute

from mitigations.cli.reference import commands_page, files_page, pages, web_page
from mitigations.cli.reference_verdicts import EXAMPLES, analysed
from mitigations.model import VerdictKind
from mitigations.web.app import make_app
from mitigations.web.guard import Hosts

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", sorted(pages()))
def test_a_reference_page_is_fresh(name):
    assert (DOCS / name).read_text(encoding="utf-8") == pages()[name], "run `make docs`"


def test_every_option_says_what_it_does():
    rows = re.findall(r"^\| (`[^|]+`) \| ([^|]*) \|", commands_page(), re.MULTILINE)
    assert len(rows) > 60
    assert [name for name, does in rows if not does.strip()] == []


def flat(routes: Iterable[Any]) -> Iterator[APIRoute]:
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        yield from flat(getattr(getattr(route, "original_router", None), "routes", ()))


def test_every_page_of_the_service_is_there_and_says_what_it_does():
    """Against the table of the whole application, wherever a route was added."""
    app = make_app(SimpleNamespace(access=None, memo=SimpleNamespace(forget=None)), Hosts.of([]))
    served = {(one.path, method) for one in flat(app.routes) for method in one.methods}
    pages = {one for one in served if not one[0].startswith(("/api/", "/static/"))}
    rows = re.findall(r"^\| `([^`]+)` \| (\w+) \| [^|]+ \| ([^|]*) \|$", web_page(), re.MULTILINE)
    assert {(path, method) for path, method, _ in rows} == pages - {("/openapi.json", "GET")}
    assert [path for path, _, does in rows if not does.strip()] == []


def test_every_key_of_a_study_says_what_it_does():
    study = files_page().partition("## A variant's front matter")[0]
    rows = re.findall(r"^\| (`\w+`) \|.*\| ([^|]*) \|$", study, re.MULTILINE)
    assert len(rows) > 30
    assert [name for name, note in rows if not note.strip()] == []


def test_the_verdict_page_shows_every_verdict():
    shown = {analysed(example).comparisons[0].verdict.kind for example in EXAMPLES}
    assert shown == set(VerdictKind)
