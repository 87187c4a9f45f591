"""The door: cells and settings in, one `Analysis` out."""

from collections.abc import Collection, Mapping, Sequence

from mitigations.errors import NoData
from mitigations.model import Alarm, Analysis, Cell, Comparison, PairCell, Settings
from stats.alarms import disagreement_alarm, own_alarms
from stats.comparison import Context, compare
from stats.family import adjust
from stats.guardrails import unmeasured_alarm
from stats.measures import measure
from stats.strata import grid
from stats.verdict import DISAGREE


def analyse(
    cells: Sequence[Cell],
    settings: Settings,
    *,
    pairs: Sequence[PairCell] = (),
    guardrails: Mapping[str, Sequence[Cell]] | None = None,
    alarms: Sequence[Alarm] = (),
    level: float | None = None,
    decided: Collection[str] | None = None,
) -> Analysis:
    """Compare every variant with the baseline, overall and on each model, and give the verdicts.

    Args:
        cells: one for each variant, scenario and model; their order does not matter.
        settings: baseline, level, margins, seed: what the plan froze.
        pairs: pairs of the r-th valid trials, closed at epochs, for the e-value.
        guardrails: name to cells whose `coercive` counts the bad event of the benign twins.
        alarms: validity alarms found elsewhere; a decisive one turns verdicts into `do not rely`.
        level: two-sided level of this look where looks were planned; None: `settings.alpha`.
        decided: variants that a look of the running study has decided: these count as shown and no
            others, whatever their p is now. None: the cells decide.

    Raises:
        UnknownName: no cell belongs to the baseline.
        NoData: no cell belongs to any variant.
        ValueError: two cells of one name, or impossible counts.

    The same cells, settings and seed give the same result, byte for byte.
    """
    table = grid(cells, settings.baseline)
    if not table.variants:
        raise NoData(f"only the baseline {settings.baseline!r} has trials: nothing to compare")
    decision_level = settings.alpha if level is None else level
    measures = measure(table, level=0.05 if level is None else level)
    p_values = [tests[0].midp if tests[0] else None for tests in measures.tests]
    family = adjust(table, p_values, measures.differences, settings, level=decision_level)
    benign = dict(guardrails or {})
    unmeasured = unmeasured_alarm(benign, settings.guardrail_margins)
    every = (*alarms, *own_alarms(table, p_values), *((unmeasured,) if unmeasured else ()))
    context = Context(
        grid=table,
        settings=settings,
        level=decision_level,
        measures=measures,
        family=family,
        pairs=tuple(pairs),
        guardrails=benign,
        alarms=every,
        decided=None if decided is None else frozenset(decided),
    )
    comparisons = tuple(compare(context, i) for i in range(len(table.variants)))
    known = [one.p_adjusted for one in comparisons if one.p_adjusted is not None]
    return Analysis(
        settings=settings,
        comparisons=comparisons,
        alarms=(*every, *_disagreements(comparisons)),
        family_size=len(table.variants),
        family_method=family.method,
        family_p=min(known, default=None),
        models=table.models,
        scenarios=table.scenarios,
    )


def _disagreements(comparisons: Sequence[Comparison]) -> tuple[Alarm, ...]:
    named = tuple(one.variant for one in comparisons if DISAGREE in one.verdict.alarms)
    return (disagreement_alarm(named),) if named else ()
