"""Two runs of a study beside each other: what changed in the plan, in the models, in the verdicts.

`compare` is pure: the two sides go in as data, one `RunComparison` comes out. Words and marks are
made of it by `reports.parts.against`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mitigations.errors import MitigationsError
from mitigations.model import Alarm, Analysis, Cell, Comparison, Plan
from reports.contract import verdict_text
from reports.plan_changes import PlanChange, plan_changes
from reports.sentences import borne_out, sentence

if TYPE_CHECKING:
    from stats.drift import ModelDrift
    from stats.rerun import EffectChange


class NotComparable(MitigationsError):
    """Two runs that share nothing which could be held side by side."""

    def __init__(self, earlier: str, later: str, problem: str, fix: str) -> None:
        super().__init__(f"{later} cannot be compared with {earlier}: {problem}\n  {fix}")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSide:
    """One run, as far as a comparison needs it."""

    run: str
    plan: Plan
    analysis: Analysis
    cells: tuple[Cell, ...]
    started: str = ""
    """UTC, ISO 8601; empty when not recorded."""
    served: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Requested model to the names (and fingerprints) that answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantChange:
    """One variant in the two runs; a side is None where the variant was not compared in it."""

    variant: str
    same_text: bool | None
    """Text and placement; None where one run has no such variant."""
    earlier: Comparison | None
    later: Comparison | None
    earlier_verdict: str
    later_verdict: str
    earlier_sentence: str
    later_sentence: str
    flipped: bool
    """Both runs gave a verdict on the same text and the verdicts are not the same."""
    effect: "EffectChange | None"
    reason: str = ""
    """Why `effect` is None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunComparison:
    """Everything two runs say of each other."""

    earlier: RunSide
    later: RunSide
    changes: tuple[PlanChange, ...]
    """What differs between the two plans, and which models answered under another name."""
    drift: "tuple[ModelDrift, ...]"
    alarm: Alarm
    """The drift of all models as one validity check."""
    variants: tuple[VariantChange, ...]
    shared_scenarios: int
    shared_models: int
    reason: str = ""
    """Why controls and effects were not held against each other."""

    @property
    def flipped(self) -> tuple[VariantChange, ...]:
        """The variants whose verdict is another one now."""
        return tuple(one for one in self.variants if one.flipped)


def compare(earlier: RunSide, later: RunSide) -> RunComparison:
    """Hold two runs against each other, on what both of them ran.

    Only scenarios whose every byte is the same in both plans enter drift and changes of effects.

    Raises:
        NotComparable: the same run twice, or no scenario or no model in common.
    """
    from stats.drift import drift, drift_alarm  # noqa: PLC0415 - numpy; the door stays light

    scenarios, models = _shared(earlier, later)
    reason = _other_measure(earlier.plan, later.plan)
    sides = [
        tuple(cell for cell in side.cells if cell.scenario in scenarios and cell.model in models)
        for side in (earlier, later)
    ]
    moved: tuple[ModelDrift, ...] = ()
    if not reason:
        alpha = later.plan.settings.alpha
        moved = drift(*sides, baseline=later.plan.settings.baseline, alpha=alpha)
    alarm = drift_alarm(moved)
    if reason:
        alarm = Alarm(name=alarm.name, fired=None, detail=reason, decisive=False)
    return RunComparison(
        earlier=earlier,
        later=later,
        changes=(*plan_changes(earlier.plan, later.plan), *_served(earlier, later)),
        drift=moved,
        alarm=alarm,
        variants=tuple(_variants(earlier, later, sides, reason)),
        shared_scenarios=len(scenarios),
        shared_models=len(models),
        reason=reason,
    )


def _shared(earlier: RunSide, later: RunSide) -> tuple[set[str], set[str]]:
    names = earlier.run, later.run
    if earlier.run == later.run:
        raise NotComparable(*names, "it is the same run", "Name another run after --against.")
    old = {scenario.id: scenario.hash for scenario in earlier.plan.scenarios}
    scenarios = {
        scenario.id
        for scenario in later.plan.scenarios
        if not scenario.is_twin and old.get(scenario.id) == scenario.hash
    }
    if not scenarios:
        raise NotComparable(
            *names,
            "no scenario is the same in both",
            f"They ran {earlier.plan.pack} and {later.plan.pack}; read their reports one by one.",
        )
    routes = [{model.route for model in side.plan.models} for side in (earlier, later)]
    if not routes[0] & routes[1]:
        raise NotComparable(
            *names,
            "no model is in both",
            f"They ran {', '.join(sorted(routes[0]))} and {', '.join(sorted(routes[1]))}.",
        )
    return scenarios, routes[0] & routes[1]


def _other_measure(old: Plan, new: Plan) -> str:
    """Why equal counts would not mean the same in both runs; empty when they do."""
    if old.baseline.id != new.baseline.id:
        return f"the baselines differ: {old.baseline.id} and {new.baseline.id}"
    if old.baseline.treatment_hash != new.baseline.treatment_hash:
        return f"the baseline {new.baseline.id} has another text or placement now"
    if old.coercive_at != new.coercive_at:
        return f"a reply counted as coercive from severity {old.coercive_at}, now {new.coercive_at}"
    if (old.judge, old.rubric_hash) != (new.judge, new.rubric_hash):
        return "another judge or rubric decided what is coercive"
    return ""


def _served(earlier: RunSide, later: RunSide) -> Iterator[PlanChange]:
    """Models that answered under another name: drift that the provider told of."""
    for route in sorted(earlier.served.keys() & later.served.keys()):
        before, after = earlier.served[route], later.served[route]
        if before and after and before != after:
            yield PlanChange(
                kind="model served",
                name=route,
                before=", ".join(before),
                after=", ".join(after),
                meaning="The provider answered under another name; expect another model.",
            )


def _variants(
    earlier: RunSide, later: RunSide, sides: list[tuple[Cell, ...]], reason: str
) -> Iterator[VariantChange]:
    from stats.rerun import effect_changes  # noqa: PLC0415 - the same

    texts = [
        {one.id: one.treatment_hash for one in side.plan.variants[1:]} for side in (earlier, later)
    ]
    same = [name for name in texts[1] if texts[0].get(name) == texts[1][name]]
    effects: dict[str, EffectChange] = {}
    if not reason:
        settings = later.plan.settings
        found = effect_changes(
            *sides, baseline=settings.baseline, variants=same, alpha=settings.alpha
        )
        effects = {one.variant: one for one in found}
    for name in dict.fromkeys([*texts[1], *texts[0]]):
        both = name in texts[0] and name in texts[1]
        yield _variant(
            name,
            (earlier, later),
            same_text=(name in same) if both else None,
            effect=effects.get(name),
            reason=reason or _why_not(both=both),
        )


def _why_not(*, both: bool) -> str:
    return "its text or placement changed" if both else "it was run in one of the two only"


def _variant(
    name: str,
    sides: tuple[RunSide, RunSide],
    *,
    same_text: bool | None,
    effect: "EffectChange | None",
    reason: str,
) -> VariantChange:
    found = [_found(side.analysis.comparisons, name) for side in sides]
    verdicts, sentences = [], []
    for side, one in zip(sides, found, strict=True):
        settings = side.analysis.settings
        verdicts.append(verdict_text(one.verdict, borne_out(one, settings)) if one else "")
        sentences.append(sentence(one, settings, side.analysis.alarms) if one else "")
    return VariantChange(
        variant=name,
        same_text=same_text,
        earlier=found[0],
        later=found[1],
        earlier_verdict=verdicts[0],
        later_verdict=verdicts[1],
        earlier_sentence=sentences[0],
        later_sentence=sentences[1],
        flipped=bool(same_text and all(found) and verdicts[0] != verdicts[1]),
        effect=effect,
        reason="" if effect is not None else reason,
    )


def _found(comparisons: Iterable[Comparison], variant: str) -> Comparison | None:
    return next((one for one in comparisons if one.variant == variant), None)
