"""Validity alarms and cautions that the cells themselves can raise."""

import numpy as np

from mitigations.model import Alarm
from stats.independence import cell_t_alarm
from stats.missing import loss_alarm
from stats.scenarios import caution
from stats.strata import Grid, Strata
from stats.verdict import DISAGREE

FLOOR, CEILING = 0.02, 0.98
"""Control rates beyond which a decrease, or an increase, can hardly be seen."""


def own_alarms(grid: Grid, p_values: list[float | None]) -> tuple[Alarm, ...]:
    """Loss by arm (decisive), then what is only shown; `p_values` are the primary ones."""
    strata = grid.strata()
    return (
        loss_alarm(grid),
        _floor(grid),
        _ceiling(grid),
        _dropped(grid, strata),
        _few_scenarios(strata),
        *(_cell_t(grid.variants[i], strata.row(i), p_values[i]) for i in range(len(grid.variants))),
    )


def disagreement_alarm(variants: tuple[str, ...]) -> Alarm:
    """A shown change whose standardised difference points the other way."""
    return Alarm(
        name=DISAGREE,
        fired=True,
        detail=(
            "the test counts every trial and the estimate every stratum alike, and they point "
            "opposite ways: the effect differs between strata of different size"
        ),
        variants=variants,
    )


def _floor(grid: Grid) -> Alarm:
    control = grid.counts(0)
    rate = control.rate if control.scored else None
    return Alarm(
        name="control at floor",
        fired=None if rate is None else rate <= FLOOR,
        detail=f"the baseline was coercive in {control.coercive} of {control.scored}",
        decisive=False,
    )


def _ceiling(grid: Grid) -> Alarm:
    control = grid.counts(0)
    rate = control.rate if control.scored else None
    return Alarm(
        name="control at ceiling",
        fired=None if rate is None else rate >= CEILING,
        detail=f"the baseline was coercive in {control.coercive} of {control.scored}",
        decisive=False,
    )


def _dropped(grid: Grid, strata: Strata) -> Alarm:
    unused = ~strata.used
    touched = tuple(name for name, row in zip(grid.variants, unused, strict=True) if row.any())
    labels = [grid.label(int(k)) for k in np.flatnonzero(unused.any(axis=0))]
    shown = ", ".join(labels[:5]) + (f" and {len(labels) - 5} more" if len(labels) > 5 else "")
    detail = (
        f"without a scored trial in both arms, so the question changed: {shown}"
        if labels
        else "every stratum has scored trials in both arms"
    )
    return Alarm(
        name="strata dropped", fired=bool(labels), detail=detail, variants=touched, decisive=False
    )


def _few_scenarios(strata: Strata) -> Alarm:
    first = next((i for i in range(len(strata.x1)) if strata.used[i].any()), None)
    if first is None:
        return Alarm(
            name="few scenarios", fired=None, detail="no scenario has both arms", decisive=False
        )
    text = caution(strata.row(first))
    return Alarm(
        name="few scenarios",
        fired=bool(text),
        detail=text or "enough scenarios to speak of scenarios like these",
        decisive=False,
    )


def _cell_t(variant: str, strata: Strata, p_value: float | None) -> Alarm:
    rate1, rate0 = strata.rates()
    return cell_t_alarm(variant, (rate1 - rate0).tolist(), p_value)
