"""The schedule of a study as its page shows it, and what a form may do to it."""

from dataclasses import dataclass
from datetime import timedelta

from mitigations.compose.scheduling import add_schedule, book_of, shown
from mitigations.errors import UnknownName
from mitigations.schedules import GRACE, Schedule, timetable
from mitigations.web.access import Who
from mitigations.web.nouns import ScheduleOut, SlotOut
from mitigations.web.refusals import FormRefused
from mitigations.web.schedules import now
from mitigations.web.services import Services

SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleView:
    """When a study runs, and what became of its last slots."""

    when: str
    cron: str
    zone: str
    next: str
    fired: int
    missed: int
    slots: tuple[tuple[str, str, str], ...]
    """When, run (empty for a missed one), and what became of it; the newest first."""


def one(services: Services, study: str) -> ScheduleView | None:
    """The schedule of a study; None where it has none."""
    found = book_of(services.db).schedules().get(study)
    if found is None:
        return None
    moment = found.next(now())
    zone = found.timetable.zone
    return ScheduleView(
        when=str(found.timetable),
        cron=found.timetable.cron,
        zone=zone,
        next=shown(moment, zone) if moment is not None else "never again",
        fired=found.counts[0],
        missed=found.counts[1],
        slots=_slots(found),
    )


def _slots(found: Schedule) -> tuple[tuple[str, str, str], ...]:
    zone = found.timetable.zone
    rows = [(one.slot, one.run, one.state or "going") for one in found.fired]
    for some in found.missed:
        more = f" (with {some.count - 1} before it)" if some.count > 1 else ""
        rows.append((some.last, "", f"missed{more}; {some.reason}"))
    newest = sorted(rows, reverse=True)[:SHOWN]
    return tuple((shown(when, zone), run, became) for when, run, became in newest)


def every(services: Services) -> list[ScheduleOut]:
    """Every schedule, as the API tells it."""
    return [_out(found) for found in book_of(services.db).schedules().values()]


def get(services: Services, study: str) -> ScheduleOut:
    """The schedule of a study; raises `UnknownName` where it has none."""
    known = book_of(services.db).schedules()
    if study not in known:
        raise UnknownName("schedule", study[:80], known)
    return _out(known[study])


def _out(found: Schedule) -> ScheduleOut:
    moment = found.next(now())
    fired = [
        SlotOut(due=one.slot.isoformat(), run=one.run, became=one.state or "going")
        for one in found.fired
    ]
    missed = [
        SlotOut(due=some.last.isoformat(), run=None, became=some.reason) for some in found.missed
    ]
    return ScheduleOut(
        study=found.name,
        cron=found.timetable.cron,
        zone=found.timetable.zone,
        grace_minutes=found.grace.total_seconds() / 60,
        since=found.since.isoformat(),
        next=moment.isoformat() if moment is not None else None,
        fired=found.counts[0],
        missed=found.counts[1],
        slots=sorted([*fired, *missed], key=lambda one: one.due, reverse=True),
    )


def put(
    services: Services,
    who: Who,
    study: str,
    *,
    cron: str,
    zone: str,
    grace: timedelta = GRACE,
) -> None:
    """Add a study's schedule or change it; raises what `add_schedule` raises."""
    if not cron:
        raise FormRefused("give a cron expression, such as 0 6 * * MON")
    try:
        when = timetable(cron, zone=zone, where="the schedule")
    except UnknownName as exc:
        raise FormRefused(str(exc)) from exc
    path = services.shelf.study(study).path
    with services.writing:
        services.audit.record(who, "schedule a study", study, detail=str(when))
        add_schedule(services.db, path, when=when, by=who.name, now=now(), grace=grace)


def end(services: Services, who: Who, study: str) -> None:
    """End a study's schedule; raises `UnknownName` where it has none."""
    services.audit.record(who, "end a schedule", study[:80])
    book_of(services.db).remove(study, at=now(), by=who.name)
