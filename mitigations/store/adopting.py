"""Lines that workers wrote while nobody owned the run: into its journal, each one once."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mitigations.store.database import Store
from mitigations.store.journal import Journal, read_from


async def adopt_lines(
    path: Path, store: Store, *, run: str, records: Sequence[dict[str, Any]]
) -> int:
    """Append those of a run's worker lines that are not in its journal yet; returns how many.

    Each record says its place by `lease`. An owner that was killed between its journal and the
    workers' board finds here what it had written already; lines of landed trials were all of them
    written before the outcome was.
    """
    landed = store.landed_of(run, {str(record["trial"]) for record in records})
    known = {record.get("lease") for record, _, _ in read_from(path, store.mark(run).bytes)}
    fresh = [
        record
        for record in records
        if record["lease"] not in known
        and (str(record["trial"]), int(record.get("rerun", 0))) not in landed
    ]
    async with Journal(path) as journal:
        await asyncio.gather(*(journal.append(record) for record in fresh))
    return len(fresh)
