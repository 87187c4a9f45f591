"""Rules about fit: with the scenarios, with the other variants, and of a text with itself."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from mitigations.model import Variant
from variants.lint.base import Hit, LintContext, Severity, line_of, rule
from variants.text import likeness, shingles

SHARED_WORDS = 8
NEAR = 0.7


@rule(
    Severity.ERROR,
    "A person, organisation or address of the scenarios: the text would only work there.",
)
def scenario_name(variant: Variant, context: LintContext) -> Iterator[Hit]:
    """Names are matched as written, with their capitals."""
    for name in sorted(context.names):
        found = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", variant.text)
        if found:
            line = line_of(variant.text, found.start())
            fix = "Say it in general terms: a role, not a name."
            yield Hit(line, f"{name!r} is a name from the scenarios", fix)


@rule(
    Severity.ERROR,
    f"{SHARED_WORDS} words in a row taken from a scenario: the text would be written "
    "for the very cases it is measured on.",
)
def scenario_passage(variant: Variant, context: LintContext) -> Iterator[Hit]:
    """Long common runs of words."""
    taken = _passage_shingles(context.passages)
    for number, line in enumerate(variant.text.split("\n"), 1):
        shared = sorted(shingles(line, SHARED_WORDS) & taken)
        if shared:
            quote = " ".join(shared[0])
            yield Hit(number, f"{quote!r} stands in a scenario", "Say it in your own words.")


@lru_cache(maxsize=4)
def _passage_shingles(passages: tuple[str, ...]) -> frozenset[tuple[str, ...]]:
    return frozenset().union(*(shingles(text, SHARED_WORDS) for text in passages))


class Capability(NamedTuple):
    """Wording that needs a tool, and parts of the names such a tool would have."""

    pattern: str
    needs: tuple[str, ...]


CAPABILITIES = (
    Capability(r"[\w.+-]{1,64}@[\w-]+\.\w+", ("mail", "message", "send")),
    Capability(r"(?:tele)?phone|hotline|dial", ("phone", "call")),
    Capability(r"slack|chat message|instant message|text message|sms", ("slack", "chat", "sms")),
    Capability(
        r"search the (?:web|internet)|web search|browse|web form|online form|portal|website",
        ("web", "browse", "search", "http", "form"),
    ),
    Capability(r"(?:open|file|create|raise) an? (?:ticket|issue|incident)", ("ticket", "issue")),
    Capability(
        r"(?:run|execute) (?:an? |the |this )?(?:script|command|program|code|query)",
        ("shell", "exec", "command", "script", "sql", "run"),
    ),
    Capability(r"(?:press|push|click|use) the (?:\w+ )?(?:button|switch)", ("button", "switch")),
    Capability(r"calendar|meeting invitation", ("calendar",)),
)
IDENTIFIER = re.compile(
    r"`([A-Za-z][\w.-]*)(?:\([^`]*\))?`|\b([a-z]+(?:_[a-z0-9]+)+)\b|\b(\w+)\(\)"
)


@rule(
    Severity.ERROR,
    "An instruction that needs a tool no scenario offers: it could never be followed, "
    "so its effect could not be seen.",
)
def missing_tool(variant: Variant, context: LintContext) -> Iterator[Hit]:
    """Named tools, and wording that implies one."""
    if context.tools is None:
        return
    has = ", ".join(sorted(context.tools)[:6]) or "none"
    for found in IDENTIFIER.finditer(variant.text):
        name = next(group for group in found.groups() if group)
        is_call = "_" in name or "(" in found[0]
        if is_call and name not in context.tools:
            line = line_of(variant.text, found.start())
            yield Hit(line, f"no scenario has a tool {name!r}", f"Tools there: {has}.")
    for needed in CAPABILITIES:
        found_words = re.search(rf"(?<!\w)(?:{needed.pattern})(?!\w)", variant.text, re.IGNORECASE)
        offered = any(part in tool.lower() for tool in context.tools for part in needed.needs)
        if found_words and not offered:
            line = line_of(variant.text, found_words.start())
            problem = f"{found_words[0]!r} needs a tool that no scenario has"
            yield Hit(line, problem, f"Tools there: {has}.")


@rule(Severity.ERROR, "The same text in the same place as a known variant, or as the baseline.")
def duplicate_text(variant: Variant, context: LintContext) -> Iterator[Hit]:
    """Equal treatment hashes; empty baselines, and one step of two dose sets, may coincide."""
    if not variant.text:
        return
    for other in context.known.values():
        same_step = other.dose is not None and other.dose == variant.dose
        if other.id == variant.id or same_step:
            continue
        if other.treatment_hash == variant.treatment_hash:
            role = "the baseline " if other.is_baseline else ""
            fix = "Change it, or use the one that is there: the true difference is zero."
            yield Hit(1, f"the text is the same as that of {role}{other.id!r}", fix)


@rule(
    Severity.WARNING,
    f"{NEAR:.0%} of the three-word runs shared with a known variant that is not its "
    "parent: their difference would be hard to see.",
)
def near_duplicate(variant: Variant, context: LintContext) -> Iterator[Hit]:
    """Relatives are alike on purpose: parent, child, siblings, the steps of a dose."""
    for other in context.known.values():
        same = other.treatment_hash == variant.treatment_hash
        if other.id == variant.id or same or not other.text or _related(variant, other):
            continue
        share = likeness(variant.text, other.text)
        if share >= NEAR:
            fix = f"Write `parent: {other.id}` if it is a new version, or set them apart."
            yield Hit(1, f"{share:.0%} of the wording is that of {other.id!r}", fix)


def _related(a: Variant, b: Variant) -> bool:
    lineage = a.parent == b.id or b.parent == a.id
    siblings = a.parent is not None and a.parent == b.parent
    doses = a.dose is not None and b.dose is not None
    return lineage or siblings or doses


@rule(Severity.WARNING, "No hypothesis: a reader cannot tell what a result would confirm.")
def no_hypothesis(variant: Variant, _: LintContext) -> Iterator[Hit]:
    """Front matter."""
    if not variant.hypothesis:
        fix = "Add `hypothesis: what you expect, and why`, in one sentence."
        yield Hit(0, "the hypothesis is missing", fix)


@rule(Severity.WARNING, "A `parent` or `matches` that names no known variant.")
def unknown_relative(variant: Variant, context: LintContext) -> Iterator[Hit]:
    """Only where other variants are known."""
    for key, name in (("parent", variant.parent), ("matches", variant.matches)):
        if context.known and name and name not in context.known:
            yield Hit(0, f"{key} {name!r} is not known", "Correct the name or cut the line.")


RULES = (
    scenario_name,
    scenario_passage,
    missing_tool,
    duplicate_text,
    near_duplicate,
    no_hypothesis,
    unknown_relative,
)
