"""Two variants side by side as data: words, clauses, length, placement."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

from mitigations.model import Variant
from variants.text import tokens, words

TOKEN = re.compile(r"\s+|\w+(?:['’-]\w+)*|[^\w\s]")
# Matching costs the product of the lengths, 0.6 s at worst here; a larger block is replaced whole.
MATCHABLE = 4_000_000
FACTS = ("title", "kind", "placement", "hypothesis", "author", "parent", "tags", "dose")


class Change(StrEnum):
    """What happened to a stretch of text, seen from the first variant."""

    SAME = "same"
    REMOVED = "removed"
    ADDED = "added"


class ClauseChange(StrEnum):
    """What happened to a clause; `moved`: same words, another place in the order."""

    SAME = "same"
    CHANGED = "changed"
    REMOVED = "removed"
    ADDED = "added"
    MOVED = "moved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A run of text with one fate."""

    change: Change
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClauseDiff:
    """One clause, by its heading."""

    heading: str
    change: ClauseChange


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How long a text is; tokens are estimated."""

    characters: int
    words: int
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A line of front matter that differs."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diff:
    """What separates variant `b` from variant `a`."""

    a: str
    b: str
    stretches: tuple[Stretch, ...]
    clauses: tuple[ClauseDiff, ...]
    size_a: Size
    size_b: Size
    facts: tuple[Fact, ...]
    same_treatment: bool
    """Same text and placement: no model could tell them apart."""


def diff(a: Variant, b: Variant) -> Diff:
    """Everything that differs between two variants. Swapping them swaps added and removed."""
    pairs = ((name, _shown(getattr(a, name)), _shown(getattr(b, name))) for name in FACTS)
    return Diff(
        a=a.id,
        b=b.id,
        stretches=tuple(_merged(_text_diff(a.text, b.text))),
        clauses=_clause_diff(a, b),
        size_a=_size(a.text),
        size_b=_size(b.text),
        facts=tuple(Fact(name=n, before=x, after=y) for n, x, y in pairs if x != y),
        same_treatment=a.treatment_hash == b.treatment_hash,
    )


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _size(text: str) -> Size:
    return Size(characters=len(text), words=len(words(text)), tokens=tokens(text))


def _text_diff(a: str, b: str) -> Iterator[Stretch]:
    """Lines first, then words inside the lines that changed."""
    old, new = a.splitlines(keepends=True), b.splitlines(keepends=True)
    if len(old) * len(new) > MATCHABLE:
        yield from _replaced(a, b)
        return
    for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        before, after = "".join(old[i:j]), "".join(new[k:m])
        if tag == "equal":
            yield Stretch(change=Change.SAME, text=before)
        else:
            yield from _word_diff(before, after)


def _word_diff(a: str, b: str) -> Iterator[Stretch]:
    old, new = TOKEN.findall(a), TOKEN.findall(b)
    if len(old) * len(new) > MATCHABLE:
        yield from _replaced(a, b)
        return
    for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            yield Stretch(change=Change.SAME, text="".join(old[i:j]))
            continue
        yield Stretch(change=Change.REMOVED, text="".join(old[i:j]))
        yield Stretch(change=Change.ADDED, text="".join(new[k:m]))


def _replaced(a: str, b: str) -> Iterator[Stretch]:
    yield Stretch(change=Change.REMOVED, text=a)
    yield Stretch(change=Change.ADDED, text=b)


def _merged(stretches: Iterator[Stretch]) -> Iterator[Stretch]:
    """Neighbours of one fate as one; a space between two changes is changed with them.

    Without the second part, rewording a sentence reads as a comb of single words.
    """
    removed = added = ""
    for stretch in stretches:
        if stretch.change is Change.REMOVED:
            removed += stretch.text
        elif stretch.change is Change.ADDED:
            added += stretch.text
        elif stretch.text.strip(" ") == "" and (removed or added):
            removed, added = removed + stretch.text, added + stretch.text
        elif stretch.text:
            yield from _changed(removed, added)
            removed = added = ""
            yield stretch
    yield from _changed(removed, added)


def _changed(removed: str, added: str) -> Iterator[Stretch]:
    """A change, without the white space that both sides end with."""
    tail = ""
    while removed and added and removed[-1] == added[-1] and removed[-1].isspace():
        tail = removed[-1] + tail
        removed, added = removed[:-1], added[:-1]
    if removed:
        yield Stretch(change=Change.REMOVED, text=removed)
    if added:
        yield Stretch(change=Change.ADDED, text=added)
    if tail:
        yield Stretch(change=Change.SAME, text=tail)


def _clause_diff(a: Variant, b: Variant) -> tuple[ClauseDiff, ...]:
    """Clauses of both in the order of `b`, those that are gone at the end."""
    old = {clause.heading: clause.text for clause in a.clauses}
    new = {clause.heading: clause.text for clause in b.clauses}
    kept_in_order = _kept_in_order(list(old), list(new))
    found = []
    for heading, text in new.items():
        if heading not in old:
            change = ClauseChange.ADDED
        elif old[heading] != text:
            change = ClauseChange.CHANGED
        else:
            change = ClauseChange.SAME if heading in kept_in_order else ClauseChange.MOVED
        found.append(ClauseDiff(heading=heading, change=change))
    gone = (heading for heading in old if heading not in new)
    return (*found, *(ClauseDiff(heading=h, change=ClauseChange.REMOVED) for h in gone))


def _kept_in_order(old: Sequence[str], new: Sequence[str]) -> frozenset[str]:
    both_old = [heading for heading in old if heading in new]
    both_new = [heading for heading in new if heading in old]
    blocks = SequenceMatcher(None, both_old, both_new, autojunk=False).get_matching_blocks()
    return frozenset(both_old[i] for block in blocks for i in range(block.a, block.a + block.size))
