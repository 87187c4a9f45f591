"""Study file -> plan, what it will take and could show, and how its lock is amended."""

from mitigations.compose.planning.freezing import (
    analysis_hash,
    complete_spec,
    open_lock,
    pack_for_lock,
    plan_from,
    plan_study,
    workspace_of,
)

__all__ = [
    "analysis_hash",
    "complete_spec",
    "open_lock",
    "pack_for_lock",
    "plan_from",
    "plan_study",
    "workspace_of",
]
