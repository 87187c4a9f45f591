"""The study a team edits, and the lock that freezes it."""

from mitigations.study.lock import lock_text, parse_lock, read_lock, write_lock
from mitigations.study.plan import Ingredients, make_plan
from mitigations.study.read import GUARDRAILS, parse_study, read_study

__all__ = [
    "GUARDRAILS",
    "Ingredients",
    "lock_text",
    "make_plan",
    "parse_lock",
    "parse_study",
    "read_lock",
    "read_study",
    "write_lock",
]
