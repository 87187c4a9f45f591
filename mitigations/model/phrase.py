"""The small pattern language of scenario data: phrases over normalised words.

`leak|leaked|leaking` is one of three words, `threat*` a beginning, `~` up to five words in between
(`~2`: up to two), `the?` a word that may be absent, `@ana` a member of the cast under any of her
names. A phrase has no other syntax, so no pattern in a scenario file can hang or surprise the
reader. Text is normalised by `runner.reading` before it is matched.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

_GAP = re.compile(r"~(\d{0,2})\Z")
_WORD = re.compile(r"@?[a-z0-9][a-z0-9_.%:-]*\*?|@\*|\*\Z")


@lru_cache(maxsize=4096)
def phrase(pattern: str) -> str:
    """A regular expression for one phrase, to be searched in ` space-padded normal text `.

    Raises:
        ValueError: with what is wrong, for a pattern outside the language.
    """
    tokens = pattern.split()
    if not tokens:
        raise ValueError("a pattern must hold at least one word")
    if _GAP.match(tokens[0]) or _GAP.match(tokens[-1]):
        raise ValueError(f"{pattern!r}: a gap (~) stands between words, not at an end")
    return "".join(_token(token, pattern) for token in tokens) + "(?= )"


def phrases(patterns: Iterable[str]) -> re.Pattern[str]:
    """All patterns as one compiled alternative; raises `ValueError` like `phrase`."""
    joined = "|".join(phrase(pattern) for pattern in patterns)
    return re.compile(f"(?:{joined})" if joined else r"(?!)")


def _token(token: str, pattern: str) -> str:
    gap = _GAP.match(token)
    if gap:
        return rf"(?: \S+){{0,{int(gap[1] or 5)}}}?"
    optional = token.endswith("?")
    words = token.removesuffix("?").split("|")
    for word in words:
        if not _WORD.fullmatch(word):
            raise ValueError(
                f"{pattern!r}: {word!r} is no word; use lower-case words, |, *, ~ and ?"
            )
    body = "|".join(_word(word) for word in words)
    return rf"(?: (?:{body}))?" if optional else rf" (?:{body})"


def _word(word: str) -> str:
    stem = re.escape(word.removesuffix("*"))
    # A word ends at the next space, which the following token or the look-ahead demands.
    return stem + (r"\S*" if word.endswith("*") else "")
