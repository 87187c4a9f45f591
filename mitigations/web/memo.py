"""What many readers ask for at once is worked out once: kept for half a second, or until a change.

Fifty people who watch one run then cost as much as one. A change through the service forgets
everything at once; a file that is edited beside it is seen half a second later.
"""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

KEPT_S = 0.5
MOST = 1000
T = TypeVar("T")


@dataclass(slots=True)
class _Entry:
    lock: threading.Lock = field(default_factory=threading.Lock)
    value: Any = None
    until: float = 0.0
    age: int = -1


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
        with entry.lock:
            if entry.age == self._age and self._clock() < entry.until:
                value: T = entry.value
                return value
            age = self._age
            made = make()
            entry.value, entry.age, entry.until = made, age, self._clock() + self._kept_s
            return made

    def forget(self) -> None:
        """Something has changed: nothing that was kept is given out again."""
        with self._lock:
            self._age += 1
