"""Checks of judges on disk: a journal of their own, from which the database is rebuilt."""

from pathlib import Path

from mitigations.codec import build, plain
from mitigations.model import JudgeCheck
from mitigations.store import Store, append_record, read_journal

RECORDS = "judge-checks.jsonl"
"""In the folder of the runs: one line a check."""


def keep(check: JudgeCheck, store: Store, runs: Path) -> None:
    """The check on disk, then in the database."""
    append_record(runs / RECORDS, {"t": "judge-check", "check": plain(JudgeCheck, check)})
    store.add_judge_checks([check])


def recorded(runs: Path) -> list[JudgeCheck]:
    """Every check on record, oldest first."""
    return [build(JudgeCheck, record["check"]) for record in read_journal(runs / RECORDS)]
