"""The audit log: who did what, when. One line a deed, beside the database and outside it.

A rebuild of the database therefore keeps it. Lines are added and never edited.
"""

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mitigations.errors import StorageFailed
from mitigations.web.access import Who

FILE_NAME = "audit.jsonl"
TAIL_BYTES = 256 * 1024


class Deed(BaseModel):
    """One thing somebody did."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: str
    who: str
    via: str
    what: str
    on: str = ""
    detail: Annotated[str, Field(max_length=500)] = ""


class Audit:
    """Appends deeds; on disk before the deed is acknowledged."""

    def __init__(self, path: Path, *, now: Callable[[], str]) -> None:
        self._path, self._now = path, now
        self._lock = threading.Lock()

    def record(self, who: Who, what: str, on: str = "", *, detail: str = "") -> None:
        """Add a line; raises `StorageFailed`."""
        deed = Deed(
            at=self._now(), who=who.name, via=who.via, what=what, on=on[:200], detail=detail[:500]
        )
        line = json.dumps(deed.model_dump(), ensure_ascii=True) + "\n"
        try:
            with self._lock:
                fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
                try:
                    os.write(fd, line.encode())
                    os.fsync(fd)
                finally:
                    os.close(fd)
        except OSError as exc:
            raise StorageFailed(
                f"{self._path}: cannot be written: {exc.strerror or exc}\n"
                "  Nothing is done that the audit log cannot hold."
            ) from exc

    def latest(self, most: int) -> list[Deed]:
        """The last deeds, newest first; a damaged line is left out and counted by nobody."""
        try:
            with self._path.open("rb") as handle:
                size = handle.seek(0, os.SEEK_END)
                handle.seek(max(0, size - TAIL_BYTES))
                lines = handle.read().splitlines()
        except FileNotFoundError:
            return []
        found: list[Deed] = []
        for line in reversed(lines):
            try:
                found.append(Deed.model_validate_json(line))
            except ValidationError:
                continue
            if len(found) == most:
                break
        return found
