"""Which run a person means."""

from mitigations.errors import NoData, UnknownName
from mitigations.store import Store


def latest_run(store: Store) -> str:
    """The run that was started last; raises `NoData` when there is none."""
    runs = store.runs()
    if not runs:
        raise NoData(f"{store.path} holds no run yet\n  Start one: mitigations run STUDY.lock")
    return runs[0][0]


def known_run(store: Store, name: str) -> str:
    """A run by its id, or the latest run of a study by the study's; `UnknownName` otherwise."""
    runs = store.runs()
    found = [run for run, study, _ in runs if name in {run, study}]
    if not found:
        raise UnknownName("run", name, [run for run, _, _ in runs], where=str(store.path))
    return found[0]
