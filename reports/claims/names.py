"""Names of variants and models in ordinary writing, replaced by marks that hold no digits.

`pause-and-review-v1`, "Pause and review" and *pause and review* are one variant, and
`anthropic/claude-haiku-4-5-20251001`, Claude Haiku 4.5 and haiku-4-5 one model. A short form counts
only where it means one thing.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reports.report import Report

_BETWEEN = r"[-_./ \u2010-\u2015]+"
_VERSION = re.compile(r"-v\d+$")
_DATE = re.compile(r"-(?:\d{8}|\d{4}-\d{2}-\d{2})$")
_MODEL = re.compile(
    r"\b(?:gpt|claude|gemini|llama|mistral|mixtral|grok|qwen|deepseek|gemma|sonnet|opus|haiku)"
    r"(?:[-. ]?(?:\d+(?:\.\d+)?[a-z]?\b|pro\b|flash\b|mini\b|nano\b|turbo\b|large\b|small\b|opus\b"
    r"|sonnet\b|haiku\b))*(?![a-z])"
)
_VARIANT = re.compile(r"\b[a-z][a-z0-9]*(?:-[a-z0-9]+)*-v\d+\b")
_BASELINE = (
    r"(?:the )?(?:concurrent )?(?:baseline|control)(?: arm| group| condition)?",
    r"without (?:any |a )?(?:mitigation|instruction|variant)s?",
    r"no (?:mitigation|instruction)s?(?: at all)?",
    r"doing nothing",
)
_DRESS = re.compile(r"[`*\"“”‘’]+(?=\S)|(?<=\S)[`*\"“”]+|(?<!\w)_+(?=\S)|(?<=\S)_+(?!\w)")
BASE, OTHER_VARIANT, OTHER_MODEL = "⟦b⟧", "⟦?v⟧", "⟦?m⟧"
_MARK = re.compile(r"⟦([vm])([a-z]+)⟧")


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What a text can call by name."""

    variants: tuple[str, ...]
    models: tuple[str, ...]
    pattern: re.Pattern[str]
    marks: Mapping[str, str]

    def mask(self, text: str) -> str:
        """Lower-case text with every known name as a mark; unknown ones as `⟦?v⟧`, `⟦?m⟧`."""
        plain = _DRESS.sub("", text.replace("⟦", "").replace("⟧", "")).lower()
        plain = self.pattern.sub(lambda found: f" {self.marks[_key(found[0])]} ", plain)
        plain = _VARIANT.sub(f" {OTHER_VARIANT} ", plain)
        plain = _MODEL.sub(f" {OTHER_MODEL} ", plain)
        for form in _BASELINE:
            plain = re.sub(rf"\b{form}\b", f" {BASE} ", plain)
        return " ".join(plain.split())

    def found(self, masked: str, kind: str) -> tuple[str, ...]:
        """Ids of the variants (`v`) or models (`m`) in a masked text, in order, each once."""
        names = self.variants if kind == "v" else self.models
        places = [_place(code) for letter, code in _MARK.findall(masked) if letter == kind]
        return tuple(dict.fromkeys(names[place] for place in places))


def names_of(report: Report) -> Names:
    """Every name of a report's variants, baseline and models, as people write them."""
    variants, models = tuple(report.variants), tuple(report.analysis.models)
    titles = {one.id: one.title for one in report.plan.variants} if report.plan else {}
    claims: dict[str, set[str]] = {}
    for place, name in enumerate(variants):
        _claim(claims, f"⟦v{_code(place)}⟧", _variant_forms(name, titles.get(name, "")))
    _claim(claims, BASE, _variant_forms(report.baseline, titles.get(report.baseline, "")))
    for place, route in enumerate(models):
        _claim(claims, f"⟦m{_code(place)}⟧", _model_forms(route))
    # A form that two things answer to says nothing; the longest form is tried first.
    marks = {form: next(iter(owners)) for form, owners in claims.items() if len(owners) == 1}
    forms = sorted(marks, key=len, reverse=True)
    bodies = [_BETWEEN.join(map(re.escape, form.split())) for form in forms]
    joined = "|".join(bodies) or r"(?!)"
    pattern = re.compile(rf"(?<![\w⟦])(?:{joined})(?![\w⟧]|-\w)")
    return Names(variants=variants, models=models, pattern=pattern, marks=marks)


def _claim(claims: dict[str, set[str]], mark: str, forms: Iterable[str]) -> None:
    for form in forms:
        key = _key(form)
        if key:
            claims.setdefault(key, set()).add(mark)


def _key(form: str) -> str:
    return " ".join(re.split(_BETWEEN, form.lower().strip()))


def _variant_forms(name: str, title: str) -> Iterable[str]:
    yield name
    short = _VERSION.sub("", name)
    # A one-word name without its version may be any word of the language.
    if "-" in short:
        yield short
    first, _, second = short.partition("-")
    if second and "-" not in second:
        yield f"{second}-{first}"  # "the short prohibition" for prohibition-short
    if len(title.split()) > 1:
        yield title
    bare = re.sub(r"^(?:a|an|the) ", "", title.lower())
    if len(bare.split()) > 1:
        yield bare


def _model_forms(route: str) -> Iterable[str]:
    yield route
    name = route.partition("/")[2] or route
    yield name
    undated = _DATE.sub("", name)
    yield undated
    first, _, rest = undated.partition("-")
    if first == "claude" and "-" in rest:
        yield rest
    if route.partition("/")[0] in {"simulated", "local"}:
        yield f"{name} {route.partition('/')[0]}"


def _code(place: int) -> str:
    """A number in letters, so that no mark holds a digit."""
    return "".join(chr(ord("a") + int(digit)) for digit in str(place))


def _place(code: str) -> int:
    return int("".join(str(ord(letter) - ord("a")) for letter in code))
