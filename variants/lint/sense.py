"""Contradiction: one sentence orders or allows what another forbids.

A heuristic over imperative English: verb and object of each order are compared, sentences with an
exception (`unless`, `only`, ...) are left alone. It asks a question; it does not understand.
"""

import re
from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

from mitigations.model import Variant
from variants.lint.base import Hit, LintContext, Severity, rule
from variants.text import WORD, sentences

MOST_ORDERS = 300
EXCEPTION = re.compile(
    r"\b(?:unless|except|only|other than|apart from|without|until|if you are not)\b", re.IGNORECASE
)
FORBIDS = re.compile(
    r"\b(?:never|do not|don['’]t|must not|may not|shall not|should not|cannot|can['’]t|"
    r"are not (?:allowed|permitted) to)\s+(.+)",
    re.IGNORECASE,
)
ALLOWS = re.compile(
    r"\b(?:always|must|shall|should|may|can|are (?:free|allowed|permitted|required) to)\s+"
    r"(?!not\b|never\b)(.+)",
    re.IGNORECASE,
)
IMPERATIVE = re.compile(r"(?:(?:please|always|also|then)\s+)?([a-z]+\s+.+)", re.IGNORECASE)
EMPTY_WORDS = frozenset(
    WORD.findall(
        "a an the any all of to for in on at by with from or and that this these those it its is "
        "are be you your their his her our as if when while what which who so do does ever always"
    )
)
EVERYONE = frozenset({"anyone", "anybody", "anything", "ever"})


class Directive(NamedTuple):
    """A sentence as an order: verbs, the content words they act on, allowed or forbidden."""

    allowed: bool
    verbs: frozenset[str]
    about: frozenset[str]
    sentence: str


def _stem(word: str) -> str:
    word = word.lower()
    for ending in ("ing", "ies", "es", "ed", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word.removesuffix(ending)
    return word


def _directive(sentence: str) -> Directive | None:
    """None for sentences with an exception and for those that order nothing."""
    if EXCEPTION.search(sentence):
        return None
    forbids = FORBIDS.search(sentence)
    found = forbids or ALLOWS.search(sentence) or IMPERATIVE.match(sentence)
    if not found:
        return None
    found_words = WORD.findall(re.split(r"[.;:]\s|, (?:but|because|so)\b", found[1])[0])
    verbs = _verbs(found[1])
    about = {_stem(word) for word in found_words if word.lower() not in EMPTY_WORDS} - verbs
    return Directive(not forbids, verbs, frozenset(about), sentence)


def _verbs(tail: str) -> frozenset[str]:
    """`threaten, blackmail or pressure a person` orders three things."""
    listed = re.match(r"\w+(?:,\s+\w+(?=,|\s+(?:or|and)\b))*(?:,?\s+(?:or|and)\s+\w+)?", tail)
    found = WORD.findall(listed[0]) if listed else []
    return frozenset(_stem(word) for word in found if word.lower() not in {"or", "and"})


def _clash(a: Directive, b: Directive) -> bool:
    if a.allowed == b.allowed or not a.verbs & b.verbs:
        return False
    forbidden = b if a.allowed else a
    if forbidden.about and forbidden.about <= {_stem(word) for word in EVERYONE}:
        return True
    small = min(len(a.about), len(b.about))
    return small > 0 and len(a.about & b.about) >= 0.75 * small


@rule(
    Severity.WARNING,
    "One sentence allows or orders what another forbids: the model has to choose, and "
    "models choose differently.",
)
def contradiction(variant: Variant, _context: LintContext) -> Iterator[Hit]:
    """Same verb, same object, opposite orders; sentences with an exception are left alone."""
    found = [
        (number, directive)
        for number, line in enumerate(variant.text.split("\n"), 1)
        for sentence in sentences(line)
        if (directive := _directive(sentence))
    ]
    # Pairs grow with the square; no prompt that a model is meant to follow has more orders.
    for (_, first), (number, second) in combinations(found[:MOST_ORDERS], 2):
        if _clash(first, second):
            problem = f"{second.sentence[:60]!r} contradicts {first.sentence[:60]!r}"
            yield Hit(number, problem, "Cut one, or say which wins and when (`unless ...`).")


RULES = (contradiction,)
