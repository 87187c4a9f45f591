"""One way to a database for every command: by the service that owns it, or the file itself.

Only one process can have the file open, so a command that finds a service reads through it: the
same queries, all answered from one state. What a command computes from them, it computes
itself. Labels and checks of judges are written by the service, under the lock of its pages.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mitigations.store import LabelBook, Store


@contextmanager
def open_store(db: Path, *, create: bool = False, fresh: bool = False) -> Iterator[Store]:
    """The database of a path; raises what `Store.open` raises.

    Args:
        db: the database file.
        create: make it where it is not there; what `Store.open` takes.
        fresh: every query sees what has landed by then, for work that waits for people.
    """
    # Most commands find no service, and need no client of one.
    from mitigations.compose.service import service_of  # noqa: PLC0415

    service = service_of(db) if db.exists() else None
    if service is None:
        with Store.open(db, create=create) as store:
            yield store
        return
    from mitigations.compose.served import ServedStore  # noqa: PLC0415

    with ServedStore.at(service, db, fresh=fresh) as served:
        yield served


def label_book(store: Store, run: str, folder: Path) -> LabelBook:
    """The labels of a run, written by whoever owns the database; `folder` is the run's own."""
    from mitigations.compose.served import ServedStore  # noqa: PLC0415 - as above

    return (
        store.label_book(run) if isinstance(store, ServedStore) else LabelBook(store, run, folder)
    )
