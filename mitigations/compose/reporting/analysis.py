"""What a run has landed -> the plan's analysis of it, its validity alarms included."""

from collections.abc import Sequence
from typing import NamedTuple

import stats
from mitigations.compose import sealing
from mitigations.compose.judging import against_labels
from mitigations.compose.judging.alarm import injection_alarms
from mitigations.compose.looking import course_of, decided_now, level_now
from mitigations.compose.planning import amending
from mitigations.model import Alarm, Analysis, Plan
from mitigations.store import Store
from stats.independence import Answers, duplicate_alarm


class Served(NamedTuple):
    """What one model was asked, and what answered: a row of `sql/served.sql`."""

    model: str
    names: list[str] | None
    fingerprints: list[str] | None
    sent: list[str]
    calls: int


def analyse_run(
    store: Store,
    plan: Plan,
    run: str,
    served: Sequence[Served],
    *,
    stored: Alarm | None = None,
) -> Analysis:
    """The plan's analysis of what a run has landed so far, its validity alarms included.

    Of a sequential design the looks that were taken decide, at the level they have spent.
    """
    course = course_of(store, run)
    complete = store.trials_done(run) >= plan.trial_count
    plan = amending.after_data(plan, started(store, run))
    return stats.analyse(
        store.cells(run),
        plan.settings,
        pairs=store.pairs(run, plan.settings.baseline, per_epoch=_per_epoch(plan)),
        guardrails=store.guardrails(run),
        alarms=(
            model_change(served),
            _copies(store, run, withheld=stored is not None),
            stored or sealing.alarm(store, store.path.parent / "runs", plan, run),
            *injection_alarms(store, plan),
            *against_labels.label_alarms(against_labels.run_labels(store, plan, run), plan),
        ),
        level=level_now(plan, course, complete=complete),
        decided=decided_now(plan, course, complete=complete),
    )


def started(store: Store, run: str) -> str:
    """When the first trials of a run began; empty when that is not known."""
    return next((at for at, kind, _ in store.query("events", run) if kind == "started"), "")


def served_models(store: Store, run: str) -> list[Served]:
    """What was asked of each model of a run, and what answered."""
    return [Served(*row) for row in store.query("served", run)]


def model_change(served: Sequence[Served]) -> Alarm:
    """Fired where a model answered under two names or fingerprints; None where one gave no name."""
    changed = [
        f"{row.model} answered as {', '.join([*(row.names or ()), *(row.fingerprints or ())])}"
        for row in served
        if len(row.names or ()) > 1 or len(row.fingerprints or ()) > 1
    ]
    silent = [row.model for row in served if not row.names]
    if changed:
        fired, detail = True, "; ".join(changed)
    elif silent or not served:
        fired, detail = None, f"no name was given by {', '.join(silent) or 'any model'}"
    else:
        fired, detail = False, "every model answered under one name throughout"
    return Alarm(name="model changed", fired=fired, detail=detail)


def _copies(store: Store, run: str, *, withheld: bool) -> Alarm:
    statement = "answers_withheld" if withheld else "answers"
    return duplicate_alarm(
        Answers(variant=variant, scenario=scenario, model=model, trials=trials, distinct=distinct)
        for variant, scenario, model, trials, distinct in store.query(statement, run)
    )


def _per_epoch(plan: Plan) -> int:
    """Planned trials of one epoch, twins left out."""
    cells = sum(not scenario.is_twin for scenario in plan.scenarios)
    return len(plan.variants) * cells * len(plan.models)
