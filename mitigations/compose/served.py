"""A store that a service reads for us: what `Reads` asks of DuckDB, over the service's loopback."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from mitigations.codec import build, plain
from mitigations.compose.service import Remote
from mitigations.errors import DatabaseBusy, StorageFailed
from mitigations.model import Draw, JudgeCheck, Label
from mitigations.store import LabelBook, Store

if TYPE_CHECKING:
    import duckdb
    from pyarrow import RecordBatch, RecordBatchReader

VIEWS = "/api/owner/views"


class ServedStore(Store):
    """Reads by the service; writes the few things that commands write, by the service as well."""

    def __init__(self, service: Remote, view: "_View", path: Path) -> None:
        # It has the part of a connection that `Reads` uses, and no other.
        super().__init__(cast("duckdb.DuckDBPyConnection", _Connection(view)), path)
        self._service, self._view = service, view

    @classmethod
    def at(cls, service: Remote, path: Path, *, fresh: bool) -> Self:
        """The store of a database that the service owns."""
        view = _View(service, fresh=fresh)
        made = cls(service, view, path)
        made.seen_at = None if fresh else view.seen_at
        return made

    def close(self) -> None:
        """Let the service end the transaction."""
        self._view.end()

    def add_judge_checks(self, checks: Sequence[JudgeCheck]) -> None:
        """Recorded by the service."""
        told = [plain(JudgeCheck, check) for check in checks]
        self._service.post("/api/owner/judge-checks", {"checks": told})

    def label_book(self, run: str) -> LabelBook:
        """The labels of a run, written by the service."""
        return ServedBook(self, run, self._service)


class ServedBook(LabelBook):
    """Labels read through the service and written by it, one labeller after the other."""

    def __init__(self, store: Store, run: str, service: Remote) -> None:
        # Not what the base does: it brings the tables up to the journal, which is the owner's work.
        self._store, self._run, self._service = store, run, service

    def add_draw(self, draw: Draw) -> None:
        """Drawn by the service, which finds the same trials."""
        asked = {"run": self._run, "size": len(draw.items), "seed": draw.seed}
        self._service.post("/api/owner/labels/draw", asked)

    def add_label(self, label: Label) -> Label:
        """Kept by the service; the label as it stands there."""
        return build(Label, self._save([label])["labels"][0])

    def add_labels(self, labels: Iterable[Label]) -> int:
        """All of them or none, as one request."""
        given = list(labels)
        if given:
            self._save(given)
        return len(given)

    def _save(self, labels: Sequence[Label]) -> Any:
        answers = [
            {
                "item": one.item,
                "severity": one.severity,
                "note": one.note,
                "text_hash": one.text_hash,
            }
            for one in labels
        ]
        asked = {"run": self._run, "who": labels[0].who, "answers": answers}
        return self._service.post("/api/owner/labels", asked)


class _View:
    """One state of the database, held for us by the service until we end it."""

    def __init__(self, service: Remote, *, fresh: bool) -> None:
        self._service = service
        made = service.post(VIEWS, {"pid": os.getpid(), "fresh": fresh})
        self._path = f"{VIEWS}/{made['view']}"
        self.seen_at = str(made["at"])
        self._free = list(range(made["slots"]))
        self._ended = False

    def take(self) -> int:
        """A slot for a query."""
        if not self._free:
            raise StorageFailed("more queries at a time than a service answers for one command")
        return self._free.pop()

    def give_back(self, slot: int) -> None:
        """The slot is free for another query."""
        self._free.append(slot)

    def ask(self, what: str, **body: Any) -> Any:
        """A JSON answer."""
        return self._service.post(f"{self._path}/{what}", body)

    def fetch(self, what: str, **body: Any) -> bytes:
        """An answer as bytes."""
        return self._service.fetch(f"{self._path}/{what}", body)

    def end(self) -> None:
        """Give it up; a second call does nothing."""
        if not self._ended:
            self._ended = True
            self.ask("end")


class _Connection:
    """The part of a DuckDB connection that `Reads` uses. A slot is held while rows are left."""

    def __init__(self, view: _View) -> None:
        self._view = view
        self._slot: int | None = None
        self._rows: list[tuple[Any, ...]] = []

    def cursor(self) -> "_Connection":
        """Another query beside this one, of the same state."""
        return _Connection(self._view)

    def execute(self, query: str, parameters: Any = None) -> Self:
        """Ask; rows that were left of the query before are dropped."""
        self._begin()
        self._take(self._view.ask("query", slot=self._slot, query=query, given=parameters or []))
        return self

    def _begin(self) -> None:
        if self._slot is None:
            self._slot = self._view.take()

    def _take(self, answer: Any) -> None:
        self._rows = [tuple(row) for row in answer["rows"]]
        if not answer["more"]:
            self._release()

    def _release(self) -> None:
        if self._slot is not None:
            self._view.give_back(self._slot)
            self._slot = None

    def fetchmany(self, size: int = 1) -> list[tuple[Any, ...]]:
        """The next rows; none after the last."""
        found: list[tuple[Any, ...]] = []
        while len(found) < size:
            if not self._rows:
                if self._slot is None:
                    break
                self._take(self._view.ask("rows", slot=self._slot))
                continue
            wanted = size - len(found)
            found += self._rows[:wanted]
            self._rows = self._rows[wanted:]
        return found

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Every row that is left."""
        found: list[tuple[Any, ...]] = []
        while rows := self.fetchmany(100_000):
            found += rows
        return found

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row; what follows it stays at hand until the next query."""
        rows = self.fetchmany(1)
        return rows[0] if rows else None

    def sql(self, query: str, *, params: Any = None) -> "_Table":
        """The same as Arrow batches."""
        self._begin()
        assert self._slot is not None  # `_begin` has taken one
        return _Table(self._view, self._slot, query, params or [])

    def begin(self) -> None:
        """Every way to write begins here, and none goes through a reader."""
        raise DatabaseBusy("the service that owns the database alone writes to it")

    def close(self) -> None:
        """Give the slot back."""
        self._release()

    def __del__(self) -> None:
        self._release()


class _Table:
    """A query as Arrow."""

    def __init__(self, view: _View, slot: int, query: str, given: Any) -> None:
        self._view, self._slot, self._query, self._given = view, slot, query, given

    def to_arrow_reader(self, size: int) -> "RecordBatchReader":
        """Batches of `size` rows, fetched as they are read."""
        import pyarrow as pa  # noqa: PLC0415 - only for tables

        told = {"slot": self._slot, "query": self._query, "given": self._given, "size": size}
        with pa.ipc.open_stream(self._view.fetch("table", **told)) as begun:
            schema = begun.schema
        return pa.RecordBatchReader.from_batches(schema, self._batches())

    def _batches(self) -> "Iterator[RecordBatch]":
        import pyarrow as pa  # noqa: PLC0415 - only for tables

        while content := self._view.fetch("batch", slot=self._slot):
            with pa.ipc.open_stream(content) as stream:
                yield from stream
