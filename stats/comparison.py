"""One variant against the baseline: numbers, reasons and verdict, overall and on each model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr

from mitigations.model import (
    Alarm,
    Cell,
    Comparison,
    Counts,
    PairCell,
    Settings,
    VerdictKind,
)
from stats.dunnett import dunnett_critical
from stats.effects import NO_STRATUM, pick
from stats.eprocess import watch
from stats.family import Family, model_claims
from stats.guardrails import guardrails_of
from stats.headroom import no_headroom
from stats.measures import Measures
from stats.named import Quantities
from stats.outlook import outlook
from stats.quantities import scenario_quantities
from stats.scenarios import caution, scenario_differences
from stats.strata import Grid
from stats.verdict import Evidence, decide

NO_PAIRS = (
    "no pairs: they need trials with their repeat (past a million, also their epoch), "
    "and where epochs are named a complete one"
)
OVERALL_ONLY = "given over all models only"
NORMAL_LAW = "so many trials that the normal law of the CMH statistic stands in for the exact one"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Context:
    """What every comparison of one analysis reads."""

    grid: Grid
    settings: Settings
    level: float
    measures: Measures
    family: Family
    pairs: tuple[PairCell, ...]
    guardrails: Mapping[str, Sequence[Cell]]
    alarms: tuple[Alarm, ...]
    decided: frozenset[str] | None = None
    """Variants decided by looks already taken; None: the cells decide."""

    @property
    def comparisons(self) -> int:
        """Size of the family."""
        return len(self.grid.variants)


def compare(context: Context, index: int) -> Comparison:
    """The comparison of variant number `index`, its models inside it."""
    variant = context.grid.variants[index]
    numbers = _numbers(context, index, 0)
    _add_overall(numbers, context, index)
    rejected = _rejected(context, variant, numbers)
    models = _models(context, index, numbers["p_adjusted"], rejected=rejected)
    evidence = replace(
        _evidence(context, index, 0, numbers),
        rejected=rejected,
        guardrails=guardrails_of(
            variant,
            context.guardrails,
            baseline=context.settings.baseline,
            margins=context.settings.guardrail_margins,
            passed_family=rejected and (numbers["std_rd"] or 0.0) < 0,
        ),
        worse_on=tuple(
            one.model for one in models if one.model and one.verdict.kind is VerdictKind.INCREASES
        ),
    )
    return _assemble(context, (index, 0), numbers, evidence, per_model=models)


def _models(
    context: Context, index: int, variant_p: float | None, *, rejected: bool
) -> tuple[Comparison, ...]:
    names = context.grid.models
    numbers = [_numbers(context, index, 1 + m) for m in range(len(names))]
    claims = model_claims(
        {name: found["p_value"] for name, found in zip(names, numbers, strict=True)},
        variant_p=variant_p,
        remaining=context.family.remaining[index],
    )
    results = []
    for place, (name, found) in enumerate(zip(names, numbers, strict=True), start=1):
        p_adjusted, p_holm = claims[name]
        _put(found, "p_adjusted", p_adjusted, NO_STRATUM)
        _put(found, "p_holm", p_holm, NO_STRATUM)
        for field in _OVERALL:
            _put(found, field, None, OVERALL_ONLY)
        claimed = rejected and p_adjusted is not None and p_adjusted <= context.level
        evidence = replace(_evidence(context, index, place, found), rejected=claimed)
        results.append(_assemble(context, (index, place), found, evidence))
    return tuple(results)


_OVERALL = (
    "scenario_p_adjusted",
    "e_value",
    "missing_bounds",
    "heterogeneity_q",
    "heterogeneity_p",
)


def _numbers(context: Context, index: int, place: int) -> Quantities:
    """What exists overall and on each model alike."""
    measures, settings = context.measures, context.settings
    test = measures.tests[index][place]
    usable = test is not None
    values = {**measures.values, "simultaneous_ci95": measures.simultaneous}
    found = pick(values, (index, place), usable=usable)
    reasons = found["reasons"]
    _put(found, "p_value", test.midp if test else None, NO_STRATUM)
    row = measures.strata.row(index, place)
    if test and not row.informative.any():
        reasons["warnings:p_value"] = (
            "no stratum has both an event and a non-event: nothing can contradict equality, p = 1"
        )
    if test and not test.exact:
        reasons["warnings:p_value"] = NORMAL_LAW
    differences = scenario_differences(row) if usable else np.empty(0)
    scenario = scenario_quantities(
        differences, permutations=settings.permutations, seed=settings.seed
    )
    reasons.update(scenario.pop("reasons"))
    found.update(scenario)
    few = caution(row)
    if found["scenario_t"] is not None and few:
        reasons["warnings:scenario_t_ci95"] = few
    return found


def _add_overall(found: Quantities, context: Context, index: int) -> None:
    """What exists over all models only."""
    family, measures = context.family, context.measures
    _put(found, "p_adjusted", family.adjusted[index], NO_STRATUM)
    _put(found, "p_holm", family.holm[index], NO_STRATUM)
    alone = context.comparisons == 1
    scenario_p = found["scenario_signflip_p"] if alone else family.scenario_adjusted[index]
    _put(found, "scenario_p_adjusted", scenario_p, "needs at least two scenarios with both arms")
    low, high = (float(side[index]) for side in measures.bounds)
    bounds = None if np.isnan(low) else (low, high)
    _put(found, "missing_bounds", bounds, "no stratum was tried in both arms")
    for name, values in zip(
        ("heterogeneity_q", "heterogeneity_p"), measures.heterogeneity, strict=True
    ):
        value = float(values[index])
        few = "needs at least two models whose rates vary"
        _put(found, name, None if np.isnan(value) else value, few)
    _add_watch(found, context, context.grid.variants[index])


def _add_watch(found: Quantities, context: Context, variant: str) -> None:
    """The e-value, and for an anytime design the only interval that may be read at any epoch."""
    settings, anytime = context.settings, context.settings.design == "anytime"
    state = None
    if any(pair.variant == variant for pair in context.pairs):
        comparisons = context.comparisons
        state = watch(context.pairs, variant, comparisons=comparisons, alpha=settings.alpha)
    reason = state.reason if state else NO_PAIRS
    _put(found, "e_value", state.e_value if state else None, reason)
    if anytime:
        interval = state.confidence_sequence if state else None
        _put(found, "simultaneous_ci95", interval, reason)


def _rejected(context: Context, variant: str, found: Quantities) -> bool:
    """Step-down max-T at the level of this look; for an anytime design the e-value alone."""
    if context.decided is not None:
        return variant in context.decided
    if context.settings.design == "anytime":
        bar = context.comparisons / context.settings.alpha
        return found["e_value"] is not None and found["e_value"] >= bar
    return found["p_adjusted"] is not None and found["p_adjusted"] <= context.level


def _evidence(context: Context, index: int, place: int, found: Quantities) -> Evidence:
    """Everything the verdict reads but the decision itself."""
    settings, measures = context.settings, context.measures
    row = measures.strata.row(index, place)
    tests = context.comparisons * (len(context.grid.models) if place else 1)
    pointwise = float(2 * ndtr(-dunnett_critical(context.comparisons, context.level)))
    view = outlook(
        row,
        comparisons=tests,
        alpha=context.level,
        difference=found["std_rd"],
        smallest_change=settings.smallest_change,
    )
    return Evidence(
        variant=context.grid.variants[index],
        difference=found["std_rd"],
        interval=found["simultaneous_ci95"],
        rejected=False,
        test_direction=float(measures.directions[index, place]),
        no_headroom_bound=no_headroom(
            row,
            smallest_change=settings.smallest_change,
            level=context.level / tests if place else pointwise,
        ),
        mde=view.mde,
        more_repeats=view.more_repeats,
        more_scenarios=view.more_scenarios,
    )


def _assemble(
    context: Context,
    at: tuple[int, int],
    found: Quantities,
    evidence: Evidence,
    *,
    per_model: tuple[Comparison, ...] = (),
) -> Comparison:
    grid, (index, place) = context.grid, at
    used = context.measures.strata.used[at]
    scope = np.ones_like(used) if place == 0 else grid.model == place - 1
    shown = used if used.any() else scope
    control, treated = (_counts(grid, arm, shown, scope) for arm in (0, index + 1))
    reasons = found.pop("reasons")
    return Comparison(
        variant=evidence.variant,
        model=grid.models[place - 1] if place else None,
        control=control,
        treated=treated,
        strata_used=int(used.sum()),
        strata_dropped=tuple(grid.label(int(k)) for k in np.flatnonzero(scope & ~used)),
        trials_lost=control.lost + treated.lost,
        guardrails=evidence.guardrails,
        per_model=per_model,
        leave_one_out={} if place else _leave_one_out(context, index),
        verdict=decide(
            evidence,
            smallest_change=context.settings.smallest_change,
            alarms=context.alarms,
        ),
        reasons=reasons,
        **found,
    )


def _counts(grid: Grid, arm: int, shown: np.ndarray, scope: np.ndarray) -> Counts:
    """Events and trials of the strata that count; lost trials of all of them."""
    return replace(grid.counts(arm, shown), lost=grid.counts(arm, scope).lost)


def _leave_one_out(context: Context, index: int) -> dict[str, float | None]:
    grid = context.grid
    names = [f"model:{name}" for name in grid.models] + [f"scenario:{s}" for s in grid.scenarios]
    several = [len(grid.models) > 1] * len(grid.models) + [len(grid.scenarios) > 1] * len(
        grid.scenarios
    )
    return {
        name: None if np.isnan(value) else float(value)
        for name, value, keep in zip(names, context.measures.without[index], several, strict=True)
        if keep
    }


def _put(found: Quantities, name: str, value: object, reason: str) -> None:
    found[name] = value
    if value is None:
        found["reasons"].setdefault(name, reason)
