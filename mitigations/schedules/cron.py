"""Cron expression and time zone -> due slots, each an instant in UTC.

Local times are enumerated as the expression reads and then placed in time, so that a change of the
clocks can neither lose nor double a slot: a local time that does not exist comes due as much later
as the clocks went forward; one that exists twice comes due at the first of the two, or at both
where the hour is `*` (what is meant is then an interval, as in other crons).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from mitigations.errors import InvalidFile, UnknownName

_NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_FIELD = re.compile(r"[0-9A-Za-z*/,#-]{1,100}")
_MARGIN = timedelta(hours=3)
"""More than any change of the clocks."""
_FIVE = "Give five fields, such as '0 6 * * MON', and a time zone after them if it is not UTC."


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """When something comes due. Made by `timetable`, which has checked both fields."""

    cron: str
    zone: str

    def __str__(self) -> str:
        return f"{self.cron} {self.zone}"

    def due(self, after: datetime, until: datetime, *, most: int = 5000) -> list[datetime]:
        """Due instants in (after, until], oldest first, at most `most` of them."""
        found: list[datetime] = []
        if until <= after:
            return found
        for instant in self._instants(after):
            if instant > until or len(found) == most:
                break
            found.append(instant)
        return found

    def next(self, after: datetime) -> datetime | None:
        """The first due instant after a moment; None when the calendar runs out."""
        return next(self._instants(after), None)

    def _instants(self, after: datetime) -> Iterator[datetime]:
        """Due instants after a moment, in order, each once."""
        waiting: list[datetime] = []
        last = after.astimezone(UTC)
        for local in self._local(after):
            placed = self._placed(local)
            # Around a change of the clocks a later local time can be an earlier instant.
            sure = placed[0] if self._is_steady(placed[0]) else placed[0] - _MARGIN
            waiting += placed
            waiting.sort()
            while waiting and waiting[0] <= sure:
                instant = waiting.pop(0)
                if instant > last:
                    yield instant
                    last = instant
        for instant in sorted(waiting):
            if instant > last:
                yield instant
                last = instant

    def _local(self, after: datetime) -> Iterator[datetime]:
        """Local times as the expression reads, without a zone, from a margin before a moment."""
        # Start-up stays light; the library carries no types.
        from croniter import (  # type: ignore[import-untyped]  # noqa: PLC0415
            CroniterBadDateError,
            croniter,
        )

        start = after.astimezone(ZoneInfo(self.zone)).replace(tzinfo=None)
        if not self._is_steady(after):
            start -= _MARGIN
        walk = croniter(self.cron, start)
        while True:
            try:
                yield walk.get_next(datetime)
            except (CroniterBadDateError, OverflowError):
                return

    def _is_steady(self, instant: datetime) -> bool:
        """The clocks do not change within a margin of it."""
        zone = ZoneInfo(self.zone)
        before, after = (instant + way * _MARGIN for way in (-1, 1))
        return before.astimezone(zone).utcoffset() == after.astimezone(zone).utcoffset()

    def _placed(self, local: datetime) -> list[datetime]:
        zone = ZoneInfo(self.zone)
        first = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
        second = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
        # In a gap the two readings cross: the later instant comes first.
        doubled = second > first
        if doubled and self.cron.split()[1].startswith("*"):
            return [first, second]
        return [first]


def timetable(text: str, *, zone: str = "", where: str = "schedule") -> Timetable:
    """Read `0 6 * * MON` or `0 6 * * MON Europe/Berlin`; raises `InvalidFile`, `UnknownName`.

    A zone given by itself wins over one in the text; without any it is UTC.
    """
    words = [*text.split()]
    if words and words[0] in _NICKNAMES:
        words = [*_NICKNAMES[words[0]].split(), *words[1:]]
    if len(words) not in {5, 6} or not all(_FIELD.fullmatch(word) for word in words[:5]):
        raise InvalidFile(where, f"{text[:80]!r} is not a cron expression", fix=_FIVE)
    chosen = zone or (words[5] if len(words) == 6 else "UTC")
    if chosen not in available_timezones():
        raise UnknownName("time zone", chosen[:80], available_timezones(), where=where)
    made = Timetable(cron=" ".join(words[:5]), zone=chosen)
    _check(made, where)
    return made


def _check(made: Timetable, where: str) -> None:
    from croniter import CroniterError, croniter  # noqa: PLC0415 - start-up stays light

    try:
        croniter(made.cron, datetime(2026, 1, 1)).get_next(datetime)  # noqa: DTZ001 - only tried
    except (CroniterError, ValueError, KeyError) as exc:
        never = "failed to find" in str(exc)
        problem = "never comes due" if never else "is not a cron expression"
        raise InvalidFile(where, f"{made.cron!r} {problem}", fix=_FIVE) from exc
