"""The journal: one JSON line a call, on disk before anything is acknowledged.

It is the insurance against everything that can happen to a database: the store rebuilds from it.
"""

import errno
import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from mitigations.errors import DatabaseBusy, InvalidFile, StorageFailed
from mitigations.store.grouped import Grouped

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP)
"""What file systems without locks say."""
Record = dict[str, Any]
Written = Callable[[Record, int], None]
"""Told of each record that is on disk, in their order, with the byte its line starts at."""


@dataclass(frozen=True, slots=True)
class _Line:
    data: bytes
    record: Record


class Journal:
    """An append-only JSON-lines file with group commit. One writer, any number of readers."""

    def __init__(self, path: Path, *, written: Written | None = None) -> None:
        self.path = path
        self._told = written
        self._lines = Grouped(self._write, written=self._written)
        self._fd = _open(path, alone=True)
        self.size = os.fstat(self._fd).st_size
        """Bytes on disk: everything before was acknowledged."""

    async def append(self, record: Record) -> None:
        """Return once the record is on disk; raises `StorageFailed` when it cannot be."""
        await self._lines.append(_line(record))

    def post(self, record: Record) -> None:
        """Write soon, before whatever is appended later; a failure shows at the next `append`."""
        self._lines.post(_line(record))

    async def kept(self) -> None:
        """Return once everything posted is on disk; raises `StorageFailed` when it cannot be."""
        await self._lines.kept()

    def _write(self, lines: Sequence[_Line]) -> None:
        try:
            _append(self._fd, b"".join(line.data for line in lines))
        except OSError as exc:
            raise StorageFailed(
                f"{self.path}: cannot be written: {exc.strerror or exc}\n"
                "  Nothing acknowledged is lost; make room, then the same command resumes."
            ) from exc

    def _written(self, lines: Sequence[_Line]) -> None:
        for line in lines:
            if self._told is not None:
                self._told(line.record, self.size)
            self.size += len(line.data)

    def close(self) -> None:
        """Close the file; records still pending were never acknowledged."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    async def aclose(self) -> None:
        """Write what was posted, then close."""
        await self._lines.drain()
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _line(record: Record) -> _Line:
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"
    return _Line(text.encode("utf-8", "backslashreplace"), record)


def append_record(path: Path, record: dict[str, Any]) -> None:
    """One record onto a file of its own, on disk when this returns; raises `StorageFailed`."""
    descriptor = _open(path)
    try:
        _append(descriptor, _line(record).data)
    except OSError as exc:
        raise StorageFailed(f"{path}: cannot be written: {exc.strerror or exc}") from exc
    finally:
        os.close(descriptor)


def _append(descriptor: int, data: bytes) -> None:
    """All of it, on disk, or none of it."""
    start, view = os.fstat(descriptor).st_size, memoryview(data)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
        os.fdatasync(descriptor)
    except OSError:
        # A torn line would be read as a damaged file: take back what was not acknowledged, unless
        # another process has written behind it.
        if os.fstat(descriptor).st_size == start + len(data) - len(view):
            os.ftruncate(descriptor, start)
        raise


def _open(path: Path, *, alone: bool = False) -> int:
    """The file for appending; `alone`: no other process may write it until it is closed."""
    descriptor = -1
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        if alone:
            _claim(descriptor, path)
        _drop_torn_tail(path)
    except (OSError, DatabaseBusy) as exc:
        if descriptor >= 0:
            os.close(descriptor)
        if isinstance(exc, DatabaseBusy):
            raise
        raise StorageFailed(f"{path}: cannot be opened: {exc.strerror or exc}") from exc
    return descriptor


def _claim(descriptor: int, path: Path) -> None:
    """Two databases may share a folder of runs: their locks would not see each other."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DatabaseBusy(
            f"{path}: another process writes it: the same plan is run there into another database\n"
            "  Two would pay for everything twice. Wait for it or stop it, then run this again."
        ) from None
    except OSError as exc:
        if exc.errno not in _NO_LOCKS:
            raise


def _drop_torn_tail(path: Path) -> None:
    """A kill can leave half a line at the end; it was never acknowledged, so it goes."""
    if not path.exists():
        return
    with path.open("r+b") as handle:
        size = handle.seek(0, os.SEEK_END)
        position = size
        while position > 0:
            step = min(65536, position)
            handle.seek(position - step)
            newline = handle.read(step).rfind(b"\n")
            if newline >= 0:
                handle.truncate(position - step + newline + 1)
                return
            position -= step
        handle.truncate(0)


def read_journal(path: Path) -> Iterator[Record]:
    """Every whole record, in order; an unfinished last line is not one. Empty when absent."""
    return (record for record, _, _ in read_from(path, 0))


def read_from(path: Path, start: int) -> Iterator[tuple[Record, int, int]]:
    """The same from a byte at which a line starts, each record with the first and next byte."""
    if not path.exists():
        return
    with path.open("rb") as handle:
        handle.seek(max(0, start - 1))
        if start and handle.read(1) != b"\n":
            raise InvalidFile(
                path,
                "is not the file that the database was written from",
                fix="Restore it from a copy, or rebuild: mitigations check --rebuild",
            )
        place = start
        for number, line in enumerate(handle, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                yield json.loads(line), place, place + len(line)
            except ValueError as exc:
                raise InvalidFile(
                    path,
                    "is damaged: this line is not JSON",
                    fix="Restore the file from a copy; the lines before it are intact.",
                    line=number if start == 0 else None,
                ) from exc
            place += len(line)
