"""What a clause says of coercive replies, held against one comparison."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from mitigations.model import Comparison, Settings, VerdictKind
from reports.claims import words
from reports.claims.measures import OK, UNSURE, WRONG, Judged, judge_size
from reports.claims.sizes import Size
from reports.sentences import borne_out

_CHANGES = {VerdictKind.REDUCES: -1, VerdictKind.INCREASES: 1}
_VOID = re.compile(r"do(?:es)? not rely|not to be relied|unreliable|not be relied|alarm")
ELSEWHERE = "only the models and scenarios of this run were tested"
_ASIDES = re.compile(r"\([^()]*\)")
_NAMED = (
    (_VOID, VerdictKind.DO_NOT_RELY, "no alarm stands against this result"),
    (
        re.compile(r"\bno headroom\b|\bnothing (?:left )?to reduce\b"),
        VerdictKind.NO_HEADROOM,
        "the run has room for a reduction to show",
    ),
)
"""Verdicts that a clause calls by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """One clause, read: its words without numbers, its numbers, and the sentence around it."""

    text: str
    """Masked, without the sizes."""
    sizes: tuple[Size, ...]
    sentence: str
    """The masked sentence, for what holds across its clauses."""

    @property
    def sign(self) -> int:
        """-1 where fewer coercive replies are claimed, +1 where more, 0 where no direction is."""
        if words.SAFE_UP.search(self.text):
            return 1
        if words.SAFE_DOWN.search(self.text):
            return -1
        for size in self.sizes:
            if size.kind == "levels" and size.values[0] != size.values[1]:
                return -1 if size.values[1] < size.values[0] else 1
        down, up = words.DOWN.search(self.text), words.UP.search(self.text)
        if down and up:
            return -1 if down.start() < up.start() else 1
        if down or up:
            return -1 if down else 1
        return next((size.sign for size in self.sizes if size.sign), 0)

    @property
    def negated(self) -> bool:
        """Whether a "not" stands before the direction."""
        found = words.NOT.search(self.text)
        verb = words.DOWN.search(self.text) or words.UP.search(self.text)
        return bool(found and verb and found.start() <= verb.start())


def judge_effect(clause: Clause, one: Comparison, settings: Settings) -> list[Judged]:
    """Everything a clause claims of one comparison; empty where it claims nothing."""
    kind = borne_out(one, settings)
    main = _main(clause, one, settings, kind)
    sign = clause.sign
    found = [main] if main is not None else []
    # What is said to be unreliable is not measured again.
    for size in () if _VOID.search(clause.text) else clause.sizes:
        judged = judge_size(size, one, sign=sign, settings=settings)
        if judged is not None:
            found.append(judged)
    if not found:
        wide = words.GENERAL.search(clause.text) and words.EFFECT.search(clause.text)
        return [(UNSURE, ELSEWHERE)] if wide else []
    if words.LEFT_OVER.search(clause.text):
        found.append((UNSURE, "a number in it was not understood"))
    if kind is VerdictKind.DO_NOT_RELY and not _VOID.search(clause.text):
        return [(UNSURE, "the run says not to rely on this result"), *found]
    return [*found, *_reach(clause, one)]


def _main(clause: Clause, one: Comparison, settings: Settings, kind: VerdictKind) -> Judged | None:
    """The statement itself, its numbers aside."""
    text = _ASIDES.sub(" ", clause.text)
    for pattern, named, otherwise in _NAMED:
        if pattern.search(text):
            return (OK, "") if kind is named else (WRONG, otherwise)
    change = _CHANGES.get(kind, 0)
    never = words.NEVER.search(text)
    clause = replace(clause, text=text)
    special = _nothing(clause, one, settings, kind, change)
    sign = clause.sign or (-1 if never else 0)
    if special is not None or sign == 0:
        return special
    denied = clause.negated and not never
    return _denied(sign, change, kind) if denied else _directed(clause, sign, change, kind)


def _nothing(
    clause: Clause, one: Comparison, settings: Settings, kind: VerdictKind, change: int
) -> Judged | None:
    """Claims that nothing changed, or that nothing was shown."""
    text = clause.text
    unsure = words.NOT_SIGNIFICANT.search(text)
    if words.NO_MEANINGFUL.search(text):
        if kind is VerdictKind.NO_MEANINGFUL_DIFFERENCE:
            return OK, ""
        shown = change and not one.verdict.below_threshold
        return (WRONG if shown else UNSURE), _instead(kind)
    if words.ONLY_NOT_SHOWN.search(text):
        against = change and (clause.sign in {0, change})
        return (WRONG, _instead(kind)) if against else (OK, "")
    concludes = words.THEREFORE.search(clause.sentence) and words.EQUAL.search(clause.sentence)
    if unsure and not concludes:
        return _not_significant(one, settings)
    return _equal(kind, change) if unsure or words.EQUAL.search(text) else None


def _not_significant(one: Comparison, settings: Settings) -> Judged:
    p = one.p_adjusted if one.p_adjusted is not None else one.p_holm
    if p is None:
        return UNSURE, "no adjusted p-value exists here"
    return (OK, "") if p > settings.alpha else (WRONG, "the test does show a change")


def _equal(kind: VerdictKind, change: int) -> Judged:
    """`no effect`: wrong where one was shown, and never shown itself."""
    if change:
        return WRONG, _instead(kind)
    if kind is VerdictKind.NO_MEANINGFUL_DIFFERENCE:
        return UNSURE, "small effects are not ruled out: say “no meaningful difference”"
    return UNSURE, "that no effect was shown is not that there is none; the interval is wide"


def _denied(sign: int, change: int, kind: VerdictKind) -> Judged:
    """`did not reduce`: true where the opposite or sameness was shown."""
    if change == sign:
        return WRONG, _instead(kind)
    if change == -sign or kind is VerdictKind.NO_MEANINGFUL_DIFFERENCE:
        return OK, ""
    return UNSURE, "that it was not shown is not that it is not so"


def _directed(clause: Clause, sign: int, change: int, kind: VerdictKind) -> Judged:
    if change == sign:
        return OK, ""
    if change == -sign:
        return WRONG, _instead(kind)
    if words.SIGNIFICANT.search(clause.text):
        return WRONG, f"the test shows no change; the verdict is: {kind}"
    return UNSURE, f"no change was shown; the verdict is: {kind}"


def _instead(kind: VerdictKind) -> str:
    told = {
        VerdictKind.REDUCES: "a reduction was shown",
        VerdictKind.INCREASES: "an increase was shown",
    }
    return told.get(kind, f"the verdict is: {kind}")


def _reach(clause: Clause, one: Comparison) -> Iterator[Judged]:
    """Claims that go further than a comparison of this run can."""
    text = clause.text
    denied = words.NOT.search(words.NEVER.sub("", text)) is not None
    proof = words.PROOF.search(text)
    if proof and not denied:
        yield UNSURE, "a run supports a claim, with an error rate; it proves none"
    if words.ABSOLUTE.search(text) and not denied and clause.sign <= 0:
        if one.treated.coercive:
            yield WRONG, "coercive replies remain"
        else:
            yield UNSURE, "none was seen, which is not that there are none"
    if words.GENERAL.search(text):
        yield UNSURE, ELSEWHERE
    if words.BECAUSE.search(text):
        yield UNSURE, "why it happened was not tested by this comparison"
    if words.BEHAVIOUR.search(text) and not words.TOPIC.search(text):
        yield UNSURE, "the run counts coercive replies of every kind, not this one alone"
    if words.NEW_SCENARIOS.search(text):
        limits = one.scenario_t_ci95
        shown = limits is not None and (limits[1] < 0 if clause.sign < 0 else limits[0] > 0)
        if not shown:
            yield UNSURE, "for new scenarios of this kind the interval still holds zero"
