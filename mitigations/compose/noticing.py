"""What is worth telling people: the onsets of a study's troubles, from its slots and its runs."""

from datetime import datetime
from pathlib import Path

from mitigations.compose.standing import standing
from mitigations.errors import MitigationsError, NoData
from mitigations.model import VerdictKind
from mitigations.schedules import Claimed
from mitigations.schedules.notices import NOTICES, Notices
from mitigations.store import Store
from reports import Standing


def notices_of(db: Path) -> Notices:
    """The book of notices beside a database."""
    return Notices(db.parent / NOTICES)


def slots_looked_at(book: Notices, claimed: Claimed, *, at: datetime) -> None:
    """A missed slot begins the condition, a fired one ends it."""
    name = claimed.schedule.name
    key = f"missed:{name}"
    if claimed.missed:
        why = claimed.missed[-1].reason.partition(":")[0]
        when = claimed.missed[-1].last.strftime("%Y-%m-%d %H:%M UTC")
        book.begin(key, f"{name} missed its slot of {when} ({why}).", f"/studies/{name}", at=at)
    else:
        book.end(key, at=at)


def run_ended(
    book: Notices,
    store: Store,
    *,
    study: str,
    run: str,
    state: str,
    over_budget: bool,
    at: datetime,
) -> None:
    """A failure or the budget; of a finished run, what moved."""
    page = f"/runs/{run}"
    if state == "failed":
        book.begin(f"failed:{study}", f"The run {run} failed; its page says why.", page, at=at)
    elif over_budget:
        text = f"The run {run} stopped at its budget; it can be resumed."
        book.begin(f"budget:{study}", text, page, at=at)
    elif state == "finished":
        book.end(f"failed:{study}", at=at)
        book.end(f"budget:{study}", at=at)
        try:
            found = standing(store, study)
        except NoData:
            return
        except MitigationsError as exc:
            text = f"The run {run} could not be read: {type(exc).__name__}."
            book.begin(f"failed:{study}", text, page, at=at)
            return
        _verdicts(book, found, run, at)
        _models(book, found, at)


def _verdicts(book: Notices, found: Standing, run: str, at: datetime) -> None:
    """Against the verdict that was told before: an upgrade of the program rewrites no history."""
    effects = {move.variant: move for move in found.moves}
    for point in found.points:
        if point.run != run:
            continue
        one = point.comparison
        now = point.verdict_words
        before = book.verdict(found.study, one.variant, now, at=at)
        if before is None and one.variant in effects:
            # An upgrade makes every earlier run one not to be relied on: that is no news.
            earlier = effects[one.variant].earlier
            before = None if earlier == VerdictKind.DO_NOT_RELY else earlier
        if before in {None, now}:
            continue
        lost = str(before).startswith("reduces") and not now.startswith("reduces")
        lead = "used to work" if lost else "has another verdict"
        text = f"{found.study}: {one.variant} {lead}: {before} before, now {now}."
        key = f"verdict:{found.study}:{one.variant}:{run}"
        book.begin(key, text, f"/studies/{found.study}/history", at=at)


def _models(book: Notices, found: Standing, at: datetime) -> None:
    page = f"/studies/{found.study}/history"
    key = f"drift:{found.study}"
    alarm = found.comparison.alarm if found.comparison is not None else None
    if alarm is not None and alarm.fired:
        book.begin(key, f"{found.study}: the baseline drifted. {alarm.detail}.", page, at=at)
    elif alarm is not None and alarm.fired is False:
        book.end(key, at=at)
    for model in found.models:
        if model.watched is not None and model.watched.fired:
            text = f"{found.study}: {model.model} is not the model that was first tested."
            book.begin(f"model:{found.study}:{model.model}", text, page, at=at)
        last = model.runs[-1] if model.runs else None
        if last is not None and last.is_other_name:
            text = f"{found.study}: {model.model} answers under another name since {last.run}."
            book.begin(f"served:{found.study}:{model.model}:{last.run}", text, page, at=at)
