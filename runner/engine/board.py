"""The board: who works, which leases are open, and every line a worker has written.

A line is durable in PostgreSQL before its worker acts on it, as a line of the journal is on one
machine. A lease is fenced by closing it: a worker that was only thought dead can write, and
therefore send, nothing more.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import psycopg

from mitigations.errors import MitigationsError
from runner.engine import statements as sql
from runner.engine.address import Address, EngineUnavailable

T = TypeVar("T")
Connection = psycopg.Connection[tuple[Any, ...]]

LOST_S = 15.0
"""A worker not seen for so long is taken for dead."""
PATIENCE_S = 180.0
"""How long PostgreSQL may be away before a run or a worker gives up."""
_CONNECTION: Mapping[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "options": "-c statement_timeout=20000",
}
"""A cut line is noticed within about ten seconds, on either side."""


class LeaseLost(MitigationsError):
    """The owner has given this lease to somebody else."""

    exit_code = 1


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
class Held:
    """A lease on the board, who holds it, and whether that worker is lost."""

    lease: str
    worker: str | None
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
    """

    def __init__(self, address: Address, *, patience_s: float = PATIENCE_S) -> None:
        self._address, self._patience_s = address, patience_s
        self._connection: Connection | None = None
        self._lock = threading.Lock()
        self._closed = False

    def prepare(self) -> None:
        """Make the tables where they are missing."""

        def make(connection: Connection) -> None:
            with connection.transaction():
                connection.execute(sql.LOCKED)
                connection.execute(sql.SCHEMA)

        self._do(make)

    # ---- runs

    def open_run(self, run: str, *, build: str, lock: str, scenarios: str) -> None:
        """Put up what workers need to play a run."""
        self._run(sql.OPEN_RUN, (run, build, lock, scenarios))

    def run_seen(self, run: str) -> None:
        """The run has an owner."""
        self._run(sql.RUN_SEEN, (run,))

    def end_run(self, run: str) -> None:
        """Nobody is to work for this run now."""
        self._run(sql.END_RUN, (run,))

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

        def delete(connection: Connection) -> None:
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

    def close(self) -> None:
        """Close the connection; whoever still waits for the server is told."""
        self._closed = True
        with self._lock:
            self._drop()

    def _run(self, statement: str, values: tuple[Any, ...]) -> None:
        self._do(lambda connection: connection.execute(statement, values))

    def _rows(self, statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        return self._do(lambda connection: connection.execute(statement, values).fetchall())

    def _do(self, work: Callable[[Connection], T]) -> T:
        """Do it, again after each loss of the line, until patience ends."""
        since, pause = time.monotonic(), 0.1
        while True:
            try:
                with self._lock:
                    return work(self._connected())
            except (psycopg.OperationalError, psycopg.InterfaceError) as exc:
                with self._lock:
                    self._drop()
                if self._closed or time.monotonic() - since > self._patience_s:
                    raise self._unavailable(exc) from None
            except psycopg.Error as exc:
                raise self._unavailable(exc) from None
            time.sleep(pause)
            pause = min(2 * pause, 2.0)

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = psycopg.connect(self._address.url, autocommit=True, **_CONNECTION)
        return self._connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _unavailable(self, exc: Exception) -> EngineUnavailable:
        reason = self._address.scrub(str(exc)).strip().splitlines() or [type(exc).__name__]
        return EngineUnavailable(f"PostgreSQL at {self._address.shown}: {reason[-1].strip()}")
