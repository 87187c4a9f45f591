"""The database again, from nothing but the journals and the locks beside them."""

import math
from collections.abc import Callable
from pathlib import Path

from mitigations.compose import sealing
from mitigations.compose.judging.records import recorded
from mitigations.compose.kept import LOCK, open_kept, plan_of
from mitigations.compose.probing import probe_run
from mitigations.compose.running import JOURNAL
from mitigations.errors import InvalidFile, MitigationsError
from mitigations.store import LABELS, Store, fill_labels, label_lines, recover
from mitigations.study import lock_text
from mitigations.study.amend import amendment_line


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
        landed += [rebuild_run(path.parent, store, now=now) for path in locks]
        store.add_judge_checks(recorded(runs))
    if db.exists():
        db.replace(db.with_name(f"{db.name}.before-rebuild"))
    fresh.replace(db)
    return landed


def rebuild_run(folder: Path, store: Store, *, now: Callable[[], str]) -> tuple[str, int]:
    """One run of a folder `runs/RUN` into a store that does not hold it; (run, outcomes)."""
    plan = open_kept(folder)
    run = store.begin_run(plan, lock_text(plan), at=now())
    store.amend(run, [amendment_line(event) for event in plan.amendments])
    twins = frozenset(scenario.id for scenario in plan.scenarios if scenario.is_twin)
    found = recover(folder / JOURNAL, store, run=run, twins=twins)
    fill_labels(store, run, folder)
    store.event(run, "rebuilt", str(found.landed), at=now())
    # The journal is the truth now: what its seals say of it is held against the new rows.
    for seal in sealing.seals(folder, plan.hash)[-1:]:
        store.event(run, sealing.EVENT, sealing.event_text(seal), at=seal.at)
    probe_run(store, plan, run)
    return run, found.landed


def recount(store: Store) -> list[str]:
    """Cells that their rows do not confirm: all there is to check where the rows are a copy."""
    return [f"{run}: {problem}" for run, _, _ in store.runs() for problem in store.cell_faults(run)]


def audit(store: Store, runs: Path) -> list[str]:
    """What does not agree between outcome rows, cells and journals; empty when all does."""
    problems = []
    for run, _, _ in store.runs():
        problems += [f"{run}: {problem}" for problem in store.cell_faults(run)]
        journal = runs / run / JOURNAL
        if not journal.exists():
            problems.append(f"{run}: its journal is missing; the database cannot be rebuilt")
            continue
        problems += [f"{run}: {problem}" for problem in _sealed_faults(store, journal, run)]
        held, written = label_lines(store, run, runs / run)
        if held != written:
            problems.append(f"{run}: {LABELS} has {written} lines, the database {held} of them")
    return problems


def _sealed_faults(store: Store, journal: Path, run: str) -> list[str]:
    """What differs from the lock, the seals and the journal, each outcome row by its trial."""
    try:
        plan = plan_of(store, run)
        known = sealing.seals(journal.parent, plan.hash)
        rows = list(sealing.row_faults(store, journal, plan))
    except (MitigationsError, ValueError, KeyError) as exc:
        return [str(exc).splitlines()[0]]
    more = [f"and {len(rows) - 20} more outcomes"] if len(rows) > 20 else []
    state = sealing.alarm(store, journal.parents[1], plan, run, whole_to=math.inf)
    return [
        *sealing.journal_faults(journal, known),
        *([state.detail] if state.fired else []),
        *rows[:20],
        *more,
    ]
