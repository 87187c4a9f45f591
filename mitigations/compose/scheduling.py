"""Schedules at work: a due slot becomes a plan of its own, with fresh trials, and a run.

The book of schedules decides what is due and that a slot is claimed once; who starts the run (a
service, or `schedule run-due`) hands that in. The plan stands beside the run's journal before the
slot is written down as fired, so a kill at any moment leaves either nothing or a run to resume.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mitigations.compose.kept import keep_plan, open_kept
from mitigations.compose.planning import plan_from, workspace_of
from mitigations.compose.running import check_start
from mitigations.errors import Interrupted, InvalidFile, MitigationsError, NoBudget
from mitigations.model import Plan
from mitigations.providers import read_providers
from mitigations.schedules import (
    FILE_NAME,
    GRACE,
    Book,
    Claimed,
    Fired,
    Schedule,
    Timetable,
    timetable,
)
from mitigations.study import read_study


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A run to start or to resume for a slot."""

    schedule: str
    slot: datetime
    plan: Plan
    folder: Path
    """The workspace whose `providers.yaml` it uses."""


Start = Callable[[Due], None]
"""Starts (or resumes) a run; raises `MitigationsError` when it cannot."""


def book_of(db: Path) -> Book:
    """The book of schedules beside a database."""
    return Book(db.parent / FILE_NAME)


def asked_for(path: Path, *, cron: str = "", zone: str = "") -> tuple[str, Timetable]:
    """A study's id and its timetable: the command's, or else the one in its file.

    Raises `InvalidFile` or `UnknownName` for what is no timetable, and for none at all.
    """
    study = read_study(path)
    text = cron or study.schedule or ""
    if not text:
        fix = 'Give one with --cron, or write `schedule: "0 6 * * MON"` into the study.'
        raise InvalidFile(path, "has no schedule", fix=fix)
    return study.id, timetable(text, zone=zone, where="--cron" if cron else str(path))


def add_schedule(
    db: Path,
    path: Path,
    *,
    when: Timetable,
    by: str,
    now: datetime,
    grace: timedelta = GRACE,
) -> Schedule:
    """Have a study run on a timetable; raises what planning it now would raise."""
    plan = _fresh(path, slot=now, created=_text(now))
    paid = [spec.route for spec in (*plan.models, *plan.judge.models) if not spec.is_free]
    if paid and plan.budget_usd is None:
        raise NoBudget(paid[0])
    entry = Schedule(
        name=plan.study,
        study=_relative(path, db.parent),
        timetable=when,
        grace=grace,
        by=by,
        since=now,
        mark=now,
    )
    return book_of(db).add(entry)


def slot_seed(study: str, slot: datetime) -> int:
    """The seed of a slot's run: another one for every slot, the same whoever plans it."""
    text = f"{study}\x1f{_text(slot)}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")


def _fresh(path: Path, *, slot: datetime, created: str) -> Plan:
    study = read_study(path)
    if study.confirms:
        fix = "A confirmation is run once; schedule a study without `confirms:`."
        raise InvalidFile(path, f"confirms {study.confirms}", fix=fix)
    fresh = replace(study, seed=slot_seed(study.id, slot))
    return plan_from(fresh, folder=workspace_of(path), created=created)


def _relative(path: Path, root: Path) -> str:
    path, root = path.resolve(), root.resolve()
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


class Keeper:
    """Sees to it that what is due is started, once, and that what was going is resumed."""

    def __init__(
        self,
        db: Path,
        *,
        now: Callable[[], datetime],
        told: Callable[[Claimed], None] = lambda _: None,
    ) -> None:
        self.book = book_of(db)
        self._root, self._runs = db.parent, db.parent / "runs"
        self._now, self._told = now, told

    def look(
        self, start: Start, *, is_busy: Callable[[str], bool] = lambda _: False
    ) -> list[Claimed]:
        """Account for everything that has come due by now, and start what is to be fired."""
        found = []
        for name in self.book.schedules():
            claimed = self.book.claim(
                name, now=self._now(), is_busy=is_busy(name), prepare=self._prepare
            )
            if claimed is None:
                continue
            found.append(claimed)
            if claimed.fired is not None:
                self._start(name, claimed.fired, start)
            self._told(claimed)
        return found

    def look_on(self) -> tuple[list[Claimed], list[str]]:
        """Without starting anything: overlaps recorded, and the schedules still waiting."""
        found, waiting = [], []
        for name, schedule in self.book.schedules().items():
            now = self._now()
            claimed = self.book.claim(name, now=now, is_busy=False, prepare=None)
            if claimed is not None:
                found.append(claimed)
                self._told(claimed)
            elif schedule.timetable.due(schedule.mark, now, most=1):
                waiting.append(name)
        return found, waiting

    def resume(self, start: Start) -> list[str]:
        """Go on with the runs that a kill or a stop of the service left; gives their ids."""
        going = self.book.going()
        for name, fired in going.items():
            self._start(name, fired, start)
        return [fired.run for fired in going.values()]

    def ended(self, run: str, *, state: str, detail: str = "") -> str | None:
        """Record the end of a run; the schedule's name where it was the run of a slot."""
        first = detail.splitlines()[0] if detail else ""
        return self.book.end(run, state=state, detail=first, at=self._now())

    def _prepare(self, schedule: Schedule, slot: datetime) -> str:
        path = self._root / schedule.study
        plan = _fresh(path, slot=slot, created=_text(self._now()))
        if plan.study != schedule.name:
            problem = f"now holds the study {plan.study!r}, not {schedule.name!r}"
            raise InvalidFile(path.name, problem, fix="Add its schedule again.")
        check_start(plan, read_providers(workspace_of(path)), budget_usd=None)
        keep_plan(plan, self._runs / plan.run_id)
        return plan.run_id

    def _start(self, name: str, fired: Fired, start: Start) -> None:
        try:
            plan = open_kept(self._runs / fired.run)
            folder = self._folder(name)
            start(Due(schedule=name, slot=fired.slot, plan=plan, folder=folder))
        except Interrupted:
            raise  # left as going: it is resumed by whoever comes next
        except MitigationsError as exc:
            self.ended(fired.run, state="failed", detail=str(exc))

    def _folder(self, name: str) -> Path:
        known = self.book.schedules().get(name)
        return workspace_of(self._root / known.study) if known is not None else self._root


def shown(moment: datetime, zone: str) -> str:
    """A moment as its schedule's zone reads it."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - only for what is shown

    return moment.astimezone(ZoneInfo(zone)).strftime("%a %Y-%m-%d %H:%M ") + zone


def in_words(claimed: Iterable[Claimed]) -> list[str]:
    """What a look came to, one line a slot or a row of slots."""
    lines = []
    for one in claimed:
        zone = one.schedule.timetable.zone
        for missed in one.missed:
            many = f" and {missed.count - 1} more" if missed.count > 1 else ""
            when = shown(missed.first, zone) + many
            lines.append(f"{one.schedule.name}: missed {when} ({missed.reason})")
        if one.fired is not None:
            when = shown(one.fired.slot, zone)
            lines.append(f"{one.schedule.name}: due {when}, run {one.fired.run}")
    return lines


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
