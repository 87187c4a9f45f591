"""What a run keeps of its own: lock and scenarios, so that no later change can strand it.

A shipped pack changes with a new version of the program and a private one with its owner; the run
stays readable, resumable and rebuildable from its own copies. The lock holds every scenario's
hash, so a copy that was edited is found out.
"""

import json
import re
from pathlib import Path

from mitigations.carried import carried_text, read_carried
from mitigations.compose.planning import pack_for_lock, workspace_of
from mitigations.compose.planning.amending import (
    amended_in,
    amended_kept,
    keep_amendments,
    with_amendments,
)
from mitigations.files import read_text, write_atomic
from mitigations.model import Plan, Scenario
from mitigations.store import Store
from mitigations.study import parse_lock, read_lock, write_lock
from mitigations.study.lock import MAX_LOCK_BYTES, LoadPack

LOCK = "plan.lock"
SCENARIOS = "scenarios.json"
MAX_SCENARIOS_BYTES = 64 * 1024 * 1024
_RUN = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")


def keep_plan(plan: Plan, folder: Path) -> None:
    """Write lock and scenarios beside a run's journal, once: with it they rebuild the database."""
    if not (folder / SCENARIOS).exists():
        write_atomic(folder / SCENARIOS, carried_text(plan))
    if not (folder / LOCK).exists():
        write_lock(plan, folder / LOCK)
    keep_amendments(plan, folder)


def open_kept(folder: Path) -> Plan:
    """The plan in a run's folder `runs/RUN`; a run of an early version needs its pack."""
    plan = read_lock(
        folder / LOCK, base=folder.parent.parent, load_pack=_from_file(folder / SCENARIOS)
    )
    return amended_kept(plan, folder)


def open_for_run(path: Path, *, runs: Path) -> Plan:
    """A lock file and everything it refers to; a run begun under `runs` brings its scenarios.

    See `study.read_lock` for what it raises.
    """
    text = read_text(path, limit=MAX_LOCK_BYTES)
    begun = _run_of(text)
    load = _from_file(runs / begun / SCENARIOS) if begun else pack_for_lock
    plan = parse_lock(text, str(path), base=workspace_of(path), load_pack=load)
    return with_amendments(plan, path)


def plan_of(store: Store, run: str, *, base: Path | None = None) -> Plan:
    """The plan a run was bound to, held against everything it froze."""
    kept = store.carried(run)
    name = f"{store.path} ({run})"

    def load(ref: str, folder: Path | None) -> tuple[str, tuple[Scenario, ...]]:
        return pack_for_lock(ref, folder) if kept is None else read_carried(kept, name)

    plan = parse_lock(store.lock(run), name, base=base or store.path.parent, load_pack=load)
    return amended_in(store, plan, run)


def _from_file(path: Path) -> LoadPack:
    def load(ref: str, base: Path | None) -> tuple[str, tuple[Scenario, ...]]:
        if not path.exists():
            return pack_for_lock(ref, base)
        return read_carried(read_text(path, limit=MAX_SCENARIOS_BYTES), str(path))

    return load


def _run_of(text: str) -> str | None:
    """The run a lock's text names, as a folder's name; None for what is no lock."""
    try:
        document = json.loads(text)
        run = f"{document['study']}-{document['hash'][:8]}"
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return run if _RUN.fullmatch(run) else None
