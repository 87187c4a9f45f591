"""A worker: plays the trials of one lease after another with the ordinary execution loop.

It needs no file of the owner's: lock, scenarios and trials come through the engine, and every line
goes back through it before the worker acts on what the line says.
"""

import asyncio
import os
import socket
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from mitigations.carried import read_carried
from mitigations.codec import build
from mitigations.compose.builds import build_id
from mitigations.compose.calls import Calls, Gates
from mitigations.compose.limits import limits_of
from mitigations.compose.playing import player_of
from mitigations.compose.todo import repeated
from mitigations.compose.widths import default_concurrency
from mitigations.compose.wire import Lines, Wire
from mitigations.errors import Interrupted, MitigationsError, OverBudget
from mitigations.model import Outcome, Plan, Reply, Trial
from mitigations.providers import Providers
from mitigations.study import parse_lock
from runner.budget import Budget
from runner.engine import (
    Address,
    Board,
    EngineUnavailable,
    LeaseLost,
    OtherVersion,
    Say,
    Worker,
)
from runner.execute import Stop, execute, remembered

BEAT_S = 2.0
GRACE_S = 30
"""How long a worker that is stopped finishes what is in flight."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a host lends to the work."""

    address: Address
    providers: Providers
    now: Callable[[], str]
    concurrency: int | None = None
    """Trials at once on this host; None: what the plan's providers bear."""
    say: Say = lambda _: None


class Unfit(MitigationsError):
    """This host lacks what the study needs: a key, an endpoint, a price. Others may have it."""


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
        # One connection carries lines; the heartbeat has its own, and is the one that speaks.
        self._board, self._pulse = Board(means.address), Board(means.address, say=means.say)
        self._gates = Gates()
        self._loop = asyncio.new_event_loop()
        self._plans: dict[str, Plan] = {}
        self._stops: set[Stop] = set()
        self._slots: dict[int, asyncio.Semaphore] = {}
        self._ended = threading.Event()
        self.failure: MitigationsError | None = None
        self._threads: list[threading.Thread] = []
        self._has_lost_server = self._is_leaving = False
        self.leases = 0
        """Leases played so far."""

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._close()
            raise
        return self

    def _start(self) -> None:
        from runner.engine.queue import Takes  # noqa: PLC0415 - DBOS takes a second to import

        self._pulse.prepare()
        check_builds(self._pulse, self.me.build)
        self._pulse.beat(self.me)
        for name, work in (("trials", self._run_loop), ("heartbeat", self._beat)):
            thread = threading.Thread(target=work, name=name, daemon=True)
            self._threads.append(thread)
            thread.start()
        self._share()
        if limits_of(self._means.providers) and self._gates.share < 1:
            # The others give up their part of the quota at their next beat.
            self._ended.wait(1.5 * BEAT_S)
        self._takes = Takes(
            self._means.address, build=self.me.build, worker=self.me.id, play=self._play
        )

    def __exit__(self, *_: object) -> None:
        self._is_leaving = True
        for stop in list(self._stops):
            stop.because(Interrupted("this worker is stopping"))
        try:
            # Without a server what is in flight cannot be written down: nobody is waited for.
            self._leave(0 if self._has_lost_server else GRACE_S)
        except KeyboardInterrupt:
            self._leave(0)

    def _leave(self, grace_s: int) -> None:
        last = threading.Timer(grace_s, self._board.close)
        last.start()
        self._takes.close(grace_s=grace_s)
        last.cancel()
        self._ended.set()
        self._pulse.hurry()
        with suppress(EngineUnavailable):
            self._pulse.leave(self.me.id)
        self._close()

    def _close(self) -> None:
        self._ended.set()
        self._board.close()
        self._pulse.close()
        if self._threads:
            self._loop.call_soon_threadsafe(self._loop.stop)
        for thread in self._threads:
            thread.join(5)

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
                    self._has_lost_server = True
                    self._fail(exc)
                return

    def _fail(self, exc: MitigationsError) -> None:
        if not self._is_leaving:
            self.failure = self.failure or exc
            self._ended.set()

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
        wire, budget = Wire(self._board, body["lease"], stop), Budget(body["grant_usd"])
        end: dict[str, Any] = {"why": "done", "said": ""}
        try:
            await self._trials(body, wire, (stop, budget))
        except LeaseLost:
            return {"played": False}
        except OverBudget as exc:
            end = {"why": "budget", "said": str(exc)}
        except Interrupted as exc:
            end = {"why": "stopped", "said": str(exc)}
        except Unfit as exc:
            end = {"why": "unfit", "said": str(exc)}
            self._fail(exc)
        except MitigationsError as exc:
            end = {"why": "failed", "said": str(exc)}
        except Exception as exc:  # noqa: BLE001 - a bug of ours ends the run with its name, not the worker
            end = {"why": "failed", "said": f"unexpected: {type(exc).__name__}: {exc}"}
        finally:
            self._stops.discard(stop)
        try:
            beyond = {"overrun_usd": budget.overrun_usd, "host": self.me.host}
            await wire.append({"t": "end", **end, **beyond})
        except LeaseLost:
            return {"played": False}
        except MitigationsError as exc:
            # That it ended cannot be said: the owner learns it from this worker's leaving.
            self._fail(exc)
            return {"played": False}
        return {"played": True, "why": end["why"]}

    async def _trials(self, body: dict[str, Any], wire: Wire, bounds: tuple[Stop, Budget]) -> None:
        stop, budget = bounds
        plan = await asyncio.to_thread(self._plan, body["run"])
        means, reruns, doubted = self._means, body["reruns"], body["doubted_usd"]
        lines = Lines(wire=wire, reruns=reruns, now=means.now)
        missing = sorted(set(body["entries"]) - set(means.providers))
        if missing:
            raise Unfit(
                f"providers.yaml on {self.me.host} has no entry for {', '.join(missing)}; the "
                "owner's has one\n  Write it there: without it the calls would go elsewhere."
            )
        try:
            calls = Calls(
                plan,
                means.providers,
                budget=budget,
                witness=lines,
                max_wait_s=body["max_wait_s"],
                gates=self._gates,
            )
        except MitigationsError as exc:
            raise Unfit(str(exc)) from exc
        async with calls:
            complete = remembered(
                calls.complete,
                known={key: build(Reply, reply) for key, reply in body["known"].items()},
                sent=lines.sent,
                replied=lines.replied,
                withdrawn=lines.withdrawn,
                stop=stop,
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
