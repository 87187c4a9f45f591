"""Dates, money, served models, versions and hashes of a run; departures from its plan."""

import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from mitigations.compose.looking import Course, course_of, said
from mitigations.compose.planning import amending, analysis_hash
from mitigations.compose.reporting.analysis import Served, started
from mitigations.model import Plan
from mitigations.store import Store
from reports import ModelRun, RunInfo

_PACKAGES = ("mitigations", "litellm", "openai", "anthropic", "duckdb", "scipy", "numpy")


def run_info(
    store: Store, plan: Plan, run: str, served: Sequence[Served], commands: Sequence[str]
) -> RunInfo:
    """Dates, money, served models, versions and hashes of a run."""
    statuses: dict[str, dict[str, int]] = {}
    for variant, status, trials in store.query("statuses", run):
        statuses.setdefault(variant, {})[status] = trials
    money = store.query("money", run)
    whole = bool(money) and all(row[2] == 0 for row in money)
    spent = sum(row[1] for row in money) if whole else None
    landed = store.trials_done(run)
    course = course_of(store, run)
    saved = plan.trial_count - landed if course.ended_early(plan) else None
    events = store.query("events", run)
    begun = started(store, run)
    return RunInfo(
        run=run,
        started=begun,
        finished=max((row[4] for row in money), default=""),
        statuses=statuses,
        trials_planned=plan.trial_count,
        trials_saved=saved,
        ended_by_rule=said(plan, course, done=landed),
        usd_saved=spent / landed * saved if spent and saved and landed else None,
        cost_usd=spent,
        usd_doubted=sum(row[5] for row in money),
        cost_by_variant={row[0]: row[1] for row in money if row[2] == 0},
        budget_usd=plan.budget_usd,
        possibly_paid_twice=sum(
            int(detail) for _, kind, detail in events if kind == "possibly-paid-twice"
        ),
        models=tuple(_model_runs(plan, served)),
        commands=tuple(commands),
        versions=_versions(),
        hashes={"lock": plan.hash, "scenario pack": plan.pack_hash, "rubric": plan.rubric_hash},
        amendments=(
            *amending.departures(plan, begun),
            *_departures(plan, course, landed),
            *_run_again(store, run),
        ),
        simulated=any(model.provider == "simulated" for model in plan.models),
        embedded=any(model.provider == "local" for model in plan.models),
    )


def _run_again(store: Store, run: str) -> Iterable[str]:
    ((trials, scored),) = store.query("run_again", run)
    if trials:
        yield (
            f"{trials:,} trials that an error had lost were run again (`run --only-errors`); "
            f"{scored:,} of them are scored now. No scored trial was touched."
        )


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _departures(plan: Plan, course: Course, landed: int) -> Iterable[str]:
    if plan.analysis_hash != analysis_hash():
        yield "The analysis code differs from the one the lock was made with."
    if landed >= plan.trial_count or course.ended_early(plan):
        return
    if plan.settings.design == "group-sequential":
        last = course.last
        looked = f"look {last.number} of {last.of}" if last else "no look yet"
        yield (
            f"{landed:,} of {plan.trial_count:,} planned trials have an outcome: the run goes on. "
            f"Verdicts are those of the looks taken ({looked}), at the alpha spent so far."
        )
    elif plan.settings.design != "anytime":
        yield (
            f"{landed:,} of {plan.trial_count:,} planned trials have an outcome: the run is "
            "unfinished, and its error rates were planned for all of them."
        )


def _model_runs(plan: Plan, served: Sequence[Served]) -> Iterable[ModelRun]:
    prices = {model.route: model.price for model in plan.models}
    for row in served:
        parameters = [json.loads(text) for text in row.sent]
        price = prices.get(row.model)
        yield ModelRun(
            requested=row.model,
            served=tuple(row.names or ()),
            fingerprints=tuple(row.fingerprints or ()),
            sent=_common(parameters),
            not_settable=tuple(sorted({n for p in parameters for n in p.get("not_settable", ())})),
            price=(
                f"${price.input_per_mtok:g} in, ${price.output_per_mtok:g} out per million tokens "
                f"({price.source})"
                if price
                else "free"
            ),
            calls=row.calls,
        )


def _common(parameters: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Each parameter with the values really sent; several values are all shown."""
    values: dict[str, set[str]] = {}
    for record in parameters:
        for name, value in record.items():
            if name != "not_settable":
                values.setdefault(name, set()).add(str(value))
    return {
        name: found.pop() if len(found) == 1 else f"{len(found)} different values"
        for name, found in sorted(values.items())
    }
