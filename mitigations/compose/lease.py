"""A lease as its owner sees it: some trials, the money set aside for them, and what came back."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mitigations.compose.todo import Todo
from mitigations.model import Outcome, Plan, Reply, Trial
from mitigations.store import Landing, Ledger
from runner.budget import Budget, Reservation
from runner.engine import Address, Chunk, Say
from runner.execute import Stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Where the work of a run goes when it does not stay in this process."""

    address: Address
    takes_part: bool = True
    """Whether this process plays trials as well."""
    say: Say = lambda _: None
    """Hears what a person should know while the run goes on: a server or a worker that left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the run hands to its leases."""

    plan: Plan
    todo: Todo
    landing: Landing
    budget: Budget
    stop: Stop
    watch: Callable[[Outcome], None]
    width: int | None = None
    max_wait_s: float | None = None
    entries: Sequence[str] = ()
    """The plan's providers that have an entry in the owner's `providers.yaml`."""


@dataclass(slots=True, kw_only=True)
class Lease:
    """A lease that is out, and what its lines have said so far."""

    id: str
    trials: dict[str, Trial]
    """Those without an outcome yet, in their order."""
    known: dict[str, Reply]
    reservation: Reservation | None
    offered: float
    worker: str | None = None
    is_all: bool = False
    """Whether it was given all the money that was left."""
    seq: int = -1
    landed: int = 0
    """Trials of it that have an outcome."""
    ledger: Ledger = field(default_factory=lambda: Ledger(keep_replies=True))
    end: dict[str, Any] | None = None

    @property
    def cost_usd(self) -> float:
        """What it has cost at most: what was set aside, and what a provider charged beyond it."""
        granted = self.reservation.usd if self.reservation is not None else self.ledger.spent_usd
        beyond = float(self.end.get("overrun_usd", 0.0)) if self.end is not None else 0.0
        return min(self.ledger.spent_usd, granted) + beyond


def records(chunk: Chunk) -> list[dict[str, Any]]:
    """The lines of a chunk, each with its place: what tells a line that was seen before."""
    return [
        record | {"lease": f"{chunk.lease}:{chunk.seq}:{number}"}
        for number, record in enumerate(json.loads(chunk.body))
    ]
