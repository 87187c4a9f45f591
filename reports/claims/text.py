"""Prose as sentences with their lines: Markdown in, one `Sentence` after another out."""

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One sentence as it stands in the file."""

    line: int
    text: str
    block: int = 0
    """Sentences of one paragraph share it."""


_FENCE = re.compile(r"^\s*(```|~~~)")
_STARTS = re.compile(r"^\s*(?:[-*+]\s+|\d+[.)]\s+|>\s?|#{1,6}\s+)")
_RULE = re.compile(r"^\s*(?:[-*_=]\s*){3,}$|^\s*\|?[\s:|-]+\|[\s:|-]*$")
# A full stop ends a sentence before a blank and a capital, a digit, a quote or a name in code;
# not after an initial or an abbreviation, nor inside a number.
_END = re.compile(r"(?<=[.!?])[\"'”’)\]*_]*\s+(?=[\"'“‘(\[*_`]*[A-Z0-9`])|(?<=[.!?])\s*\Z")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|no|fig|dr|mr|ms|al)|\b[A-Z])\.$", re.IGNORECASE
)


def sentences(markdown: str) -> Iterator[Sentence]:
    """Every sentence of the text; code blocks, comments and front matter are left out."""
    for place, block in enumerate(_blocks(markdown)):
        yield from _split(block, place)


def _blocks(markdown: str) -> Iterator[list[tuple[int, str]]]:
    """Lines that belong together: a paragraph, a list item, a heading, a row of a table."""
    block: list[tuple[int, str]] = []
    fenced, comment = False, False
    lines = markdown.splitlines()
    first = _after_front_matter(lines)
    for number, given in enumerate(lines[first:], start=first + 1):
        fence = bool(_FENCE.match(given))
        fenced = fenced != fence
        line = "" if fence else given
        comment = comment or line.lstrip().startswith("<!--")
        closes = comment and "-->" in line
        blank = fenced or comment or not line.strip() or bool(_RULE.match(line))
        comment = comment and not closes
        starts = bool(_STARTS.match(line)) or line.lstrip().startswith("|")
        if (blank or starts) and block:
            yield block
            block = []
        if not blank:
            block.append((number, _STARTS.sub("", line).strip()))
            if line.lstrip().startswith(("#", "|")):
                yield block
                block = []
    if block:
        yield block


def _after_front_matter(lines: list[str]) -> int:
    if lines and lines[0].strip() == "---" and "---" in (line.strip() for line in lines[1:]):
        return 2 + [line.strip() for line in lines[1:]].index("---")
    return 0


def _split(block: list[tuple[int, str]], place: int) -> Iterator[Sentence]:
    text = ""
    starts: list[tuple[int, int]] = []
    for number, line in block:
        starts.append((len(text), number))
        text += line + " "
    begin = 0
    for end in [match.end() for match in _END.finditer(text)] + [len(text)]:
        piece = text[begin:end]
        if _ABBREVIATION.search(piece.rstrip()) and end < len(text):
            continue
        if piece.strip():
            at = max(number for start, number in starts if start <= begin)
            yield Sentence(line=at, text=piece.strip(), block=place)
        begin = end
