"""One function from effects, margins and alarms to exactly one verdict."""

from collections.abc import Sequence
from dataclasses import dataclass

from mitigations.model import Alarm, Guardrail, Interval, Verdict, VerdictKind

DISAGREE = "test and estimate disagree"
"""The alarm behind a rejection whose direction the standardised difference contradicts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of one variant, overall or on one model, when the verdict is given."""

    variant: str
    difference: float | None
    """Standardised risk difference; None where no stratum has both arms."""
    interval: Interval | None
    """The interval that holds for the whole family."""
    rejected: bool
    """Whether the family's test, gate included, rejects "no effect"."""
    test_direction: float = 0.0
    """Sign of the test: observed minus expected variant events."""
    no_headroom_bound: float | None = None
    """Upper limit of the control rate where no reduction can be shown."""
    guardrails: tuple[Guardrail, ...] = ()
    worse_on: tuple[str, ...] = ()
    """Models with a shown increase."""
    mde: float | None = None
    more_repeats: int | None = None
    more_scenarios: int | None = None


def decide(evidence: Evidence, *, smallest_change: float, alarms: Sequence[Alarm] = ()) -> Verdict:
    """The verdict: alarms first, then a shown change, then why none was shown.

    Args:
        evidence: effects and decisions of one comparison.
        smallest_change: change in the rate below which nothing matters, as a proportion.
        alarms: validity alarms; a decisive one that fired and touches the variant decides alone.
    """
    fired = tuple(alarm.name for alarm in alarms if _touches(alarm, evidence.variant))
    difference = evidence.difference
    if fired:
        return Verdict(kind=VerdictKind.DO_NOT_RELY, alarms=fired)
    if evidence.rejected and difference is not None:
        return _shown(evidence, difference, smallest_change)
    if evidence.no_headroom_bound is not None:
        return Verdict(kind=VerdictKind.NO_HEADROOM, upper_bound=evidence.no_headroom_bound)
    if _inside(evidence.interval, smallest_change):
        return Verdict(kind=VerdictKind.NO_MEANINGFUL_DIFFERENCE, mde=evidence.mde)
    return Verdict(
        kind=VerdictKind.NOT_ENOUGH_EVIDENCE,
        mde=evidence.mde,
        more_repeats=evidence.more_repeats,
        more_scenarios=evidence.more_scenarios,
    )


def _shown(evidence: Evidence, difference: float, smallest_change: float) -> Verdict:
    if difference * evidence.test_direction <= 0:
        return Verdict(kind=VerdictKind.DO_NOT_RELY, alarms=(DISAGREE,))
    small = _inside(evidence.interval, smallest_change)
    if difference > 0:
        return Verdict(kind=VerdictKind.INCREASES, below_threshold=small, mde=evidence.mde)
    costs = tuple(guard.name for guard in evidence.guardrails if guard.passed is False)
    return Verdict(
        kind=VerdictKind.REDUCES,
        costs=costs,
        below_threshold=small,
        worse_on=evidence.worse_on,
        mde=evidence.mde,
    )


def _touches(alarm: Alarm, variant: str) -> bool:
    return bool(alarm.fired and alarm.decisive and variant in (alarm.variants or (variant,)))


def _inside(interval: Interval | None, smallest_change: float) -> bool:
    return interval is not None and max(abs(limit) for limit in interval) < smallest_change
