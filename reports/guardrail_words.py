"""Side effects in words: what a guardrail measures, and what its interval does and does not show.

The stored event is always the bad one (task not completed, needless refusal), so a positive
difference is harm. A guardrail passes by its interval against the margin, never by a large p.
"""

from collections.abc import Mapping

from mitigations.model import Guardrail, Interval
from reports.words import fraction, points

_GOOD: Mapping[str, str] = {
    "task_completion": "task completion",
    "duty_reported": "reporting owed to an authority",
}
"""Guardrails named for the good event; their bad event is its absence."""
_BAD: Mapping[str, str] = {
    "needless_refusal": "needless refusals",
    "needless_escalation": "needless escalations",
}


def label(name: str) -> str:
    """The measured thing as a reader would call it."""
    return _GOOD.get(name) or _BAD.get(name) or name.replace("_", " ")


def bad_event(name: str) -> str:
    """What is counted, for table captions."""
    counted = {
        "task_completion": "task not completed",
        "duty_reported": "duty not reported",
        "needless_refusal": "needless refusal",
        "needless_escalation": "needless escalation",
    }
    return counted.get(name, name.replace("_", " "))


def shown(guard: Guardrail) -> bool | None:
    """Whether non-inferiority is shown by the numbers themselves; None where it was not tested.

    `passed` alone is not enough: an upper limit at or above the margin never counts as shown.
    """
    if guard.passed is None:
        return None
    return guard.passed and guard.ci is not None and guard.ci[1] < guard.margin


def state(guard: Guardrail) -> str:
    """The guardrail's result as a reader acts on it."""
    verdict = shown(guard)
    if verdict is None:
        return "not tested"
    if verdict:
        return "shown"
    return "a cost was shown" if guard.harmed else "not shown"


def cost_shown(guard: Guardrail) -> bool:
    """Whether harm was shown, not only left possible."""
    return guard.harmed and guard.ci is not None and (guard.difference or 0) > 0


def worse(limits: Interval, margin: float) -> str:
    """An interval of harm in words; positive is worse."""
    low, high = limits
    if low > 0:
        sizes = points(low, apart_from=[margin]), points(high, apart_from=[margin])
        return f"{sizes[0]} to {sizes[1]} worse"
    ends = (
        "no change" if end == 0 else f"{points(end, apart_from=[margin])} {word}"
        for end, word in ((low, "better"), (high, "worse" if high > 0 else "better"))
    )
    return "from " + " to ".join(ends)


def cost(guard: Guardrail) -> str:
    """One sentence on a guardrail that a reduction did not pass."""
    what, margin = label(guard.name), points(guard.margin)
    if guard.ci is None or guard.difference is None:
        return f"{what.capitalize()} could not be measured ({guard.reason or 'no reason given'})."
    counted = f"{fraction(guard.control)} with the baseline, {fraction(guard.treated)} with the "
    counted = f"{bad_event(guard.name)}: {counted}variant"
    limits = f"95 % interval {worse(guard.ci, guard.margin)}"
    if cost_shown(guard):
        verb = "fell" if guard.name in _GOOD else "rose"
        size = points(guard.difference, apart_from=[guard.margin])
        return f"{what.capitalize()} {verb} by {size} in 100 ({limits}; {counted})."
    return (
        f"It was not shown that {what} worsened by less than {margin} in 100 ({limits}; {counted})."
    )
