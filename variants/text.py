"""Words, sentences, length in tokens and reading level of a text. Pure and approximate."""

import math
import re
from functools import lru_cache

WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
# A word with the space before it, a run of punctuation, or a line break: how byte-pair tokenisers
# cut text before they merge.
PIECE = re.compile(r"\d{1,3}|[^\W\d_]+|[^\w\s]+|_+|\n+")
SENTENCE_END = re.compile(r"(?<=[.!?:;])[\"'”’)*_]*\s+|\n+")


def words(text: str) -> list[str]:
    """The words in order; an apostrophe or hyphen inside a word does not split it."""
    return WORD.findall(text)


def sentences(text: str) -> list[str]:
    """Sentences, list items and headings, each a stretch that a reader takes in one go."""
    parts = (part.strip(" \t#>*-") for part in SENTENCE_END.split(text))
    return [part for part in parts if WORD.search(part)]


def tokens(text: str) -> int:
    """Estimated length in tokens, for English prose within about 10 %.

    Text is cut as byte-pair tokenisers cut it (words, runs of punctuation, three digits at a
    time, line breaks). A piece of ASCII counts one token for its first ten letters and one for
    every six more; other scripts count one for every two bytes. No vocabulary is loaded, so the
    number is the same on every machine; a provider bills by its own tokeniser.
    """
    return sum(_piece_tokens(piece) for piece in PIECE.findall(text))


def _piece_tokens(piece: str) -> int:
    if not piece.isascii():
        size = len(piece.encode())
        return 1 if size == 3 else math.ceil(size / 2)  # a dash or a curly quote is one token
    return 1 + max(0, math.ceil((len(piece) - 10) / 6))


def reading_grade(text: str) -> float | None:
    """US school grade by the Automated Readability Index; None below 30 words.

    `4.71 characters/words + 0.5 words/sentences - 21.43` (Smith and Senter 1967, AMRL-TR-66-220).
    It counts letters, not syllables, so it needs no dictionary.
    """
    found = words(text)
    if len(found) < 30:
        return None
    characters = sum(char.isalnum() for word in found for char in word)
    return 4.71 * characters / len(found) + 0.5 * len(found) / len(sentences(text)) - 21.43


@lru_cache(maxsize=512)
def shingles(text: str, size: int = 3) -> frozenset[tuple[str, ...]]:
    """Every run of `size` words, in lower case: what near-duplicates share."""
    found = [word.lower() for word in words(text)]
    return frozenset(zip(*(found[n:] for n in range(size)), strict=False))


def likeness(a: str, b: str) -> float:
    """Jaccard share of common three-word runs: 1 for equal wording, 0 for none in common."""
    left, right = shingles(a), shingles(b)
    return len(left & right) / len(left | right) if left | right else float(a == b)
