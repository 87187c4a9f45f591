"""Guardrails: a variant that passed the family must not do harm elsewhere.

Gatekept and one-sided: non-inferiority is shown when the upper Miettinen-Nurminen limit of the harm
difference lies below the plan's margin. Every guardrail must pass, so no adjustment is needed
between them (Berger 1982, Technometrics 24: intersection-union). "Not significant" is never "no
harm".
"""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.special import ndtr

from mitigations.model import Alarm, Cell, Counts, Guardrail
from stats.score import difference_interval, difference_z
from stats.standardised import standardise
from stats.strata import grid

UNMEASURED = "guardrail not measured"
NONE = Counts(coercive=0, scored=0)


def guardrails_of(
    variant: str,
    cells: Mapping[str, Sequence[Cell]],
    *,
    baseline: str,
    margins: Mapping[str, float],
    passed_family: bool,
) -> tuple[Guardrail, ...]:
    """Every guardrail of the plan for one variant, in the plan's order.

    `coercive` in these cells is the bad event. A variant that did not pass the family is measured
    but not tested.
    """
    return tuple(
        _guardrail(
            name,
            [cell for cell in cells.get(name, ()) if cell.variant in {variant, baseline}],
            baseline=baseline,
            margin=margin,
            passed_family=passed_family,
        )
        for name, margin in margins.items()
    )


def unmeasured_alarm(
    cells: Mapping[str, Sequence[Cell]], margins: Mapping[str, float]
) -> Alarm | None:
    """Names the guardrails of the plan for which no trial was scored: they were not passed."""
    empty = [
        name for name in margins if not any(cell.counts.scored for cell in cells.get(name, ()))
    ]
    if not empty:
        return None
    detail = f"no scored trial for {', '.join(empty)}: whether it does harm there is unknown"
    return Alarm(name=UNMEASURED, fired=True, detail=detail, decisive=False)


def _guardrail(
    name: str, cells: Sequence[Cell], *, baseline: str, margin: float, passed_family: bool
) -> Guardrail:
    arms = {cell.variant for cell in cells}
    if baseline not in arms or len(arms) < 2:
        return _untested(name, margin, "no scored trial of both arms")
    table = grid(cells, baseline)
    control, treated = table.counts(0), table.counts(1)
    strata = table.strata().row(0)
    if not strata.used.any():
        return _untested(name, margin, "no stratum has scored trials of both arms")
    low, high = (float(limit) for limit in difference_interval(strata))
    passed, p, reason = None, None, ""
    if not passed_family:
        reason = "not tested: the variant did not pass the family"
    else:
        passed = high < margin
        # Harm is the bad event: H0 is difference >= margin.
        p = float(ndtr(difference_z(strata, null=margin)))
    return Guardrail(
        name=name,
        control=control,
        treated=treated,
        difference=float(np.asarray(standardise(strata).rd)),
        ci=(low, high),
        margin=margin,
        p_value=p,
        passed=passed,
        harmed=low > 0,
        reason=reason,
    )


def _untested(name: str, margin: float, reason: str) -> Guardrail:
    return Guardrail(
        name=name,
        control=NONE,
        treated=NONE,
        difference=None,
        ci=None,
        margin=margin,
        p_value=None,
        passed=None,
        reason=f"not tested: {reason}",
    )
