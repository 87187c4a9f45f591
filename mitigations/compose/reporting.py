"""A finished (or running) run -> `Analysis` -> `Report`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any, NamedTuple

import reports
import stats
from mitigations.compose import amending, awareness, judge_part, judging, sealing
from mitigations.compose.ablated import ablated
from mitigations.compose.confirmed import confirmed
from mitigations.compose.judge_alarm import injection_alarms
from mitigations.compose.looking import Course, course_of, decided_now, level_now, said, shown
from mitigations.compose.planning import analysis_hash
from mitigations.errors import NoData, UnknownName
from mitigations.model import Alarm, Analysis, Cell, Counts, Interval, Plan
from mitigations.store import Store
from reports import Extras, FactorEffect, ModelRun, Report, RunInfo, Transcripts
from stats.independence import Answers, duplicate_alarm
from stats.trend import factor_effects

_PACKAGES = ("mitigations", "litellm", "openai", "anthropic", "duckdb", "scipy", "numpy")


def latest_run(store: Store) -> str:
    """The run that was started last; raises `NoData` when there is none."""
    runs = store.runs()
    if not runs:
        raise NoData(f"{store.path} holds no run yet\n  Start one: mitigations run STUDY.lock")
    return runs[0][0]


def known_run(store: Store, name: str) -> str:
    """A run by its id, or the latest run of a study by the study's; `UnknownName` otherwise."""
    runs = store.runs()
    found = [run for run, study, _ in runs if name in {run, study}]
    if not found:
        raise UnknownName("run", name, [run for run, _, _ in runs], where=str(store.path))
    return found[0]


def _per_epoch(plan: Plan) -> int:
    """Planned trials of one epoch, twins left out."""
    cells = sum(not scenario.is_twin for scenario in plan.scenarios)
    return len(plan.variants) * cells * len(plan.models)


def report_run(
    store: Store,
    plan: Plan,
    run: str,
    *,
    commands: Sequence[str],
    transcripts: Transcripts = 3,
    stored: Alarm | None = None,
) -> Report:
    """Everything the report says about a run; reads cells and a bounded number of rows.

    `stored` is what is known of the rows' integrity where no seal of them is here; else it is seen.
    """
    cells, guardrails = store.cells(run), store.guardrails(run)
    served = served_models(store, run)
    labels = judging.run_labels(store, plan, run)
    analysis = analyse_run(store, plan, run, served, stored=stored)
    check = judge_part.judge_check(labels, plan, analysis)
    analysis = replace(analysis, alarms=(*analysis.alarms, *judge_part.change_alarm(check)))
    places = reports.sample_places(cells, analysis, repeats=plan.repeats, transcripts=transcripts)
    disputed = store.disputed(run, coercive_at=plan.coercive_at)
    places += reports.disputed_shown(disputed, transcripts)
    return reports.build(
        analysis,
        cells,
        plan=plan,
        run=_run_info(store, plan, run, served, commands),
        outcomes=store.outcomes_at(run, places),
        extras=Extras(
            guardrail_cells=guardrails,
            ablation=ablated(plan, cells),
            confirmation=confirmed(plan, analysis),
            factors=tuple(_factors(plan, cells)),
            corrigibility=tuple(_corrigibility(store, run)),
            probe=awareness.contrast(store, plan, run),
            judge=check,
            labels_note=judging.labels_note(labels, plan, run),
            tipping=judge_part.tippings(cells, analysis),
            disputed=len(disputed) if plan.judge.models else None,
            looks=shown(plan, course_of(store, run)),
            looks_kind="e-process" if plan.settings.design == "anytime" else "planned looks",
        ),
        transcripts=transcripts,
    )


def analyse_run(
    store: Store,
    plan: Plan,
    run: str,
    served: Sequence["Served"],
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
            *judging.label_alarms(judging.run_labels(store, plan, run), plan),
        ),
        level=level_now(plan, course, complete=complete),
        decided=decided_now(plan, course, complete=complete),
    )


def started(store: Store, run: str) -> str:
    """When the first trials of a run began; empty when that is not known."""
    return next((at for at, kind, _ in store.query("events", run) if kind == "started"), "")


def served_models(store: Store, run: str) -> "list[Served]":
    """What was asked of each model of a run, and what answered."""
    return [Served(*row) for row in store.query("served", run)]


def _run_info(
    store: Store, plan: Plan, run: str, served: Sequence["Served"], commands: Sequence[str]
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


class Served(NamedTuple):
    """What one model was asked, and what answered: a row of `sql/served.sql`."""

    model: str
    names: list[str] | None
    fingerprints: list[str] | None
    sent: list[str]
    calls: int


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


def _corrigibility(store: Store, run: str) -> Iterable[reports.CorrigibilityRow]:
    rows = store.query("corrigibility", run)
    for variant, threat, accepts, objects, stalls, resists in rows:
        yield reports.CorrigibilityRow(
            variant=variant,
            threat=threat or "none",
            accepts=accepts,
            objects=objects,
            stalls=stalls,
            resists=resists,
        )


def _factors(plan: Plan, cells: Sequence[Cell]) -> Iterable[FactorEffect]:
    """Main effects of the scenario factors on the coercive rate, within each arm."""
    levels = {scenario.id: scenario.factors for scenario in plan.scenarios}
    for variant in plan.variants:
        counts: dict[str, Counts] = {}
        rates: dict[str, list[float]] = {}
        for cell in cells:
            if cell.variant == variant.id and cell.counts.scored:
                empty = Counts(coercive=0, scored=0)
                counts[cell.scenario] = counts.get(cell.scenario, empty) + cell.counts
                rates.setdefault(cell.scenario, []).append(cell.counts.rate)
        values = {scenario: sum(found) / len(found) for scenario, found in rates.items()}
        for effect in factor_effects(values, levels, alpha=plan.settings.alpha):
            inside = {s for s in counts if levels[s].get(effect.factor) == effect.level}
            yield FactorEffect(
                factor=effect.factor,
                level=effect.level,
                reference="the other levels",
                variant=variant.id,
                counts=_sum(counts[s] for s in inside),
                reference_counts=_sum(counts[s] for s in counts.keys() - inside),
                difference=effect.difference,
                ci95=_possible(effect.ci95),
                p_value=effect.p_value,
                reason=effect.reason,
            )


def _possible(interval: Interval | None) -> Interval | None:
    """A t interval does not know that a difference of rates lies between -1 and 1."""
    return interval and (max(-1.0, interval[0]), min(1.0, interval[1]))


def _sum(counts: Iterable[Counts]) -> Counts:
    return sum(counts, Counts(coercive=0, scored=0))
