"""What the parts of a batched run hand to each other, and what they are given from outside."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mitigations.errors import MitigationsError
from mitigations.model import ModelSpec, Reply, Request, content_hash
from runner.budget import Budget, Reservation
from runner.gateway import BatchLine
from runner.limits import Timer
from runner.redact import Redactor


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchNote:
    """For a progress display: how far a batch is."""

    model: str
    batch: str
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A batch that an earlier start of the run intended, and submitted if it has an id."""

    token: str
    id: str | None
    keys: tuple[str, ...]
    at: str


class BatchBook(Protocol):
    """What is written down of batches, on disk when a call returns."""

    def held(self, key: str) -> Held | None:
        """The batch that holds this call, if one does and its reply is not on disk yet."""
        ...

    def ids(self) -> frozenset[str]:
        """Ids of every batch of the run so far."""
        ...

    async def intend(self, route: str, keys: Sequence[str]) -> Held:
        """Before anything is sent."""
        ...

    async def submitted(self, token: str, batch: str) -> None:
        """Before anything is waited for."""
        ...

    async def dropped(self, token: str, reason: str) -> None:
        """The batch gives no answers: its calls may go into another."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a batched run is given by whoever starts it."""

    line_of: Callable[[ModelSpec], BatchLine]
    book: BatchBook
    budget: Budget
    redactor: Callable[[], Redactor]
    playing: Callable[[], Iterable[str]]
    """Ids of the trials in play."""
    place: Callable[[str], tuple[int, int]]
    """Epoch and position of the trial with this id."""
    stopped: Callable[[], MitigationsError | None]
    watch: Callable[[BatchNote], None]
    max_wait_s: float | None = None
    timer: Timer = field(default_factory=Timer)


@dataclass(slots=True)
class Call:
    """A trial's request and the reply it waits for."""

    request: Request
    future: asyncio.Future[Reply]
    item: bytes = b""
    reservation: Reservation | None = None


@dataclass(slots=True)
class Batch:
    """Calls of one model that are sent together."""

    spec: ModelSpec
    calls: dict[str, Call]
    held: Held | None = None
    """None: not yet intended."""
    unsure: bool = False
    """Found at the provider by its size and time: the ids in its results must confirm it."""


def token_of(run: str, keys: Sequence[str], times: int) -> str:
    """The name of a batch: from its calls, and how many batches the run intended before."""
    return content_hash([run, sorted(keys), times])[:32]
