"""The journal: one JSON line a call, on disk before anything is acknowledged.

It is the insurance against everything that can happen to a database: the store rebuilds from it.
Lines are grouped: whatever arrives while one write is being made durable goes out with the next.
"""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from mitigations.errors import InvalidFile, StorageFailed


class Journal:
    """An append-only JSON-lines file with group commit. One writer, any number of readers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pending: list[tuple[bytes, asyncio.Future[None]]] = []
        self._flusher: asyncio.Task[None] | None = None
        self._fd = _open(path)

    async def append(self, record: dict[str, Any]) -> None:
        """Return once the record is on disk; raises `StorageFailed` when it cannot be."""
        line = (json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n").encode(
            "utf-8", "backslashreplace"
        )
        done = asyncio.get_running_loop().create_future()
        self._pending.append((line, done))
        if self._flusher is None or self._flusher.done():
            self._flusher = asyncio.create_task(self._flush())
        await done

    async def _flush(self) -> None:
        while self._pending:
            batch, self._pending = self._pending, []
            try:
                await asyncio.to_thread(self._write, b"".join(line for line, _ in batch))
            except OSError as exc:
                failure = StorageFailed(f"{self.path}: cannot be written: {exc.strerror or exc}")
                for _, done in batch:
                    if not done.done():
                        done.set_exception(failure)
            else:
                for _, done in batch:
                    if not done.done():
                        done.set_result(None)

    def _write(self, data: bytes) -> None:
        start = os.fstat(self._fd).st_size
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view) :]
            os.fdatasync(self._fd)
        except OSError:
            # A torn line would be read as a damaged journal: take back what was not acknowledged.
            os.ftruncate(self._fd, start)
            raise

    def close(self) -> None:
        """Close the file; records still pending were never acknowledged."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._flusher is not None:
            await self._flusher
        self.close()


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _drop_torn_tail(path)
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    except OSError as exc:
        raise StorageFailed(f"{path}: cannot be opened: {exc.strerror or exc}") from exc


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


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """Every whole record, in order; an unfinished last line is not one. Empty when absent."""
    if not path.exists():
        return
    with path.open("rb") as handle:
        for number, line in enumerate(handle, start=1):
            if not line.endswith(b"\n"):
                return
            try:
                yield json.loads(line)
            except ValueError as exc:
                raise InvalidFile(
                    path,
                    "is damaged: this line is not JSON",
                    fix="Restore the file from a copy; the lines before it are intact.",
                    line=number,
                ) from exc
