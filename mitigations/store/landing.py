"""From a finished call to disk and database: the journal first, then batches into the store."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from mitigations.codec import build, plain
from mitigations.errors import InvalidFile
from mitigations.model import Outcome, Reply, Request
from mitigations.store.database import Store
from mitigations.store.journal import Journal, read_journal

BATCH = 1000
PERIOD_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What an earlier start of the same run left behind."""

    known: dict[str, Reply]
    """Replies that are paid for and whose trial has no outcome yet, by call key."""
    unanswered: frozenset[str]
    """Keys of calls that were sent and whose reply never reached the disk: possibly paid twice."""
    landed: int
    """Outcomes that stood in the journal alone and were put into the store."""
    spent_usd: float
    """What the run has cost so far; a call of unknown cost counts at its worst case."""


def recover(path: Path, store: Store, *, run: str, twins: frozenset[str]) -> Recovered:
    """Bring the store up to the journal and collect what a resumed run can use."""
    done = store.trials_done(run)
    calls: dict[str, dict[str, Any]] = {}
    """Unfinished trial to its call keys, each with the reply's record, or None when unanswered."""
    batch: list[Outcome] = []
    landed, spent = 0, _Spent()
    for record in read_journal(path):
        trial = str(record["trial"])
        spent.take(record)
        if record["t"] == "outcome":
            calls.pop(trial, None)
            if trial not in done:
                done.add(trial)
                batch.append(_noun(Outcome, record["outcome"], path))
                landed += 1
        elif trial not in done:
            calls.setdefault(trial, {})[record["key"]] = record.get("reply")
        if len(batch) >= BATCH:
            store.append(batch, twins=twins)
            batch.clear()
    store.append(batch, twins=twins)
    open_calls = [item for trial in calls.values() for item in trial.items()]
    return Recovered(
        known={key: _noun(Reply, reply, path) for key, reply in open_calls if reply is not None},
        unanswered=frozenset(key for key, reply in open_calls if reply is None),
        landed=landed,
        spent_usd=spent.usd,
    )


class _Spent:
    """Adds up what journalled calls have cost, never less than they can have."""

    def __init__(self) -> None:
        self._settled = 0.0
        self._open: dict[str, float] = {}
        """Worst case of the calls that were sent and have no reply yet."""

    def take(self, record: dict[str, Any]) -> None:
        if record["t"] == "sent":
            # Sent again: the first request got no answer we kept, and may have been charged.
            self._settled += self._open.get(record["key"], 0.0)
            self._open[record["key"]] = record["worst_usd"]
        elif record["t"] == "reply":
            worst = self._open.pop(record["key"], 0.0)
            cost = record["reply"]["cost_usd"]
            self._settled += worst if cost is None else cost

    @property
    def usd(self) -> float:
        """Settled costs and the worst case of whatever was in flight."""
        return self._settled + sum(self._open.values())


def _noun(kind: type[Any], data: Any, path: Path) -> Any:
    try:
        return build(kind, data)
    except ValueError as exc:
        problem = f"holds a {kind.__name__.lower()} that this version cannot read"
        raise InvalidFile(path, problem, fix="Resume with the version that wrote it.") from exc


class Landing:
    """Journals every call and lands outcomes in the store in batches. One per run."""

    def __init__(
        self,
        journal: Journal,
        store: Store,
        *,
        twins: frozenset[str],
        now: Callable[[], str],
        worst_usd: Callable[[Request], float],
    ) -> None:
        self._journal, self._store, self._twins, self._now = journal, store, twins, now
        self._worst_usd = worst_usd
        self._waiting: list[Outcome] = []
        self._full, self._closing = asyncio.Event(), False
        self._lander: asyncio.Task[None] | None = None

    async def sent(self, request: Request) -> None:
        """On disk before the call goes out."""
        worst = {"worst_usd": self._worst_usd(request)}
        await self._journal.append(self._call("sent", request) | worst)

    async def replied(self, request: Request, reply: Reply) -> None:
        """On disk before anything is made of the reply."""
        await self._journal.append(self._call("reply", request) | {"reply": plain(Reply, reply)})

    def _call(self, kind: str, request: Request) -> dict[str, Any]:
        trial = request.key.partition("/")[0]
        model = request.model.route
        return {"t": kind, "trial": trial, "key": request.key, "model": model, "at": self._now()}

    async def record(self, outcome: Outcome) -> None:
        """On disk when this returns; in the store within half a second.

        Raises `StorageFailed` when an earlier batch could not be landed.
        """
        if self._lander is not None and self._lander.done():
            await self._lander
        await self._journal.append(
            {"t": "outcome", "trial": outcome.trial.id, "outcome": plain(Outcome, outcome)}
        )
        self._waiting.append(outcome)
        if len(self._waiting) >= BATCH:
            self._full.set()

    async def _land(self) -> None:
        """The one task that writes to the store, so that batches never overlap."""
        while not self._closing or self._waiting:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._full.wait(), PERIOD_S)
            if not self._closing:
                self._full.clear()
            batch, self._waiting = self._waiting, []
            if batch:
                await asyncio.to_thread(self._store.append, batch, twins=self._twins)

    async def __aenter__(self) -> Self:
        self._lander = asyncio.create_task(self._land())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing = True
        self._full.set()
        if self._lander is not None:
            await self._lander
