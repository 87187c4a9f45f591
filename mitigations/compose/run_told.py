"""Notices of a run that a command plays by itself: what a service would tell of it."""

import os
from collections.abc import Callable, Iterator
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
    state, over_budget = "finished", False
    try:
        yield
    except OverBudget:
        state, over_budget = "stopped", True
        raise
    except Interrupted:
        state = ""  # by whoever sits there
        raise
    except MitigationsError:
        state = "failed"
        raise
    except BaseException:
        state = ""
        raise
    finally:
        if sends and state:
            try:
                _tell(db, store, plan, (state, over_budget), now)
            except Exception as exc:  # noqa: BLE001 - a notice that fails must fail nothing else
                say(f"Nobody could be told how the run ended: {type(exc).__name__}.")


def _tell(
    db: Path, store: Store, plan: Plan, end: tuple[str, bool], now: Callable[[], datetime]
) -> None:
    book = noticing.notices_of(db)
    state, over_budget = end
    run, study = plan.run_id, plan.study
    noticing.run_ended(
        book, store, study=study, run=run, state=state, over_budget=over_budget, at=now()
    )
    base = os.environ.get(telling.PUBLIC_URL, "")
    telling.tell(book, telling.targets(os.environ), base=base, now=now)
