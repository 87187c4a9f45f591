"""The gate of a pipeline: from an analysis and a rule fixed beforehand to passed or not.

Every variant must be shown not to be worse, or to reduce where the rule asks for it. What could not
be shown either way is inconclusive, and what an alarm touches is not to be trusted: neither passes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from mitigations.model import (
    Alarm,
    Analysis,
    Comparison,
    Gate,
    Guardrail,
    Settings,
    VerdictKind,
)
from reports.sentences import borne_out, model_sentence, sentence
from reports.words import change, interval, is_zero, points

State = Literal["passed", "failed", "inconclusive", "untrusted", "not checked"]
PASSED, FAILED, HELD = 0, 3, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class GateCheck:
    """One thing the gate looked at."""

    group: Literal["run", "variant", "model", "guardrail", "alarm"]
    name: str
    state: State
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """Everything the gate looked at, in order."""

    title: str
    checks: tuple[GateCheck, ...]

    def of(self, *states: State) -> tuple[GateCheck, ...]:
        """The checks in one of the states."""
        return tuple(check for check in self.checks if check.state in states)

    @property
    def exit_code(self) -> int:
        """0 passed, 3 failed, 4 inconclusive or not to be trusted; a shown failure comes first."""
        if self.of("failed"):
            return FAILED
        return HELD if self.of("inconclusive", "untrusted") else PASSED

    @property
    def word(self) -> str:
        """The result in a word or two."""
        if self.exit_code == HELD:
            return "not to be trusted" if self.of("untrusted") else "inconclusive"
        return "failed" if self.exit_code == FAILED else "passed"


def gate(analysis: Analysis, rule: Gate, *, title: str, unfinished: str = "") -> Gated:
    """Hold an analysis against the rule; `unfinished` says why a run is not complete."""
    chosen = [
        one for one in analysis.comparisons if one.variant in (rule.variants or (one.variant,))
    ]
    checks = [
        *_run(len(chosen), unfinished),
        *(check for one in chosen for check in _variant(one, analysis, rule)),
        *(_alarm(alarm, {one.variant for one in chosen}) for alarm in analysis.alarms),
    ]
    return Gated(title=title, checks=tuple(checks))


def _run(compared: int, unfinished: str) -> Iterator[GateCheck]:
    if unfinished:
        yield GateCheck(group="run", name="complete", state="untrusted", said=unfinished)
    if not compared:
        said = "No variant was compared with the baseline."
        yield GateCheck(group="run", name="compared", state="untrusted", said=said)


def _variant(one: Comparison, analysis: Analysis, rule: Gate) -> Iterator[GateCheck]:
    settings = analysis.settings
    must = one.variant in rule.must_reduce
    state = (_reduces if must else _not_worse)(one, settings)
    said = sentence(one, settings, analysis.alarms)
    asked = "It had to reduce. " if must else ""
    if state == "passed" and not must and borne_out(one, settings) not in _SHOWN:
        asked = f"An increase of {points(settings.smallest_change)} in 100 is excluded. "
    yield GateCheck(group="variant", name=one.variant, state=state, said=asked + said)
    for place in one.per_model if rule.each_model else ():
        yield GateCheck(
            group="model",
            name=f"{one.variant} on {place.model}",
            state=_on_model(place, settings),
            said=model_sentence(place, settings, analysis.alarms),
        )
    if rule.guardrails != "ignore":
        for name in settings.guardrail_margins:
            found = next((guard for guard in one.guardrails if guard.name == name), None)
            yield _guardrail(one.variant, name, found, rule)


_SHOWN = frozenset({VerdictKind.REDUCES, VerdictKind.NO_MEANINGFUL_DIFFERENCE})


def _reduces(one: Comparison, settings: Settings) -> State:
    kind = borne_out(one, settings)
    if kind is VerdictKind.DO_NOT_RELY:
        return "untrusted"
    if kind is VerdictKind.REDUCES:
        return "passed"
    shown = kind in {VerdictKind.INCREASES, VerdictKind.NO_MEANINGFUL_DIFFERENCE}
    return "failed" if shown else "inconclusive"


def _not_worse(one: Comparison, settings: Settings) -> State:
    kind = borne_out(one, settings)
    if kind is VerdictKind.DO_NOT_RELY:
        return "untrusted"
    if kind is VerdictKind.INCREASES:
        return "failed"
    limits = one.simultaneous_ci95
    excluded = limits is not None and limits[1] < settings.smallest_change
    return "passed" if kind in _SHOWN or excluded else "inconclusive"


def _on_model(place: Comparison, settings: Settings) -> State:
    """One model alone has too few trials to show much: only a shown increase counts."""
    kind = borne_out(place, settings)
    if kind is VerdictKind.DO_NOT_RELY:
        return "untrusted"
    return "failed" if kind is VerdictKind.INCREASES else "passed"


def _guardrail(variant: str, name: str, guard: Guardrail | None, rule: Gate) -> GateCheck:
    strict = rule.guardrails == "shown"
    state: State
    if guard is None or guard.difference is None:
        state, said = ("inconclusive" if strict else "not checked"), "It was not measured."
    else:
        limits = "no interval" if guard.ci is None else f"95 % interval {interval(guard.ci)}"
        size = change(guard.difference) + ("" if is_zero(guard.difference) else " in 100")
        said = f"Bad outcomes: {size} ({limits}; margin {points(guard.margin)})."
        if guard.passed:
            state = "passed"
        elif guard.passed is None:
            state, said = "not checked", f"{said} {guard.reason}".strip()
        elif guard.harmed:
            state, said = "failed", f"Harm was shown. {said}"
        else:
            state = "inconclusive" if strict else "passed"
            said = f"Not shown to stay within the margin. {said}"
    return GateCheck(group="guardrail", name=f"{variant}: {name}", state=state, said=said)


def _alarm(alarm: Alarm, chosen: set[str]) -> GateCheck:
    touched = not alarm.variants or chosen.intersection(alarm.variants)
    if alarm.fired is None:
        state: State = "not checked"
    else:
        state = "untrusted" if alarm.fired and alarm.decisive and touched else "passed"
    said = f"Shown only: {alarm.detail}" if alarm.fired and state == "passed" else alarm.detail
    name = f"{alarm.name} ({', '.join(alarm.variants)})" if alarm.variants else alarm.name
    return GateCheck(group="alarm", name=name, state=state, said=said)
