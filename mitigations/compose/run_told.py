"""Notices of a run that a command plays by itself: what a service would tell of it."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from mitigations.compose import noticing, telling
from mitigations.errors import Interrupted, MitigationsError, OverBudget
from mitigations.model import Plan
from mitigations.store import Store


@contextmanager
def told(
    db: Path, store: Store, plan: Plan, *, now: Callable[[], datetime], say: Callable[[str], None]
) -> Iterator[None]:
    """Tell how the run inside ends, where somebody is to be told; nothing of it fails the run."""
    sends = telling.targets(os.environ)
    state = ""  # stopped by whoever sits there, or a bug of ours: nobody is told
    try:
        yield
        state = "finished"
    except OverBudget:
        state = "stopped"
        raise
    except Interrupted:
        raise
    except MitigationsError:
        state = "failed"
        raise
    finally:
        if sends and state:
            try:
                _tell(db, store, plan, state, sends=sends, now=now)
            except Exception as exc:  # noqa: BLE001 - a notice that fails must fail nothing else
                say(f"Nobody could be told how the run ended: {type(exc).__name__}.")


def _tell(
    db: Path,
    store: Store,
    plan: Plan,
    state: str,
    *,
    sends: Mapping[str, telling.Send],
    now: Callable[[], datetime],
) -> None:
    book, over_budget = noticing.notices_of(db), state == "stopped"
    run, study = plan.run_id, plan.study
    noticing.run_ended(
        book, store, study=study, run=run, state=state, over_budget=over_budget, at=now()
    )
    telling.tell(book, sends, base=os.environ.get(telling.PUBLIC_URL, ""), now=now)
