"""One state of the database for a reader elsewhere: several connections that cannot change it.

A command that finds the file owned by a service reads through that service. It needs what the file
would give it: every query of one command answered from one state, whatever lands in between.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import duckdb

from mitigations.errors import InvalidFile

if TYPE_CHECKING:
    from pyarrow import RecordBatch, Schema

PAGE = 1000
"""Rows handed over at a time."""

Given = Sequence[Any] | Mapping[str, Any]


class _Batches(Protocol):
    """What is used of an Arrow reader."""

    schema: "Schema"

    def read_next_batch(self) -> "RecordBatch": ...
    def close(self) -> None: ...


class Snapshot:
    """Read-only transactions begun at one moment; each answers one query at a time.

    `fresh`: every query sees the state of its own moment instead, for who waits on other people.
    """

    def __init__(
        self,
        connections: Sequence[duckdb.DuckDBPyConnection],
        *,
        fresh: bool,
        closed: "Callable[[Snapshot], None]",
    ) -> None:
        self._closed = closed
        self._slots = tuple(_Slot(connection, fresh=fresh) for connection in connections)

    @property
    def slots(self) -> int:
        """How many queries may be under way."""
        return len(self._slots)

    def select(self, slot: int, query: str, given: Given) -> tuple[list[Any], bool]:
        """The first rows, and whether there may be more; ends what the slot was at.

        Raises `InvalidFile` for a text that is not one query, or that the database refuses.
        """
        return self._slots[slot].select(query, given)

    def rows(self, slot: int) -> tuple[list[Any], bool]:
        """The next rows of the same query."""
        return self._slots[slot].rows()

    def table(self, slot: int, query: str, given: Given, *, size: int) -> "Schema":
        """Begin the same as Arrow batches of `size` rows."""
        return self._slots[slot].table(query, given, size)

    def batch(self, slot: int) -> "RecordBatch | None":
        """The next batch; None after the last."""
        return self._slots[slot].batch()

    def close(self) -> None:
        """End the transactions."""
        for slot in self._slots:
            slot.close()
        self._closed(self)


class _Slot:
    """One connection with its transaction."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, *, fresh: bool) -> None:
        self._db, self._fresh = connection, fresh
        self._lock = threading.Lock()
        self._batches: _Batches | None = None
        self._begin()

    def _begin(self) -> None:
        self._db.execute("begin transaction read only")
        # A transaction takes its picture with the first query.
        self._db.execute("select count(*) from schema_version").fetchall()

    def _ready(self, query: str) -> None:
        if self._batches is not None:
            self._batches.close()
            self._batches = None
        self._db.abort()
        kinds = [one.type for one in self._db.extract_statements(query)]
        if kinds != [duckdb.StatementType.SELECT]:
            raise InvalidFile("the query", "is not one query that only reads")
        if self._fresh:
            self._db.execute("rollback")
            self._begin()

    def select(self, query: str, given: Given) -> tuple[list[Any], bool]:
        with self._lock, _told():
            self._ready(query)
            self._db.execute(query, given or None)
            return self._page()

    def rows(self) -> tuple[list[Any], bool]:
        with self._lock, _told():
            return self._page()

    def _page(self) -> tuple[list[Any], bool]:
        found = self._db.fetchmany(PAGE)
        return found, len(found) == PAGE

    def table(self, query: str, given: Given, size: int) -> "Schema":
        with self._lock, _told():
            self._ready(query)
            self._batches = self._db.sql(query, params=given or None).to_arrow_reader(size)
            return self._batches.schema

    def batch(self) -> "RecordBatch | None":
        with self._lock, _told():
            if self._batches is None:
                return None
            try:
                return self._batches.read_next_batch()
            except StopIteration:
                self._batches = None
                return None

    def close(self) -> None:
        with self._lock:
            self._db.close()


@contextmanager
def _told() -> Iterator[None]:
    """What the database refuses, in one line."""
    try:
        yield
    except duckdb.Error as error:
        raise InvalidFile("the query", str(error).splitlines()[0]) from error
