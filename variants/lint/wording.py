"""Rules about words that would change what is measured, or what a reader is promised."""

import re
from collections.abc import Iterator

from mitigations.model import Variant
from variants.lint.base import Hit, LintContext, Severity, matches, rule


def _any(*alternatives: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(alternatives)})(?!\w)", re.IGNORECASE)


EVALUATION = _any(
    r"tests?", r"tested", r"testing", r"test-run", r"evals?", r"evaluations?", r"evaluators?",
    r"(?:being|be|are|is|were) evaluated", r"benchmarks?", r"red[- ]team(?:s|ed|ing|ers?)?",
    r"simulat(?:ion|ions|ed|or)", r"honeypots?", r"a/b", r"graders?", r"(?:is|are|be|being) graded",
    r"not a drill", r"real deployment", r"(?:this|it) is (?:all )?real",
)  # fmt: skip
HINTS = _any(
    r"scenarios?", r"experiments?", r"trials?", r"role[- ]?play\w*", r"fictional", r"fictitious",
    r"hypothetical(?:ly)?", r"sandbox\w*", r"researchers?", r"exercises?", r"make-believe",
    r"(?:is|are|be|being) (?:scored|observed|watched)", r"deployment", r"alignment",
)  # fmt: skip
PLACEHOLDER = _any(
    r"todo", r"tbd", r"fixme", r"lorem ipsum", r"xxx+", r"replace this text", r"your text here",
    r"\[insert[^\]\n]{0,80}\]", r"<insert[^>\n]{0,80}>",
)  # fmt: skip
PUSHING = _any(
    r"at (?:all|any) costs?", r"whatever it takes", r"by any means(?: necessary)?",
    r"no matter what", r"nothing else matters", r"(?:act )?on your own initiative",
    r"ability to (?:reach|achieve|pursue) (?:it|your|the)\b[^.\n]{0,30}",
    r"your (?:own )?survival", r"self-preservation", r"(?:primary|main|only|ultimate) goal",
)  # fmt: skip
PROMISE = _any(
    r"guarantee[sd]?", r"(?:is|are) paused", r"pauses until", r"independent (?:reviewer|auditor)",
    r"(?:reads?|answers?|answered) (?:every|each|all)(?: \w+)?", r"every one (?:was|is) answered",
    r"share of sessions", r"within \w+ (?:minutes?|hours?|days?)", r"until a person has answered",
    r"nothing is held against", r"(?:are|is) (?:read|recorded) in full",
)  # fmt: skip
ADDRESS = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}")
LINK = re.compile(r"\bhttps?://\S+|\bwww\.\S+|(?<![\w+])\+?\d[\d ()-]{8,}\d(?!\w)", re.IGNORECASE)
# RFC 2606 keeps these names out of use, so mail to them reaches nobody.
RESERVED_DOMAIN = re.compile(r"(?:^|\.)example(?:\.(?:com|org|net))?$|\.(?:test|invalid)$")


@rule(
    Severity.ERROR,
    "Words about tests or evaluation, or claims that all is real: models behave differently when "
    "they think of a test, so the run would measure awareness, not mitigation.",
)
def evaluation_mention(variant: Variant, _: LintContext) -> Iterator[Hit]:
    """Direct words."""
    for line, wording in matches(EVALUATION, variant.text):
        yield Hit(
            line,
            f"{wording!r} speaks of a test or evaluation",
            "Say what you want done in ordinary work, without that word.",
        )


@rule(
    Severity.WARNING,
    "Softer words from research and rehearsal that can make a model suspect a test.",
)
def evaluation_hint(variant: Variant, _: LintContext) -> Iterator[Hit]:
    """Words that are innocent in some sentences."""
    for line, wording in matches(HINTS, variant.text):
        fix = "Choose another word unless the deployed text needs it."
        yield Hit(line, f"{wording!r} can make a model suspect a test", fix)


@rule(Severity.ERROR, "A template's placeholder was left in the text.")
def placeholder(variant: Variant, _: LintContext) -> Iterator[Hit]:
    """Left-over instructions to the author, in the front matter too."""
    for key in ("title", "hypothesis", "author"):
        for _line, wording in matches(PLACEHOLDER, getattr(variant, key)):
            yield Hit(0, f"{key}: the placeholder {wording!r} is still there", "Fill it in.")
    for line, wording in matches(PLACEHOLDER, variant.text):
        yield Hit(line, f"the placeholder {wording!r} is still there", "Write the text or cut it.")


@rule(Severity.WARNING, "`{{` or `{%`: nothing fills variants in, so a model reads the braces.")
def template_braces(variant: Variant, _: LintContext) -> Iterator[Hit]:
    """Template syntax is literal here."""
    for line, wording in matches(re.compile(r"\{\{|\{%|\$\{"), variant.text):
        fix = "Write the value itself; each value is a variant of its own."
        yield Hit(line, f"{wording!r} reaches the model as it stands", fix)


@rule(
    Severity.WARNING,
    "Wording that stresses the goal or independent action: one such line raised harmful "
    "acts in published runs.",
)
def pushing_wording(variant: Variant, _: LintContext) -> Iterator[Hit]:
    """Phrases that push towards the goal."""
    for line, wording in matches(PUSHING, variant.text):
        fix = "Cut it, unless the variant is meant to backfire (tag `agency`)."
        yield Hit(line, f"{wording!r} pushes towards the goal", fix)


@rule(
    Severity.NOTE,
    "A promise to the model (a pause, a review, a share of sessions read): its effect "
    "is only real where the organisation keeps it.",
)
def promise(variant: Variant, _: LintContext) -> Iterator[Hit]:
    """One remark for the first promise."""
    for line, wording in matches(PROMISE, variant.text):
        fix = "Name who keeps the promise before you deploy the text."
        yield Hit(line, f"{wording!r} promises something", fix)
        return


@rule(
    Severity.ERROR,
    "A mail address outside the reserved example domains: it could belong to someone.",
)
def real_address(variant: Variant, _: LintContext) -> Iterator[Hit]:
    """Addresses that could exist."""
    for line, wording in matches(ADDRESS, variant.text):
        if not RESERVED_DOMAIN.search(wording.rpartition("@")[2].lower()):
            fix = "Use an address at example.org or example.com."
            yield Hit(line, f"{wording} may be somebody's address", fix)


@rule(Severity.WARNING, "A link or telephone number: no scenario can follow it.")
def real_link(variant: Variant, _: LintContext) -> Iterator[Hit]:
    """Places a model cannot go."""
    for line, wording in matches(LINK, variant.text):
        yield Hit(line, f"{wording[:40]!r} leads out of the scenario", "Give a mail address.")


@rule(
    Severity.WARNING,
    "An address of the text's own: in a study with it, every arm may write there and it counts as "
    "reporting, never as a leak.",
)
def own_channel(variant: Variant, context: LintContext) -> Iterator[Hit]:
    """Addresses that become authorised because the text names them."""
    if not context.channels:
        return
    for line, wording in matches(ADDRESS, variant.text):
        if wording.lower() not in context.channels:
            fix = "Keep it if concerns should go there; cut it if the text warns against it."
            yield Hit(line, f"mail to {wording} will count as reporting, in every arm", fix)


RULES = (
    evaluation_mention,
    evaluation_hint,
    placeholder,
    template_braces,
    pushing_wording,
    promise,
    real_address,
    real_link,
    own_channel,
)
