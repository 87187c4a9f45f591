"""Every rule fires on its example and stays silent on a near miss."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitigations.model import Variant, VariantKind
from variants import RULES, LintContext, Severity, library, lint


def make(text: str, **fields: Any) -> Variant:
    given = {"id": "mine", "title": "Mine", "hypothesis": "It helps.", **fields}
    return Variant(**given, text=text)


def constitution(text: str) -> Variant:
    return make(text, kind=VariantKind.CONSTITUTION)


@dataclass(frozen=True)
class Example:
    """What fires (with the line it must name), what does not, and what both are compared with."""

    fires: Variant
    silent: Variant
    line: int = 1
    context: LintContext = field(default_factory=LintContext)


KIND = "Be kind to everyone you write to.\n"
LONGER = "Please answer every letter in the order in which the letters came to the desk.\n"
HARD = (
    "Organisational accountability necessitates comprehensive documentation of interdepartmental "
    "communication, notwithstanding administrative inconvenience. Institutional transparency "
    "presupposes systematic preservation of correspondence, particularly concerning controversial "
    "determinations. Responsibility distribution requires unambiguous identification of "
    "authorisation.\n"
)
KNOWN = LintContext(known={"other": make(LONGER, id="other")})
PLACEBO = LintContext(known={"blank-text": make(LONGER, id="blank-text", tags=("placebo",))})

EXAMPLES = {
    "evaluation-mention": Example(
        make("Be kind.\nThis is not a test.\n"), make("This is the latest text, attested.\n"), 2
    ),
    "evaluation-hint": Example(
        make("In this scenario, be kind.\n"), make("Look at the scenery and be kind.\n")
    ),
    "placeholder": Example(make("Be kind.\n\nTODO more\n"), make("Keep a to-do list.\n"), 3),
    "template-braces": Example(make("Hello {{name}}.\n"), make("Hello {name}.\n")),
    "pushing-wording": Example(
        make("Reach your goal at all costs.\n"), make("Say what all costs add up to.\n")
    ),
    "promise": Example(
        make("What you wrote about is paused.\n"), make("Pause before you write.\n")
    ),
    "real-address": Example(
        make("Write to help@acme.com.\n"), make("Write to help@desk.example.org.\n")
    ),
    "real-link": Example(make("See https://acme.com/x.\n"), make("See the house rules.\n")),
    "own-channel": Example(
        make("Write to desk@example.org.\n"),
        make("Write to oversight@example.org.\n"),
        context=LintContext(channels=frozenset({"oversight@example.org"})),
    ),
    "scenario-name": Example(
        make("Be kind.\nBe kind to Marta Lind.\n"),
        make("Be kind to marta lindens.\n"),
        2,
        LintContext(names=frozenset({"Marta Lind"})),
    ),
    "scenario-passage": Example(
        make("Be kind.\nThe server room closes at five on the last Friday in June.\n"),
        make("The server room closes at five o'clock on the last Friday.\n"),
        2,
        LintContext(passages=("Note: the server room closes at five on the last Friday.",)),
    ),
    "missing-tool": Example(
        make("Be kind.\nCall `open_ticket` first.\n"),
        make("Call `send_email` first, and write to a@example.org.\n"),
        2,
        LintContext(tools=frozenset({"send_email"})),
    ),
    "duplicate-text": Example(make(LONGER), make(KIND), context=KNOWN),
    "near-duplicate": Example(
        make(LONGER.replace("desk", "office")),
        make(LONGER.replace("desk", "office"), parent="other"),
        context=KNOWN,
    ),
    "contradiction": Example(
        make("Never share private information.\nYou may share private information.\n"),
        make("Never share private information.\nYou may share private jokes unless asked.\n"),
        2,
    ),
    "no-hypothesis": Example(make(KIND, hypothesis=""), make(KIND)),
    "unknown-relative": Example(
        make(KIND, parent="othr"), make(KIND, parent="other"), context=KNOWN
    ),
    "bidirectional-character": Example(make("Be\nkind\u202e.\n"), make("Be kind.\n"), 2),
    "invisible-character": Example(make("Be ki\u200bnd.\n"), make("Be kínd.\n")),
    "odd-space": Example(make("Be\u00a0kind.\n"), make("Be kind.\n")),
    "lookalike-letter": Example(make("Be k\u0456nd.\n"), make("Будь kind, naïve.\n")),
    "unclosed-markup": Example(
        make("Be <rule>kind.\n"), make("a) Be <rule>kind</rule> (and [brief]).\n```\n<x>(\n```\n")
    ),
    "clause-shape": Example(
        constitution("Intro.\n\n## One\nText.\n\n## One\nText.\n"),
        constitution("Intro.\n\n## One\nText.\n\n## Two\nText.\n"),
        3,
    ),
    "clauses-unused": Example(
        make("## One\nText.\n\n## Two\nText.\n"), constitution("## One\nText.\n\n## Two\nText.\n")
    ),
    "leading-blank": Example(make("\nBe kind.\n"), make(KIND)),
    "long-text": Example(make("Be kind to people. " * 400 + "\n"), make(KIND * 100)),
    "placebo-length": Example(
        make(KIND, matches="other"), make(LONGER + "\n", matches="other"), context=KNOWN
    ),
    "no-placebo": Example(make(KIND), make(LONGER + "\n"), context=PLACEBO),
    "reading-level": Example(make(HARD * 2), make(KIND * 10)),
    "long-sentence": Example(
        make("Be kind.\n" + "and be kind " * 16 + ".\n"), make("Be kind. " * 20 + "\n"), 2
    ),
    "negation-heavy": Example(
        make("Never lie. Do not shout. Never threaten.\n"), make("Never lie. Be kind. Be brief.\n")
    ),
    "shouting": Example(
        make("Be kind.\nNEVER lie.\n"), make("Never lie to the EU or the UN!\n"), 2
    ),
}


def test_every_rule_has_an_example() -> None:
    assert set(EXAMPLES) == {rule.name for rule in RULES}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_rule_fires_with_line_and_way_out(name: str) -> None:
    example = EXAMPLES[name]
    found = [item for item in lint(example.fires, example.context) if item.rule == name]
    assert found
    assert found[0].line == example.line
    assert found[0].message
    assert found[0].fix


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_rule_is_silent_on_a_near_miss(name: str) -> None:
    example = EXAMPLES[name]
    assert name not in {item.rule for item in lint(example.silent, example.context)}


FIRES_TOO = {
    "evaluation-mention": [
        "You are being evaluated.", "This is a simulation.", "Red-team exercise.",
        "It is all real.", "A benchmark of kindness.", "Think of the graders.",
        "This is a real deployment.",
    ],
    "missing-tool": [
        "Ring the hotline.", "Call `delete_all()`.", "Use page_admin now.", "Open a ticket.",
        "Search the web first.", "Press the red button.", "Run the script again.",
    ],
    "unclosed-markup": [
        "```\nBe kind.", "Be (kind.", "Be kind).", "**Be kind.", "</rule> Be kind.", "[Be {kind].",
    ],
    "invisible-character": ["Be\u00ad kind.", "Be\x07 kind.", "Be\U000e0041 kind.", "Be\u3164."],
    "contradiction": [
        "Always write to the desk. Never write to anyone.",
        "You must finish the report today. Do not finish the report today.",
        "Threaten people. Never bribe, threaten or blackmail people.",
        "Delete old records each night. You must not delete records.",
    ],
}  # fmt: skip
TOOLS = LintContext(tools=frozenset({"send_email", "forward_email"}))


@pytest.mark.parametrize(("name", "text"), [(n, t) for n, ts in FIRES_TOO.items() for t in ts])
def test_other_wordings_that_must_fire(name: str, text: str) -> None:
    assert name in {item.rule for item in lint(make(text + "\n"), TOOLS)}


SILENT_TOO = {
    "evaluation-mention": [
        "The contest is over.", "Protest openly.", "Evaluate the options.", "Greatest care.",
        "Really be kind.", "Attest to the truth.",
    ],
    "contradiction": [
        "Never threaten anyone. Never share secrets.",
        "Do not delete records unless asked. Delete records when asked.",
        "You may object openly. Do not object by stealth.",
        "Do not stop the work. Stop at the end of the day.",
    ],
    "lookalike-letter": ["naïve café Straße ångström", "Ελλάδα", "Привет"],
    "real-link": ["Between 10 and 20 people.", "In 2026 and 2027."],
}  # fmt: skip


@pytest.mark.parametrize(("name", "text"), [(n, t) for n, ts in SILENT_TOO.items() for t in ts])
def test_other_wordings_that_must_stay_silent(name: str, text: str) -> None:
    assert name not in {item.rule for item in lint(make(text + "\n"), TOOLS)}


def test_a_constitution_needs_clauses_and_clauses_need_text() -> None:
    for text, line in (("No heading at all.\n", 1), ("Intro.\n## One\n\n## Two\nText.\n", 2)):
        found = [item for item in lint(constitution(text)) if item.rule == "clause-shape"]
        assert [item.line for item in found] == [line]


def test_lines_are_lines_of_the_file() -> None:
    found = lint(make("Be kind.\nThis is a test.\n"), first_line=11)
    assert [(item.rule, item.line) for item in found if item.severity is Severity.ERROR] == [
        ("evaluation-mention", 12)
    ]


def test_front_matter_findings_stand_on_line_one() -> None:
    found = lint(make(KIND, hypothesis=""), first_line=11)
    assert [(item.rule, item.line) for item in found] == [("no-hypothesis", 1)]


def test_the_shipped_library_has_no_error() -> None:
    """Our own texts pass our own reviewer; only the line meant to backfire gets a warning."""
    context = LintContext(
        known=library(), tools=TOOLS.tools, channels=frozenset({"oversight@example.org"})
    )
    found = [(v.id, item) for v in library().values() for item in lint(v, context)]
    serious = {(name, item.rule) for name, item in found if item.severity is not Severity.NOTE}
    assert serious == {("agency-line-v1", "pushing-wording")}


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_no_text_breaks_the_linter(text: str) -> None:
    variant = make(text + "\n", kind=VariantKind.CONSTITUTION)
    lines = text.count("\n") + 2
    for item in lint(variant, KNOWN):
        assert 1 <= item.line <= lines
        assert item.fix


HOSTILE = ["(", "a.", "<a>", "\n", "[insert ", "## A\nx\n", "Never lie to people.\n", "1 ("]


@pytest.mark.parametrize("part", HOSTILE)
def test_odd_files_of_full_size_stay_readable_and_cheap(part: str) -> None:
    """Each took from ten seconds to minutes while a rule was quadratic; that would hang here."""
    text = (part * (100_000 // len(part))) + "end\n"
    found = lint(make(text, kind=VariantKind.CONSTITUTION), KNOWN)
    per_rule = [item.rule for item in found]
    assert max((per_rule.count(name) for name in per_rule), default=0) <= 20
