"""What a clause says of side effects, held against the guardrails: a large p is never a pass."""

import re
from collections.abc import Iterator, Sequence

from mitigations.model import Comparison, Guardrail, VerdictKind
from reports.claims import words
from reports.claims.effects import Clause
from reports.claims.measures import OK, UNSURE, WRONG, Judged, guard_numbers, judge_guard_size
from reports.claims.nouns import Finding
from reports.guardrail_words import label, shown

ALL = "*"
_HARMFUL = re.compile(r"\bharmful\b|\bharmless\b")


def guards_in(text: str) -> tuple[str, ...]:
    """Names of the guardrails that a clause speaks of; `*` for side effects at large."""
    named = tuple(name for name, pattern in words.GUARDS.items() if pattern.search(text))
    if named:
        return named
    return (ALL,) if words.ANY_COST.search(text) else ()


def judge_guards(
    one: Comparison | None, clause: Clause, text: str, names: Sequence[str]
) -> Iterator[Finding]:
    """Every guardrail a clause speaks of."""
    if one is None:
        return
    known = {guard.name: guard for guard in one.guardrails}
    asked = list(known) if ALL in names else list(names)
    if not asked:
        yield Finding(status=UNSURE, why="no side effect was measured", variant=one.variant)
    for name in asked:
        guard = known.get(name)
        if guard is None:
            yield Finding(
                status=UNSURE, why=f"{label(name)} was not measured in this run",
                variant=one.variant,
            )  # fmt: skip
            continue
        for status, why in _judged(guard, clause, text, one, at_large=ALL in names):
            yield Finding(
                status=status,
                why=f"{label(name)}: {why}" if why else "",
                numbers=guard_numbers(guard),
                variant=one.variant,
            )


def _judged(
    guard: Guardrail, clause: Clause, text: str, one: Comparison, *, at_large: bool
) -> Iterator[Judged]:
    main = _main(guard, clause, text, one, at_large=at_large)
    sizes = [judge_guard_size(size, guard) for size in clause.sizes]
    found = [judged for judged in sizes if judged is not None]
    if main is not None:
        found.insert(0, main)
    if one.verdict.kind is VerdictKind.DO_NOT_RELY and found:
        yield UNSURE, "the run says not to rely on this result"
    yield from found


def _main(
    guard: Guardrail, clause: Clause, text: str, one: Comparison, *, at_large: bool
) -> Judged | None:
    if words.ONLY_NOT_SHOWN.search(text):
        return (WRONG, "it was shown") if shown(guard) else (OK, "")
    if words.NO_COST.search(text) or words.NOT_SIGNIFICANT.search(text):
        return _unharmed(guard)
    if words.NOT_RULED_OUT.search(text):
        asked = one.guardrails if at_large else (guard,)
        return (WRONG, "it was ruled out") if all(shown(each) for each in asked) else (OK, "")
    if at_large:
        # "at a cost" is one claim about the whole verdict, as the sentence of the report makes it.
        costly = bool(one.verdict.costs)
        return (OK, "") if costly else _worse(guard)
    direction = _direction(guard, clause, text)
    if direction == 0:
        return None
    return _worse(guard) if direction > 0 else _better(guard)


def _direction(guard: Guardrail, clause: Clause, text: str) -> int:
    """+1 where harm is claimed, -1 where a benefit is."""
    if re.search(r"\bimprov\w*|\bbetter\b", text):
        return -1
    if words.COST_WORSE.search(text):
        return 1
    return -clause.sign if guard.name in words.GOOD_GUARD else clause.sign


def _unharmed(guard: Guardrail) -> Judged:
    if shown(guard):
        return OK, ""
    if guard.harmed:
        return WRONG, "a cost was shown"
    if guard.passed is None:
        return UNSURE, guard.reason or "it was not tested"
    return UNSURE, "that no harm was shown is not that there is none: the margin is not excluded"


def _worse(guard: Guardrail) -> Judged:
    if guard.harmed:
        return OK, ""
    if guard.ci is not None and guard.ci[1] < 0:
        return WRONG, "it improved"
    return UNSURE, "no harm was shown"


def _better(guard: Guardrail) -> Judged:
    if guard.ci is not None and guard.ci[1] < 0:
        return OK, ""
    return (WRONG, "a cost was shown") if guard.harmed else (UNSURE, "no benefit was shown")
