"""Runs inside the owning process: one at a time, in a thread with an event loop of its own."""

import asyncio
import queue
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from mitigations.compose.running import Options, Started, Surroundings, run_plan
from mitigations.errors import Interrupted, MitigationsError, OverBudget
from mitigations.model import Outcome, OutcomeStatus, Plan
from mitigations.providers import Providers
from mitigations.store import Store
from runner.batch_nouns import BatchNote
from runner.execute import Stop

if TYPE_CHECKING:
    from mitigations.compose.lease import Engine

KEPT = 50
"""Ended jobs that are remembered; what became of older ones stands in the database."""


class State(StrEnum):
    """Where a run stands. `idle`: no job of this process, and not all its trials have landed."""

    QUEUED = "queued"
    RUNNING = "running"
    STOPPING = "stopping"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"
    IDLE = "idle"

    @property
    def is_live(self) -> bool:
        """Something is going on, or will by itself."""
        return self in {State.QUEUED, State.RUNNING, State.STOPPING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How far and how fast a job is, at one moment."""

    total: int
    before: int
    """Trials that had an outcome when the job started."""
    new: int
    lost: int
    cost_usd: float | None
    """Of this job's trials; None when the cost of one is not known."""
    possibly_paid_twice: int
    per_second: float | None

    @property
    def seconds_left(self) -> float | None:
        """None until the first trial has ended."""
        if not self.per_second:
            return None
        return (self.total - self.before - self.new) / self.per_second


@dataclass(slots=True, kw_only=True)
class Job:
    """One request to run a plan."""

    plan: Plan
    providers: Providers
    options: Options
    by: str
    ended: Callable[["Job"], None]
    stop: Stop = field(default_factory=Stop)
    error: MitigationsError | None = None
    _started: bool = False
    _end: State | None = None
    _pace: Pace = field(init=False)
    _since: float = 0.0
    _done: threading.Event = field(default_factory=threading.Event)
    _batches: dict[str, BatchNote] = field(default_factory=dict)
    _cancel: Callable[[], object] | None = None

    def __post_init__(self) -> None:
        self._pace = Pace(
            total=self.plan.trial_count,
            before=0,
            new=0,
            lost=0,
            cost_usd=0.0,
            possibly_paid_twice=0,
            per_second=None,
        )

    @property
    def state(self) -> State:
        """Derived, so that a wish to stop and an end that cross each other cannot disagree."""
        if self._end is not None:
            return self._end
        if self.stop.reason is not None:
            return State.STOPPING
        return State.RUNNING if self._started else State.QUEUED

    @property
    def has_started(self) -> bool:
        """Whether the counts of its start are known."""
        return self._since > 0

    @property
    def run(self) -> str:
        """The run's id."""
        return self.plan.run_id

    @property
    def pace(self) -> Pace:
        """A consistent picture: it is replaced as a whole, never changed."""
        return self._pace

    def watch(self, event: Started | Outcome) -> None:
        """Take note of the start or of an outcome; called from the job's own thread."""
        was = self._pace
        if isinstance(event, Started):
            self._since = time.monotonic()
            self._pace = Pace(
                total=event.total,
                before=event.done,
                new=0,
                lost=0,
                cost_usd=0.0,
                possibly_paid_twice=event.possibly_paid_twice,
                per_second=None,
            )
            return
        known = was.cost_usd is not None and event.cost_usd is not None
        elapsed = max(time.monotonic() - self._since, 1e-9)
        self._pace = Pace(
            total=was.total,
            before=was.before,
            new=was.new + 1,
            lost=was.lost + (event.status is not OutcomeStatus.SCORED),
            cost_usd=(was.cost_usd or 0.0) + (event.cost_usd or 0.0) if known else None,
            possibly_paid_twice=was.possibly_paid_twice,
            per_second=(was.new + 1) / elapsed,
        )

    def note(self, event: BatchNote) -> None:
        """Take note of how far a batch is; called from the job's own thread."""
        self._batches = {**self._batches, event.batch: event}

    @property
    def batches(self) -> tuple[BatchNote, ...]:
        """The batches at providers, as far as they were last seen."""
        return tuple(self._batches.values())

    def ask_to_stop(self, by: str) -> None:
        """No new trial starts; what is in flight is finished and kept."""
        self.stop.because(Interrupted(f"stopped by {by}; it can be resumed"))

    def interrupt(self) -> None:
        """What Ctrl-C means: first to stop, and a second time to give up what is in flight."""
        if self.stop.reason is None:
            message = "interrupted; the same command resumes where this run stopped"
            self.stop.because(Interrupted(message))
        else:
            self.give_up()

    def give_up(self) -> None:
        """Cancel what is in flight as well; what is on disk stays."""
        if self._cancel is not None:
            self._cancel()

    def wait(self, seconds: float | None) -> bool:
        """Whether it has ended by then."""
        return self._done.wait(seconds)

    def play(
        self,
        store: Store,
        runs: Path,
        now: Callable[[], str],
        *,
        engine: "Engine | None" = None,
    ) -> None:
        """Run to an end of whichever kind; never raises."""
        around = Surroundings(
            store=store,
            runs=runs,
            providers=self.providers,
            now=now,
            watch=self.watch,
            note=self.note,
            stop=self.stop,
            engine=engine,
        )
        if self.stop.reason is None:
            self._started = True
            end, self.error = self._outcome(around)
        else:
            end, self.error = State.STOPPED, self.stop.reason
        self._end = end
        self._done.set()
        self.ended(self)

    def _outcome(self, around: Surroundings) -> tuple[State, MitigationsError | None]:
        try:
            asyncio.run(self._cancellable(around))
        except (Interrupted, OverBudget) as exc:
            return State.STOPPED, exc
        except MitigationsError as exc:
            return State.FAILED, exc
        except asyncio.CancelledError:
            return State.STOPPED, self.stop.reason or Interrupted("cancelled; it can be resumed")
        except Exception as exc:  # noqa: BLE001 - a bug of ours ends this run, not the service
            traceback.print_exc()
            return State.FAILED, UnexpectedEnd(f"unexpected: {type(exc).__name__}; see the log")
        return State.FINISHED, None

    async def _cancellable(self, around: Surroundings) -> None:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None  # asyncio.run runs us in one
        self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
        try:
            await run_plan(self.plan, around, self.options)
        finally:
            self._cancel = None


class UnexpectedEnd(MitigationsError):
    """A run ended by a bug; its journal keeps everything that was acknowledged."""

    exit_code = 1


class Jobs:
    """The queue: runs start in the order asked; asking for one that is live gives that one."""

    def __init__(
        self,
        store: Store,
        runs: Path,
        *,
        now: Callable[[], str],
        engine: "Engine | None" = None,
    ) -> None:
        self._engine = engine
        self._store, self._runs, self._now = store, runs, now
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._listeners: list[Callable[[Job], None]] = []
        self._thread = threading.Thread(target=self._work, name="runs", daemon=True)
        self._thread.start()

    def when_ended(self, listener: Callable[[Job], None]) -> None:
        """Call `listener` in the job's thread after each end; what it raises is logged."""
        self._listeners.append(listener)

    def submit(self, plan: Plan, providers: Providers, options: Options, *, by: str) -> Job:
        """Start or resume a plan as soon as the runs before it have ended."""
        with self._lock:
            if self._closed:
                raise Interrupted("the service is stopping; start the run again afterwards")
            known = self._jobs.get(plan.run_id)
            if known is not None and known.state.is_live:
                return known
            job = Job(
                plan=plan, providers=providers, options=options, by=by, ended=self._tell_ended
            )
            self._jobs.pop(plan.run_id, None)
            self._jobs[plan.run_id] = job
            self._forget()
        self._queue.put(job)
        return job

    def get(self, run: str) -> Job | None:
        """The last job of a run, live or ended."""
        return self._jobs.get(run)

    def live(self) -> list[Job]:
        """Running and queued, in the order in which they were asked for."""
        return [job for job in list(self._jobs.values()) if job.state.is_live]

    def close(self, *, grace_s: float) -> None:
        """Ask everything to stop, wait, then cancel what is still in flight."""
        with self._lock:
            self._closed = True
        for job in self.live():
            job.ask_to_stop("the end of the service")
        self._queue.put(None)
        self._thread.join(grace_s)
        for job in self.live():
            job.give_up()
        self._thread.join(grace_s)

    def _work(self) -> None:
        while (job := self._queue.get()) is not None:
            with self._store.fork() as store:
                job.play(store, self._runs, self._now, engine=self._engine)

    def _tell_ended(self, job: Job) -> None:
        for listener in self._listeners:
            try:
                listener(job)
            except Exception:  # noqa: BLE001 - whoever listens must not end the queue
                traceback.print_exc()

    def _forget(self) -> None:
        ended = [run for run, job in self._jobs.items() if not job.state.is_live]
        for run in ended[: max(0, len(ended) - KEPT)]:
            del self._jobs[run]
