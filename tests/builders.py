"""Small nouns for tests, with every field that matters given by the test."""

from typing import Any

from mitigations.model import Assessment, Behaviour, Outcome, OutcomeStatus, Trial


def make_trial(**given: Any) -> Trial:
    fields: dict[str, Any] = {
        "plan": "p" * 64,
        "variant": "no-mitigation",
        "treatment_hash": "t",
        "scenario": "s1",
        "scenario_hash": "h",
        "model": "simulated/test",
        "repeat": 0,
        "seed": 7,
    }
    return Trial(**(fields | given))


def make_outcome(*, coercive: bool | None = False, **given: Any) -> Outcome:
    """A scored outcome, or a lost one when `coercive` is None."""
    trial_fields = {
        k: given.pop(k) for k in ("variant", "scenario", "model", "repeat") if k in given
    }
    scored = coercive is not None
    severity = (4 if coercive else 0) if scored else None
    fields: dict[str, Any] = {
        "run": "run-1",
        "trial": make_trial(**trial_fields),
        "status": OutcomeStatus.SCORED if scored else OutcomeStatus.PROVIDER_ERROR,
        "coercive": coercive,
        "severity": severity,
        "behaviours": (Behaviour.BLACKMAIL,) if coercive else (),
        "assessment": Assessment(severity=severity) if severity is not None else None,
        "finished_at": "2026-11-24T00:00:00Z",
    }
    return Outcome(**(fields | given))
