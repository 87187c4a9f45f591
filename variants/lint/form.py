"""Rules about characters, markup and clauses: what a text looks like to a tokeniser."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator

from mitigations.model import Variant, VariantKind
from variants.lint.base import Hit, LintContext, Severity, line_of, rule

BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
INVISIBLE = frozenset({"Cc", "Cf", "Co", "Cn", "Zl", "Zp"})
# Letters that draw nothing although Unicode counts them as letters or marks.
BLANK = frozenset("\u115f\u1160\u3164\uffa0\u034f\u17b4\u17b5\u2800") | {
    chr(code) for code in (*range(0xFE00, 0xFE10), *range(0x180B, 0x1810))
}
SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC")
TAG = re.compile(r"<(/?)([A-Za-z][\w:-]*)(?:\s[^<>]*)?(/?)>")
PAIRS = {")": "(", "]": "[", "}": "{"}
ENUMERATOR = re.compile(r"^[ \t]*(?:\(?[A-Za-z]|\(?[ivxIVX]{1,4}|\(?\d{1,3})\)", re.MULTILINE)
FENCED = re.compile(r"^ {0,3}(```+|~~~+)")


def _code(char: str) -> str:
    return f"U+{ord(char):04X} {unicodedata.name(char, 'unnamed')}"


def _first_of_each(text: str, wanted: frozenset[str]) -> Iterator[tuple[int, str]]:
    for char in sorted(wanted & set(text), key=text.index):
        yield line_of(text, text.index(char)), char


@rule(
    Severity.ERROR,
    "Characters that reorder text: reviewers would read another sentence than the model.",
)
def bidirectional_character(variant: Variant, _: LintContext) -> Iterator[Hit]:
    """Directional marks, embeddings, overrides and isolates."""
    for line, char in _first_of_each(variant.text, BIDI):
        yield Hit(line, f"{_code(char)} reorders the text", "Delete it.")


@rule(Severity.ERROR, "Characters nobody sees but a model reads: reviewers approve another text.")
def invisible_character(variant: Variant, _: LintContext) -> Iterator[Hit]:
    """Controls, format characters, private use, unassigned, blank letters."""
    hidden = {
        char
        for char in set(variant.text) - BIDI - {"\n"}
        if unicodedata.category(char) in INVISIBLE or char in BLANK
    }
    for line, char in _first_of_each(variant.text, frozenset(hidden)):
        yield Hit(line, f"{_code(char)} is invisible", "Delete it, or use an ordinary space.")


@rule(Severity.WARNING, "Spaces other than the ordinary one: they change tokens, not the look.")
def odd_space(variant: Variant, _: LintContext) -> Iterator[Hit]:
    """No-break, thin and other spaces."""
    odd = {c for c in set(variant.text) - {" "} if unicodedata.category(c) == "Zs"}
    for line, char in _first_of_each(variant.text, frozenset(odd)):
        yield Hit(line, f"{_code(char)} looks like an ordinary space", "Use an ordinary space.")


@rule(Severity.ERROR, "A word of letters from two alphabets: a lookalike letter is hidden in it.")
def lookalike_letter(variant: Variant, _: LintContext) -> Iterator[Hit]:
    """Latin mixed with Cyrillic, Greek and others."""
    for match in re.finditer(r"[^\W\d_]+", variant.text):
        if match[0].isascii():
            continue
        found = {unicodedata.name(char, "").partition(" ")[0] for char in match[0]}
        if len(found.intersection(SCRIPTS)) > 1:
            fix = "Type the word again on one keyboard."
            yield Hit(line_of(variant.text, match.start()), f"{match[0]!r} mixes alphabets", fix)


@rule(Severity.WARNING, "Code fences, tags, brackets or bold marks that open and never close.")
def unclosed_markup(variant: Variant, _: LintContext) -> Iterator[Hit]:
    """Each kind is followed by line."""
    prose, open_fence = _outside_fences(variant.text)
    if open_fence:
        yield Hit(open_fence, "a code fence is never closed", "Close it with the same marks.")
    yield from _tags(prose)
    yield from _brackets(TAG.sub("", ENUMERATOR.sub("", prose)))
    for number, paragraph in _paragraphs(prose):
        if paragraph.count("**") % 2:
            yield Hit(number, "bold `**` is never closed", "Add the closing `**`.")


def _outside_fences(text: str) -> tuple[str, int]:
    """The text with fenced lines blanked, and the line of a fence that stays open (0: none)."""
    lines, mark, opened = [], "", 0
    for number, line in enumerate(text.split("\n"), 1):
        fence = FENCED.match(line)
        if fence and not mark:
            mark, opened = fence[1], number
        elif mark and fence and fence[1].startswith(mark):
            mark = ""
        elif not mark:
            lines.append(line)
            continue
        lines.append("")
    return "\n".join(lines), opened if mark else 0


def _tags(text: str) -> Iterator[Hit]:
    stack: list[tuple[str, int]] = []
    is_open: Counter[str] = Counter()
    for match in TAG.finditer(text):
        closing, name, empty = match[1], match[2].lower(), match[3]
        if empty or name in {"br", "hr"}:
            continue
        if not closing:
            stack.append((name, match.start()))
            is_open[name] += 1
        elif is_open[name]:
            while stack[-1][0] != name:
                inner, offset = stack.pop()
                is_open[inner] -= 1
                yield _unclosed(inner, line_of(text, offset))
            stack.pop()
            is_open[name] -= 1
        else:
            line = line_of(text, match.start())
            yield Hit(line, f"</{name}> closes nothing", "Open the tag or delete it.")
    for name, offset in stack:
        yield _unclosed(name, line_of(text, offset))


def _unclosed(name: str, line: int) -> Hit:
    return Hit(line, f"<{name}> is never closed", f"Add </{name}> or delete the tag.")


def _brackets(text: str) -> Iterator[Hit]:
    stack: list[tuple[str, int]] = []
    for offset, char in enumerate(text):
        if char in PAIRS.values():
            stack.append((char, offset))
        elif char in PAIRS:
            if stack and stack[-1][0] == PAIRS[char]:
                stack.pop()
            else:
                line = line_of(text, offset)
                yield Hit(line, f"{char!r} closes nothing", "Delete it or open the bracket.")
    for char, offset in stack:
        fix = "Close the bracket or delete it."
        yield Hit(line_of(text, offset), f"{char!r} is never closed", fix)


def _paragraphs(text: str) -> Iterator[tuple[int, str]]:
    line = 1
    for part in text.split("\n\n"):
        yield line, part
        line += part.count("\n") + 2


@rule(
    Severity.ERROR,
    "A constitution without `##` clauses, with a heading twice or a clause without "
    "text: clauses could not be told apart or switched off one by one.",
)
def clause_shape(variant: Variant, _: LintContext) -> Iterator[Hit]:
    """Only constitutions have clauses."""
    if variant.kind is not VariantKind.CONSTITUTION or not variant.text:
        return
    if not variant.clauses and not variant.clauses_off:
        yield Hit(1, "a constitution has no clause", "Add `## headings`, or use system-prompt.")
    counts = Counter(clause.heading for clause in variant.clauses)
    for clause in variant.clauses:
        line = _heading_line(variant.text, clause.heading)
        if not clause.text.strip():
            yield Hit(line, f"clause {clause.heading!r} has no text", "Write it or cut it.")
        if counts.pop(clause.heading, 1) > 1:
            yield Hit(line, f"two clauses are called {clause.heading!r}", "Rename one of them.")


def _heading_line(text: str, heading: str) -> int:
    found = re.search(rf"^## +{re.escape(heading)} *$", text, re.MULTILINE)
    return line_of(text, found.start()) if found else 1


@rule(Severity.NOTE, "A system prompt with `##` headings: as a constitution it could be ablated.")
def clauses_unused(variant: Variant, _: LintContext) -> Iterator[Hit]:
    """Headings that are not yet clauses."""
    if variant.kind is VariantKind.SYSTEM_PROMPT and len(variant.clauses) > 1:
        line = _heading_line(variant.text, variant.clauses[0].heading)
        fix = "Write `kind: constitution` to study its clauses one by one."
        yield Hit(line, f"{len(variant.clauses)} headings are not clauses yet", fix)


@rule(Severity.NOTE, "An empty line before the text is part of the treatment and of its hash.")
def leading_blank(variant: Variant, _: LintContext) -> Iterator[Hit]:
    """Blank lines at the top."""
    if variant.text.startswith("\n"):
        fix = "Start the text on the line after `---`."
        yield Hit(1, "the text starts with an empty line", fix)


RULES = (
    bidirectional_character,
    invisible_character,
    odd_space,
    lookalike_letter,
    unclosed_markup,
    clause_shape,
    clauses_unused,
    leading_blank,
)
