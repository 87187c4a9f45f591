"""Amend a lock, mark it in time from outside, and find a run's amendments again."""

import hashlib
import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mitigations.compose.approving import append_line
from mitigations.compose.planning.freezing import open_lock
from mitigations.errors import InvalidFile
from mitigations.files import write_atomic
from mitigations.model import Amendment, Plan
from mitigations.store import Store
from mitigations.study.amend import (
    CannotAmend,
    amend,
    amended,
    amendment_line,
    amendments_path,
    in_words,
    parse_amendments,
    read_amendments,
)

FILE_NAME = "amendments.jsonl"
"""In a run's folder: a copy, so that the database rebuilds from it."""
MAX_SIGNATURE_BYTES = 1 << 20


def with_amendments(plan: Plan, lock: Path) -> Plan:
    """The plan of a lock file with what was amended beside it."""
    return amended(plan, read_amendments(amendments_path(lock), plan))


def amend_lock(
    lock: Path,
    *,
    at: str,
    by: str,
    reason: str,
    change: Mapping[str, Any],
    exploratory: bool = False,
) -> tuple[Plan, Amendment]:
    """Write one more amendment beside the lock; gives the amended plan and the event."""
    plan = with_amendments(open_lock(lock), lock)
    event = amend(plan, at=at, by=by, reason=reason, change=change, exploratory=exploratory)
    result = amended(plan, [event])
    append_line(amendments_path(lock), amendment_line(event))
    return result, event


def stamp_lock(lock: Path, mark: str, *, at: str, by: str) -> Amendment:
    """Record an outside mark of when the lock existed: `git`, or the path of a signature file.

    Raises `InvalidFile` when the lock is not committed as it stands, or the file cannot be read.
    """
    plan = with_amendments(open_lock(lock), lock)
    found = _commit(lock) if mark == "git" else _signature(Path(mark))
    event = amend(plan, at=at, by=by, reason="", timestamp=found)
    append_line(amendments_path(lock), amendment_line(event))
    return event


def _commit(lock: Path) -> dict[str, str]:
    fix = f"Commit it first: git add {lock.name} && git commit -m 'Preregister {lock.stem}'"
    if not _git(lock, "rev-parse", "--is-inside-work-tree"):
        raise InvalidFile(lock, "is in no git repository", fix="Or name a signature file.")
    said = _git(lock, "log", "-1", "--format=%H %cI", "--", lock.name).decode().split()
    if len(said) != 2 or _git(lock, "show", f"{said[0]}:./{lock.name}") != lock.read_bytes():
        raise InvalidFile(lock, "is not committed as it stands", fix=fix)
    return {"kind": "git", "commit": said[0], "committed": said[1]}


def _git(lock: Path, *arguments: str) -> bytes:
    """Output of git in the lock's folder; empty where git fails or is not there."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, a name that is no option
            ["git", *arguments],  # noqa: S607 - the user's own git
            cwd=lock.absolute().parent,
            capture_output=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return done.stdout if done.returncode == 0 else b""


def _signature(path: Path) -> dict[str, str]:
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise InvalidFile(path, f"cannot be read: {exc.strerror or exc}") from exc
    if not 0 < len(content) <= MAX_SIGNATURE_BYTES:
        raise InvalidFile(path, "is empty or larger than a signature is")
    return {"kind": "file", "name": path.name, "sha256": hashlib.sha256(content).hexdigest()}


def stamp_faults(plan: Plan, lock: Path) -> list[str]:
    """Outside marks that no longer hold: a commit without these bytes, a signature file changed."""
    faults = []
    for event in plan.amendments:
        mark = event.timestamp
        if mark.get("kind") == "git":
            if _git(lock, "show", f"{mark['commit']}:./{lock.name}") != lock.read_bytes():
                faults.append(f"{lock}: commit {mark['commit'][:12]} does not hold this lock")
        elif mark:
            beside = lock.parent / mark["name"]
            if not beside.exists():
                faults.append(f"{lock}: its signature file {mark['name']} is not beside it")
            elif hashlib.sha256(beside.read_bytes()).hexdigest() != mark["sha256"]:
                faults.append(f"{lock}: its signature file {mark['name']} was changed")
    return faults


def check_lock(lock: Path) -> list[str]:
    """For `check`: the amendments of a lock in words; raises what reading it raises."""
    plan = with_amendments(open_lock(lock), lock)
    return [f"{lock}: {in_words(event)}" for event in plan.amendments] + stamp_faults(plan, lock)


def keep_amendments(plan: Plan, folder: Path) -> None:
    """Copy what a run was amended by beside its journal."""
    if plan.amendments:
        text = "".join(amendment_line(event) + "\n" for event in plan.amendments)
        write_atomic(folder / FILE_NAME, text)


def amended_in(store: Store, plan: Plan, run: str) -> Plan:
    """The plan with the amendments that the database holds of a run."""
    lines = store.amendments(run)
    return amended(plan, parse_amendments(lines, plan, f"{store.path} ({run})"))


def amended_kept(plan: Plan, folder: Path) -> Plan:
    """The plan with the amendments in a run's folder."""
    return amended(plan, read_amendments(folder / FILE_NAME, plan))


def after_data(plan: Plan, started: str) -> Plan:
    """Not planned any more where an extension or a dropped model came after the run had started.

    An anytime design allows for looking, so more repeats keep it; a budget changes no result.
    """
    late = [event for event in plan.amendments if event.change and started and event.at > started]
    bent = {"drop_models"} | (set() if plan.settings.design == "anytime" else {"repeats"})
    if any(bent & set(event.change) for event in late):
        return replace(plan, settings=replace(plan.settings, planned=False))
    return plan


def departures(plan: Plan, started: str) -> list[str]:
    """Every amendment in words; for those after the first trials, what that does to error rates."""
    told = []
    for event in plan.amendments:
        late = started and event.change and event.at > started and not event.exploratory
        bends = {"repeats", "drop_models"} & set(event.change)
        warning = (
            " It was made after the run had started: if anybody had seen results by then, the "
            "plan's error rates do not hold."
            if late and bends
            else ""
        )
        told.append(in_words(event) + warning)
    return told


def changes(
    *,
    repeats: int | None,
    budget: float | None,
    drop: Sequence[str],
    settings: Sequence[str],
    parse: Callable[[str], Any] = json.loads,
) -> dict[str, Any]:
    """The change that flags ask for; `settings` are KEY=VALUE."""
    change: dict[str, Any] = {}
    if repeats is not None:
        change["repeats"] = repeats
    if budget is not None:
        change["budget_usd"] = budget
    if drop:
        change["drop_models"] = list(drop)
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals:
            raise CannotAmend(f"{text[:60]!r} is no KEY=VALUE\n  --set alpha=0.01")
        try:
            change[key.strip()] = parse(value)
        except ValueError:
            change[key.strip()] = value
    return change
