"""What many readers ask for at once is worked out once: kept for a moment, or until a change.

Fifty people who watch one run then cost as much as one. A change through the service forgets
everything at once; a file that is edited beside it is seen a moment later: half a second, or up to
five for what takes long to work out, so that keeping pages fresh never takes most of the machine.
"""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

KEPT_S, MOST_S = 0.5, 5.0
SHARE = 20
"""A value is kept for this many times what it took to make."""
MOST = 1000
T = TypeVar("T")


@dataclass(slots=True)
class _Entry:
    lock: threading.Lock = field(default_factory=threading.Lock)
    held: tuple[Any, int] = (None, -1)
    """The value and the age of the memo it was made in, replaced as one."""
    until: float = 0.0


class Memo:
    """Values by key; two readers of one key never work it out twice at a time."""

    def __init__(
        self, *, kept_s: float = KEPT_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._kept_s, self._clock = kept_s, clock
        self._entries: dict[Hashable, _Entry] = {}
        self._lock = threading.Lock()
        self._age = 0

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of a key, made when there is none that is fresh. What `make` raises is raised.

        The value is shared by its readers: it must be one that nobody changes.
        """
        with self._lock:
            if len(self._entries) > MOST:
                self._entries.clear()
            entry = self._entries.setdefault(key, _Entry())
        if not entry.lock.acquire(blocking=False):
            # Somebody is at it: what was true a moment ago is better than waiting for it.
            value, age = entry.held
            if age == self._age:
                stale: T = value
                return stale
            entry.lock.acquire()
        try:
            return self._fresh(entry, make)
        finally:
            entry.lock.release()

    def _fresh(self, entry: _Entry, make: Callable[[], T]) -> T:
        value, age = entry.held
        if age == self._age and self._clock() < entry.until:
            known: T = value
            return known
        age, begin = self._age, self._clock()
        made = make()
        end = self._clock()
        entry.held = made, age
        entry.until = end + min(MOST_S, max(self._kept_s, SHARE * (end - begin)))
        return made

    def forget(self) -> None:
        """Something has changed: nothing that was kept is given out again."""
        with self._lock:
            self._age += 1
