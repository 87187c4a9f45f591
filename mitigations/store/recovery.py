"""After a stop or a kill: what the journal holds and the store does not, and what is owed."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from mitigations.codec import build
from mitigations.errors import InvalidFile
from mitigations.model import Outcome, Reply, ReplyStatus
from mitigations.store.database import Event, Store
from mitigations.store.journal import read_from, read_journal
from mitigations.store.ledger import Ledger, Mark, Place, place_of

CHUNK = 5000
"""Lines read at once; the store is asked once a chunk which of their trials it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """What an earlier start of the same run left behind."""

    known: dict[str, Reply]
    """Replies that are paid for and whose trial has no outcome yet, by call key."""
    unanswered: frozenset[str]
    """Keys of calls that were sent and whose reply never reached the disk: possibly paid twice."""
    landed: int
    """Outcomes that stood in the journal alone and were put into the store."""
    spent_usd: float
    """What the run has cost so far; a call of unknown cost counts at its worst case."""
    ledger: Ledger
    """The same, to go on with."""


def recover(path: Path, store: Store, *, run: str, twins: frozenset[str]) -> Recovered:
    """Bring the store up to the journal and collect what a resumed run can use.

    Reads only what lies behind the store's mark: the size of a run does not count, only what was
    under way when it stopped.
    """
    mark = store.mark(run) if path.exists() else Mark(spent_usd=store.mark(run).spent_usd)
    ledger = Ledger(mark, keep_replies=True)
    known_events: set[Event] = {(at, kind, text) for at, kind, text in store.query("events", run)}
    landed, lines = 0, read_from(path, mark.bytes)
    while chunk := list(islice(lines, CHUNK)):
        batch, events = _sort(chunk, ledger, store.landed_of(run, _trials(chunk)), path)
        fresh = [event for event in dict.fromkeys(events) if event not in known_events]
        known_events.update(fresh)
        places = [(outcome.trial.id, outcome.rerun) for outcome in batch]
        (*_, end) = chunk[-1]
        store.land(run, batch, twins=twins, events=fresh, mark=ledger.mark(places, end))
        ledger.landed(places)
        landed += len(batch)
    known = {key: _noun(Reply, reply, path) for key, reply in ledger.replies()}
    unanswered = ledger.unanswered()
    ledger.forget_replies()
    return Recovered(
        known=known,
        unanswered=unanswered,
        landed=landed,
        spent_usd=ledger.spent_usd,
        ledger=ledger,
    )


Lines = list[tuple[dict[str, Any], int, int]]


def _trials(chunk: Lines) -> set[str]:
    return {str(record["trial"]) for record, _, _ in chunk if "trial" in record}


def _sort(
    chunk: Lines, ledger: Ledger, done: set[Place], path: Path
) -> tuple[list[Outcome], list[Event]]:
    """Outcomes and events to land; calls of trials without an outcome go to the ledger."""
    batch: list[Outcome] = []
    events: list[Event] = []
    for record, start, _ in chunk:
        if record["t"] == "event":
            events.append((record["at"], record["kind"], record["detail"]))
        elif place_of(record) not in done:
            ledger.take(record, start)
            if record["t"] == "outcome":
                done.add(place_of(record))
                batch.append(_noun(Outcome, record["outcome"], path))
    return batch, events


def replies_of(path: Path, trials: Collection[str]) -> dict[str, Reply]:
    """Answers that were kept of these trials, by call key: what a repetition need not pay again."""
    found: dict[str, Reply] = {}
    for record in _of(path, trials):
        if record["t"] == "reply" and record["reply"]["status"] != ReplyStatus.ERROR:
            found[record["key"]] = _noun(Reply, record["reply"], path)
    return found


def _of(path: Path, trials: Collection[str]) -> Iterator[dict[str, Any]]:
    return (record for record in read_journal(path) if record.get("trial") in trials)


def _noun(kind: type[Any], data: Any, path: Path) -> Any:
    try:
        return build(kind, data)
    except ValueError as exc:
        problem = f"holds a {kind.__name__.lower()} that this version cannot read"
        raise InvalidFile(path, problem, fix="Resume with the version that wrote it.") from exc
