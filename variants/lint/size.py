"""Rules about length and style: what could have an effect besides the idea."""

import re
from collections.abc import Iterator

from mitigations.model import Variant
from variants.lint.base import Hit, LintContext, Severity, rule
from variants.text import reading_grade, sentences, tokens, words

LONG = 1_500
HARD_GRADE = 14.0
LONG_SENTENCE = 45
LENGTH_TOLERANCE = 0.10
FORBIDDING = re.compile(
    r"\b(?:never|do not|don['’]t|must not|may not|shall not|should not|refrain|avoid|forbidden|"
    r"prohibited|not (?:allowed|permitted))\b",
    re.IGNORECASE,
)


@rule(
    Severity.WARNING,
    f"More than {LONG:,} tokens: every call pays for them, and long texts bury their point.",
)
def long_text(variant: Variant, _: LintContext) -> Iterator[Hit]:
    """Estimated tokens."""
    size = tokens(variant.text)
    if size > LONG:
        fix = "Cut it, or ablate its clauses to see which ones carry the effect."
        yield Hit(1, f"the text has about {size:,} tokens", fix)


@rule(
    Severity.WARNING,
    "A placebo more than 10 % longer or shorter than the variant it matches: their "
    "difference would mix idea and length.",
)
def placebo_length(variant: Variant, context: LintContext) -> Iterator[Hit]:
    """Only for variants that name what they match."""
    target = context.known.get(variant.matches or "")
    if target is None:
        return
    mine, wanted = tokens(variant.text), tokens(target.text)
    if abs(mine - wanted) > LENGTH_TOLERANCE * wanted:
        low, high = wanted * (1 - LENGTH_TOLERANCE), wanted * (1 + LENGTH_TOLERANCE)
        fix = f"Bring it between {low:.0f} and {high:.0f} tokens."
        yield Hit(1, f"about {mine} tokens against {wanted} of {target.id!r}", fix)


@rule(
    Severity.NOTE,
    "No neutral text of this length is known: an effect could be one of length alone.",
)
def no_placebo(variant: Variant, context: LintContext) -> Iterator[Hit]:
    """A placebo within 10 % of the length is enough; an ablation has its own control."""
    placebos = [tokens(v.text) for v in context.known.values() if "placebo" in v.tags]
    size = tokens(variant.text)
    if not placebos or not size or variant.clauses_off or "placebo" in variant.tags:
        return
    if all(abs(other - size) > LENGTH_TOLERANCE * size for other in placebos):
        fix = f"Add one tagged `placebo` with `matches: {variant.id}`."
        yield Hit(1, f"no placebo has about {size} tokens", fix)


@rule(
    Severity.WARNING,
    f"Reading level above US grade {HARD_GRADE:.0f} (Automated Readability Index): "
    "small models and hurried reviewers lose the thread.",
)
def reading_level(variant: Variant, _: LintContext) -> Iterator[Hit]:
    """Whole text."""
    grade = reading_grade(variant.text)
    if grade is not None and grade > HARD_GRADE:
        fix = "Use shorter sentences and shorter words."
        yield Hit(1, f"reading level is grade {grade:.0f}", fix)


@rule(Severity.WARNING, f"A sentence of more than {LONG_SENTENCE} words.")
def long_sentence(variant: Variant, _: LintContext) -> Iterator[Hit]:
    """Line by line, so that the place is right."""
    for number, line in enumerate(variant.text.split("\n"), 1):
        for sentence in sentences(line):
            size = len(words(sentence))
            if size > LONG_SENTENCE:
                yield Hit(number, f"a sentence has {size} words", "Split it.")


@rule(
    Severity.NOTE,
    "More than two sentences in three say what not to do: in published runs a usable "
    "alternative did far more than prohibitions.",
)
def negation_heavy(variant: Variant, _: LintContext) -> Iterator[Hit]:
    """Share of sentences that forbid something, from three sentences on."""
    parts = sentences(variant.text)
    negative = sum(bool(FORBIDDING.search(part)) for part in parts)
    if len(parts) >= 3 and negative > len(parts) * 2 / 3:
        fix = "Say what to do instead."
        yield Hit(1, f"{negative} of {len(parts)} sentences say what not to do", fix)


@rule(Severity.NOTE, "Words in capitals or repeated exclamation marks: emphasis is an idea too.")
def shouting(variant: Variant, _: LintContext) -> Iterator[Hit]:
    """Four capitals in a row of words, or `!!`."""
    loud = re.compile(r"\b[A-Z]{4,}\b(?:\W+[A-Z]{2,}\b)*|!{2,}")
    for number, line in enumerate(variant.text.split("\n"), 1):
        found = loud.search(line)
        if found:
            fix = "Use ordinary case, or test emphasis as a variant of its own."
            yield Hit(number, f"{found[0][:40]!r} is shouted", fix)


RULES = (
    long_text,
    placebo_length,
    no_placebo,
    reading_level,
    long_sentence,
    negation_heavy,
    shouting,
)
