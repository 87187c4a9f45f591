"""What a run has spent and what is under way, told line by line by its journal.

The same ledger follows a run while it writes its journal and reads the journal of a run that
stopped. It holds unfinished trials only: a landed trial is a row of the store and an amount.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

Place = tuple[str, int]
"""A trial and which of its runs: 0 as planned, n its n-th repetition after an error."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a journal is in the store: nothing before `bytes` is needed to go on."""

    bytes: int = 0
    spent_usd: float = 0.0
    """What the landed trials have cost, calls of unknown cost at their worst case."""


@dataclass(slots=True)
class _Call:
    worst_usd: float
    on_the_line: bool = True
    """Sent, and nothing came back yet that was kept."""
    is_told: bool = False
    """Its HTTP requests stand in the journal one by one, each with its cost."""
    reply: dict[str, Any] | None = None


@dataclass(slots=True)
class _Trial:
    first: int
    """The byte its first line starts at."""
    calls: dict[str, _Call] = field(default_factory=dict)
    settled_usd: float = 0.0

    @property
    def spent_usd(self) -> float:
        open_usd = sum(call.worst_usd for call in self.calls.values() if call.on_the_line)
        return self.settled_usd + open_usd


class Ledger:
    """Adds up what journalled calls have cost, never less than they can have.

    Args:
        mark: where the store stands; what lies before is not told again.
        keep_replies: also hold the replies of unfinished trials, for a run that resumes.
    """

    def __init__(self, mark: Mark | None = None, *, keep_replies: bool = False) -> None:
        self._landed_usd = mark.spent_usd if mark else 0.0
        self._keep = keep_replies
        self._open: dict[Place, _Trial] = {}

    def take(self, record: dict[str, Any], place: int) -> None:
        """A line that starts at byte `place`. Lines of no trial are not counted."""
        if "trial" not in record:
            return
        trial = self._open.setdefault(place_of(record), _Trial(first=place))
        kind = record["t"]
        if kind == "sent":
            before = trial.calls.get(record["key"])
            if before is not None and before.on_the_line:
                # Sent again: the first request got no answer we kept, and may have been charged.
                trial.settled_usd += before.worst_usd
            trial.calls[record["key"]] = _Call(record["worst_usd"])
        elif kind == "attempt":
            cost = record["cost_usd"]
            trial.settled_usd += record["reserved_usd"] if cost is None else cost
            if record["key"] in trial.calls:
                trial.calls[record["key"]].is_told = True
        elif kind in {"reply", "withdrawn"}:
            self._close(trial, record)

    def _close(self, trial: _Trial, record: dict[str, Any]) -> None:
        call = trial.calls.setdefault(record["key"], _Call(0.0))
        reply = record.get("reply")
        if reply is not None and not call.is_told:
            cost = reply["cost_usd"]
            trial.settled_usd += call.worst_usd if cost is None else cost
        call.on_the_line = False
        if self._keep:
            call.reply = reply

    def forget_replies(self) -> None:
        """From now on nothing is kept but money: the run goes on."""
        self._keep = False
        for trial in self._open.values():
            for call in trial.calls.values():
                call.reply = None

    def mark(self, landing: Iterable[Place], end: int) -> Mark:
        """Where the store will stand once `landing` is in it; `end`: bytes of the journal."""
        gone = set(landing)
        left = (trial.first for place, trial in self._open.items() if place not in gone)
        landed = sum(self._open[place].spent_usd for place in gone if place in self._open)
        return Mark(bytes=min(left, default=end), spent_usd=self._landed_usd + landed)

    def landed(self, places: Iterable[Place]) -> None:
        """These trials are rows of the store now."""
        for place in places:
            trial = self._open.pop(place, None)
            self._landed_usd += trial.spent_usd if trial else 0.0

    def replies(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Paid answers of unfinished trials, by call key."""
        for key, call in self._calls():
            if call.reply is not None:
                yield key, call.reply

    def unanswered(self) -> frozenset[str]:
        """Keys of calls that were sent and whose reply never reached the disk."""
        return frozenset(key for key, call in self._calls() if call.on_the_line)

    @property
    def spent_usd(self) -> float:
        """Settled costs and the worst case of whatever is in flight."""
        return self._landed_usd + sum(trial.spent_usd for trial in self._open.values())

    def _calls(self) -> Iterator[tuple[str, _Call]]:
        for trial in self._open.values():
            yield from trial.calls.items()


def place_of(record: dict[str, Any]) -> Place:
    """The trial of a line, and which of its runs."""
    return str(record["trial"]), int(record.get("rerun", 0))
