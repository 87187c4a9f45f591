"""The board: who works, which leases are open, and every line a worker has written.

A line is durable in PostgreSQL before its worker acts on it, as a line of the journal is on one
machine. A lease is fenced by closing it: a worker that was only thought dead can write, and
therefore send, nothing more.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from mitigations.errors import MitigationsError
from runner.engine import statements as sql
from runner.engine.address import Address
from runner.engine.line import FIRST_PATIENCE_S, PATIENCE_S, Line, Patience, Say

T = TypeVar("T")
LOST_S = 15.0
"""A worker not seen for so long is taken for dead."""


class LeaseLost(MitigationsError):
    """The owner has given this lease to somebody else."""

    exit_code = 1


class OtherOwner(MitigationsError):
    """The run is another process's."""


class LeaseState(StrEnum):
    """What a worker is told each time it writes."""

    HELD = "held"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that plays trials and was seen lately."""

    id: str
    build: str
    host: str


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that a run belongs to."""

    build: str
    place: str
    """Host and folder: for people, and to know a restart from a second owner."""
    token: str
    """Of this start."""


@dataclass(frozen=True, slots=True)
class Held:
    """A lease on the board, who holds it, and whether that worker is lost."""

    lease: str
    worker: str | None
    is_open: bool
    is_lost: bool


@dataclass(frozen=True, slots=True)
class Chunk:
    """Lines that one worker wrote at once."""

    lease: str
    seq: int
    body: str


class Board:
    """The tables in PostgreSQL. Every method may be called again: a lost answer harms nothing.

    Args:
        address: where the tables are.
        patience_s: how long an unreachable server is tried.
        say: hears when the server is away, and when it is back.
    """

    def __init__(
        self, address: Address, *, patience_s: float = PATIENCE_S, say: Say = lambda _: None
    ) -> None:
        self._address = address
        self._patience = Patience(address, limit_s=patience_s, say=say)
        self._connection: Line | None = None
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Make the tables where they are missing."""

        def make(connection: Line) -> None:
            with connection.transaction():
                connection.execute(sql.LOCKED)
                connection.execute(sql.SCHEMA)

        self._do(make, limit_s=FIRST_PATIENCE_S)

    # ---- runs

    def open_run(self, run: str, owner: Owner, *, lock: str, scenarios: str) -> None:
        """Put up what workers need to play a run; from now on it is this owner's."""
        self._run(sql.OPEN_RUN, (run, owner.build, owner.place, owner.token, lock, scenarios))

    def run_seen(self, run: str, owner: Owner) -> None:
        """The run has an owner; raises `OtherOwner` when that is somebody else by now."""
        if not self._rows(sql.RUN_SEEN, (run, owner.token)):
            self._refuse(self._rows(sql.PLACE, (run,)))

    def check_owner(self, run: str, place: str) -> None:
        """Raise `OtherOwner` where a run is under way whose owner is elsewhere."""
        found = self._rows(sql.OTHER_OWNER, (run, place, LOST_S))
        if found:
            self._refuse(found)

    def _refuse(self, found: list[tuple[Any, ...]]) -> None:
        place = found[0][0] if found else "nowhere: its row was deleted"
        raise OtherOwner(
            f"this run has its owner elsewhere: {place}\n"
            "  One run has one owner; to run a copy on its own, delete its engine.key first.\n"
            f"  If that owner is dead, the same command goes on in {LOST_S:.0f} s."
        )

    def end_run(self, run: str, owner: Owner) -> None:
        """Nobody is to work for this run now."""
        self._run(sql.END_RUN, (run, owner.token))

    def texts(self, run: str) -> tuple[str, str]:
        """A run's lock and scenarios."""
        ((lock, scenarios),) = self._rows(sql.TEXTS, (run,))
        return lock, scenarios

    def other_builds(self, build: str) -> list[tuple[str, str]]:
        """(run, build) of runs under way that another version of the program owns."""
        return [(row[0], row[1]) for row in self._rows(sql.OTHER_BUILDS, (build, LOST_S))]

    # ---- workers

    def beat(self, worker: Worker) -> None:
        """This worker is alive."""
        self._run(sql.BEAT, (worker.id, worker.build, worker.host))

    def leave(self, worker: str) -> None:
        """This worker has ended in order."""
        self._run(sql.LEAVE, (worker,))

    def workers(self) -> list[Worker]:
        """Who was seen lately, of whatever version."""
        return [Worker(*row) for row in self._rows(sql.WORKERS, (LOST_S,))]

    # ---- leases

    def offer(self, lease: str, run: str) -> None:
        """A lease that a worker may claim."""
        self._run(sql.OFFER, (lease, run))

    def claim(self, lease: str, worker: str) -> bool:
        """Whether this worker holds the lease now."""
        return bool(self._rows(sql.CLAIM, (worker, lease, worker)))

    def stop(self, run: str) -> None:
        """Ask whoever works for the run to finish what is in flight and no more."""
        self._run(sql.STOP, (run,))

    def fence(self, leases: Sequence[str]) -> None:
        """Once this returns, no further line of these leases can be written."""
        self._run(sql.FENCE, (list(leases),))

    def withdraw(self, lease: str) -> bool:
        """Take back a lease that nobody has claimed; whether that was still so."""
        return bool(self._rows(sql.WITHDRAW, (lease,)))

    def leases(self, run: str) -> list[Held]:
        """Every lease of a run that is still on the board."""
        return [Held(*row) for row in self._rows(sql.LEASES, (LOST_S, run))]

    def forget(self, leases: Sequence[str]) -> None:
        """Take fenced leases and their lines down: the owner has them on its disk."""

        def delete(connection: Line) -> None:
            with connection.transaction():
                connection.execute(sql.FORGET_LINES, (list(leases),))
                connection.execute(sql.FORGET_LEASES, (list(leases),))

        self._do(delete)

    # ---- lines

    def write(self, lease: str, seq: int, body: str) -> LeaseState:
        """Durable when this returns; raises `LeaseLost` when the lease is fenced."""
        held = self._rows(sql.WRITE, (lease, lease, seq, body))
        if not held:
            raise LeaseLost("the owner of the run has taken this lease back")
        return LeaseState.STOPPING if held[0][0] else LeaseState.HELD

    def read(self, after: Mapping[str, int]) -> list[Chunk]:
        """What was written behind the given number of each lease, in order."""
        return [Chunk(*row) for row in self._rows(sql.READ, (list(after), list(after.values())))]

    # ---- the line to the server

    def hurry(self, patience_s: float = 3.0) -> None:
        """From now on an unreachable server is not waited for: everybody is leaving."""
        self._patience.limit_s = patience_s

    def close(self) -> None:
        """Close the connection; whoever still waits for the server is told."""
        self._patience.end()
        with self._lock:
            self._drop()

    def _run(self, statement: str, values: tuple[Any, ...]) -> None:
        self._do(lambda connection: connection.execute(statement, values))

    def _rows(self, statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        return self._do(lambda connection: connection.execute(statement, values).fetchall())

    def _do(self, work: Callable[[Line], T], *, limit_s: float | None = None) -> T:
        """Do it, again after each loss of the line, until patience ends."""

        def once() -> T:
            with self._lock:
                return work(self._connected())

        def lost() -> None:
            with self._lock:
                self._drop()

        return self._patience.keep(once, lost=lost, limit_s=limit_s)

    def _connected(self) -> Line:
        if self._connection is None:
            self._connection = Line.to(self._address, autocommit=True)
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
