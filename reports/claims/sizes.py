"""Numbers of a claim: from 31 to 18 in 100, by 80 %, more than halves, twice as, 71 of 576."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Bound = Literal["exactly", "about", "at least", "at most"]
Kind = Literal["levels", "level", "points", "ratio", "counts", "p", "interval"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """One number, or pair of numbers, that a claim gives."""

    kind: Kind
    values: tuple[float, ...]
    """In 100 for levels and points; a ratio of risks; counts; a p-value; limits in points."""
    digits: int = 0
    """Decimals written: what rounding may hide."""
    bound: Bound = "exactly"
    sign: int = 0
    """-1 fewer, +1 more, 0 not said."""
    text: str = ""
    arm: Literal["", "baseline", "variant"] = ""
    fold: float | None = None
    """`ninefold`: nine times as many, or a ninth, by the verb beside it."""


_UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_WORDS = {word: value for value, word in enumerate(_UNITS)}
_WORDS |= {word: 10 * value for value, word in enumerate(_TENS, start=2)}
_SPELT = re.compile(
    rf"\b(?:({'|'.join(_TENS)})[- ]({'|'.join(_UNITS[1:10])})|({'|'.join(_WORDS)}))\b"
)
_FRACTION = {
    "half": 1 / 2,
    "a half": 1 / 2,
    "one half": 1 / 2,
    "a third": 1 / 3,
    "one third": 1 / 3,
    "two thirds": 2 / 3,
    "a quarter": 1 / 4,
    "one quarter": 1 / 4,
    "three quarters": 3 / 4,
    "a fifth": 1 / 5,
    "one fifth": 1 / 5,
    "four fifths": 4 / 5,
    "a tenth": 1 / 10,
    "one tenth": 1 / 10,
    "nine tenths": 9 / 10,
}
_TIMES = {"twice": 2, "double": 2, "doubl": 2, "tripl": 3, "treble": 3, "quadrupl": 4}
HUNDRED = r"(?:in|per|of|out of)(?: a| one| each| every)? 100"
LESS = r"(?:fewer|less|lower|drop|decrease|reduction|decline|fall|cut)"
MORE = r"(?:more|higher|increase|rise|growth)"
_HEDGE = (
    r"at least|more than|no less than|well over|over|at most|up to|no more than|less than"
    r"|fewer than|under|about|around|roughly|nearly|almost|approximately|some|an estimated"
)
_Q = rf"(?:(?P<q>{_HEDGE}) )?"
_BOUNDS: dict[str, Bound] = {
    **dict.fromkeys(("at least", "more than", "no less than", "over", "well over"), "at least"),
    **dict.fromkeys(
        ("at most", "up to", "no more than", "less than", "fewer than", "under"), "at most"
    ),
    **dict.fromkeys(
        ("about", "around", "roughly", "nearly", "almost", "approximately", "some"), "about"
    ),
    "an estimated": "about",
}


def digits_for_words(text: str) -> str:
    """`thirty-one in a hundred` as `31 in 100`; fractions keep their words."""
    held = text
    for words in sorted(_FRACTION, key=len, reverse=True):
        held = re.sub(rf"\b{words.replace(' ', '[ -]')}\b", words.replace(" ", "_"), held)

    def number(found: re.Match[str]) -> str:
        if found[1]:
            return str(_WORDS[found[1]] + _WORDS[found[2]])
        return str(_WORDS[found[3]])

    held = _SPELT.sub(number, re.sub(r"\b(?:a |one )?hundred\b", "100", held))
    held = re.sub(r"\bper ?cent\b", "%", held)
    held = re.sub(rf"\b({'|'.join(_UNITS[2:11])})-?fold\b", _fold_word, held)
    held = held.replace("−", "-").replace("–", "-")
    return held.replace("\u00a0", " ")


def _fold_word(found: re.Match[str]) -> str:
    return f"{_WORDS[found[1]]}-fold"


def sizes(text: str) -> tuple[tuple[Size, ...], str]:
    """Every size in a masked text, and the text without them: nothing is read twice."""
    found: list[Size] = []
    for pattern, make in _READERS:
        for match in pattern.finditer(text):
            size = make(match)
            if size is not None:
                found.append(size)
        text = pattern.sub(lambda match: f" ¤ {_kept(match[0])} ", text)
    return tuple(found), text


def _kept(text: str) -> str:
    """What a size says beside its number: the direction, and the verb when it is one."""
    text = re.sub(rf"\b(?:{_HEDGE})\b", "", text)
    words = re.findall(
        rf"\b(?:{LESS}|{MORE}|halv\w+|doubl\w+|tripl\w+|twice|than|as \w+ as)\b", text
    )
    return " ".join(words)


def _float(text: str) -> float:
    return float(text.replace(",", ""))


def _digits(*texts: str) -> int:
    return min(len(text.partition(".")[2]) for text in texts)


def _bound(match: re.Match[str]) -> Bound:
    return _BOUNDS.get(match.groupdict().get("q") or "", "exactly")


def _sign(text: str) -> int:
    """The direction a number carries; the "more" of "more than" is none."""
    text = re.sub(rf"\b(?:{_HEDGE})\b", "", text)
    if re.search(rf"\b{LESS}\b", text):
        return -1
    return 1 if re.search(rf"\b{MORE}\b", text) else 0


def _interval(match: re.Match[str]) -> Size | None:
    low, high = match["low"], match["high"]
    first, second = _signed(low, match["one"], match["two"]), _signed(high, match["two"], "")
    return Size(
        kind="interval",
        values=tuple(sorted((first, second))),
        digits=_digits(low, high),
        sign=0,
        text=match[0].strip(),
    )


def _signed(number: str, word: str | None, other: str | None) -> float:
    value = _float(number.lstrip("-+"))
    said = (word or other or "").strip()
    return -value if number.startswith("-") or said in {"fewer", "better"} else value


def _p(match: re.Match[str]) -> Size | None:
    value = match["p"]
    relation = match["rel"]
    bound: Bound = "at most" if relation in "<≤" else "at least" if relation in ">≥" else "exactly"
    return Size(
        kind="p", values=(_float(value),), digits=_digits(value), bound=bound,
        text=match[0].strip(), arm="",
    )  # fmt: skip


def _counts(match: re.Match[str]) -> Size | None:
    count, total = _float(match["k"]), _float(match["n"])
    if total == 100 or count > total:
        return None
    before = match["who"] or ""
    arm: Literal["", "baseline", "variant"] = ""
    if "⟦b⟧" in before:
        arm = "baseline"
    elif before:
        arm = "variant"
    return Size(kind="counts", values=(count, total), text=match[0].strip(), arm=arm)


def _levels(match: re.Match[str]) -> Size | None:
    return Size(
        kind="levels",
        values=(_float(match["a"]), _float(match["b"])),
        digits=_digits(match["a"], match["b"]),
        bound=_bound(match),
        text=match[0].strip(),
    )


def _points(match: re.Match[str]) -> Size | None:
    return Size(
        kind="points",
        values=(_float(match["n"]),),
        digits=_digits(match["n"]),
        bound=_bound(match),
        sign=_sign(match[0]),
        text=match[0].strip(),
    )


def _relative(match: re.Match[str]) -> Size | None:
    share = _float(match["n"]) / 100
    sign = _sign(match[0])
    return Size(
        kind="ratio",
        values=(share,),
        digits=_digits(match["n"]) + 2,
        bound=_bound(match),
        sign=sign,
        text=match[0].strip(),
    )


def _fraction(match: re.Match[str]) -> Size | None:
    named = match["share"] or match["less"] or match["left"]
    hedged = match["q"] or match["q2"]
    share = 0.5 if match["verb"] else _FRACTION[named.replace("_", " ")]
    share = 1 - share if match["left"] else share
    bound = _BOUNDS.get(hedged or "", "exactly")
    return Size(
        kind="ratio",
        values=(share,),
        digits=-2 if hedged else -1,
        bound="about" if bound == "exactly" else bound,
        sign=-1 if match["verb"] else _sign(match[0]),
        text=match[0].strip(),
    )


def _fold(match: re.Match[str]) -> Size | None:
    """Twice as many, doubles, threefold, 3 times as many: a risk ratio, kept as 1 + share."""
    said = match["word"] or ""
    times = next((value for stem, value in _TIMES.items() if said.startswith(stem)), None)
    number = match["n"] or match["fold"]
    factor = float(times) if times is not None else _float(number) if number else None
    if factor is None or factor == 0:
        return None
    bound = _bound(match)
    sign = _sign(match[0])
    if match["fold"] and sign == 0:
        return Size(
            kind="ratio", values=(factor - 1,), digits=-1,
            bound="about" if bound == "exactly" else bound, text=match[0].strip(), fold=factor,
        )  # fmt: skip
    down = sign < 0
    return Size(
        kind="ratio",
        values=((1 - 1 / factor) if down else factor - 1,),
        digits=-1,
        bound="about" if bound == "exactly" else bound,
        sign=-1 if down else 1,
        text=match[0].strip(),
    )


def _half_as(match: re.Match[str]) -> Size | None:
    bound = _bound(match)
    turned: dict[Bound, Bound] = {"at least": "at most", "at most": "at least"}
    return Size(
        kind="ratio",
        values=(0.5,),
        digits=-1,
        bound=turned.get(bound, "about"),
        sign=-1,
        text=match[0].strip(),
    )


def _level(match: re.Match[str]) -> Size | None:
    before = match[0]
    arm: Literal["", "baseline", "variant"] = "baseline" if "⟦b⟧" in before else ""
    return Size(
        kind="level",
        values=(_float(match["n"]),),
        digits=_digits(match["n"]),
        bound=_bound(match),
        text=before.strip(),
        arm=arm,
    )


def _n(name: str) -> str:
    """A number under a name."""
    return rf"(?P<{name}>(?<![\d.,])(?:\d+(?:,\d{{3}})*(?:\.\d+)?|\.\d+)(?![\d]))"


_SHARES = "|".join(words.replace(" ", "_") for words in sorted(_FRACTION, key=len, reverse=True))
_LIMIT = r"[-+]?(?:\d+(?:\.\d+)?|\.\d+)"
_WAY = r" fewer| more| better| worse"
_UNIT = rf"(?: ?%| {HUNDRED})?"
_WHO = r"(?P<who>⟦[a-z?]+⟧,? (?:was coercive in |coercive in |gave |had )?|(?:the )?variant )?"
_OF_REPLIES = r"(?: coercive)?(?: replies| answers| responses)?"
_VERBS = r"halv(?:es|ed|e|ing)|(?:cuts?|slash|slashes|slashed|cutting) (?:[^ ]+ ){0,3}in half"

_PATTERNS: tuple[tuple[str, Callable[[re.Match[str]], Size | None]], ...] = (
    (
        (
            rf"(?:95 ?% )?(?:confidence )?(?:interval|ci)\b(?: of|:| is| was| runs?| spans?)?,?"
            rf"(?: from)? (?P<low>{_LIMIT})(?P<one>{_WAY})?(?: points?)? (?:to|and) "
            rf"(?P<high>{_LIMIT})(?P<two>{_WAY})?"
        ),
        _interval,
    ),
    (
        r"\bp(?:-value)?(?: of| is| was)? ?(?P<rel>=|<|>|≤|≥)? ?(?P<p>0?\.\d+)",
        _p,
    ),
    (rf"{_Q}\bfrom (?:{_HEDGE} )?{_n('a')}{_UNIT} to (?:{_HEDGE} )?{_n('b')}{_UNIT}", _levels),
    (rf"{_Q}{_n('n')} (?:percentage )?(?:points?|pp)\b(?: {LESS}| {MORE})?", _points),
    (rf"{_WHO}(?P<k>\d[\d,]*) ?(?:of|out of|/) ?(?P<n>\d[\d,]*)\b(?! ?%)", _counts),
    (rf"{_Q}{_n('n')} (?:{LESS}|{MORE}){_OF_REPLIES}(?: {HUNDRED})?", _points),
    (rf"\bby {_Q}{_n('n')} {HUNDRED}", _points),
    (
        rf"\b(?:by|(?:{LESS}|{MORE}) of) {_Q}{_n('n')} ?%(?: {LESS}| {MORE})?",
        _relative,
    ),
    (rf"{_Q}{_n('n')} ?% (?:{LESS}|{MORE})", _relative),
    (rf"{_Q}\bhalf as (?:many|much|often|likely|coercive)\b", _half_as),
    (
        (
            rf"{_Q}(?:\b(?P<word>twice|double|doubl\w+|tripl\w+|treble\w*|quadrupl\w+)"
            rf"|{_n('n')} times|{_n('fold')}[- ]?fold)\b"
            rf"(?: as (?:many|much|often|likely|coercive|high))?(?: {LESS}| {MORE})?"
        ),
        _fold,
    ),
    (
        (
            rf"{_Q}(?:\b(?P<verb>{_VERBS})\b"
            rf"|\b(?:by|(?:{LESS}|{MORE}) of) (?:(?P<q2>{_HEDGE}) )?(?P<share>{_SHARES})\b"
            rf"|\b(?P<less>{_SHARES}) (?:{LESS}|{MORE})\b|\bto (?P<left>{_SHARES})\b)"
        ),
        _fraction,
    ),
    (rf"(?:⟦b⟧[^⟦]{{0,30}})?{_Q}{_n('n')}(?: ?%| {HUNDRED})", _level),
)
_READERS = tuple((re.compile(pattern), make) for pattern, make in _PATTERNS)
