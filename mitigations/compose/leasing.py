"""The owner of a run on many hosts: cuts trials into leases, takes lines in, settles the money.

The owner alone writes journal and database. What a worker may spend is set aside before its lease
is offered and settled by the lease's own lines when it ends, so all workers together never pass the
budget. A lease whose worker is lost is fenced first; its unfinished trials, with the answers that
were paid for, go into the next one.
"""

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mitigations.carried import carried_text
from mitigations.codec import build, plain
from mitigations.compose.lease import Engine, Given, Lease, records
from mitigations.compose.taking_over import owner_of, run_key
from mitigations.errors import MitigationsError, OverBudget
from mitigations.model import Outcome, Reply, Trial
from mitigations.study import lock_text
from runner.budget import Reservation
from runner.engine import (
    LOST_S,
    Board,
    Chunk,
    EngineFailed,
    EngineUnavailable,
    Held,
    OtherVersion,
    Worker,
)

LEASE = 150
"""Trials a lease holds at most; fewer towards the end, so that workers end together."""
LEAST_LEASE = 10
PER_WORKER = 3
"""Leases on offer or in play for each worker: two that it plays and one that waits for it."""
ALONE_S = 60.0
"""How long a run waits for a first worker, or for one to come back."""
UNCLAIMED_S = 15.0
"""A lease still unclaimed while a worker is free was taken by one that died: it is offered anew."""
BLIND_S = 5.0
"""An owner that could not look for so long believes no worker lost until each could show itself."""


class Leases:
    """Plays trials through workers. Use as a context; one for a run."""

    def __init__(self, engine: Engine, given: Given, *, folder: Path) -> None:
        self._engine, self._given = engine, given
        self._run, self._owner = run_key(given.plan, folder), owner_of(folder)
        self._board = Board(engine.address, say=engine.say)
        self._out: dict[str, Lease] = {}
        self._again: deque[Trial] = deque()
        self._known = dict(given.todo.known)
        self._expected = 0
        self._narrow = False
        self._told_to_stop = False
        self._slots = 0
        self._seen_worker = self._believes_from = time.monotonic()
        self._looked = 0.0
        self._left = ""
        """Why the last worker that left did so."""

    async def __aenter__(self) -> Self:
        plan = self._given.plan
        await asyncio.to_thread(self._open, lock_text(plan), carried_text(plan))
        return self

    def _open(self, lock: str, scenarios: str) -> None:
        from runner.engine.queue import Offers  # noqa: PLC0415 - DBOS takes a second to import

        self._board.prepare()
        self._board.open_run(self._run, self._owner, lock=lock, scenarios=scenarios)
        self._offers = Offers(self._engine.address, build=self._owner.build, say=self._engine.say)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # What is still out, after an error or a second Ctrl-C, is fenced; its lines stay on the
        # board and are adopted by the next start.
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._board.hurry()
        with suppress(MitigationsError):
            self._board.fence(list(self._out))
            self._board.end_run(self._run, self._owner)
        self._board.close()
        self._offers.close()

    async def play(self, trials: Iterator[Trial], *, expected: int) -> None:
        """Play these trials; every one has its outcome on disk when this returns.

        Args:
            trials: in the plan's order, whole epochs of what is left.
            expected: about how many they are.
        """
        self._expected = expected
        while True:
            await self._watch()
            done = False
            if self._given.stop.reason is not None:
                await self._wind_up()
            else:
                done = await self._offer(trials)
            if not self._out and (done or self._given.stop.reason is not None):
                break
            await self._collect()
        if self._given.stop.reason is not None:
            raise self._given.stop.reason

    # ---- out

    async def _offer(self, trials: Iterator[Trial]) -> bool:
        """Offer as much as the workers can hold; returns whether nothing is left to offer."""
        most = 1 if self._narrow else PER_WORKER * self._slots
        while len(self._out) < most:
            batch = self._cut(trials)
            if not batch:
                return True
            try:
                reservation = self._reserve(most)
            except OverBudget as exc:
                self._again.extendleft(reversed(batch))
                if not self._out:
                    self._given.stop.because(exc)
                return False
            lease = Lease(
                id=uuid.uuid4().hex,
                trials={trial.id: trial for trial in batch},
                known=self._replies(batch),
                reservation=reservation,
                offered=time.monotonic(),
                is_all=self._narrow,
            )
            self._out[lease.id] = lease
            await asyncio.to_thread(self._put, lease)
        return False

    def _cut(self, trials: Iterator[Trial]) -> list[Trial]:
        size = self._expected // (2 * PER_WORKER * max(1, self._slots))
        size = max(LEAST_LEASE, min(LEASE, size))
        batch: list[Trial] = []
        while len(batch) < size:
            trial = self._again.popleft() if self._again else next(trials, None)
            if trial is None:
                break
            batch.append(trial)
        self._expected -= len(batch)
        return batch

    def _reserve(self, most: int) -> Reservation | None:
        """A fair part of the money that is left; all of it once parts have become too small."""
        budget = self._given.budget
        if budget.limit_usd is None:
            return None
        left = budget.limit_usd - budget.settled_usd - budget.reserved_usd
        part = left if self._narrow else left / (2 * most)
        if part <= 0 and any(not spec.is_free for spec in self._paid()):
            return budget.reserve(1e-9)  # says in the usual words that nothing is left
        return budget.reserve(max(0.0, part - 1e-9))

    def _paid(self) -> list[Any]:
        return [*self._given.plan.models, *self._given.plan.judge.models]

    def _replies(self, batch: list[Trial]) -> dict[str, Reply]:
        wanted = {trial.id for trial in batch}
        keys = [key for key in self._known if key.partition("/")[0] in wanted]
        return {key: self._known.pop(key) for key in keys}

    def _put(self, lease: Lease) -> None:
        given, todo = self._given, self._given.todo
        usd = None if lease.reservation is None else lease.reservation.usd
        body = {
            "lease": lease.id,
            "run": self._run,
            "trials": [plain(Trial, trial) for trial in lease.trials.values()],
            "known": {key: plain(Reply, reply) for key, reply in lease.known.items()},
            "reruns": {t: todo.reruns[t] for t in lease.trials if t in todo.reruns},
            "doubted_usd": {t: todo.doubted_usd[t] for t in lease.trials if t in todo.doubted_usd},
            "grant_usd": usd,
            "width": given.width,
            "max_wait_s": given.max_wait_s,
            "entries": list(given.entries),
        }
        self._board.offer(lease.id, self._run)
        self._offers.put(lease.id, body)

    # ---- in

    async def _collect(self) -> None:
        """Take in what workers have written, or wait a moment."""
        seen = {lease.id: lease.seq for lease in self._out.values()}
        chunks = await asyncio.to_thread(self._board.read, seen)
        await self._take(chunks)
        ended = [lease for lease in self._out.values() if lease.end is not None]
        for lease in ended:
            await self._settle(lease)
        if not chunks:
            await asyncio.sleep(0.1)

    async def _take(self, chunks: list[Chunk]) -> None:
        landing, waits = self._given.landing, []
        for chunk in chunks:
            lease = self._out[chunk.lease]
            lease.seq = chunk.seq
            for record in records(chunk):
                if record["t"] == "end":
                    lease.end = record
                    continue
                lease.ledger.take(record, 0)
                if record["t"] == "outcome":
                    waits.append(self._landed(lease, record))
                else:
                    waits.append(landing.relay(record))
        await asyncio.gather(*waits)

    async def _landed(self, lease: Lease, record: dict[str, Any]) -> None:
        outcome = build(Outcome, record["outcome"])
        await self._given.landing.record(outcome, lease=record["lease"])
        trial = lease.trials.pop(outcome.trial.id)
        lease.landed += 1
        lease.ledger.landed([(trial.id, outcome.rerun)])
        self._given.watch(outcome)

    async def _settle(self, lease: Lease) -> None:
        """A lease is over, one way or another: money, unfinished trials, and why it ended."""
        await asyncio.to_thread(self._board.fence, [lease.id])
        await self._take(await asyncio.to_thread(self._board.read, {lease.id: lease.seq}))
        del self._out[lease.id]
        if lease.reservation is not None:
            self._given.budget.settle(lease.reservation, lease.cost_usd)
        twice = [key for key in lease.ledger.unanswered() if key.partition("/")[0] in lease.trials]
        if twice:
            await self._given.landing.event("possibly-paid-twice", str(len(twice)))
        left = lease.trials
        for key, reply in lease.known.items() if left else ():
            if key.partition("/")[0] in left:
                self._known[key] = reply
        for key, told in lease.ledger.replies():
            if key.partition("/")[0] in left:
                self._known[key] = build(Reply, told)
        self._again.extend(left.values())
        self._expected += len(left)
        await self._judge(lease)
        await asyncio.to_thread(self._forget, [lease.id])

    async def _judge(self, lease: Lease) -> None:
        end = lease.end or {"why": "lost", "said": ""}
        if end["why"] == "failed":
            host, said = end["host"], end["said"]
            self._given.stop.because(EngineFailed(f"worker on {host}: {said}"))
        elif end["why"] == "unfit":
            await self._has_left(f"the worker on {end['host']} left: {end['said']}")
        elif end["why"] == "budget" and lease.trials:
            if lease.is_all:
                self._given.stop.because(OverBudget(end["said"]))
            # Parts have become too small for a call: from here on one worker has all that is left.
            self._narrow = self._narrow or not lease.landed

    async def _has_left(self, why: str) -> None:
        """A host that cannot play this study has given its lease back; the others go on."""
        if why != self._left:
            self._left = why
            self._engine.say(why[0].upper() + why[1:])
            await self._given.landing.event("worker-left", why.splitlines()[0])

    def _forget(self, leases: list[str]) -> None:
        self._board.forget(leases)
        self._offers.forget(leases)

    # ---- who is there

    async def _watch(self) -> None:
        """Once a second: who works, who is lost, and what nobody has taken."""
        since = time.monotonic() - self._looked
        if since < 1.0:
            return
        workers, held = await asyncio.to_thread(self._look)
        now = time.monotonic()
        if now - self._looked > BLIND_S:
            # The server was away, or this process was: the workers may have been cut off as well,
            # and what is in flight with them is paid for.
            self._believes_from = self._seen_worker = now
        self._looked = now
        self._count(workers)
        await self._missing({one.lease: (one.worker, one.is_lost) for one in held})

    def _count(self, workers: list[Worker]) -> None:
        mine = self._owner.build
        others = sorted({worker.host for worker in workers if worker.build != mine})
        self._slots = sum(worker.build == mine for worker in workers)
        if self._slots:
            self._seen_worker = time.monotonic()
        elif others:
            raise OtherVersion(
                f"every worker ({', '.join(others)}) runs another version than this, {mine}"
                "\n  Install the same version there and start `mitigations worker` again."
            )
        elif time.monotonic() - self._seen_worker > ALONE_S:
            raise EngineUnavailable(
                f"no worker has been there for {ALONE_S:.0f} s"
                + (f"; {self._left}" if self._left else "")
                + "\n  Start one: mitigations worker --database-url URL; then the same command "
                "resumes."
            )

    def _look(self) -> tuple[list[Worker], list[Held]]:
        self._board.run_seen(self._run, self._owner)
        return self._board.workers(), self._board.leases(self._run)

    async def _missing(self, held: dict[str, tuple[str | None, bool]]) -> None:
        claimed = sum(worker is not None for worker, _ in held.values())
        believes = time.monotonic() - self._believes_from > LOST_S
        for lease in list(self._out.values()):
            # A lease that is not on the board any more was deleted there by hand.
            lease.worker, is_lost = held.get(lease.id, (None, True))
            waited = time.monotonic() - lease.offered
            idle = lease.worker is None and claimed < self._slots and waited > UNCLAIMED_S
            if (is_lost and (believes or lease.id not in held)) or (
                idle and await asyncio.to_thread(self._board.withdraw, lease.id)
            ):
                await self._settle(lease)

    async def _wind_up(self) -> None:
        """The run stops: what nobody has taken comes back; the rest finishes what is in flight."""
        if not self._told_to_stop:
            await asyncio.to_thread(self._board.stop, self._run)
            self._told_to_stop = True
        for lease in list(self._out.values()):
            if await asyncio.to_thread(self._board.withdraw, lease.id):
                await self._settle(lease)
