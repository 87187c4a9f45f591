"""`mode: batch`: what a plan must fulfil, the book of its batches, the waves it is played in."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from mitigations.compose.calls import Calls
from mitigations.errors import MitigationsError
from mitigations.model import Complete, ModelSpec, Plan, Reply, ReplyStatus, Request, Trial
from mitigations.providers import FILE_NAME
from mitigations.store import Journal, Landing, read_journal
from runner.batch_nouns import Around, BatchNote, Held, token_of
from runner.batching import Batched
from runner.budget import Budget
from runner.execute import Stop, remembered

BOOK = "batches.jsonl"
"""Beside the journal of calls: which calls went into which batch."""
MOST_IN_PLAY = 5000
"""Trials that wait at once; more make more waves, at the border of an epoch."""


class NoBatch(MitigationsError):
    """A plan in batch mode that names a model without batches, or without a price for them."""


def check_batches(plan: Plan, calls: Calls) -> None:
    """Raise for every model that cannot be called by batch, before anything is sent."""
    if plan.mode != "batch":
        return
    for spec in (*plan.models, *plan.judge.models):
        if spec.is_free:
            raise NoBatch(
                f"{spec.route} runs on this machine and has no batch interface\n"
                "  set mode: live in the study, or leave this model to a study of its own"
            )
        calls.gateway.batches(calls.placed(spec))
        if spec.price is None or spec.price.batch is None:
            raise NoBatch(
                f"no batch price is known for {spec.route}\n"
                f"  give it in {FILE_NAME}, under the model's price: "
                "batch: {input_per_mtok: N, output_per_mtok: N}"
            )


def at_batch_price(spec: ModelSpec) -> ModelSpec:
    """The spec as a batch bills it; unchanged where no batch price is known."""
    batch = spec.price.batch if spec.price else None
    return replace(spec, price=batch) if batch else spec


def at_prices_of_its_mode(plan: Plan) -> Plan:
    """The plan with the prices that its calls will be billed at."""
    if plan.mode == "live":
        return plan
    judges = replace(plan.judge, models=tuple(map(at_batch_price, plan.judge.models)))
    return replace(plan, models=tuple(map(at_batch_price, plan.models)), judge=judges)


def waves(plan: Plan, trials: Iterator[Trial]) -> Iterator[list[Trial]]:
    """Whole epochs, as many as may wait at once."""
    epoch = plan.trial_count // plan.repeats
    while wave := list(islice(trials, max(1, MOST_IN_PLAY // epoch) * epoch)):
        yield wave


def parts(plan: Plan, trials: Iterator[Trial], width: int) -> Iterator[tuple[Iterator[Trial], int]]:
    """What is played at once, with how many trials in flight: all of a wave wait in its batches."""
    if plan.mode == "live":
        yield trials, width
        return
    for wave in waves(plan, trials):
        yield iter(wave), len(wave)


class Book:
    """The book of batches as a file of JSON lines, each on disk before it counts."""

    def __init__(self, path: Path, *, run: str, calls: Path, now: Callable[[], str]) -> None:
        self._run, self._now = run, now
        self._open: dict[str, Held] = {}
        self._batches: dict[str, Held] = {}
        self._times = 0
        for record in read_journal(path):
            self._take(record)
        for record in read_journal(calls) if self._open else ():
            if record["t"] == "reply":
                self._open.pop(record["key"], None)
        self._journal = Journal(path)

    def held(self, key: str) -> Held | None:
        """The batch that holds this call and has not answered it yet."""
        return self._open.get(key)

    def ids(self) -> frozenset[str]:
        """Ids of every batch so far, dropped ones included."""
        return frozenset(held.id for held in self._batches.values() if held.id)

    async def intend(self, route: str, keys: Sequence[str]) -> Held:
        """Before anything is sent."""
        token = token_of(self._run, keys, self._times)
        await self._write("intended", token, model=route, keys=list(keys))
        return self._batches[token]

    async def submitted(self, token: str, batch: str) -> None:
        """Before anything is waited for."""
        await self._write("submitted", token, id=batch)

    async def dropped(self, token: str, reason: str) -> None:
        """Its calls may go into another batch."""
        await self._write("dropped", token, reason=reason)

    async def _write(self, kind: str, token: str, **more: Any) -> None:
        record = {"t": kind, "token": token, **more, "at": self._now()}
        await self._journal.append(record)
        self._take(record)

    def _take(self, record: dict[str, Any]) -> None:
        token = record["token"]
        if record["t"] == "intended":
            self._times += 1
            held = Held(token=token, id=None, keys=tuple(record["keys"]), at=record["at"])
        elif record["t"] == "submitted":
            held = replace(self._batches[token], id=record["id"])
        else:
            gone = self._batches[token].keys
            self._open = {k: h for k, h in self._open.items() if k not in gone or h.token != token}
            return
        self._batches[token] = held
        self._open |= dict.fromkeys(held.keys, held)

    async def close(self) -> None:
        """Close the file."""
        await self._journal.aclose()


@dataclass(frozen=True, slots=True, kw_only=True)
class Batching:
    """What a batched run needs of a run."""

    plan: Plan
    journal: Path
    """The run's journal of calls; the book of batches stands beside it."""
    calls: Calls
    landing: Landing
    budget: Budget
    stop: Stop
    now: Callable[[], str]
    watch: Callable[[BatchNote], None]
    max_wait_s: float | None = None


@asynccontextmanager
async def by_batch(run: Batching, known: dict[str, Reply]) -> AsyncIterator[Complete]:
    """`complete` of a batched run; `known` are replies that are paid for already."""
    book = Book(run.journal.with_name(BOOK), run=run.plan.run_id, calls=run.journal, now=run.now)
    try:
        async with _batched(run, known, book) as complete:
            yield complete
    finally:
        await book.close()


@asynccontextmanager
async def _batched(run: Batching, known: dict[str, Reply], book: Book) -> AsyncIterator[Complete]:
    calls = run.calls
    around = Around(
        line_of=calls.gateway.batches,
        book=book,
        budget=run.budget,
        redactor=calls.gateway.redactor,
        playing=calls.playing,
        place=calls.place,
        stopped=lambda: run.stop.reason,
        watch=run.watch,
        max_wait_s=run.max_wait_s,
    )

    async def replied(request: Request, reply: Reply) -> None:
        if reply.cost_usd is None and reply.status is not ReplyStatus.ERROR:
            # Charged, and nobody says how much: its worst case counts, as it does in live mode.
            await run.landing.sent(request)
        await run.landing.replied(request, reply)

    async def nothing(_: Request) -> None:
        """What is in a batch stands in the book; a call in it is never sent twice."""

    async with Batched(around) as batched:
        inner = remembered(
            batched.complete,
            known=known,
            sent=nothing,
            replied=replied,
            withdrawn=nothing,
            stop=run.stop,
        )

        async def complete(request: Request) -> Reply:
            placed = calls.placed(request.model)
            limit = request.model.max_tokens  # a judge has room of its own
            spec = at_batch_price(replace(placed, max_tokens=limit))
            return await inner(replace(request, model=spec))

        yield complete
