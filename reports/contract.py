"""`mitigations.analysis/1`: the public JSON of an analysis (`schemas/analysis-1.schema.json`).

Differences are variant minus baseline. An undefined number is null and has an entry in `reasons`;
an infinite one is the string "Inf" or "-Inf". A NaN is a bug of ours and is refused.
"""

import math
from collections.abc import Mapping
from typing import Any

from mitigations.model import (
    Alarm,
    Analysis,
    Comparison,
    Counts,
    Guardrail,
    Settings,
    Verdict,
    VerdictKind,
)
from reports.sentences import borne_out, sentence

SCHEMA = "mitigations.analysis/1"
AT_A_COST = "reduces, at a cost"
NOT_GIVEN = "not given by the analysis"

NUMBERS = (
    "std_rd",
    "std_p1",
    "std_p0",
    "std_rr",
    "p_value",
    "p_adjusted",
    "p_holm",
    "cmh_chi2",
    "cmh_p",
    "mh_or",
    "mh_rd",
    "mh_rr",
    "breslow_day_tarone_chi2",
    "breslow_day_tarone_p",
    "scenario_t",
    "scenario_t_p",
    "scenario_signflip_p",
    "scenario_p_adjusted",
    "e_value",
    "heterogeneity_q",
    "heterogeneity_p",
)
INTERVALS = (
    "std_rd_ci95",
    "std_rr_ci95",
    "simultaneous_ci95",
    "mh_or_ci95",
    "mh_rr_ci95",
    "scenario_t_ci95",
    "missing_bounds",
)


def number(value: float | None) -> float | str | None:
    """A JSON number, "Inf", "-Inf" or null; raises `ValueError` for NaN."""
    if value is None or math.isfinite(value):
        return value
    if math.isnan(value):
        raise ValueError("NaN reached the JSON contract; an undefined number is None with a reason")
    return "Inf" if value > 0 else "-Inf"


def limits(value: tuple[float, float] | None) -> list[float | str | None] | None:
    """An interval as a list of two numbers."""
    return None if value is None else [number(value[0]), number(value[1])]


def verdict_text(verdict: Verdict, kind: VerdictKind | None = None) -> str:
    """The verdict in the words of the contract; `kind` is the one that the numbers bear."""
    shown = kind or verdict.kind
    return AT_A_COST if shown is VerdictKind.REDUCES and verdict.costs else shown.value


def analysis_json(analysis: Analysis) -> dict[str, Any]:
    """The analysis as the public contract: plain dicts, lists, strings and finite numbers."""
    return {
        "schema": SCHEMA,
        "baseline": analysis.settings.baseline,
        "settings": _settings(analysis.settings),
        "family": {
            "size": analysis.family_size,
            "method": analysis.family_method,
            "p_value": number(analysis.family_p),
            "alpha": analysis.settings.alpha,
            "models": list(analysis.models),
            "scenarios": list(analysis.scenarios),
        },
        "alarms": [_alarm(alarm) for alarm in analysis.alarms],
        "comparisons": [_comparison(one, analysis) for one in analysis.comparisons],
    }


def _settings(settings: Settings) -> dict[str, Any]:
    return {
        "alpha": settings.alpha,
        "smallest_change": settings.smallest_change,
        "guardrail_margins": dict(settings.guardrail_margins),
        "design": settings.design,
        "looks": settings.looks,
        "permutations": settings.permutations,
        "seed": settings.seed,
        "least_kappa": settings.least_kappa,
        "planned": settings.planned,
    }


def _alarm(alarm: Alarm) -> dict[str, Any]:
    return {
        "name": alarm.name,
        "fired": alarm.fired,
        "decisive": alarm.decisive,
        "variants": list(alarm.variants),
        "detail": alarm.detail,
    }


def _comparison(comparison: Comparison, analysis: Analysis) -> dict[str, Any]:
    numbers = {name: number(getattr(comparison, name)) for name in NUMBERS}
    intervals = {name: limits(getattr(comparison, name)) for name in INTERVALS}
    fields: dict[str, Any] = {**numbers, **intervals}
    kind = borne_out(comparison, analysis.settings)
    return {
        "variant": comparison.variant,
        "model": comparison.model,
        "control": counts_json(comparison.control),
        "treated": counts_json(comparison.treated),
        **fields,
        "strata_used": comparison.strata_used,
        "strata_dropped": list(comparison.strata_dropped),
        "trials_lost": comparison.trials_lost,
        "verdict": verdict_text(comparison.verdict, kind),
        "verdict_detail": _verdict(comparison.verdict),
        "sentence": sentence(comparison, analysis.settings, analysis.alarms),
        "guardrails": [guardrail_json(guard) for guard in comparison.guardrails],
        "leave_one_out": {key: number(value) for key, value in comparison.leave_one_out.items()},
        "per_model": [_comparison(one, analysis) for one in comparison.per_model],
        "reasons": _reasons(comparison.reasons, fields),
    }


def _reasons(given: Mapping[str, str], fields: Mapping[str, Any]) -> dict[str, str]:
    """Every null has its entry, even where the analysis forgot to say why."""
    missing = {name: NOT_GIVEN for name, value in fields.items() if value is None}
    return {**missing, **given}


def counts_json(counts: Counts) -> dict[str, int]:
    """Events, scored trials, lost trials."""
    return {"coercive": counts.coercive, "scored": counts.scored, "lost": counts.lost}


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {
        "costs": list(verdict.costs),
        "below_threshold": verdict.below_threshold,
        "worse_on": list(verdict.worse_on),
        "alarms": list(verdict.alarms),
        "mde": number(verdict.mde),
        "more_repeats": verdict.more_repeats,
        "more_scenarios": verdict.more_scenarios,
        "upper_bound": number(verdict.upper_bound),
    }


def guardrail_json(guard: Guardrail) -> dict[str, Any]:
    """One guardrail; `difference` is of the bad event, so positive is harm."""
    return {
        "name": guard.name,
        "control": {"bad": guard.control.coercive, "scored": guard.control.scored},
        "treated": {"bad": guard.treated.coercive, "scored": guard.treated.scored},
        "difference": number(guard.difference),
        "ci95": limits(guard.ci),
        "margin": guard.margin,
        "p_value": number(guard.p_value),
        "passed": guard.passed,
        "harmed": guard.harmed,
        "reason": guard.reason,
    }
