"""Studies as nouns: the file, its price and power, its lock, its runs, and what to do next."""

import json
from collections import OrderedDict
from collections.abc import Sequence

from mitigations.compose.kept import open_for_run
from mitigations.compose.planning import (
    estimate_words,
    estimating,
    plan_from,
    plan_study,
    workspace_of,
)
from mitigations.compose.running import Options
from mitigations.errors import InvalidFile, MitigationsError
from mitigations.files import read_text
from mitigations.model import Plan, Study
from mitigations.store import Store
from mitigations.study import lock_text, write_lock
from mitigations.web.access import Who
from mitigations.web.jobs import Job
from mitigations.web.nouns import (
    EstimateOut,
    LockView,
    RunSummary,
    Step,
    StudySummary,
    StudyView,
    VerdictsOut,
)
from mitigations.web.refusals import AlreadyLocked
from mitigations.web.services import Services
from mitigations.web.shelf import StudyFile
from mitigations.web.views import runs as run_views

LIVE = frozenset({"running", "queued", "stopping"})
NO_PART = frozenset({"hash", "created", "approvals"})
NEVER = "2000-01-01T00:00:00Z"
"""The date of a plan that is only looked at."""
KEPT = 64
_ESTIMATES: OrderedDict[str, EstimateOut] = OrderedDict()


def summaries(services: Services) -> list[StudySummary]:
    """Every study with a file or a run: those with the latest run first."""
    return services.memo.get("studies", lambda: _summaries(services))


def _summaries(services: Services) -> list[StudySummary]:
    with services.reading() as store:
        return _listed(services, store)


def _listed(services: Services, store: Store) -> list[StudySummary]:
    runs = run_views.summaries(services, store)
    files = services.shelf.studies()
    newest: dict[str, RunSummary] = {}
    for one in runs:
        newest.setdefault(one.study, one)
    names = dict.fromkeys([*(one.study for one in runs), *files])
    return [_summary(services, name, files.get(name), newest.get(name)) for name in names]


def _summary(
    services: Services, name: str, file: StudyFile | None, latest: RunSummary | None
) -> StudySummary:
    study = file.study if file is not None else None
    plan = None if study is not None or latest is None else _plan_of(services, latest.run)
    verdicts = run_views.verdicts_out(services, latest.run if latest is not None else None)
    next_run = services.hooks.next_run
    return StudySummary(
        id=name,
        problem=file.problem if file is not None else "",
        baseline=study.baseline if study else plan.baseline.id if plan else "",
        variants=_variants(study, plan),
        models=_models(study, plan),
        scenarios=study.scenarios if study else plan.pack if plan else "",
        repeats=study.repeats if study else plan.repeats if plan else None,
        latest=latest,
        verdicts=verdicts,
        next_step=_next(name, file, latest, verdicts),
        next_run=next_run(name) if next_run is not None else None,
    )


def _variants(study: Study | None, plan: Plan | None) -> list[str]:
    if study is not None:
        return list(study.variants)
    return [variant.id for variant in plan.variants[1:]] if plan is not None else []


def _models(study: Study | None, plan: Plan | None) -> list[str]:
    source = study if study is not None else plan
    return [model.route for model in source.models] if source is not None else []


def _plan_of(services: Services, run: str) -> Plan | None:
    try:
        return services.results.plan(run)
    except MitigationsError:
        return None


def _next(
    name: str, file: StudyFile | None, latest: RunSummary | None, verdicts: VerdictsOut | None
) -> Step:
    """One step, the one that a colleague would point to."""
    if file is not None and file.problem:
        return Step(label="Mend its file", href=f"/studies/{name}")
    if latest is None:
        locked = file is not None and file.lock.exists()
        label = "Start the run" if locked else "See price and power, then lock it"
        return Step(label=label, href=f"/studies/{name}#lock" if locked else f"/studies/{name}")
    run = f"/runs/{latest.run}"
    if latest.state != "finished":
        live = latest.state in LIVE
        return Step(label="Watch the run" if live else "Resume the run", href=run)
    if verdicts is not None and verdicts.problem:
        return Step(label="See what went wrong", href=run)
    return Step(label="Read the report", href=f"{run}/report")


def study_view(services: Services, name: str) -> StudyView:
    """One study with everything its page shows; raises `UnknownName`."""
    return services.memo.get(("study", name), lambda: _read(services, name))


def _read(services: Services, name: str) -> StudyView:
    with services.reading() as store:
        return _viewed(services, store, name)


def _viewed(services: Services, store: Store, name: str) -> StudyView:
    runs = run_views.summaries(services, store, study=name)
    file = services.shelf.studies().get(name)
    if file is None and not runs:
        file = services.shelf.study(name)
    summary = _summary(services, name, file, runs[0] if runs else None)
    plan, problem = _looked_at(file)
    problem = summary.problem or services.local(problem)
    return StudyView(
        **summary.model_dump() | {"problem": problem},
        text=read_text(file.path) if file is not None else "",
        estimate=estimate(plan) if plan is not None else None,
        lock=_lock(services, file, plan) if file is not None and file.lock.exists() else None,
        needs_budget=plan is not None and needs_budget(plan),
        runs=runs,
    )


def _looked_at(file: StudyFile | None) -> tuple[Plan | None, str]:
    """The plan a lock made now would hold, or why none could be made."""
    if file is None or file.study is None:
        return None, ""
    try:
        return plan_study(file.path, created=NEVER), ""
    except MitigationsError as exc:
        return None, str(exc)


def needs_budget(plan: Plan) -> bool:
    """A run of it would refuse to start without being given a budget."""
    paid = any(not spec.is_free for spec in (*plan.models, *plan.judge.models))
    return paid and plan.budget_usd is None


def _lock(services: Services, file: StudyFile, now: Plan | None) -> LockView:
    try:
        plan = open_for_run(file.lock, runs=services.runs)
    except MitigationsError as exc:
        return LockView(
            hash="",
            created="",
            run="",
            is_current=False,
            changed=[],
            problem=services.local(str(exc)),
        )
    return LockView(
        hash=plan.hash,
        created=plan.created,
        run=plan.run_id,
        is_current=now is not None and not _changed(plan, now),
        changed=_changed(plan, now) if now is not None else [],
        problem="",
    )


def _changed(a: Plan, b: Plan) -> list[str]:
    """Which parts of two plans differ: when they were made, and who approved since, is no part."""
    first, second = (json.loads(lock_text(plan)) for plan in (a, b))
    names = [name for name in {**first, **second} if name not in NO_PART]
    return [name.replace("_", " ") for name in names if first.get(name) != second.get(name)]


def estimate(plan: Plan) -> EstimateOut:
    """Price, time and power; worked out once for each plan."""
    known = _ESTIMATES.get(plan.hash)
    if known is not None:
        return known
    found = estimating.estimate(plan)
    made = EstimateOut(
        cells=found.cells,
        twins=found.twins,
        trials=found.trials,
        calls=found.calls,
        usd_typical=found.usd_typical,
        usd_at_most=found.usd_at_most,
        seconds=found.seconds,
        mde=found.mde,
        power_at_smallest_change=found.power_at_smallest,
        expected_share=found.expected_share,
        warnings=list(found.warnings),
        unlabelled=found.unlabelled.sentence if found.unlabelled else "",
        lines=[line.strip() for line in estimate_words.lines(plan, found)],
    )
    _ESTIMATES[plan.hash] = made
    while len(_ESTIMATES) > KEPT:
        _ESTIMATES.popitem(last=False)
    return made


def preview(services: Services, study: Study) -> EstimateOut:
    """Price and power of a study that is not saved yet; raises what planning raises."""
    return estimate(plan_from(study, folder=services.root, created=NEVER))


def lock_study(services: Services, who: Who, name: str, *, replace: bool) -> Plan:
    """Freeze a study as it is now and write its lock; raises `AlreadyLocked` unless replacing."""
    file = services.shelf.study(name)
    plan = plan_study(file.path, created=services.now())
    with services.writing:
        if file.lock.exists() and not replace:
            raise AlreadyLocked(
                f"{file.lock.name} is already there, and a lock is a preregistration\n"
                "  Run it, or say that it is to be replaced."
            )
        services.audit.record(who, "lock a study", name, detail=plan.hash)
        write_lock(plan, file.lock)
    return plan


def start(services: Services, who: Who, name: str, options: Options) -> Job:
    """Run what a study's lock holds, or go on with it; raises what a start raises."""
    file = services.shelf.study(name)
    if not file.lock.exists():
        raise InvalidFile(file.lock.name, "is not there", fix="Lock the study first.")
    plan = open_for_run(file.lock, runs=services.runs)
    return services.start(plan, options, who, folder=workspace_of(file.path))


def running_of(runs: Sequence[RunSummary]) -> RunSummary | None:
    """The run of these that is live, if one is."""
    return next((one for one in runs if one.state in LIVE), None)
