"""A seal: what a run's rows and journal held when it stopped, so that later changes are seen.

`runs/RUN/seals.jsonl` gets a line whenever a run ends, stopped or complete, and the database an
event that repeats it. A report compares the rows with the seal in seconds; `check --database` also
reads the journal and names the rows. A seal shows a change made to one of these; whoever owns all
of them can rewrite all of them (`docs/proposing.md`).
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mitigations.codec import build
from mitigations.compose.approving import append_line
from mitigations.errors import InvalidFile, PlanChanged
from mitigations.files import read_text
from mitigations.model import Alarm, Outcome, Plan, content_hash
from mitigations.store import Store
from mitigations.store.digest import Tally, tally
from mitigations.store.rows import to_row

FILE_NAME = "seals.jsonl"
ALARM = "stored rows changed"
EVENT = "sealed"
HASHED_AT_START = 256 << 20
READ_WHOLE = 100_000
"""Outcomes up to which a report holds every text to the seal; above, the columns of its numbers."""
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """One line of the file; `hash` covers the rest, `previous` the line before."""

    at: str
    lock: str
    outcomes: int
    digest: str
    """Over every column; `numbers` over those that a report's numbers stand on."""
    numbers: str
    journal_bytes: int
    segment_sha256: str
    """Of the journal between the previous seal and this one."""
    previous: str
    hash: str


def seals(folder: Path, lock: str) -> tuple[Seal, ...]:
    """The seals of a run's folder; raises `PlanChanged` where one was edited or removed."""
    path = folder / FILE_NAME
    if not path.exists():
        return ()
    found: list[Seal] = []
    for number, line in enumerate(read_text(path, limit=1 << 26).splitlines(), start=1):
        try:
            seal = Seal(**json.loads(line))
        except (ValueError, TypeError) as exc:
            raise InvalidFile(path, "holds no seal here", line=number) from exc
        before = found[-1].hash if found else lock
        if seal.previous != before or seal.lock != lock or seal.hash != _hash(seal):
            raise PlanChanged(f"{path}:{number}: this seal was changed, or one before it removed")
        found.append(seal)
    return tuple(found)


def _hash(seal: Seal) -> str:
    return content_hash({k: v for k, v in asdict(seal).items() if k != "hash"})


class Sealer:
    """Knows what a run held when it was opened, and seals it when it closes."""

    def __init__(self, store: Store, folder: Path, plan: Plan, *, journal: str) -> None:
        """Call after recovery and before the first new outcome.

        Raises `PlanChanged` when a seal, or the part of the journal that it covers, was changed.
        """
        self._store, self._folder, self._plan = store, folder, plan
        self._journal = folder / journal
        self._last = known = seals(folder, plan.hash)
        size = self._journal.stat().st_size if self._journal.exists() else 0
        # Hashing gigabytes at every start would make resuming slow; `check --database` does it.
        faults = list(journal_faults(self._journal, known)) if size <= HASHED_AT_START else []
        if faults:
            raise PlanChanged(f"{faults[0]}\n  Restore it from a copy.")
        base = Tally()
        if known:
            last = known[-1]
            base = Tally(last.outcomes, int(last.digest), int(last.numbers))
        start = known[-1].journal_bytes if known else 0
        # Killed after hours without a seal: reading it all again would make resuming slow. The rows
        # are the same lines; the seal counts them, once, when the run ends.
        self._base: Tally | None = None
        if size - start <= HASHED_AT_START:
            self._base = base.join(tally(_outcomes(self._journal, start), twins=twins_of(plan)))
        store.tallies[plan.run_id] = Tally()

    def seal(self, *, at: str) -> Seal | None:
        """Seal what is there now; None when nothing came since the last seal."""
        run = self._plan.run_id
        if self._base is not None:
            now = self._base.join(self._store.tallies[run])
        else:
            with self._store.frugal():
                outcomes, digest = self._store.query("digest", run)[0]
                _, numbers = self._store.query("digest_numbers", run)[0]
            now = Tally(outcomes, int(digest), int(numbers))
        size = self._journal.stat().st_size if self._journal.exists() else 0
        last = self._last[-1] if self._last else None
        if last is not None and (last.journal_bytes, last.outcomes) == (size, now.outcomes):
            return None
        start = last.journal_bytes if last else 0
        body: dict[str, Any] = {
            "at": at,
            "lock": self._plan.hash,
            "outcomes": now.outcomes,
            "digest": str(now.digest),
            "numbers": str(now.numbers),
            "journal_bytes": size,
            "segment_sha256": _sha256(self._journal, start, size),
            "previous": last.hash if last else self._plan.hash,
        }
        made = Seal(**body, hash=content_hash(body))
        append_line(self._folder / FILE_NAME, json.dumps(asdict(made)))
        self._store.event(self._plan.run_id, EVENT, event_text(made), at=at)
        self._last = (*self._last, made)
        return made


def event_text(seal: Seal) -> str:
    """What the database remembers of a seal."""
    return f"{seal.outcomes} {seal.digest} {seal.numbers}"


def twins_of(plan: Plan) -> frozenset[str]:
    """Ids of the benign twins."""
    return frozenset(scenario.id for scenario in plan.scenarios if scenario.is_twin)


def _outcomes(journal: Path, start: int) -> Iterator[Outcome]:
    """The outcomes of a journal from a byte on; what is damaged is for recovery to name."""
    for line in _lines(journal, start):
        if b'"t":"outcome"' in line[:40]:
            yield build(Outcome, json.loads(line)["outcome"])


def _lines(journal: Path, start: int) -> Iterator[bytes]:
    if not journal.exists():
        return
    with journal.open("rb") as handle:
        handle.seek(start)
        for line in handle:
            if line.endswith(b"\n"):
                yield line


def _sha256(path: Path, start: int, end: int) -> str:
    digest = hashlib.sha256()
    if path.exists():
        with path.open("rb") as handle:
            handle.seek(start)
            left = end - start
            while left > 0 and (chunk := handle.read(min(_CHUNK, left))):
                digest.update(chunk)
                left -= len(chunk)
    return digest.hexdigest()


def journal_faults(journal: Path, known: tuple[Seal, ...]) -> Iterator[str]:
    """Where the journal no longer is what its seals say; reads all of it."""
    start = 0
    for seal in known:
        if _sha256(journal, start, seal.journal_bytes) != seal.segment_sha256:
            yield (
                f"{journal}: bytes {start:,} to {seal.journal_bytes:,} were changed after they "
                f"were sealed on {seal.at}"
            )
        start = seal.journal_bytes


def alarm(store: Store, runs: Path, plan: Plan, run: str, *, whole_to: float = READ_WHOLE) -> Alarm:
    """Whether the rows a report reads are the rows that were recorded.

    A run of more than `whole_to` outcomes is held to the seal by the columns that numbers stand on:
    reading every text of a million rows takes seconds, and the detail says what was not read.
    """
    sealed = _sealed(store, run)
    whole = sealed is None or sealed.outcomes <= whole_to
    rows = _rows(store, run, whole=whole) if sealed is not None else (0, "")
    faults = list(_faults(store, runs / run, plan, run, rows, whole=whole))
    if faults:
        return Alarm(name=ALARM, fired=True, detail="; ".join(faults[:3]))
    outcomes, _ = rows
    if sealed is None:
        detail = "the run has not been sealed: it is going on, or was killed; run its lock again"
        return Alarm(name=ALARM, fired=None, detail=detail)
    if outcomes > sealed.outcomes:
        detail = (
            f"{outcomes - sealed.outcomes:,} outcomes came after the last seal; run its lock again"
        )
        return Alarm(name=ALARM, fired=None, detail=detail)
    detail = f"{outcomes:,} outcome rows agree with the seal made when the run stopped"
    if not whole:
        detail += " in all that numbers stand on; `check --database` reads their texts as well"
    return Alarm(name=ALARM, fired=False, detail=detail)


def _rows(store: Store, run: str, *, whole: bool) -> tuple[int, str]:
    """Number and digest of a run's outcome rows, over all columns or those of numbers."""
    outcomes, digest = store.query("digest" if whole else "digest_numbers", run)[0]
    return int(outcomes), str(digest)


def _faults(
    store: Store, folder: Path, plan: Plan, run: str, rows: tuple[int, str], *, whole: bool
) -> Iterator[str]:
    """What does not agree; `rows` are the number and the digest of the outcomes, if sealed."""
    if plan.run_id != run:
        yield f"the run {run} points at the lock of {plan.run_id}"
    yield from store.version_faults(plan)
    yield from store.rerun_faults(run)
    cells = store.cell_faults(run)
    if cells:
        yield f"{cells[0]}" + (f" and {len(cells) - 1} more" if len(cells) > 1 else "")
    sealed = _sealed(store, run)
    outcomes, digest = rows
    try:
        known = seals(folder, plan.hash)
    except (PlanChanged, InvalidFile) as exc:
        yield str(exc).splitlines()[0]
        return
    told = "" if sealed is None else sealed.text
    known = _by_then(known, store, told)
    if known and told != event_text(known[-1]):
        yield "the seal in the database and the one beside the journal differ"
    size = sum(path.stat().st_size for path in folder.glob("calls.jsonl"))
    if known and size < known[-1].journal_bytes:
        yield "the journal is shorter than it was when it was sealed, or gone"
    going_on = not known or size > known[-1].journal_bytes
    if sealed is None or (outcomes > sealed.outcomes and going_on):
        return
    if outcomes != sealed.outcomes:
        yield f"{outcomes:,} outcome rows are there and {sealed.outcomes:,} were sealed"
    elif digest != (sealed.digest if whole else sealed.numbers):
        yield "outcome rows were changed after they were sealed"


def _by_then(known: tuple[Seal, ...], store: Store, told: str) -> tuple[Seal, ...]:
    """The seals without those made after the moment that the store shows."""
    while known and store.seen_at is not None and known[-1].at >= store.seen_at:
        if event_text(known[-1]) == told:
            break
        known = known[:-1]
    return known


class _Remembered(NamedTuple):
    """A seal as the database remembers it."""

    outcomes: int
    digest: str
    numbers: str
    text: str


def _sealed(store: Store, run: str) -> _Remembered | None:
    """The last seal that the database itself remembers."""
    found = []
    for _, kind, detail in store.query("events", run):
        parts = detail.split(" ")
        if kind == EVENT and len(parts) == 3 and parts[0].isdigit():
            found.append(_Remembered(int(parts[0]), parts[1], parts[2], detail))
    return max(found, default=None)


def row_faults(store: Store, journal: Path, plan: Plan) -> Iterator[str]:
    """Every outcome row that differs from its journal line, by trial; reads both whole."""
    twins, run = twins_of(plan), plan.run_id
    recorded = {_key(outcome): _one(outcome, twins=twins) for outcome in _outcomes(journal, 0)}
    if not recorded:
        return
    for outcome in store.every_row(run):
        name = _key(outcome)
        if name not in recorded:
            yield f"outcome {name} is in no journal line"
        elif recorded.pop(name) != _one(outcome, twins=twins):
            yield f"outcome {name} differs from its journal line"
    if recorded and store.last_events().get(run) in {"started", "resumed"}:
        # Acknowledged by a run that has not ended: they land in a moment, or when it is resumed.
        late = {_key(outcome) for outcome in _outcomes(journal, store.mark(run).bytes)}
        recorded = {name: one for name, one in recorded.items() if name not in late}
    for name in recorded:
        yield f"outcome {name} is in the journal and not in the database, or was there twice"


def _key(outcome: Outcome) -> str:
    return outcome.trial.id + (f" (run {outcome.rerun + 1})" if outcome.rerun else "")


def _one(outcome: Outcome, *, twins: frozenset[str]) -> int:
    found = Tally()
    found.add(to_row(outcome, twin=outcome.trial.scenario in twins))
    return found.digest
