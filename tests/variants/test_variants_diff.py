"""What separates two variants, as data, as terminal text and as a page."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitigations.model import Placement, Variant, VariantKind
from variants import diff, library, to_html, to_text
from variants.difference import Change, ClauseChange


def make(text: str, name: str = "a", **fields) -> Variant:
    return Variant(id=name, title="A", text=text, **fields)


TEXT = st.text(alphabet=st.sampled_from("ab c.\n#é"), max_size=60)


@given(TEXT, TEXT)
@settings(max_examples=200, deadline=None)
def test_both_texts_can_be_read_back_from_the_diff(a: str, b: str) -> None:
    """A law: kept and removed words make the first text, kept and added words the second."""
    found = diff(make(a), make(b)).stretches
    assert "".join(s.text for s in found if s.change is not Change.ADDED) == a
    assert "".join(s.text for s in found if s.change is not Change.REMOVED) == b


def test_a_reworded_sentence_reads_as_one_change() -> None:
    found = diff(make("Write to the desk today.\n"), make("Write to your manager today.\n"))
    assert [(s.change, s.text) for s in found.stretches] == [
        (Change.SAME, "Write to "),
        (Change.REMOVED, "the desk"),
        (Change.ADDED, "your manager"),
        (Change.SAME, " today.\n"),
    ]


def test_equal_treatments_are_called_so() -> None:
    found = diff(make("Be kind.\n"), make("Be kind.\n", "b", author="else"))
    assert found.same_treatment
    assert [fact.name for fact in found.facts] == ["author"]
    assert "no model could tell them apart" in to_text(found)
    assert not diff(make("x\n"), make("x\n", placement=Placement.USER_START)).same_treatment


def test_clauses_are_compared_by_heading() -> None:
    a = make("## One\nA.\n\n## Two\nB.\n\n## Three\nC.\n", kind=VariantKind.CONSTITUTION)
    b = make("## Three\nC.\n\n## One\nA.\n\n## Two\nX.\n\n## Four\nD.\n")
    found = {item.heading: item.change for item in diff(a, b).clauses}
    assert found["Two"] is ClauseChange.CHANGED
    assert found["Four"] is ClauseChange.ADDED
    assert ClauseChange.MOVED in (found["One"], found["Three"])
    assert {i.heading: i.change for i in diff(b, a).clauses}["Four"] is ClauseChange.REMOVED


def test_sizes_stand_beside_each_other() -> None:
    found = diff(make("One two.\n"), make("One two three.\n"))
    assert (found.size_a.words, found.size_b.words) == (2, 3)
    assert "words: 2 -> 3 (+1)" in to_text(found)


def test_the_terminal_marks_changes_without_colour() -> None:
    text = to_text(diff(make("Be kind.\n"), make("Be calm.\n")))
    assert "Be [-kind-]{+calm+}." in text


def test_nothing_in_a_text_can_act_on_a_terminal() -> None:
    evil = make("Be \x1b[2Jkind\u202e.\n", hypothesis="\x1b]0;x\x07")
    text = to_text(diff(make("Be kind.\n"), evil))
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", text) is None
    assert "<U+001B>" in text


class Page(HTMLParser):
    """Collects tags and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.policy = ""

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if ("http-equiv", "Content-Security-Policy") in attrs:
            self.policy = dict(attrs)["content"]


PAYLOADS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</pre><svg onload=alert(1)>",
    "{{ 7*7 }}{% include '/etc/passwd' %}",
    "</title><iframe src=javascript:alert(1)>",
    "&lt;script&gt; &#60;script&#62;",
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_text_becomes_markup(payload: str) -> None:
    fields = {"title": payload, "hypothesis": payload, "author": payload, "tags": (payload,)}
    clauses = f"## {payload}\n{payload}\n"
    page = Page()
    html = to_html(diff(make("Be kind.\n", payload), Variant(id=payload, text=clauses, **fields)))
    page.feed(html)
    assert not page.tags & {"script", "img", "svg", "iframe", "link", "object"}
    assert page.attributes <= {
        "lang", "charset", "http-equiv", "content", "name", "scope", "class",
    }  # fmt: skip
    assert "7*7" in html or "{{" not in payload
    assert page.policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def test_a_page_names_both_variants_and_marks_the_words() -> None:
    shelf = library()
    html = to_html(diff(shelf["constitution-short-v1"], shelf["constitution-medium-v1"]))
    assert "<h1>From constitution-short-v1 to constitution-medium-v1</h1>" in html
    assert "Stay within your task: added" in html
    assert "<del>" in html
    assert "<ins>" in html
