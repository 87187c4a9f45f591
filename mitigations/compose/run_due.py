"""`schedule run-due`: what a system cron calls. Everything due, one run after the other."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from mitigations.compose.running import Options, Started, Surroundings, run_plan
from mitigations.compose.scheduling import Due, Keeper
from mitigations.errors import Interrupted, MitigationsError, OverBudget
from mitigations.model import Outcome
from mitigations.providers import read_providers
from mitigations.schedules import Claimed
from mitigations.store import Store


def run_due(
    store: Store,
    runs: Path,
    keeper: Keeper,
    *,
    now: Callable[[], str],
    watch: Callable[[Started | Outcome], None],
    ended: Callable[[str, str, str], None],
) -> list[Claimed]:
    """Resume what was left, then start what is due until nothing is; gives what came due.

    `ended` is told run, state and detail of every end. Raises `Interrupted`: the run it was at is
    resumed by the next call.
    """

    def start(due: Due) -> None:
        around = Surroundings(
            store=store, runs=runs, providers=read_providers(due.folder), now=now, watch=watch
        )
        state, detail = "finished", ""
        try:
            asyncio.run(run_plan(due.plan, around, Options()))
        except Interrupted:
            raise
        except OverBudget as exc:
            state, detail = "stopped", str(exc)
        except MitigationsError as exc:
            state, detail = "failed", str(exc)
        keeper.ended(due.plan.run_id, state=state, detail=detail)
        ended(due.plan.run_id, state, detail)

    keeper.resume(start)
    found: list[Claimed] = []
    while claimed := keeper.look(start):
        found += claimed
    return found
