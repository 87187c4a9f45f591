"""The verdict that a difference corrected by human labels bears, beside the judge's own."""

import math
from collections.abc import Sequence

from scipy.special import ndtri

from mitigations.model import Comparison, Guardrail, Settings, Verdict, VerdictKind
from stats.judge_correction import Estimate
from stats.verdict import Evidence, decide


def corrected_verdict(
    found: Estimate,
    *,
    variant: str,
    settings: Settings,
    comparisons: int,
    guardrails: Sequence[Guardrail] = (),
) -> tuple[Verdict, float]:
    """Verdict and adjusted p of a corrected difference; Bonferroni over the comparisons.

    The normal law of the estimate decides, and the interval that holds for the whole family says
    whether a difference can matter. Side effects count as for the judge's verdict; alarms do not.
    """
    p_value = math.erfc(abs(found.value) / found.standard_error / math.sqrt(2.0))
    p_adjusted = min(1.0, comparisons * p_value)
    half = float(ndtri(1.0 - settings.alpha / (2.0 * comparisons))) * found.standard_error
    evidence = Evidence(
        variant=variant,
        difference=found.value,
        interval=(found.value - half, found.value + half),
        rejected=p_adjusted <= settings.alpha,
        test_direction=found.value,
        guardrails=tuple(guardrails),
    )
    return decide(evidence, smallest_change=settings.smallest_change), p_adjusted


def plain_verdict(comparison: Comparison, settings: Settings, *, comparisons: int) -> Verdict:
    """The verdict of the judge's own numbers, were there no alarm."""
    difference = comparison.std_rd
    if comparison.verdict.kind is not VerdictKind.DO_NOT_RELY or difference is None:
        return comparison.verdict
    if settings.design == "anytime":
        bar = comparisons / settings.alpha
        rejected = comparison.e_value is not None and comparison.e_value >= bar
    else:
        rejected = comparison.p_adjusted is not None and comparison.p_adjusted <= settings.alpha
    evidence = Evidence(
        variant=comparison.variant,
        difference=difference,
        interval=comparison.simultaneous_ci95,
        rejected=rejected,
        test_direction=difference,
        guardrails=comparison.guardrails,
    )
    return decide(evidence, smallest_change=settings.smallest_change)
