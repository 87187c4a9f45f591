"""Plan -> outcomes on disk: check, recover, play what is left, land, and say how it ended."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mitigations.compose.batching import Batching, by_batch, check_batches, parts
from mitigations.compose.calls import Calls
from mitigations.compose.kept import keep_plan
from mitigations.compose.playing import player_of
from mitigations.compose.probing import probe_run
from mitigations.compose.sealing import Sealer
from mitigations.compose.todo import Todo, again, left
from mitigations.compose.widths import default_concurrency
from mitigations.errors import Interrupted, MitigationsError, NoBudget, PlanChanged
from mitigations.model import Complete, Outcome, Plan, Trial
from mitigations.providers import Providers
from mitigations.store import Landing, Recovered, Store, recover
from mitigations.study import lock_text
from mitigations.study.amend import amendment_line
from runner.batch_nouns import BatchNote
from runner.budget import Budget, worst_case_of
from runner.execute import Stop, execute, remembered
from runner.judge import rubric_hash
from runner.rules import RULES_VERSION
from runner.stages import in_stages

if TYPE_CHECKING:
    from mitigations.compose.lease import Engine

JOURNAL = "calls.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a person may choose at run time; nothing here changes a result."""

    budget_usd: float | None = None
    concurrency: int | None = None
    max_wait_s: float | None = None
    """Longest wait that a provider may ask for; None: ten minutes."""
    only_errors: bool = False
    """Run the trials again that were lost for an error of a provider, and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What a progress display needs to know before the first trial."""

    run: str
    total: int
    done: int
    possibly_paid_twice: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the composition root hands to a run: files, hosts, clock, and who watches."""

    store: Store
    runs: Path
    """Folder of the journals, one folder a run."""
    providers: Providers
    now: Callable[[], str]
    watch: Callable[[Started | Outcome], None]
    """Called once with `Started`, then with every outcome."""
    note: Callable[[BatchNote], None] = lambda _: None
    """Called with how far a batch is, each time the provider was asked."""
    stop: Stop = field(default_factory=Stop)
    """Whoever holds it can ask the run to stop; what is in flight is finished and kept."""
    engine: "Engine | None" = None
    """Workers on other hosts; None: every trial is played in this process."""


async def run_plan(plan: Plan, around: Surroundings, options: Options) -> str:
    """Run or resume a plan; returns the run's id.

    Raises `OverBudget`, `Interrupted` or `StorageFailed` after everything in flight is on disk;
    the same command goes on from there.
    """
    check_start(plan, around.providers, budget_usd=options.budget_usd)
    run = around.store.begin_run(plan, lock_text(plan), at=around.now())
    around.store.amend(run, [amendment_line(event) for event in plan.amendments])
    path = around.runs / run / JOURNAL
    keep_plan(plan, path.parent)
    twins = frozenset(scenario.id for scenario in plan.scenarios if scenario.is_twin)
    if around.engine is not None:
        from mitigations.compose.taking_over import adopt  # noqa: PLC0415 - only past one machine

        refuse_batches(plan)
        await adopt(around.engine, plan, around.store, path)
    found = recover(path, around.store, run=run, twins=twins)
    todo = (
        again(plan, around.store, path) if options.only_errors else left(plan, around.store, found)
    )
    landing = Landing(
        path,
        around.store,
        run=run,
        twins=twins,
        now=around.now,
        worst_usd=worst_case_of,
        ledger=found.ledger,
        reruns=todo.reruns,
    )
    budget = Budget(_limit(plan, options), spent_usd=found.spent_usd)
    calls = Calls(
        plan,
        around.providers,
        budget=budget,
        witness=landing,
        max_wait_s=options.max_wait_s,
    )
    sealer = Sealer(around.store, path.parent, plan, journal=JOURNAL)
    try:
        await _run(plan, todo, _Doors(calls, landing, budget, found), around, options)
    except MitigationsError:
        with contextlib.suppress(MitigationsError, OSError):
            sealer.seal(at=around.now())
        raise
    sealer.seal(at=around.now())
    await asyncio.to_thread(probe_run, around.store, plan, run)
    around.store.trim()
    return run


async def _run(
    plan: Plan, todo: Todo, doors: "_Doors", around: Surroundings, options: Options
) -> None:
    landing, calls = doors.landing, doors.calls
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(landing)
        await stack.enter_async_context(calls)
        await _announce(todo, doors.found, landing, around)
        try:
            await _play_all(plan, todo, doors, around, options)
        except MitigationsError as exc:
            with contextlib.suppress(MitigationsError):
                await landing.event("stopped", str(exc).splitlines()[0])
            raise
        if not options.only_errors:
            await landing.event("finished", "")


def ended_by_rule(plan: Plan, store: Store) -> str:
    """Why a run is over before all of its trials, in one sentence; empty where it is not."""
    if plan.settings.design == "fixed":
        return ""
    from mitigations.compose.looking import course_of, said  # noqa: PLC0415 - see `_stages`

    return said(plan, course_of(store, plan.run_id), done=store.trials_done(plan.run_id))


def check_start(plan: Plan, providers: Providers, *, budget_usd: float | None) -> None:
    """Raise what would stop a run before anything is opened, started or paid for."""
    if plan.judge.models and plan.rubric_hash != rubric_hash(plan.judge.rubric):
        raise PlanChanged("the judge's rubric was changed after the lock; make a new lock")
    if plan.rules_version not in {"", RULES_VERSION}:
        raise PlanChanged(
            f"the lock was made for version {plan.rules_version} of the rules; this program reads "
            f"replies by version {RULES_VERSION}\n  Make a new lock, or run it with the version of "
            "the program that made it."
        )
    limit = budget_usd if budget_usd is not None else plan.budget_usd
    paid = [spec.route for spec in (*plan.models, *plan.judge.models) if not spec.is_free]
    if paid and limit is None:
        raise NoBudget(paid[0])
    check_batches(plan, Calls(plan, providers, budget=Budget(limit)))


@dataclass(frozen=True, slots=True)
class _Stages:
    """After which epochs the run's owner looks at it, and how."""

    ends: Sequence[int]
    look: Callable[[int], Awaitable[bool]] | None = None


def _stages(plan: Plan, store: Store, landing: Landing, options: Options) -> _Stages:
    if plan.settings.design == "fixed" or options.only_errors:
        return _Stages((plan.repeats,))
    # Statistics take a second to import: only where a look is to be taken.
    from mitigations.compose.looking import Looks, ends_of  # noqa: PLC0415

    return _Stages(ends_of(plan), Looks(plan, store, landing))


@dataclass(frozen=True, slots=True)
class _Doors:
    calls: Calls
    landing: Landing
    budget: Budget
    found: Recovered


async def _announce(todo: Todo, found: Recovered, landing: Landing, around: Surroundings) -> None:
    twice = len(found.unanswered)
    started = Started(run=landing.run, total=todo.total, done=todo.done, possibly_paid_twice=twice)
    around.watch(started)
    if twice:
        await landing.event("possibly-paid-twice", str(twice))
    if todo.reruns:
        await landing.event("errors-run-again", str(len(todo.reruns)))
    else:
        await landing.event("resumed" if todo.done else "started", "")


async def _play_all(
    plan: Plan, todo: Todo, doors: _Doors, around: Surroundings, options: Options
) -> None:
    stop = around.stop
    if around.engine is not None:
        await _play_on_engine(plan, todo, doors, around, options)
        return
    async with _completer(plan, todo, doors, around, (stop, options)) as complete:
        await _play(plan, todo, doors, around, (complete, stop, options))


@contextlib.asynccontextmanager
async def _completer(
    plan: Plan, todo: Todo, doors: _Doors, around: Surroundings, way: tuple[Stop, Options]
) -> AsyncIterator[Complete]:
    """How the plan's calls are made: one by one, or by batch; with a memory on disk either way."""
    stop, options = way
    landing = doors.landing
    if plan.mode == "live":
        yield remembered(
            doors.calls.complete,
            known=todo.known,
            sent=landing.sent,
            replied=landing.replied,
            withdrawn=landing.withdrawn,
            stop=stop,
        )
        return
    run = Batching(
        plan=plan,
        journal=around.runs / plan.run_id / JOURNAL,
        calls=doors.calls,
        landing=landing,
        budget=doors.budget,
        stop=stop,
        now=around.now,
        watch=around.note,
        max_wait_s=options.max_wait_s,
    )
    async with by_batch(run, todo.known) as complete:
        yield complete


async def _play(
    plan: Plan,
    todo: Todo,
    doors: _Doors,
    around: Surroundings,
    way: tuple[Complete, Stop, Options],
) -> None:
    complete, stop, options = way
    player = player_of(plan, doors.calls, complete, now=around.now)

    async def one(trial: Trial) -> Outcome:
        return todo.repeated(await player(trial))

    async def record(outcome: Outcome) -> None:
        await doors.landing.record(outcome)
        around.watch(outcome)

    width = options.concurrency or default_concurrency(plan)
    stages = _stages(plan, around.store, doors.landing, options)

    async def stage(epochs: range) -> None:
        for part, at_once in parts(plan, todo.trials(epochs), width):
            await execute(part, play=one, record=record, concurrency=at_once, stop=stop)

    await _staged(stages, stage, stop)


async def _staged(stages: _Stages, stage: Callable[[range], Awaitable[None]], stop: Stop) -> None:
    with _ctrl_c(stop):
        try:
            await in_stages(stages.ends, play=stage, look=stages.look)
        except asyncio.CancelledError:
            if stop.reason is None:
                raise
            # Our own second Ctrl-C: what was in flight is given up, what is on disk stays.
            raise stop.reason from None


async def _play_on_engine(
    plan: Plan, todo: Todo, doors: _Doors, around: Surroundings, options: Options
) -> None:
    """The same stages with the same looks; the trials of a stage are leased to workers."""
    from mitigations.compose.lease import Given  # noqa: PLC0415 - only past one machine
    from mitigations.compose.leasing import Leases  # noqa: PLC0415
    from mitigations.compose.working import Host, Means  # noqa: PLC0415

    assert around.engine is not None  # the caller has asked
    given = Given(
        plan=plan,
        todo=todo,
        landing=doors.landing,
        budget=doors.budget,
        stop=around.stop,
        watch=around.watch,
        width=options.concurrency,
        max_wait_s=options.max_wait_s,
        entries=sorted(
            {spec.provider for spec in (*plan.models, *plan.judge.models)} & set(around.providers)
        ),
    )
    address = around.engine.address
    means = Means(address=address, providers=around.providers, now=around.now)
    stages = _stages(plan, around.store, doors.landing, options)
    async with Leases(around.engine, given, folder=around.runs / plan.run_id) as leases:

        async def stage(epochs: range) -> None:
            size = len(plan.variants) * len(plan.scenarios) * len(plan.models) * len(epochs)
            expected = min(size, todo.total - todo.done)
            await leases.play(todo.trials(epochs), expected=expected)

        if not around.engine.takes_part:
            await _staged(stages, stage, around.stop)
            return
        host = Host(means)
        await asyncio.to_thread(host.__enter__)
        try:
            await _staged(stages, stage, around.stop)
        finally:
            await asyncio.to_thread(host.__exit__)


def refuse_batches(plan: Plan) -> None:
    """A provider's batch needs one submitter and no workers: there is nothing to lease."""
    if plan.mode != "live":
        raise MitigationsError(
            "a study with `mode: batch` is submitted by one process; workers could do nothing\n"
            "  Run it without --engine, or plan it with `mode: live`."
        )


@contextlib.contextmanager
def _ctrl_c(stop: Stop) -> Iterator[None]:
    """The first Ctrl-C finishes what is in flight; the second one cancels it."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()

    def asked() -> None:
        if stop.reason is not None and task is not None:
            task.cancel()
        stop.because(Interrupted("interrupted; the same command resumes where this run stopped"))

    try:
        loop.add_signal_handler(signal.SIGINT, asked)
    except (NotImplementedError, RuntimeError):
        yield  # not the main thread, or a system without signals: Ctrl-C raises as usual
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def _limit(plan: Plan, options: Options) -> float | None:
    return options.budget_usd if options.budget_usd is not None else plan.budget_usd
