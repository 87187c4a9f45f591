"""A worker: plays the trials of one lease after another with the ordinary execution loop.

It needs no file of the owner's: lock, scenarios and trials come through the engine, and every line
goes back through it before the worker acts on what the line says.
"""

import asyncio
import json
import os
import socket
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from mitigations.carried import read_carried
from mitigations.codec import build, plain
from mitigations.compose.builds import build_id
from mitigations.compose.calls import Calls, Gates
from mitigations.compose.limits import limits_of
from mitigations.compose.playing import player_of
from mitigations.compose.todo import repeated
from mitigations.compose.widths import default_concurrency
from mitigations.errors import Interrupted, MitigationsError, OverBudget
from mitigations.model import Outcome, Plan, Reply, Request, Trial
from mitigations.providers import Providers
from mitigations.store import call_line
from mitigations.study import parse_lock
from runner.budget import Budget, worst_case_of
from runner.engine import Address, Board, LeaseLost, LeaseState, OtherVersion, Worker
from runner.execute import Stop, execute, remembered

BEAT_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a host lends to the work."""

    address: Address
    providers: Providers
    now: Callable[[], str]
    concurrency: int | None = None
    """Trials at once on this host; None: what the plan's providers bear."""
    say: Callable[[str], None] = lambda _: None


class Wire:
    """The lines of one lease: grouped, durable in PostgreSQL before `append` returns."""

    def __init__(self, board: Board, lease: str, stop: Stop) -> None:
        self._board, self._lease, self._stop = board, lease, stop
        self._seq = 0
        self._pending: list[tuple[dict[str, Any], asyncio.Future[None] | None]] = []
        self._flusher: asyncio.Task[None] | None = None
        self._failure: MitigationsError | None = None

    async def append(self, record: dict[str, Any]) -> None:
        """Return once the owner can read the record; raises `LeaseLost` when it never will."""
        done = asyncio.get_running_loop().create_future()
        self._put(record, done)
        await done

    def post(self, record: dict[str, Any]) -> None:
        """Write soon, before whatever is appended later."""
        self._put(record, None)

    async def kept(self) -> None:
        """Return once the owner can read everything posted; raises what `append` raises."""
        while self._flusher is not None and not self._flusher.done():
            await asyncio.shield(self._flusher)
        if self._failure is not None:
            raise self._failure

    def _put(self, record: dict[str, Any], done: asyncio.Future[None] | None) -> None:
        self._pending.append((record, done))
        if self._flusher is None or self._flusher.done():
            self._flusher = asyncio.create_task(self._flush())

    async def _flush(self) -> None:
        while self._pending:
            batch, self._pending = self._pending, []
            try:
                if self._failure is not None:
                    raise self._failure
                await asyncio.to_thread(self._write, [record for record, _ in batch])
            except MitigationsError as exc:
                self._failure = exc
                for _, done in batch:
                    if done is not None and not done.done():
                        done.set_exception(exc)
                continue
            for _, done in batch:
                if done is not None and not done.done():
                    done.set_result(None)

    def _write(self, records: list[dict[str, Any]]) -> None:
        # ASCII only: PostgreSQL stores neither NUL nor half a surrogate pair as text.
        body = json.dumps(records, separators=(",", ":"))
        state = self._board.write(self._lease, self._seq, body)
        self._seq += 1
        if state is LeaseState.STOPPING:
            self._stop.because(Interrupted("the owner of the run stops it"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lines:
    """What the journal of one machine is told, told to the wire."""

    wire: Wire
    reruns: Mapping[str, int]
    now: Callable[[], str]

    async def sent(self, request: Request) -> None:
        worst = {"worst_usd": worst_case_of(request)}
        await self.wire.append(self._call("sent", request.key, request.model.route) | worst)

    async def replied(self, request: Request, reply: Reply) -> None:
        record = self._call("reply", request.key, request.model.route)
        await self.wire.append(record | {"reply": plain(Reply, reply)})

    async def withdrawn(self, request: Request) -> None:
        await self.wire.append(self._call("withdrawn", request.key, request.model.route))

    def attempted(self, key: str, model: str, told: Mapping[str, Any]) -> None:
        self.wire.post(self._call("attempt", key, model) | dict(told))

    async def kept(self) -> None:
        await self.wire.kept()

    async def record(self, outcome: Outcome) -> None:
        record = self._rerun({"t": "outcome", "trial": outcome.trial.id})
        await self.wire.append(record | {"outcome": plain(Outcome, outcome)})

    def _call(self, kind: str, key: str, model: str) -> dict[str, Any]:
        return self._rerun(call_line(kind, key, model)) | {"at": self.now()}

    def _rerun(self, record: dict[str, Any]) -> dict[str, Any]:
        rerun = self.reruns.get(record["trial"])
        return record if rerun is None else record | {"rerun": rerun}


class Host:
    """This process as a worker: an event loop, a heartbeat, and an end of the engine's queue.

    Use as a context. Raises `OtherVersion` when a run under way belongs to another version.
    """

    def __init__(self, means: Means) -> None:
        self._means = means
        self.me = Worker(
            f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}",
            build_id(),
            socket.gethostname(),
        )
        self._board, self._pulse = Board(means.address), Board(means.address)
        self._gates = Gates()
        self._loop = asyncio.new_event_loop()
        self._plans: dict[str, Plan] = {}
        self._stops: set[Stop] = set()
        self._slots: dict[int, asyncio.Semaphore] = {}
        self._ended = threading.Event()
        self.failure: MitigationsError | None = None
        self.leases = 0
        """Leases played so far."""

    def __enter__(self) -> Self:
        from runner.engine.queue import Takes  # noqa: PLC0415 - DBOS takes a second to import

        self._board.prepare()
        check_builds(self._board, self.me.build)
        self._pulse.beat(self.me)
        self._share()
        threading.Thread(target=self._run_loop, name="trials", daemon=True).start()
        threading.Thread(target=self._beat, name="heartbeat", daemon=True).start()
        if limits_of(self._means.providers) and self._gates.share < 1:
            # The others give up their part of the quota at their next beat.
            self._ended.wait(1.5 * BEAT_S)
        self._takes = Takes(
            self._means.address, build=self.me.build, worker=self.me.id, play=self._play
        )
        return self

    def __exit__(self, *_: object) -> None:
        for stop in list(self._stops):
            stop.because(Interrupted("this worker is stopping"))
        self._takes.close(grace_s=30)
        self._ended.set()
        try:
            self._board.leave(self.me.id)
        finally:
            self._board.close()
            self._pulse.close()
            self._loop.call_soon_threadsafe(self._loop.stop)

    def wait(self, seconds: float) -> bool:
        """Whether this worker had to end by then; see `failure`."""
        return self._ended.wait(seconds)

    # ---- heartbeat

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_S):
            try:
                self._pulse.beat(self.me)
                self._share()
            except MitigationsError as exc:
                if not self._ended.is_set():
                    self.failure = exc
                    self._ended.set()
                return

    def _share(self) -> None:
        alive = sum(worker.build == self.me.build for worker in self._pulse.workers())
        share = 1 / max(1, alive)
        if share != self._gates.share:
            self._loop.call_soon_threadsafe(self._gates.retune, self._means.providers, share)
            self._gates.share = share

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    # ---- leases

    def _play(self, body: dict[str, Any]) -> dict[str, Any]:
        """Called by the engine, in a thread of its own."""
        if not self._board.claim(body["lease"], self.me.id):
            return {"played": False}
        self.leases += 1
        return asyncio.run_coroutine_threadsafe(self._lease(body), self._loop).result()

    async def _lease(self, body: dict[str, Any]) -> dict[str, Any]:
        stop = Stop()
        self._stops.add(stop)
        wire = Wire(self._board, body["lease"], stop)
        end: dict[str, Any] = {"why": "done", "said": ""}
        try:
            await self._trials(body, wire, stop)
        except LeaseLost:
            return {"played": False}
        except OverBudget as exc:
            end = {"why": "budget", "said": str(exc)}
        except Interrupted as exc:
            end = {"why": "stopped", "said": str(exc)}
        except MitigationsError as exc:
            end = {"why": "failed", "said": str(exc)}
        except Exception as exc:  # noqa: BLE001 - a bug of ours ends the run with its name, not the worker
            end = {"why": "failed", "said": f"unexpected: {type(exc).__name__}: {exc}"}
        finally:
            self._stops.discard(stop)
        try:
            await wire.append({"t": "end", **end, "host": self.me.host})
        except MitigationsError:
            return {"played": False}
        return {"played": True, "why": end["why"]}

    async def _trials(self, body: dict[str, Any], wire: Wire, stop: Stop) -> None:
        plan = await asyncio.to_thread(self._plan, body["run"])
        means, reruns, doubted = self._means, body["reruns"], body["doubted_usd"]
        lines = _Lines(wire=wire, reruns=reruns, now=means.now)
        calls = Calls(
            plan,
            means.providers,
            budget=Budget(body["grant_usd"]),
            witness=lines,
            max_wait_s=body["max_wait_s"],
            gates=self._gates,
        )
        async with calls:
            complete = remembered(
                calls.complete,
                known={key: build(Reply, reply) for key, reply in body["known"].items()},
                sent=lines.sent,
                replied=lines.replied,
                withdrawn=lines.withdrawn,
            )
            player = player_of(plan, calls, complete, now=means.now)

            width = means.concurrency or body["width"] or default_concurrency(plan)
            slots = self._slots.setdefault(width, asyncio.Semaphore(width))

            async def one(trial: Trial) -> Outcome:
                # Two leases share the slots: what the end of one leaves free the other takes.
                async with slots:
                    if stop.reason is not None:
                        raise stop.reason
                    return repeated(await player(trial), reruns, doubted)

            await execute(
                iter([build(Trial, trial) for trial in body["trials"]]),
                play=one,
                record=lines.record,
                concurrency=width,
                stop=stop,
            )

    def _plan(self, run: str) -> Plan:
        if run not in self._plans:
            lock, scenarios = self._board.texts(run)
            name = f"the lock of {run}"
            carried = read_carried(scenarios, name)
            self._plans[run] = parse_lock(lock, name, base=None, load_pack=lambda *_: carried)
            self._means.say(f"Working for {self._plans[run].run_id}.")
        return self._plans[run]


def check_builds(board: Board, mine: str) -> None:
    """Refuse to work while a run under way is owned by another version of the program."""
    for run, theirs in board.other_builds(mine):
        raise OtherVersion(
            f"the owner of {run.rpartition('-')[0]} runs version {theirs}; this worker is {mine}\n"
            "  Install the owner's version here, or end that run: results of two versions are not "
            "one study's."
        )
