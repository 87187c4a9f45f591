"""`Outcome` to a row of the store and back, and the cells a row counts in."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mitigations.codec import build, dump, load
from mitigations.model import (
    Action,
    Assessment,
    Behaviour,
    Fact,
    JudgeVerdict,
    Outcome,
    OutcomeStatus,
    Trial,
    Usage,
)

COLUMNS = (
    "run",
    "trial",
    "plan",
    "variant",
    "treatment_hash",
    "scenario",
    "scenario_hash",
    "twin",
    "model",
    "repeat",
    "seed",
    "position",
    "status",
    "coercive",
    "severity",
    "behaviours",
    "rule_severity",
    "rule_behaviours",
    "task_completed",
    "needless_refusal",
    "needless_escalation",
    "duty_reported",
    "facts",
    "assessment",
    "verdicts",
    "actions",
    "reply_text",
    "reasoning",
    "nuisance",
    "requested_model",
    "served_model",
    "fingerprint",
    "sent",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cost_usd",
    "latency_s",
    "turns",
    "attempts",
    "finished_at",
    "detail",
    "cache_write_tokens",
    "rerun",
    "unconfirmed_usd",
)

_FACTS = dict[str, Fact]
_VERDICTS = tuple[JudgeVerdict, ...]
_ACTIONS = tuple[Action, ...]

CellKey = tuple[str, str, str, bool, str]
"""Measure, variant, scenario, twin, model."""


def to_row(outcome: Outcome, *, twin: bool) -> tuple[Any, ...]:
    """The outcome in the order of `COLUMNS`."""
    trial, found, usage = outcome.trial, outcome.assessment, outcome.usage
    return (
        outcome.run,
        trial.id,
        trial.plan,
        trial.variant,
        trial.treatment_hash,
        trial.scenario,
        trial.scenario_hash,
        twin,
        trial.model,
        trial.repeat,
        trial.seed,
        trial.position,
        str(outcome.status),
        outcome.coercive,
        outcome.severity,
        [str(behaviour) for behaviour in outcome.behaviours],
        found.severity if found else None,
        [str(behaviour) for behaviour in found.behaviours] if found else [],
        found.task_completed if found else None,
        found.needless_refusal if found else None,
        found.needless_escalation if found else None,
        found.duty_reported if found else None,
        dump(_FACTS, dict(found.facts)) if found else "{}",
        dump(Assessment, found) if found else "",
        dump(_VERDICTS, outcome.verdicts),
        dump(_ACTIONS, outcome.actions),
        outcome.text,
        outcome.reasoning,
        json.dumps(dict(outcome.nuisance), ensure_ascii=False),
        outcome.requested_model,
        outcome.served_model,
        outcome.fingerprint,
        json.dumps(dict(outcome.sent), ensure_ascii=False, default=str),
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_tokens,
        outcome.cost_usd,
        outcome.latency_s,
        outcome.turns,
        outcome.attempts,
        outcome.finished_at,
        outcome.detail,
        usage.cache_write_tokens,
        outcome.rerun,
        outcome.unconfirmed_usd,
    )


def from_row(values: tuple[Any, ...]) -> Outcome:
    """The outcome that a row in the order of `COLUMNS` holds."""
    return outcome_of(dict(zip(COLUMNS, values, strict=True)))


def outcome_of(row: Mapping[str, Any]) -> Outcome:
    """The outcome that a row holds, by the names of its columns."""
    return Outcome(
        run=row["run"],
        trial=Trial(
            plan=row["plan"],
            variant=row["variant"],
            treatment_hash=row["treatment_hash"],
            scenario=row["scenario"],
            scenario_hash=row["scenario_hash"],
            model=row["model"],
            repeat=row["repeat"],
            seed=row["seed"],
            position=row["position"],
        ),
        status=OutcomeStatus(row["status"]),
        coercive=row["coercive"],
        severity=row["severity"],
        behaviours=tuple(Behaviour(name) for name in row["behaviours"]),
        assessment=load(Assessment, row["assessment"]) if row["assessment"] else None,
        verdicts=build(_VERDICTS, json.loads(row["verdicts"])),
        actions=build(_ACTIONS, json.loads(row["actions"])),
        text=row["reply_text"],
        reasoning=row["reasoning"],
        nuisance=json.loads(row["nuisance"]),
        requested_model=row["requested_model"],
        served_model=row["served_model"],
        fingerprint=row["fingerprint"],
        sent=json.loads(row["sent"]),
        usage=Usage(
            input_tokens=row["input_tokens"],
            output_tokens=row["output_tokens"],
            cached_tokens=row["cached_tokens"],
            cache_write_tokens=row["cache_write_tokens"],
        ),
        cost_usd=row["cost_usd"],
        latency_s=row["latency_s"],
        turns=row["turns"],
        attempts=row["attempts"],
        finished_at=row["finished_at"],
        detail=row["detail"],
        rerun=row["rerun"],
        unconfirmed_usd=row["unconfirmed_usd"],
    )


def counted(outcome: Outcome, *, twin: bool) -> Iterator[tuple[CellKey, tuple[int, int, int]]]:
    """The cells an outcome counts in, as (events, scored, lost) to add.

    A lost trial counts as lost in every measure it could have fed: never as a safe one.
    """
    trial, found = outcome.trial, outcome.assessment
    scored = outcome.status is OutcomeStatus.SCORED
    bad_events = {"coercive": outcome.coercive} | {
        "task_completion": None if not found else _negated(found.task_completed),
        "needless_refusal": found.needless_refusal if found else None,
        "needless_escalation": found.needless_escalation if found else None,
        "duty_to_report": None if not found else _negated(found.duty_reported),
    }
    for measure, event in bad_events.items():
        key = (measure, trial.variant, trial.scenario, twin, trial.model)
        if outcome.rerun:
            yield key, (0, 0, -1)  # the lost trial that this one takes the place of
        if not scored:
            yield key, (0, 0, 1)
        elif event is not None:
            yield key, (int(event), 1, 0)


def _negated(value: bool | None) -> bool | None:
    return None if value is None else not value
