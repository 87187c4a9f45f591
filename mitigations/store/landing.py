"""From a finished call to disk and database: the journal first, then batches into the store."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from mitigations.codec import plain
from mitigations.model import Outcome, Reply, Request
from mitigations.store.database import Store
from mitigations.store.journal import Journal
from mitigations.store.ledger import Ledger

BATCH = 1000
PERIOD_S = 0.5
TRIM_AFTER = 2000
"""Outcomes after which the store gives back memory."""


def call_line(kind: str, key: str, model: str) -> dict[str, Any]:
    """What every line about a call begins with, whoever makes the call."""
    return {"t": kind, "trial": key.partition("/")[0], "key": key, "model": model}


class Landing:
    """Journals every call and lands outcomes in the store in batches. One per run.

    Args:
        path: the journal; opened and closed with the landing.
        store: where outcomes and events land.
        run: the run they belong to.
        twins: ids of the benign twins.
        now: UTC, ISO 8601.
        worst_usd: the most one request can cost.
        ledger: what an earlier start of the run left behind; a new one by default.
        reruns: trials run again after an error, and for which time.
    """

    def __init__(  # noqa: PLR0913 - what a run is bound to, given once by the composition root
        self,
        path: Path,
        store: Store,
        *,
        run: str,
        twins: frozenset[str],
        now: Callable[[], str],
        worst_usd: Callable[[Request], float],
        ledger: Ledger | None = None,
        reruns: Mapping[str, int] | None = None,
    ) -> None:
        self._store, self.run, self._twins, self._now = store, run, twins, now
        self._worst_usd = worst_usd
        self._ledger = ledger or Ledger()
        self._reruns = dict(reruns or {})
        self._journal = Journal(path, written=self._written)
        self._waiting: list[Outcome] = []
        self._since_trim = 0
        self._events: list[tuple[str, str, str]] = []
        self._full, self._idle, self._closing = asyncio.Event(), asyncio.Event(), False
        self._lander: asyncio.Task[None] | None = None

    async def sent(self, request: Request) -> None:
        """On disk before the call goes out."""
        worst = {"worst_usd": self._worst_usd(request)}
        await self._journal.append(self._call("sent", request.key, request.model.route) | worst)

    async def replied(self, request: Request, reply: Reply) -> None:
        """On disk before anything is made of the reply."""
        record = self._call("reply", request.key, request.model.route)
        await self._journal.append(record | {"reply": plain(Reply, reply)})

    async def withdrawn(self, request: Request) -> None:
        """The call ended without a reply and nothing of it is on the line: budget, a block."""
        await self._journal.append(self._call("withdrawn", request.key, request.model.route))

    def attempted(self, key: str, model: str, told: Mapping[str, Any]) -> None:
        """One HTTP request of a call is over. On disk before the call's reply."""
        self._journal.post(self._call("attempt", key, model) | dict(told))

    async def kept(self) -> None:
        """Return once every attempt told so far is on disk: before the call's next request."""
        await self._journal.kept()

    def _call(self, kind: str, key: str, model: str) -> dict[str, Any]:
        record = call_line(kind, key, model)
        if record["trial"] in self._reruns:
            record["rerun"] = self._reruns[record["trial"]]
        return record | {"at": self._now()}

    async def relay(self, record: Mapping[str, Any]) -> None:
        """A line that a worker wrote about a call: on disk when this returns."""
        await self._journal.append(dict(record))

    async def record(self, outcome: Outcome, *, lease: str = "") -> None:
        """On disk when this returns; in the store within half a second.

        `lease`: the place of the line in what a worker wrote, where one played the trial. Raises
        `StorageFailed` when an earlier batch could not be landed.
        """
        await self._check()
        record: dict[str, Any] = {"t": "outcome", "trial": outcome.trial.id}
        if outcome.rerun:
            record["rerun"] = outcome.rerun
        if lease:
            record["lease"] = lease
        await self._journal.append(record | {"outcome": plain(Outcome, outcome)})
        self._waiting.append(outcome)
        if len(self._waiting) >= BATCH:
            self._full.set()

    async def event(self, kind: str, detail: str) -> None:
        """Something that happened to the run: on disk when this returns, like an outcome."""
        await self._check()
        at = self._now()
        await self._journal.append({"t": "event", "kind": kind, "detail": detail, "at": at})

    async def flush(self) -> None:
        """Return once everything recorded so far is in the store."""
        while self._waiting or self._events or not self._idle.is_set():
            await self._check()
            self._full.set()
            await asyncio.sleep(0.001)

    async def _check(self) -> None:
        if self._lander is not None and self._lander.done():
            await self._lander

    def _written(self, record: dict[str, Any], place: int) -> None:
        if record["t"] == "event":
            self._events.append((record["at"], record["kind"], record["detail"]))
        else:
            self._ledger.take(record, place)

    async def _land(self) -> None:
        """The one task that writes to the store, so that batches never overlap."""
        while not self._closing or self._waiting or self._events:
            self._idle.set()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._full.wait(), PERIOD_S)
            if not self._closing:
                self._full.clear()
            self._idle.clear()
            await self._land_batch()

    async def _land_batch(self) -> None:
        batch, self._waiting = self._waiting, []
        events, self._events = self._events, []
        if not batch and not events:
            return
        places = [(outcome.trial.id, outcome.rerun) for outcome in batch]
        # Before anything else can be written: the mark speaks of this moment.
        mark = self._ledger.mark(places, self._journal.size)
        await asyncio.to_thread(
            self._store.land, self.run, batch, twins=self._twins, events=events, mark=mark
        )
        self._ledger.landed(places)
        self._since_trim += len(batch)
        if self._since_trim >= TRIM_AFTER:
            self._since_trim = 0
            await asyncio.to_thread(self._store.trim)

    async def __aenter__(self) -> Self:
        self._lander = asyncio.create_task(self._land())
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            self._closing = True
            self._full.set()
            if self._lander is not None:
                await self._lander
        finally:
            await self._journal.aclose()
