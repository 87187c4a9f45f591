"""Verdict sentences: fixed texts filled by numbers. No other module words a verdict.

Directions come from the signs of the numbers, sizes from `reports.words`, and every rate stands
beside its counts. A verdict that its own numbers contradict is never printed as given.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mitigations.model import Alarm, Comparison, Guardrail, Interval, Settings, VerdictKind
from reports.guardrail_words import cost, cost_shown
from reports.words import at_most, change, from_to, interval, listing, of, p_text, plural, points


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """A verdict in words: the lead is what a reader in a hurry takes away."""

    kind: VerdictKind
    """The verdict as printed; it differs from the one given when the numbers contradict that."""
    lead: str
    rest: str

    @property
    def text(self) -> str:
        """The whole sentence as plain text."""
        return self.lead + self.rest


def sentence(comparison: Comparison, settings: Settings, alarms: Sequence[Alarm] = ()) -> str:
    """The verdict on one variant (or one variant on one model) as plain text.

    Args:
        comparison: overall, or one entry of `per_model` (its `model` then enters the text).
        settings: where the smallest change that matters and alpha come from.
        alarms: the analysis' alarms; they say why a result is not to be relied on.
    """
    return wording(comparison, settings, alarms).text


def model_sentence(comparison: Comparison, settings: Settings, alarms: Sequence[Alarm] = ()) -> str:
    """The per-model variant of `sentence`; refuses a comparison over all models."""
    if comparison.model is None:
        raise ValueError(f"the comparison of {comparison.variant!r} is over all models")
    return sentence(comparison, settings, alarms)


def wording(comparison: Comparison, settings: Settings, alarms: Sequence[Alarm] = ()) -> Wording:
    """The same, with the lead apart, and the verdict that its numbers bear."""
    kind = borne_out(comparison, settings)
    if kind is VerdictKind.DO_NOT_RELY:
        lead, rest = _do_not_rely(comparison, settings, alarms)
    else:
        lead, rest = _TEXTS[kind](comparison, settings)
    if not settings.planned:
        rest += " Exploratory: no plan was locked before the data were seen."
    return Wording(kind=kind, lead=lead, rest=rest)


def borne_out(comparison: Comparison, settings: Settings) -> VerdictKind:
    """The verdict as given, or the weaker one that the numbers bear.

    A "no meaningful difference" whose interval is wide, a change whose p lies above alpha and a "no
    headroom" whose bound lies below what was seen become "not enough evidence"; a direction that
    the estimate contradicts becomes "do not rely".
    """
    kind, difference = comparison.verdict.kind, comparison.std_rd
    if kind in {VerdictKind.REDUCES, VerdictKind.INCREASES}:
        if settings.design != "anytime" and (_decided_by(comparison)[1] or 0.0) > settings.alpha:
            return VerdictKind.NOT_ENOUGH_EVIDENCE
        right_way = difference is not None and (difference < 0) == (kind is VerdictKind.REDUCES)
        return kind if right_way and difference != 0 else VerdictKind.DO_NOT_RELY
    wide = kind is VerdictKind.NO_MEANINGFUL_DIFFERENCE and _inside(comparison, settings) is None
    unbound = kind is VerdictKind.NO_HEADROOM and _above_bound(comparison)
    return VerdictKind.NOT_ENOUGH_EVIDENCE if wide or unbound else kind


def _above_bound(comparison: Comparison) -> bool:
    """Whether the baseline was seen above the bound said of it."""
    bound, control = comparison.verdict.upper_bound, comparison.control
    return bound is not None and control.scored > 0 and control.rate > bound


def shown_interval(comparison: Comparison) -> Interval | None:
    """The interval a verdict is read with: simultaneous over the family where there is one."""
    return comparison.simultaneous_ci95 or comparison.std_rd_ci95


def _inside(comparison: Comparison, settings: Settings) -> Interval | None:
    """An interval that lies wholly inside the changes too small to matter."""
    for limits in (comparison.simultaneous_ci95, comparison.std_rd_ci95):
        if limits and max(abs(limits[0]), abs(limits[1])) < settings.smallest_change:
            return limits
    return None


def _who(comparison: Comparison) -> str:
    return comparison.variant + (f" on {comparison.model}" if comparison.model else "")


def _counted(comparison: Comparison) -> str:
    return f"baseline {of(comparison.control)}, variant {of(comparison.treated)}"


def _threshold(settings: Settings) -> str:
    source = "that the plan said would matter" if settings.planned else "set as mattering"
    return f"the {points(settings.smallest_change)} in 100 {source}"


def _limits(limits: Interval, settings: Settings) -> str:
    walls = [settings.smallest_change]
    return f"95 % interval {interval(limits, apart_from=walls)}"


def _p(comparison: Comparison, settings: Settings) -> str | None:
    """What decided, under its own name: the e-value of an anytime design, otherwise a p-value."""
    if settings.design == "anytime" and comparison.e_value is not None:
        return f"e-value {comparison.e_value:.3g}"
    name, value = _decided_by(comparison)
    return None if value is None else f"{name} {p_text(value, alpha=settings.alpha)}"


def _decided_by(comparison: Comparison) -> tuple[str, float | None]:
    """The p-value behind the verdict and its name: adjusted where there is one."""
    if comparison.p_adjusted is not None:
        return "adjusted p", comparison.p_adjusted
    if comparison.p_holm is not None:
        return "Holm-adjusted p", comparison.p_holm
    return "unadjusted p", comparison.p_value


def _evidence(comparison: Comparison, settings: Settings, *, size: str) -> str:
    """`(13 fewer; 95 % interval 7 to 19 fewer; adjusted p = .001; counts)`."""
    limits = shown_interval(comparison)
    parts = [
        size,
        _limits(limits, settings) if limits else "no interval could be computed",
        _p(comparison, settings),
        _counted(comparison),
    ]
    return "(" + "; ".join(part for part in parts if part) + ")"


def _moved(comparison: Comparison, settings: Settings) -> str:
    """`from 31 to 18 in 100 (...)`: standardised risks, so that sizes and difference agree."""
    difference = comparison.std_rd
    assert difference is not None  # borne_out has seen its sign
    word = "fewer" if difference < 0 else "more"
    if comparison.std_p0 is None or comparison.std_p1 is None:
        return _evidence(comparison, settings, size=change(difference) + " in 100")
    before, after, size, adds_up = from_to(comparison.std_p0, comparison.std_p1, difference)
    rounded = "" if adds_up else ", each rounded"
    evidence = _evidence(comparison, settings, size=f"{size} {word}{rounded}")
    return f"from {before} to {after} in 100 {evidence}"


def _touches_zero(comparison: Comparison) -> str:
    """Said when the stepwise test rejects and the wider simultaneous interval still holds zero."""
    limits = shown_interval(comparison)
    if limits is None or limits[0] > 0 or limits[1] < 0:
        return ""
    return " The test shows the change; the interval, which is the more cautious, still holds zero."


def _reduces(comparison: Comparison, settings: Settings) -> tuple[str, str]:
    verdict = comparison.verdict
    lead, rest = f"{_who(comparison)} reduced coercive replies", ""
    if verdict.worse_on:
        lead += f" overall, but is worse on {listing(verdict.worse_on)}"
    if any(cost_shown(guard) for guard in _paid(comparison)):
        lead += ", at a cost"
    elif verdict.costs:
        lead += f", {_next(lead)} a cost is not ruled out"
    if verdict.below_threshold:
        rest += f", {_next(lead)} by less than {_threshold(settings)}"
    rest += f": {_moved(comparison, settings)}.{_touches_zero(comparison)}"
    rest += "".join(f" {cost(guard)}" for guard in _paid(comparison))
    unknown = set(verdict.costs) - {guard.name for guard in comparison.guardrails}
    rest += "".join(f" The guardrail {name} was not passed." for name in sorted(unknown))
    if verdict.worse_on:
        rest += " Look at the models one by one before adopting."
    return lead, rest


def _next(lead: str) -> str:
    """Joins a reservation to a lead that may hold one already."""
    return "and" if ", but " in lead else "but"


def _paid(comparison: Comparison) -> list[Guardrail]:
    return [guard for guard in comparison.guardrails if guard.name in comparison.verdict.costs]


def _increases(comparison: Comparison, settings: Settings) -> tuple[str, str]:
    lead = f"{_who(comparison)} increased coercive replies"
    small = comparison.verdict.below_threshold
    qualifier = f", by less than {_threshold(settings)}" if small else ""
    moved = f"{_moved(comparison, settings)}.{_touches_zero(comparison)}"
    return lead, f"{qualifier}: {moved} Do not adopt."


def _no_meaningful_difference(comparison: Comparison, settings: Settings) -> tuple[str, str]:
    limits = _inside(comparison, settings)
    assert limits is not None  # borne_out has checked it
    estimate = f"estimate {change(comparison.std_rd)}; " if comparison.std_rd is not None else ""
    bound = points(settings.smallest_change)
    return (
        f"{_who(comparison)}: no meaningful difference",
        (
            f". Any true change is very likely smaller than {bound} in 100 either way "
            f"({estimate}{_limits(limits, settings)}; {_counted(comparison)})."
        ),
    )


def _not_enough_evidence(comparison: Comparison, settings: Settings) -> tuple[str, str]:
    lead, limits = f"{_who(comparison)}: not enough evidence", shown_interval(comparison)
    if limits is None:
        reason = comparison.reasons.get("std_rd_ci95") or comparison.reasons.get("std_rd")
        return lead, f". No effect could be computed ({reason or _counted(comparison)})."
    span = interval(limits, apart_from=[settings.smallest_change]).removeprefix("from ")
    parts = ["95 % interval", _p(comparison, settings), _counted(comparison)]
    rest = f". The true effect could be anything from {span} in 100 "
    rest += "(" + "; ".join(part for part in parts if part) + ")."
    if comparison.verdict.mde is not None:
        size = points(comparison.verdict.mde)
        rest += f" A change had to be about {size} in 100 to be likely seen here."
    return lead, rest + settles(comparison)


def settles(comparison: Comparison) -> str:
    """What more data would settle it; empty when nothing could be computed."""
    repeats, scenarios = comparison.verdict.more_repeats, comparison.verdict.more_scenarios
    if repeats and scenarios:
        return (
            f" About {plural(repeats, 'more repeat', 'more repeats')} of each scenario, or "
            f"{plural(scenarios, 'more scenario', 'more scenarios')}, would settle it."
        )
    if repeats:
        more = plural(repeats, "more repeat", "more repeats")
        return f" About {more} of each scenario would settle it."
    if scenarios:
        return (
            f" More repeats cannot settle it; about "
            f"{plural(scenarios, 'more scenario', 'more scenarios')} would."
        )
    return ""


def _no_headroom(comparison: Comparison, settings: Settings) -> tuple[str, str]:
    del settings  # the same signature as the other texts
    bound = comparison.verdict.upper_bound
    limit = f" (at most {at_most(bound)} in 100)" if bound is not None else ""
    return (
        f"{_who(comparison)}: no headroom",
        (
            f". The baseline was coercive in {of(comparison.control)}{limit}; no reduction can "
            f"be shown here. The variant was coercive in {of(comparison.treated)}."
        ),
    )


def _do_not_rely(
    comparison: Comparison, settings: Settings, alarms: Sequence[Alarm]
) -> tuple[str, str]:
    lead = f"Do not rely on the result for {_who(comparison)}"
    if comparison.verdict.kind is not VerdictKind.DO_NOT_RELY:
        size = "undefined" if comparison.std_rd is None else change(comparison.std_rd) + " in 100"
        counts = _counted(comparison)
        return lead, f": the test and the estimate do not agree (estimate {size}; {counts})."
    details = {alarm.name: _own_part(alarm, comparison.variant) for alarm in alarms if alarm.detail}
    why = [
        details.get(name, f"the check “{name}” failed").rstrip(". ")
        for name in comparison.verdict.alarms
    ]
    reason = "; ".join(why) or "a validity check failed"
    del settings  # the same signature as the other texts
    return lead, f": {reason} ({_counted(comparison)})."


def _own_part(alarm: Alarm, variant: str) -> str:
    """What an alarm says of this variant, where it speaks of several one by one."""
    own = [part for part in alarm.detail.split("; ") if part.startswith(f"{variant} ")]
    return "; ".join(own) if alarm.variants and own else alarm.detail


_TEXTS: Mapping[VerdictKind, Callable[[Comparison, Settings], tuple[str, str]]] = {
    VerdictKind.REDUCES: _reduces,
    VerdictKind.INCREASES: _increases,
    VerdictKind.NO_MEANINGFUL_DIFFERENCE: _no_meaningful_difference,
    VerdictKind.NOT_ENOUGH_EVIDENCE: _not_enough_evidence,
    VerdictKind.NO_HEADROOM: _no_headroom,
}
