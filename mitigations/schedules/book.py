"""The book of schedules: what was asked for, and what became of every due slot.

One append-only file beside the database, one line an event, on disk before anything is done about
it. It is read and written under a lock of its own, so that a service, a command and a system cron
agree. The mark of a schedule only ever moves forward: every due slot up to it is accounted for, by
a line that says it was fired, or by one that says why not. A slot after it can be claimed once.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from mitigations.errors import InvalidFile, MitigationsError, UnknownName
from mitigations.schedules.books import as_moment, as_text, held
from mitigations.schedules.cron import Timetable, timetable
from mitigations.store import append_record

FILE_NAME = "schedule.jsonl"
GRACE = timedelta(hours=6)
AT_ONCE = 5000
"""Slots looked at in one go after a long absence."""

OVERLAP = "overlap: the last run was still going"
LATER = "coalesced: a later slot was due as well"
LATE = "late: nobody was there to start it"
REFUSED = "could not start"


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """Due slots that were not fired, from the first to the last of them."""

    first: datetime
    last: datetime
    count: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """A slot that was fired, and how its run ended."""

    slot: datetime
    run: str
    at: datetime
    state: str = ""
    """`finished`, `stopped` or `failed`; empty while it goes, and after a kill."""
    detail: str = ""
    ended: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One study's schedule as it stands."""

    name: str
    """The study's id."""
    study: str
    """Path of its file, relative to the database's folder where it is inside."""
    timetable: Timetable
    grace: timedelta
    by: str
    since: datetime
    mark: datetime
    """Every slot up to here is accounted for."""
    fired: tuple[Fired, ...] = ()
    missed: tuple[Missed, ...] = ()
    counts: tuple[int, int] = (0, 0)
    """Slots fired and missed since it was first added; the two tuples hold the latest only."""

    @property
    def going(self) -> Fired | None:
        """The slot whose run has not ended."""
        last = self.fired[-1] if self.fired else None
        return last if last is not None and not last.state else None

    def next(self, now: datetime) -> datetime | None:
        """When it comes due next."""
        return self.timetable.next(max(now, self.mark))


KEPT = 20
"""Slots of each kind that are held ready; the file keeps all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is to be done about the slots that have come due."""

    missed: tuple[Missed, ...] = ()
    fire: datetime | None = None


def decide(schedule: Schedule, now: datetime, *, is_busy: bool) -> Decision:
    """Account for every slot in (mark, now]: the newest fires if it may, the others are missed."""
    slots = schedule.timetable.due(schedule.mark, now, most=AT_ONCE)
    if not slots:
        return Decision()
    if is_busy:
        return Decision(missed=(_missed(slots, OVERLAP),))
    ended = schedule.fired[-1].ended if schedule.fired else None
    if ended is not None and slots[0] <= ended:
        # Nobody looked while the last run was going; these came due then all the same.
        during = [slot for slot in slots if slot <= ended]
        rest = _newest(schedule, slots[len(during) :], now)
        return replace(rest, missed=(_missed(during, OVERLAP), *rest.missed))
    return _newest(schedule, slots, now)


def _newest(schedule: Schedule, slots: list[datetime], now: datetime) -> Decision:
    if not slots:
        return Decision()
    more = len(slots) == AT_ONCE and schedule.timetable.due(slots[-1], now, most=1)
    if more or now - slots[-1] > schedule.grace:
        return Decision(missed=(_missed(slots, LATE),))
    earlier = slots[:-1]
    on_time = [slot for slot in earlier if now - slot <= schedule.grace]
    late = earlier[: len(earlier) - len(on_time)]
    found = [(late, LATE), (on_time, LATER)]
    return Decision(missed=tuple(_missed(some, why) for some, why in found if some), fire=slots[-1])


def _missed(slots: list[datetime], reason: str) -> Missed:
    return Missed(first=slots[0], last=slots[-1], count=len(slots), reason=reason)


@dataclass(slots=True)
class _Folded:
    """The file so far."""

    schedules: dict[str, Schedule] = field(default_factory=dict)
    gone: dict[str, Schedule] = field(default_factory=dict)
    """Removed ones: their last run may still be going."""
    offset: int = 0
    line: int = 0


Prepare = Callable[[Schedule, datetime], str]
"""Makes everything that the run of a slot needs and puts it on disk; gives the run's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What one look at a schedule came to."""

    schedule: Schedule
    missed: tuple[Missed, ...] = ()
    fired: Fired | None = None


class Book:
    """Reads and writes `schedule.jsonl`. Every method may be called from any process or thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known = _Folded()

    # ---- what a person does

    def add(self, entry: Schedule) -> Schedule:
        """Add or change the schedule of a study. Slots from `since` on are its own."""
        with self._open() as known:
            self._write(
                known,
                {
                    "t": "add",
                    "schedule": entry.name,
                    "study": entry.study,
                    "cron": entry.timetable.cron,
                    "zone": entry.timetable.zone,
                    "grace_s": entry.grace.total_seconds(),
                    "by": entry.by,
                    "at": as_text(entry.since),
                },
            )
            return known.schedules[entry.name]

    def remove(self, name: str, *, at: datetime, by: str) -> Schedule:
        """End a schedule; a run that goes is left alone. Raises `UnknownName`."""
        with self._open() as known:
            if name not in known.schedules:
                raise UnknownName("schedule", name[:80], known.schedules)
            found = known.schedules[name]
            self._write(known, {"t": "remove", "schedule": name, "by": by, "at": as_text(at)})
            return found

    def schedules(self) -> dict[str, Schedule]:
        """Every schedule by its study's id."""
        if not self.path.exists():
            return {}
        with self._open() as known:
            return dict(sorted(known.schedules.items()))

    # ---- what a clock does

    def claim(
        self, name: str, *, now: datetime, is_busy: bool, prepare: Prepare | None
    ) -> Claimed | None:
        """Account for the slots of one schedule that have come due; None when none has.

        With `prepare` None nothing is fired, and nothing is recorded unless a run is going.
        """
        with self._open() as known:
            schedule = known.schedules.get(name)
            if schedule is None:
                return None
            busy = is_busy or schedule.going is not None
            if prepare is None and not busy:
                return None
            decision = decide(schedule, now, is_busy=busy)
            for missed in decision.missed:
                self._miss(known, name, missed, now)
            fired: Fired | None = None
            refused: tuple[Missed, ...] = ()
            if decision.fire is not None and prepare is not None:
                fired, refused = self._fire(known, schedule, decision.fire, now, prepare)
            if not (decision.missed or fired or refused):
                return None
            return Claimed(
                schedule=known.schedules[name], missed=(*decision.missed, *refused), fired=fired
            )

    def _fire(
        self, known: _Folded, schedule: Schedule, slot: datetime, now: datetime, prepare: Prepare
    ) -> tuple[Fired | None, tuple[Missed, ...]]:
        try:
            run = prepare(schedule, slot)
        except MitigationsError as exc:
            reason = f"{REFUSED}: {str(exc).splitlines()[0]}"
            missed = Missed(first=slot, last=slot, count=1, reason=reason)
            self._miss(known, schedule.name, missed, now)
            return None, (missed,)
        line = {"t": "fired", "schedule": schedule.name, "slot": as_text(slot)}
        self._write(known, line | {"run": run, "at": as_text(now), "pid": os.getpid()})
        return known.schedules[schedule.name].fired[-1], ()

    def _miss(self, known: _Folded, name: str, missed: Missed, now: datetime) -> None:
        line: dict[str, Any] = {"t": "missed", "schedule": name, "slot": as_text(missed.first)}
        line |= {"until": as_text(missed.last), "count": missed.count}
        self._write(known, line | {"reason": missed.reason, "at": as_text(now)})

    def going(self) -> dict[str, Fired]:
        """Runs that were fired and have not ended, by their schedule; removed ones as well."""
        if not self.path.exists():
            return {}
        with self._open() as known:
            every = {**known.gone, **known.schedules}
            return {name: one.going for name, one in every.items() if one.going is not None}

    def end(self, run: str, *, state: str, detail: str, at: datetime) -> str | None:
        """Record how a fired run ended; the schedule's name, or None for a run that is not ours."""
        if not self.path.exists():
            return None
        with self._open() as known:
            for name, one in {**known.gone, **known.schedules}.items():
                if one.going is not None and one.going.run == run:
                    line = {"t": "ended", "schedule": name, "slot": as_text(one.going.slot)}
                    line |= {"run": run, "state": state, "detail": detail, "at": as_text(at)}
                    self._write(known, line)
                    return name
            return None

    # ---- the file

    @contextmanager
    def _open(self) -> Iterator[_Folded]:
        """The state of the file, held against every other writer."""
        with held(self.path):
            self._catch_up()
            yield self._known

    def _catch_up(self) -> None:
        size = self.path.stat().st_size if self.path.exists() else 0
        if size < self._known.offset:
            self._known = _Folded()
        if size > self._known.offset:
            with self.path.open("rb") as handle:
                handle.seek(self._known.offset)
                self._read(handle.read())

    def _read(self, data: bytes) -> None:
        known = self._known
        for raw in data.splitlines(keepends=True):
            if not raw.endswith(b"\n"):
                return  # torn by a kill: it was never acknowledged, and the next write drops it
            try:
                _fold(known, json.loads(raw))
            except (ValueError, KeyError, TypeError, MitigationsError) as exc:
                fix = "Mend the line, or move the file away and add the schedules again."
                raise InvalidFile(
                    self.path,
                    "is not a line of the book of schedules",
                    fix=fix,
                    line=known.line + 1,
                ) from exc
            known.offset += len(raw)
            known.line += 1

    def _write(self, known: _Folded, line: dict[str, Any]) -> None:
        append_record(self.path, line)
        self._catch_up()
        assert known is self._known  # a file that shrank under our own lock was not ours


def _fold(known: _Folded, line: dict[str, Any]) -> None:
    name = line["schedule"]
    if line["t"] == "add":
        known.schedules[name] = _added(known, line)
        known.gone.pop(name, None)
        return
    if line["t"] == "remove":
        known.gone[name] = known.schedules.pop(name)
        return
    home = known.schedules if name in known.schedules else known.gone
    was = home[name]
    fired, missed = was.counts
    if line["t"] == "fired":
        one = Fired(slot=as_moment(line["slot"]), run=line["run"], at=as_moment(line["at"]))
        home[name] = replace(
            was,
            fired=(*was.fired, one)[-KEPT:],
            mark=max(was.mark, one.slot),
            counts=(fired + 1, missed),
        )
    elif line["t"] == "missed":
        some = Missed(
            first=as_moment(line["slot"]),
            last=as_moment(line["until"]),
            count=line["count"],
            reason=line["reason"],
        )
        home[name] = replace(
            was,
            missed=(*was.missed, some)[-KEPT:],
            mark=max(was.mark, some.last),
            counts=(fired, missed + some.count),
        )
    elif line["t"] == "ended" and was.fired and was.fired[-1].run == line["run"]:
        ended = replace(
            was.fired[-1],
            state=line["state"],
            detail=line["detail"],
            ended=max(was.fired[-1].at, as_moment(line["at"])),
        )
        home[name] = replace(was, fired=(*was.fired[:-1], ended))


def _added(known: _Folded, line: dict[str, Any]) -> Schedule:
    """A changed schedule keeps its history: no slot that was fired can come due again."""
    name, since = line["schedule"], as_moment(line["at"])
    was = known.schedules.get(name) or known.gone.get(name)
    fresh = Schedule(
        name=name,
        study=line["study"],
        timetable=timetable(f"{line['cron']} {line['zone']}"),
        grace=timedelta(seconds=line["grace_s"]),
        by=line["by"],
        since=since,
        mark=since,
    )
    if was is None:
        return fresh
    return replace(
        fresh,
        mark=max(since, was.fired[-1].slot if was.fired else since),
        fired=was.fired,
        missed=was.missed,
        counts=was.counts,
    )
