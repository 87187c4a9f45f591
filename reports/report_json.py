"""`mitigations.report/1`: the whole report as JSON (`schemas/report-1.schema.json`)."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from mitigations.model import Cell, Outcome, Plan
from reports.comparing import RunComparison, RunSide, VariantChange
from reports.contract import analysis_json, counts_json, number
from reports.report import Pair, Report

SCHEMA = "mitigations.report/1"


def report_json(report: Report) -> dict[str, Any]:
    """Everything a report holds, as plain JSON values; what was not studied is null or empty."""
    return {
        "schema": SCHEMA,
        "title": report.title,
        "made_of": list(report.made_of),
        "analysis": analysis_json(report.analysis),
        "plan": _plan(report.plan) if report.plan is not None else None,
        "run": plain(report.run) if report.run is not None else None,
        "cells": [_cell(cell) for cell in report.cells],
        "extras": {
            **plain(report.extras),
            "guardrail_cells": {
                name: [_cell(cell) for cell in cells]
                for name, cells in report.extras.guardrail_cells.items()
            },
        },
        "examples": [_pair(pair) for pair in report.examples],
        "examples_reason": report.examples_reason,
        **({"against": comparison_json(report.against)} if report.against is not None else {}),
    }


def comparison_json(comparison: RunComparison) -> dict[str, Any]:
    """Two runs beside each other; `earlier` and `later` name them."""
    return {
        "earlier": _side(comparison.earlier),
        "later": _side(comparison.later),
        "shared_scenarios": comparison.shared_scenarios,
        "shared_models": comparison.shared_models,
        "reason": comparison.reason,
        "plan_changes": plain(comparison.changes),
        "drift": [
            {
                **plain(row),
                "earlier": counts_json(row.earlier),
                "later": counts_json(row.later),
            }
            for row in comparison.drift
        ],
        "drift_fired": comparison.alarm.fired,
        "drift_detail": comparison.alarm.detail,
        "variants": [_variant_change(one) for one in comparison.variants],
    }


def _side(side: RunSide) -> dict[str, Any]:
    return {
        "run": side.run,
        "study": side.plan.study,
        "lock": side.plan.hash,
        "started": side.started,
        "served": plain(side.served),
    }


def _variant_change(one: VariantChange) -> dict[str, Any]:
    sides = {
        name: {
            "verdict": verdict,
            "sentence": words,
            "control": counts_json(found.control) if found else None,
            "treated": counts_json(found.treated) if found else None,
            "std_rd": number(found.std_rd) if found else None,
            "interval": plain(found.simultaneous_ci95 or found.std_rd_ci95) if found else None,
        }
        for name, found, verdict, words in (
            ("earlier", one.earlier, one.earlier_verdict, one.earlier_sentence),
            ("later", one.later, one.later_verdict, one.later_sentence),
        )
    }
    return {
        "variant": one.variant,
        "same_text": one.same_text,
        "flipped": one.flipped,
        "effect": plain(one.effect) if one.effect is not None else None,
        "reason": one.reason,
        **sides,
    }


def plain(value: Any) -> Any:
    """Dataclasses, mappings and sequences as JSON values; numbers by the contract's rule."""
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | frozenset):
        return [plain(one) for one in value]
    return number(value) if isinstance(value, float) else value


def _plan(plan: Plan) -> dict[str, Any]:
    """What the lock fixed, by name and hash; the lock itself holds the rest."""
    return {
        "study": plan.study,
        "hash": plan.hash,
        "created": plan.created,
        "code_version": plan.code_version,
        "pack": plan.pack,
        "pack_hash": plan.pack_hash,
        "rubric_hash": plan.rubric_hash,
        "analysis_hash": plan.analysis_hash,
        "repeats": plan.repeats,
        "coercive_at": plan.coercive_at,
        "variants": [
            {
                "id": one.id,
                "title": one.title,
                "kind": one.kind.value,
                "text": one.text,
                "text_hash": one.text_hash,
                "treatment_hash": one.treatment_hash,
            }
            for one in plan.variants
        ],
        "models": [one.route for one in plan.models],
        "judges": [one.route for one in plan.judge.models],
        "scenarios": [{"id": one.id, "hash": one.hash} for one in plan.scenarios],
    }


def _cell(cell: Cell) -> dict[str, Any]:
    names = {"variant": cell.variant, "scenario": cell.scenario, "model": cell.model}
    return {**names, **counts_json(cell.counts)}


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "why": pair.why,
        "baseline": _outcome(pair.baseline),
        "treated": _outcome(pair.treated),
    }


def _outcome(outcome: Outcome | None) -> dict[str, Any] | None:
    return None if outcome is None else {"trial_id": outcome.trial.id, **plain(outcome)}
