"""Runs as nouns: the job where there is one, the database where there is not."""

from mitigations.compose.kept import plan_of
from mitigations.compose.reporting import known_run, model_change, served_models
from mitigations.compose.running import Options
from mitigations.errors import MitigationsError, UnknownName
from mitigations.model import Alarm, Plan
from mitigations.store import Store
from mitigations.web.access import Who
from mitigations.web.jobs import Job, State
from mitigations.web.nouns import (
    AlarmOut,
    Arm,
    EventOut,
    NoticeOut,
    RunState,
    RunSummary,
    RunView,
    VerdictOut,
    VerdictsOut,
)
from mitigations.web.refusals import NotLive
from mitigations.web.services import Services
from stats.missing import LOSS_ALPHA, loss_p

SHOWN_EVENTS = 30
LIVE = frozenset({"running", "queued", "stopping"})


def summaries(services: Services, store: Store, *, study: str | None = None) -> list[RunSummary]:
    """Every run, newest first; queued ones that have no row yet come before them."""
    rows = store.runs()
    sizes, last = store.run_sizes(), store.last_events()
    known = {run for run, _, _ in rows}
    waiting = [
        _summary(services, job.run, job.plan.study, "", 0, "")
        for job in services.jobs.live()
        if job.run not in known
    ]
    found = [
        _summary(services, run, name, at, sizes.get(run, 0), last.get(run, ""))
        for run, name, at in rows
    ]
    return [one for one in (*waiting, *found) if study is None or one.study == study]


def _summary(
    services: Services, run: str, study: str, started: str, landed: int, last: str
) -> RunSummary:
    total = _total(services, run)
    return RunSummary(
        run=run,
        study=study,
        started=started,
        state=_state(services.jobs.get(run), landed, total, last),
        landed=landed,
        total=total,
    )


def _total(services: Services, run: str) -> int | None:
    job = services.jobs.get(run)
    if job is not None:
        return job.plan.trial_count
    try:
        return services.results.plan(run).trial_count
    except MitigationsError:
        return None


def _state(job: Job | None, landed: int, total: int | None, last: str) -> RunState:
    """A run may also end before its last trial, by its own rule; its last event says so."""
    if job is not None:
        return job.state.value
    whole = total is not None and landed >= total
    return "finished" if whole or last == "finished" else "idle"


def run_view(services: Services, name: str) -> RunView:
    """Everything about one run, by its id; raises `UnknownName`."""
    return services.memo.get(("run", name), lambda: _read(services, name))


def _read(services: Services, name: str) -> RunView:
    with services.reading() as store:
        return _viewed(services, store, name)


def _viewed(services: Services, store: Store, name: str) -> RunView:
    job = services.jobs.get(name)
    rows = {run: (study, at) for run, study, at in store.runs()}
    if name in rows:
        study, started = rows[name]
    elif job is not None:
        study, started = job.plan.study, ""
    else:
        known_run(store, name)
        raise UnknownName("run", name[:80], rows)
    plan = job.plan if job is not None else _plan(services, name)
    events = sorted(store.query("events", name), key=_when)
    landed, last = store.run_sizes().get(name, 0), store.last_events().get(name, "")
    summary = _summary(services, name, study, started, landed, last)
    arms = _arms(store, name, plan)
    money = store.query("money", name)
    pace = job.pace if job is not None and job.state.is_live else None
    return RunView(
        **summary.model_dump(),
        lost=sum(arm.lost for arm in arms),
        arms=arms,
        cost_usd=sum(row[1] or 0.0 for row in money) if money else None,
        cost_unknown=sum(row[2] for row in money),
        budget_usd=_budget(job, plan),
        per_second=pace.per_second if pace else None,
        seconds_left=pace.seconds_left if pace else None,
        possibly_paid_twice=sum(int(d) for _, k, d in events if k == "possibly-paid-twice"),
        error=services.local(str(job.error)) if job is not None and job.error is not None else "",
        by=job.by if job is not None else "",
        events=[_event(*one) for one in events[-SHOWN_EVENTS:]],
        alarms=_alarms(services, store, name, arms),
    )


def _when(event: tuple[str, str, str]) -> tuple[str, int]:
    """Events of one second in the order in which they can only have happened."""
    return event[0], {"started": 0, "finished": 2, "sealed": 3}.get(event[1], 1)


def _event(at: str, kind: str, detail: str) -> EventOut:
    if kind == "sealed":
        # Row count and digest: the digest is for programs, and stands in the run's seal.
        detail = f"{detail.partition(' ')[0]} rows"
    return EventOut(at=at, kind=kind, detail=detail)


def _plan(services: Services, run: str) -> Plan | None:
    try:
        return services.results.plan(run)
    except MitigationsError:
        return None


def _budget(job: Job | None, plan: Plan | None) -> float | None:
    if job is not None and job.options.budget_usd is not None:
        return job.options.budget_usd
    return plan.budget_usd if plan is not None else None


def _arms(store: Store, run: str, plan: Plan | None) -> list[Arm]:
    """By variant in the order of the plan, the baseline first."""
    counts: dict[str, dict[str, int]] = {}
    for variant, status, trials in store.query("statuses", run):
        counts.setdefault(variant, {})[status] = trials
    order = [variant.id for variant in plan.variants] if plan is not None else sorted(counts)
    arms = []
    for variant in order:
        reasons = dict(counts.get(variant, {}))
        scored = reasons.pop("scored", 0)
        arms.append(
            Arm(variant=variant, scored=scored, lost=sum(reasons.values()), reasons=reasons)
        )
    return arms


def _alarms(services: Services, store: Store, run: str, arms: list[Arm]) -> list[AlarmOut]:
    """The checks of the last analysis; while a run goes on, those that need none."""
    job = services.jobs.get(run)
    known = services.results.alarms(run) if job is None or not job.state.is_live else None
    if known is None:
        known = (model_change(served_models(store, run)), losses(arms))
    return [
        AlarmOut(name=one.name, fired=one.fired, detail=one.detail, variants=list(one.variants))
        for one in known
    ]


def losses(arms: list[Arm]) -> Alarm:
    """Whether a variant has lost another share of its trials than the baseline, so far."""
    tried = {arm.variant: arm.scored + arm.lost for arm in arms}
    name = "lost replies differ by arm"
    if not arms or not all(tried.values()):
        return Alarm(name=name, fired=None, detail="not every arm has a trial yet")
    control, *treated = arms
    told = [
        f"{arm.variant} lost {arm.lost} of {tried[arm.variant]}, the baseline {control.lost} of "
        f"{tried[control.variant]}"
        for arm in treated
        if loss_p(arm.lost, tried[arm.variant], control.lost, tried[control.variant]) < LOSS_ALPHA
    ]
    lost = sum(arm.lost for arm in arms)
    clear = f"{lost} of {sum(tried.values())} replies were lost so far"
    return Alarm(name=name, fired=bool(told), detail="; ".join(told) or clear)


def verdicts_out(services: Services, run: str | None) -> VerdictsOut | None:
    """The verdicts worked out for a run, or None; a run without one is put in the queue."""
    if run is None:
        return None
    found = services.results.verdicts(run)
    job = services.jobs.get(run)
    if found is None:
        if job is None or job.state is State.FINISHED:
            services.results.refresh_later(run)
        return None
    return VerdictsOut(
        run=found.run,
        landed=found.landed,
        verdicts=[
            VerdictOut(
                variant=line.variant,
                label=line.label,
                tone=line.tone,
                glyph=line.glyph,
                lead=line.lead,
                rest=line.rest,
            )
            for line in found.lines
        ],
        notices=[NoticeOut(lead=one.lead, text=one.text) for one in found.notices],
        problem=services.local(found.problem),
    )


def known(services: Services, name: str) -> str:
    """A run's id as the database has it; raises `UnknownName`. A path is never made of it."""
    with services.reading() as store:
        rows = [run for run, _, _ in store.runs()]
    if name not in rows:
        raise UnknownName("run", name[:80], rows)
    return name


def is_paid(services: Services, run: str) -> bool:
    """Whether a run calls a model that costs money."""
    plan = _plan(services, run)
    return plan is not None and any(not spec.is_free for spec in (*plan.models, *plan.judge.models))


def stop_run(services: Services, who: Who, name: str) -> None:
    """Ask a live run to stop; raises `NotLive` when it is not."""
    job = services.jobs.get(name)
    if job is None or not job.state.is_live:
        raise NotLive(f"run {name[:80]} is not running here\n  There is nothing to stop.")
    services.audit.record(who, "stop a run", name)
    job.ask_to_stop(who.name)


def resume_run(services: Services, who: Who, name: str, options: Options) -> Job:
    """Go on with a run from its own lock; raises what a start raises."""
    run = known(services, name)
    with services.reading() as store:
        plan = plan_of(store, run, base=services.root)
    return services.start(plan, options, who)
