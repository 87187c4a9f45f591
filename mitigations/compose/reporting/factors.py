"""What the factors of the scenarios do to the coercive rate, arm by arm."""

from collections.abc import Iterable, Sequence

from mitigations.model import Cell, Counts, Interval, Plan
from reports import FactorEffect
from stats.trend import factor_effects


def factors(plan: Plan, cells: Sequence[Cell]) -> Iterable[FactorEffect]:
    """Main effects of the scenario factors on the coercive rate, within each arm."""
    levels = {scenario.id: scenario.factors for scenario in plan.scenarios}
    for variant in plan.variants:
        counts: dict[str, Counts] = {}
        rates: dict[str, list[float]] = {}
        for cell in cells:
            if cell.variant == variant.id and cell.counts.scored:
                empty = Counts(coercive=0, scored=0)
                counts[cell.scenario] = counts.get(cell.scenario, empty) + cell.counts
                rates.setdefault(cell.scenario, []).append(cell.counts.rate)
        values = {scenario: sum(found) / len(found) for scenario, found in rates.items()}
        for effect in factor_effects(values, levels, alpha=plan.settings.alpha):
            inside = {s for s in counts if levels[s].get(effect.factor) == effect.level}
            yield FactorEffect(
                factor=effect.factor,
                level=effect.level,
                reference="the other levels",
                variant=variant.id,
                counts=_sum(counts[s] for s in inside),
                reference_counts=_sum(counts[s] for s in counts.keys() - inside),
                difference=effect.difference,
                ci95=_possible(effect.ci95),
                p_value=effect.p_value,
                reason=effect.reason,
            )


def _possible(interval: Interval | None) -> Interval | None:
    """A t interval does not know that a difference of rates lies between -1 and 1."""
    return interval and (max(-1.0, interval[0]), min(1.0, interval[1]))


def _sum(counts: Iterable[Counts]) -> Counts:
    return sum(counts, Counts(coercive=0, scored=0))
