"""The book of notices: what began when, who was told of it, and how that went.

A notice is written once for each onset: a condition that goes on is not told again until it has
ended and begins anew. One append-only file beside the database, under a lock of its own. Targets
stand in it by their name alone: an address is a secret.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from mitigations.errors import InvalidFile
from mitigations.schedules.books import as_moment, as_text, held
from mitigations.store import append_record

NOTICES = "notices.jsonl"
PAUSES = (timedelta(0), *(timedelta(minutes=m) for m in (1, 5, 30, 120)))
"""How long after the attempt before each attempt is made; there is no sixth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that began, told to every target."""

    number: int
    key: str
    """The condition: kind, study, and what it is about."""
    text: str
    path: str
    """Of the page that shows it."""
    at: datetime


@dataclass(slots=True)
class Tries:
    """How telling one target of one notice went."""

    count: int = 0
    last: datetime | None = None
    is_done: bool = False
    reason: str = ""

    @property
    def state(self) -> str:
        """`sent`, `given up`, or that it is tried again."""
        if self.is_done:
            return "sent"
        return "given up" if self.count >= len(PAUSES) else "to be tried again"


@dataclass(slots=True)
class _Folded:
    on: set[str] = field(default_factory=set)
    notices: list[Notice] = field(default_factory=list)
    tries: dict[tuple[int, str], Tries] = field(default_factory=dict)
    verdicts: dict[tuple[str, str], str] = field(default_factory=dict)


class Notices:
    """Reads and writes `notices.jsonl`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, key: str, text: str, path: str, *, at: datetime) -> bool:
        """Write down an onset; False where the condition is on already."""
        with self._open() as known:
            if key in known.on:
                return False
            line = {"t": "on", "key": key, "text": text, "path": path, "at": as_text(at)}
            append_record(self.path, line)
            return True

    def end(self, key: str, *, at: datetime) -> None:
        """The condition is over; its next onset is told again."""
        with self._open() as known:
            if key in known.on:
                append_record(self.path, {"t": "off", "key": key, "at": as_text(at)})

    def verdict(self, study: str, variant: str, verdict: str, *, at: datetime) -> str | None:
        """Write down a variant's verdict; gives the one before it, or None for the first."""
        with self._open() as known:
            before = known.verdicts.get((study, variant))
            if before != verdict:
                line = {"t": "verdict", "study": study, "variant": variant, "verdict": verdict}
                append_record(self.path, line | {"at": as_text(at)})
            return before

    def waiting(self, targets: Sequence[str], *, now: datetime) -> list[tuple[Notice, str]]:
        """Whom to tell of what now: new ones, and those whose last attempt failed a while ago."""
        with self._open() as known:
            return [
                (notice, target)
                for notice in known.notices
                for target in targets
                if _is_due(known.tries.get((notice.number, target), Tries()), notice, now)
            ]

    def tried(self, notice: Notice, target: str, *, reason: str, at: datetime) -> None:
        """Write down an attempt; an empty reason: it was taken."""
        line = {"t": "tried", "n": notice.number, "target": target, "reason": reason}
        with self._open():
            append_record(self.path, line | {"at": as_text(at)})

    def latest(self, most: int) -> list[tuple[Notice, dict[str, Tries]]]:
        """The newest first, each with how telling went, by target."""
        with self._open() as known:
            return [
                (
                    notice,
                    {t: tries for (n, t), tries in known.tries.items() if n == notice.number},
                )
                for notice in reversed(known.notices[-most:])
            ]

    @contextmanager
    def _open(self) -> Iterator[_Folded]:
        with held(self.path):
            yield self._read()

    def _read(self) -> _Folded:
        known = _Folded()
        data = self.path.read_bytes() if self.path.exists() else b""
        for number, raw in enumerate(data.splitlines(keepends=True), 1):
            if not raw.endswith(b"\n"):
                break
            try:
                _fold(known, json.loads(raw))
            except (ValueError, KeyError, TypeError) as exc:
                problem, fix = "is not a line of the book of notices", "Move the file away."
                raise InvalidFile(self.path, problem, fix=fix, line=number) from exc
        return known


def _is_due(tries: Tries, notice: Notice, now: datetime) -> bool:
    if tries.is_done or tries.count >= len(PAUSES):
        return False
    # A clock that was set back must not hold a notice for ever.
    last = min(tries.last or notice.at, now)
    return now >= last + PAUSES[tries.count]


def _fold(known: _Folded, line: dict[str, Any]) -> None:
    if line["t"] == "on":
        known.on.add(line["key"])
        known.notices.append(
            Notice(
                number=len(known.notices) + 1,
                key=line["key"],
                text=line["text"],
                path=line["path"],
                at=as_moment(line["at"]),
            )
        )
    elif line["t"] == "off":
        known.on.discard(line["key"])
    elif line["t"] == "verdict":
        known.verdicts[line["study"], line["variant"]] = line["verdict"]
    elif line["t"] == "tried":
        tries = known.tries.setdefault((line["n"], line["target"]), Tries())
        tries.count, tries.last = tries.count + 1, as_moment(line["at"])
        tries.reason, tries.is_done = line["reason"], not line["reason"]
