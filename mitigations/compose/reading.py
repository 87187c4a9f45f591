"""Reading while a run goes on: the database has one owner, the journals any number of readers.

Where another process holds the database, a reader builds a private store from the journal of the
run it asks for: every outcome that was acknowledged is in it, a line that is being written is not.
It costs as long as a rebuild of that run (about 10,000 outcomes a second) and as much memory.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mitigations.compose.kept import LOCK
from mitigations.compose.opening import open_store
from mitigations.compose.rebuilding import rebuild_run
from mitigations.compose.running import JOURNAL
from mitigations.errors import DatabaseBusy
from mitigations.store import Store


@dataclass(frozen=True, slots=True)
class Reader:
    """A store to read from, and, where it is not the database itself, what it is."""

    store: Store
    note: str = ""


@contextmanager
def open_reader(
    db: Path, runs: Path, *, names: Sequence[str | None] = (None,), now: Callable[[], str]
) -> Iterator[Reader]:
    """The database, or the journals of the named runs while another process holds it.

    Args:
        db: the database file.
        runs: the folder of its journals.
        names: runs, or studies for their latest run; None: the run that was written to last.
        now: UTC, ISO 8601.

    Raises `DatabaseBusy` where the database is held and no journal of that name is there.
    """
    with ExitStack() as stack:
        yield _reader(stack, db, runs, names, now)


def _reader(
    stack: ExitStack, db: Path, runs: Path, names: Sequence[str | None], now: Callable[[], str]
) -> Reader:
    try:
        return Reader(stack.enter_context(open_store(db)))
    except DatabaseBusy as busy:
        folders = list(dict.fromkeys(_folder(runs, name, busy) for name in names))
        store = Store.in_memory(db)
        note = f"{str(busy).splitlines()[0]}: read from the journal of the run as far as it is."
    stack.enter_context(store)
    # The latest one last, as a database would have it.
    for folder in sorted(folders, key=_written):
        rebuild_run(folder, store, now=now)
    return Reader(store, note)


def _folder(runs: Path, name: str | None, busy: DatabaseBusy) -> Path:
    """The folder of a run: by its id, by its study, or the latest one."""
    known = [path.parent for path in runs.glob(f"*/{LOCK}") if (path.parent / JOURNAL).exists()]
    found = [
        folder
        for folder in known
        if name is None or name == folder.name or name == folder.name.rpartition("-")[0]
    ]
    if not found:
        raise busy
    return max(found, key=_written)


def _written(folder: Path) -> float:
    return (folder / JOURNAL).stat().st_mtime
