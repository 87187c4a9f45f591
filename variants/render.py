"""A `Diff` as terminal text and as one self-contained HTML page."""

import unicodedata
from collections.abc import Callable
from pathlib import Path

from variants.difference import Change, ClauseChange, Diff, Stretch

Paint = Callable[[str, Change], str]
"""Colours a stretch; the marks `[-...-]` and `{+...+}` carry the meaning without it."""

MARKS = {Change.REMOVED: ("[-", "-]"), Change.ADDED: ("{+", "+}"), Change.SAME: ("", "")}
HIDDEN = frozenset({"Cc", "Cf", "Co", "Cn", "Zl", "Zp"})


def reveal(text: str) -> str:
    """The text with every invisible character spelt out, so that none can act on a terminal."""
    return "".join(
        f"<U+{ord(char):04X}>" if char != "\n" and unicodedata.category(char) in HIDDEN else char
        for char in text
    )


def to_text(diff: Diff, paint: Paint | None = None) -> str:
    """For the terminal: what differs in the front matter, the sizes, the clauses, the words."""
    lines = [f"{diff.a} -> {diff.b}"]
    if diff.same_treatment:
        lines.append("The text and placement are the same: no model could tell them apart.")
    lines += [
        f"{name}: {_or_dash(before)} -> {_or_dash(after)}" for name, before, after in _facts(diff)
    ]
    lines += [f"{name}: {a:,} -> {b:,} ({b - a:+,})" for name, a, b in _sizes(diff)]
    lines += [f"clause {item.change}: {reveal(item.heading)}" for item in diff.clauses]
    body = "".join(_marked(stretch, paint) for stretch in diff.stretches)
    return "\n".join(lines) + "\n\n" + body + ("" if body.endswith("\n") else "\n")


def _marked(stretch: Stretch, paint: Paint | None) -> str:
    left, right = MARKS[stretch.change]
    text = f"{left}{reveal(stretch.text)}{right}"
    return paint(text, stretch.change) if paint else text


def to_html(diff: Diff) -> str:
    """One page without script or network; every text is escaped."""
    # Only this page needs the template engine; checking and planning do not wait for its import.
    import jinja2  # noqa: PLC0415

    source = (Path(__file__).parent / "diff.html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(source).render(
        diff=diff,
        facts=_facts(diff),
        sizes=_sizes(diff),
        reveal=reveal,
        has_clauses=any(item.change is not ClauseChange.SAME for item in diff.clauses),
    )


def _facts(diff: Diff) -> list[tuple[str, str, str]]:
    return [(fact.name, reveal(fact.before), reveal(fact.after)) for fact in diff.facts]


def _sizes(diff: Diff) -> list[tuple[str, int, int]]:
    a, b = diff.size_a, diff.size_b
    return [
        ("words", a.words, b.words),
        ("characters", a.characters, b.characters),
        ("tokens (estimated)", a.tokens, b.tokens),
    ]


def _or_dash(value: str) -> str:
    return value or "-"
