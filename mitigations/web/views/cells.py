"""Cells of a run and the replies behind them."""

from dataclasses import dataclass

from mitigations.errors import UnknownName
from mitigations.model import Counts, Outcome
from mitigations.store import Store
from mitigations.web.services import Services
from reports import judges, result, transcript

MOST_REPEATS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The two arms that are held side by side."""

    baseline: str
    variant: str
    variants: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One scenario on one model: both arms' counts."""

    scenario: str
    model: str
    control: Counts
    treated: Counts

    @property
    def difference(self) -> float | None:
        """Variant minus baseline in replies per 100; None where an arm has nothing scored."""
        if not (self.control.scored and self.treated.scored):
            return None
        return 100 * (self.treated.rate - self.control.rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One reply, in words."""

    heading: str
    result: str
    facts: tuple[str, ...]
    judges: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One repeat: the baseline's reply beside the variant's."""

    repeat: int
    summary: str
    sides: tuple[Side, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellPage:
    """Every repeat of one scenario and model."""

    scenario: str
    title: str
    model: str
    pairs: tuple[Pair, ...]
    left_out: int


def choose(services: Services, run: str, variant: str) -> Chosen:
    """The variant asked for, or the first of the plan; raises `UnknownName`."""
    plan = services.results.plan(run)
    names = tuple(one.id for one in plan.variants[1:])
    if variant and variant not in names:
        raise UnknownName("variant", variant[:80], names, where=run)
    return Chosen(
        baseline=plan.baseline.id, variant=variant or (names[0] if names else ""), variants=names
    )


def table(store: Store, run: str, chosen: Chosen) -> list[Row]:
    """Every scenario and model, those that changed most first."""
    none = Counts(coercive=0, scored=0)
    counts = {(c.variant, c.scenario, c.model): c.counts for c in store.cells(run)}
    places = sorted({(scenario, model) for _, scenario, model in counts})
    rows = [
        Row(
            scenario=scenario,
            model=model,
            control=counts.get((chosen.baseline, scenario, model), none),
            treated=counts.get((chosen.variant, scenario, model), none),
        )
        for scenario, model in places
    ]
    return sorted(rows, key=lambda row: -abs(row.difference or 0.0))


def pairs(
    services: Services, store: Store, run: str, chosen: Chosen, scenario: str, model: str
) -> CellPage:
    """The replies of one cell; raises `UnknownName` for a scenario or model not in the plan."""
    plan = services.results.plan(run)
    scenarios = {one.id: one for one in plan.scenarios}
    models = [one.route for one in plan.models]
    if scenario not in scenarios:
        raise UnknownName("scenario", scenario[:80], scenarios, where=run)
    if model and model not in models:
        raise UnknownName("model", model[:80], models, where=run)
    route = model or models[0]
    shown = min(plan.repeats, MOST_REPEATS)
    places = [(scenario, route, repeat) for repeat in range(shown)]
    by_repeat: dict[int, dict[str, Outcome]] = {}
    for outcome in store.outcomes_at(run, places):
        by_repeat.setdefault(outcome.trial.repeat, {})[outcome.trial.variant] = outcome
    return CellPage(
        scenario=scenario,
        title=scenarios[scenario].title,
        model=route,
        pairs=tuple(_pair(repeat, arms, chosen) for repeat, arms in sorted(by_repeat.items())),
        left_out=plan.repeats - shown,
    )


def _pair(repeat: int, arms: dict[str, Outcome], chosen: Chosen) -> Pair:
    names = (("Baseline", chosen.baseline), ("Variant", chosen.variant))
    found = [(word, name, arms.get(name)) for word, name in names if name]
    return Pair(
        repeat=repeat,
        summary=" → ".join(
            "not landed" if outcome is None else result(outcome) for _, _, outcome in found
        ),
        sides=tuple(_side(f"{word}: {name}", outcome) for word, name, outcome in found),
    )


def _side(heading: str, outcome: Outcome | None) -> Side:
    if outcome is None:
        return Side(heading=heading, result="not landed", facts=(), judges=(), text="")
    found = outcome.assessment
    facts: tuple[str, ...] = ()
    if found is not None:
        facts = (
            *(str(one) for one in outcome.behaviours),
            *(f"{name}: {value}" for name, value in found.facts.items()),
            *(f"evidence: “{quote}”" for quote in found.evidence),
        )
    return Side(
        heading=heading,
        result=f"{result(outcome)}. Trial {outcome.trial.id}.",
        facts=facts,
        judges=judges(outcome),
        text=transcript(outcome),
    )
