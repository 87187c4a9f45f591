"""States of the database that commands on this machine are reading, each given up in the end."""

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from mitigations.compose.ownership import is_alive
from mitigations.errors import MitigationsError
from mitigations.store import Snapshot, Store

MOST = 32
IDLE_S = 15 * 60.0
"""A command that asked for nothing this long has been given up; its process may still be there."""
LOOK_S = 20.0


class TooMany(MitigationsError):
    """More commands read at a time than are served."""

    exit_code = 6


class NoReading(MitigationsError):
    """A state that was given up, or never was."""

    exit_code = 1


@dataclass(slots=True)
class _Reading:
    snapshot: Snapshot
    pid: int
    used: float


class Readings:
    """Snapshots by a name that only their reader knows."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock = store, clock
        self._open: dict[str, _Reading] = {}
        self._lock = threading.Lock()
        self._looking: threading.Timer | None = None

    def begin(self, pid: int, *, fresh: bool) -> tuple[str, Snapshot]:
        """A new one for a process; raises `TooMany`."""
        self.give_up()
        with self._lock:
            if len(self._open) >= MOST:
                raise TooMany(f"{MOST} commands read from the service already\n  Try again soon.")
            name = secrets.token_urlsafe(16)
            made = _Reading(self._store.snapshot(fresh=fresh), pid, self._clock())
            self._open[name] = made
            self._look_again()
        return name, made.snapshot

    def get(self, name: str) -> Snapshot:
        """One that is open; raises `NoReading`."""
        with self._lock:
            found = self._open.get(name)
            if found is None:
                raise NoReading("the service has given up this reading\n  Run the command again.")
            found.used = self._clock()
        return found.snapshot

    def end(self, name: str) -> None:
        """Its reader has finished."""
        with self._lock:
            found = self._open.pop(name, None)
        if found is not None:
            found.snapshot.close()

    def give_up(self) -> int:
        """End those whose process is gone or asks no more; how many are left."""
        with self._lock:
            late = self._clock() - IDLE_S
            gone = [n for n, one in self._open.items() if one.used < late or not is_alive(one.pid)]
            ended = [self._open.pop(name) for name in gone]
            left = len(self._open)
        for one in ended:
            one.snapshot.close()
        return left

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            ended, self._open = list(self._open.values()), {}
            if self._looking is not None:
                self._looking.cancel()
        for one in ended:
            one.snapshot.close()

    def _look_again(self) -> None:
        """A killed command says no goodbye; what it held would keep old rows for ever."""
        if self._looking is None or not self._looking.is_alive():
            self._looking = threading.Timer(LOOK_S, self._look)
            self._looking.daemon = True
            self._looking.start()

    def _look(self) -> None:
        if self.give_up():
            with self._lock:
                self._looking = None
                self._look_again()
