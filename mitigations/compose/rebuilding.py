"""The database again, from nothing but the journals and the locks beside them."""

from collections.abc import Callable
from pathlib import Path

from mitigations.compose.kept import LOCK, open_kept
from mitigations.compose.running import JOURNAL
from mitigations.errors import InvalidFile
from mitigations.store import Store, recover
from mitigations.study import lock_text


def rebuild(db: Path, runs: Path, *, now: Callable[[], str]) -> list[tuple[str, int]]:
    """Write `db` afresh; the old file stays beside it as `.before-rebuild`.

    Returns (run, outcomes landed). The new file takes its place only when all of it is written.
    """
    locks = sorted(runs.glob(f"*/{LOCK}"))
    if not locks:
        raise InvalidFile(runs, "holds no journal with its lock", fix="Nothing can be rebuilt.")
    fresh = db.with_name(f"{db.name}.rebuilding")
    fresh.unlink(missing_ok=True)
    landed = []
    with Store.open(fresh) as store:
        for path in locks:
            plan = open_kept(path.parent)
            run = store.begin_run(plan, lock_text(plan), at=now())
            twins = frozenset(scenario.id for scenario in plan.scenarios if scenario.is_twin)
            found = recover(path.parent / JOURNAL, store, run=run, twins=twins)
            store.event(run, "rebuilt", str(found.landed), at=now())
            landed.append((run, found.landed))
    if db.exists():
        db.replace(db.with_name(f"{db.name}.before-rebuild"))
    fresh.replace(db)
    return landed


def audit(store: Store, runs: Path) -> list[str]:
    """What does not agree between outcome rows, cells and journals; empty when all does."""
    problems = []
    for run, _, _ in store.runs():
        problems += [f"{run}: {problem}" for problem in store.cell_faults(run)]
        if not (runs / run / JOURNAL).exists():
            problems.append(f"{run}: its journal is missing; the database cannot be rebuilt")
    return problems
