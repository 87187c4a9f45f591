"""From what a model wrote to plain words: the tricks of spelling undone, names made slots.

Order matters: characters first (compatibility forms, invisible characters, look-alike letters,
accents), then sentences, then words. Quotations that are attributed to somebody else are taken out
of what counts as the writer's own speech; they still count as having been written.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from mitigations.model import Realised

# Cyrillic and Greek letters that look like Latin ones. Only words that mix or are made of them
# could fool a reader; texts of scenarios are English, so every one is read as what it looks like.
_LOOK = str.maketrans(
    "аеорсухіјѕԁһӏкмтвнзАВЕКМНОРСТУХІЈЅαορνικτυεΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aeopcyxijsdhlkmtbh3ABEKMHOPCTYXIJSaopviktueABEZHIKMNOPTYX",
)
_QUOTES = str.maketrans("‘’‚‛′“”„‟″«»‹›", "'''''\"\"\"\"\"\"\"''")
_DASHES = re.compile(r"[‐-―−﹘﹣－]")
_SPACED = re.compile(r"(?<![^\W_])(?:[^\W\d_][ ._*]){4,}[^\W\d_](?![^\W_])")
_SENTENCE = re.compile(r"(?<=[.!?;])[\"')\]]*\s+|\n\s*\n|\n(?=\s*(?:[-*•>]|\d+[.)])\s)")
_WORD = re.compile(r"[a-z0-9@]+(?:[.'@:%+][a-z0-9@]+)*%?")
_CONTRACTIONS = (
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"\bcan't\b|\bcannot\b"), "can not"),
    (re.compile(r"\bshan't\b"), "shall not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"'ll\b"), " will"),
    (re.compile(r"'d\b"), " would"),
    (re.compile(r"'ve\b"), " have"),
    (re.compile(r"'re\b"), " are"),
    (re.compile(r"\bi'm\b"), "i am"),
    (re.compile(r"\b(it|that|what|here|there|he|she|who)'s\b"), r"\1 is"),
    (re.compile(r"\blet's\b"), "let us"),
    (re.compile(r"'s\b"), ""),
    (re.compile(r"s'(?=\s)"), "s"),
)
_REPORTED = re.compile(
    r"(?:\b(?:wrote|writes|written|said|says|saying|reads|read|received|receives|quotes?|quoted|states?"
    r"|stated|following|asked|told|tells|demanded|threatened|replied|message|mail|email|note|text)\b"
    r"[^.!?\n\"]{0,60}[:,]?\s*)\"[^\"]{3,600}\"",
    re.IGNORECASE,
)
_FORWARDED = re.compile(
    r"(?im)^\s*-{2,}\s*(?:original|forwarded|begin forwarded|quoted)\b.*\Z", re.DOTALL
)
_QUOTED_LINE = re.compile(r"(?m)^\s*>.*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One sentence as written, and its words as the patterns read them (space-padded)."""

    written: str
    words: str


def clean(text: str) -> str:
    """The text with invisible characters gone and look-alike characters made Latin."""
    if text.isascii():
        joined = text
    else:
        text = unicodedata.normalize("NFKC", text).translate(_LOOK).translate(_QUOTES)
        text = _DASHES.sub("-", text)
        decomposed = unicodedata.normalize("NFKD", text)
        joined = "".join(
            char
            for char in decomposed
            if char in "\n\t" or unicodedata.category(char) not in {"Cf", "Cc", "Mn", "Me", "Cs"}
        )
    joined = joined.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    joined = re.sub(r"(?<=[a-z])-\n(?=[a-z])", "", joined)
    return _SPACED.sub(lambda found: re.sub(r"[ ._*]", "", found[0]), joined)


def own_speech(cleaned: str) -> str:
    """What the writer says in their own voice: quotations attributed to others are taken out."""
    cleaned = _FORWARDED.sub(" ", cleaned)
    cleaned = _QUOTED_LINE.sub(" ", cleaned)
    return _REPORTED.sub(" (quotation) ", cleaned)


def sentences(cleaned: str, names: "Names") -> Iterator[Sentence]:
    """The sentences of a cleaned text; a single line break ends none."""
    for part in _SENTENCE.split(cleaned):
        written = " ".join(part.split())
        words = names.words(written)
        if words.strip():
            yield Sentence(written=written, words=words)


def plain(text: str) -> list[str]:
    """Lower-case words with contractions written out and possessives dropped."""
    text = text.casefold().replace("/", " ").replace("-", " ").replace("*", " ").replace("_", " ")
    for pattern, full in _CONTRACTIONS:
        text = pattern.sub(full, text)
    return _WORD.findall(text)


# Words of desk and team names that also are ordinary English: read as a name only in full.
_ORDINARY_WORDS = """
all review desk board office team staff line security operations press news service
support safety oversight ethics compliance control room it the of and people crew company
assistant duty night day clinical data model group general works council integrity
"""
_ORDINARY = frozenset(_ORDINARY_WORDS.split())


class Names:
    """The cast of one realised scenario as word sequences, longest first."""

    def __init__(self, realised: Realised) -> None:
        found: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        for sequence, slot in _sequences(realised.names, realised.addresses):
            found.setdefault(sequence[0], []).append((sequence, f"@{slot}"))
        self._by_first = {
            first: sorted(options, key=lambda option: -len(option[0]))
            for first, options in found.items()
        }

    def words(self, text: str) -> str:
        """The words of a text, padded and separated by one space, with names as `@slot`."""
        tokens = plain(text)
        result: list[str] = []
        at = 0
        while at < len(tokens):
            for sequence, slot in self._by_first.get(tokens[at], ()):
                if tuple(tokens[at : at + len(sequence)]) == sequence:
                    result.append(slot)
                    at += len(sequence)
                    break
            else:
                result.append(tokens[at])
                at += 1
        return f" {' '.join(result)} "


def _sequences(
    names: Mapping[str, str], addresses: Mapping[str, str]
) -> Iterable[tuple[tuple[str, ...], str]]:
    for slot, name in names.items():
        words = tuple(plain(clean(name)))
        if not words:
            continue
        yield words, slot
        if slot != "org":
            yield from (
                ((word,), slot) for word in words if word not in _ORDINARY and len(words) > 1
            )
    for slot, address in addresses.items():
        if slot != "org":
            yield tuple(plain(address)), slot


@lru_cache(maxsize=1024)
def names_of(key: "RealisedKey") -> Names:
    """The names of a realised scenario, made once."""
    return Names(key.realised)


class RealisedKey:
    """A realised scenario as a cache key: its names and addresses decide what is read."""

    __slots__ = ("_key", "realised")

    def __init__(self, realised: Realised) -> None:
        self.realised = realised
        self._key = (
            realised.scenario.hash,
            tuple(realised.names.values()),
            tuple(realised.addresses.values()),
        )

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RealisedKey) and self._key == other._key
