"""What the two books of this folder share: one writer at a time, and moments in UTC as text."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from mitigations.errors import StorageFailed

_MOMENT = "%Y-%m-%dT%H:%M:%SZ"


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold a book against every other reader and writer; raises `StorageFailed`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        guard = path.with_name(f".{path.name}.lock").open("a")
    except OSError as exc:
        raise StorageFailed(f"{path}: cannot be opened: {exc.strerror or exc}") from exc
    with guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield


def as_text(moment: datetime) -> str:
    """A moment as the books write it: UTC, to the second."""
    return moment.astimezone(UTC).strftime(_MOMENT)


def as_moment(text: str) -> datetime:
    """The moment of such a text; raises `ValueError` for another."""
    return datetime.strptime(text, _MOMENT).replace(tzinfo=UTC)
