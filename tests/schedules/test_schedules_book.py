"""The book of schedules under long runs, jumping clocks, kills and many writers."""

import random
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mitigations.errors import InvalidFile, UnknownName
from mitigations.schedules import Book, Schedule, timetable

MINUTE = timedelta(minutes=1)
START = datetime(2026, 3, 27, 12, tzinfo=UTC)


def entry(cron: str, *, since: datetime = START, zone: str = "UTC", grace_h: float = 6) -> Schedule:
    return Schedule(
        name="watch",
        study="studies/watch.yaml",
        timetable=timetable(cron, zone=zone),
        grace=timedelta(hours=grace_h),
        by="",
        since=since,
        mark=since,
    )


class Clocked:
    """A book with a clock that a test moves, and runs that take as long as it says."""

    def __init__(self, path: Path, schedule: Schedule) -> None:
        self.path, self.now = path, schedule.since
        self.book = Book(path)
        self.book.add(schedule)
        self.fired: list[datetime] = []
        self.missed: list[tuple[datetime, datetime, int, str]] = []
        self.open: list[tuple[str, datetime]] = []
        self.overlaps = 0

    def look(self) -> None:
        for _ in range(1000):
            found = self.book.claim(
                "watch", now=self.now, is_busy=False, prepare=lambda _, slot: f"run-{slot:%d%H%M}"
            )
            if found is None:
                return
            self.missed += [(one.first, one.last, one.count, one.reason) for one in found.missed]
            if found.fired is not None:
                self.overlaps += len(self.open)
                self.fired.append(found.fired.slot)
                self.open.append((found.fired.run, self.now))

    def end(self) -> None:
        while self.open:
            run, _ = self.open.pop()
            assert self.book.end(run, state="finished", detail="", at=self.now) == "watch"

    def restart(self) -> None:
        self.book = Book(self.path)

    def accounted(self, schedule: Schedule) -> list[datetime]:
        """Every slot that a line speaks of, fired or missed, in the order of the calendar."""
        told = list(self.fired)
        for first, last, count, _ in self.missed:
            some = schedule.timetable.due(first - MINUTE, last)
            assert len(some) == count
            told += some
        return sorted(told)


def test_a_thousand_slots_with_runs_longer_than_the_period(tmp_path: Path) -> None:
    """No overlap and no silent miss: fired and missed are the calendar, each slot once."""
    slots = 1000
    schedule = entry("*/10 * * * *")
    clocked = Clocked(tmp_path / "schedule.jsonl", schedule)
    rng = random.Random(1)
    ends = clocked.now
    for minute in range(slots * 10 + 1):
        clocked.now = START + minute * MINUTE
        if clocked.open and clocked.now >= ends:
            clocked.end()
        if minute % 7 == 0:
            before = len(clocked.fired)
            clocked.look()
            if len(clocked.fired) > before:
                ends = clocked.now + timedelta(minutes=rng.randrange(11, 45))
        if minute % 997 == 0:
            clocked.restart()
    clocked.end()
    clocked.look()
    calendar = schedule.timetable.due(START, clocked.now)
    assert len(calendar) == slots
    assert clocked.accounted(schedule) == calendar
    assert clocked.overlaps == 0
    assert len(set(clocked.fired)) == len(clocked.fired) > slots / 5
    assert any("overlap" in reason for *_, reason in clocked.missed)


@pytest.mark.parametrize(
    ("cron", "zone", "since", "jumps"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-03-27", []),
        ("30 2 * * *", "Europe/Berlin", "2026-10-23", []),
        ("*/30 * * * *", "America/New_York", "2026-10-31", []),
        ("0 0 29 2 *", "UTC", "2028-02-27", []),
        ("0 * * * *", "UTC", "2026-05-01", [(20, -1)]),
        ("0 * * * *", "UTC", "2026-05-01", [(20, 24)]),
        ("*/15 * * * *", "Europe/Berlin", "2026-10-24", [(30, -1), (50, 24), (60, -25)]),
        ("0 6 * * *", "Asia/Tokyo", "2026-05-01", [(10, 24), (30, -24), (50, -1), (60, 2)]),
    ],
)
def test_no_slot_is_doubled_whatever_the_clock_does(
    tmp_path: Path, cron: str, zone: str, since: str, jumps: list[tuple[int, int]]
) -> None:
    """Clocks changed both ways, an hour back, a day forth, a leap day: each slot once or missed."""
    start = datetime.fromisoformat(since).replace(tzinfo=UTC)
    schedule = entry(cron, since=start, zone=zone)
    clocked = Clocked(tmp_path / "schedule.jsonl", schedule)
    clock, furthest = start, start
    for step in range(72 * 2):
        clock += timedelta(minutes=30)
        clock += sum((timedelta(hours=by) for at, by in jumps if step == at * 2), timedelta())
        furthest = max(furthest, clock)
        clocked.now = clock
        clocked.look()
        clocked.end()
        if step % 10 == 0:
            clocked.restart()
    told = clocked.accounted(schedule)
    assert told == schedule.timetable.due(start, furthest)
    assert len(set(told)) == len(told) > 0


def test_a_frozen_clock_fires_nothing_twice(tmp_path: Path) -> None:
    clocked = Clocked(tmp_path / "schedule.jsonl", entry("0 * * * *"))
    clocked.now = START + timedelta(hours=1)
    for _ in range(50):
        clocked.look()
        clocked.end()
    assert clocked.fired == [START + timedelta(hours=1)]


def test_after_an_absence_the_newest_slot_fires_and_the_others_are_named(tmp_path: Path) -> None:
    clocked = Clocked(tmp_path / "schedule.jsonl", entry("0 * * * *"))
    clocked.now = START + timedelta(days=2, minutes=5)
    clocked.look()
    assert clocked.fired == [START + timedelta(days=2)]
    assert [(count, reason.split(":")[0]) for *_, count, reason in clocked.missed] == [
        (42, "late"),
        (5, "coalesced"),
    ]


def test_past_its_grace_a_slot_is_missed_and_never_caught_up(tmp_path: Path) -> None:
    clocked = Clocked(tmp_path / "schedule.jsonl", entry("0 6 * * MON", grace_h=1))
    clocked.now = datetime(2026, 3, 30, 7, 1, tzinfo=UTC)
    clocked.look()
    assert clocked.fired == []
    assert [reason.split(":")[0] for *_, reason in clocked.missed] == ["late"]


def test_eight_writers_claim_a_slot_once(tmp_path: Path) -> None:
    path = tmp_path / "schedule.jsonl"
    Book(path).add(entry("0 * * * *"))
    found = []

    def look() -> None:
        claimed = Book(path).claim(
            "watch", now=START + timedelta(hours=1), is_busy=False, prepare=lambda *_: "run-1"
        )
        found.append(claimed)

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fired = [one.fired for one in found if one is not None and one.fired is not None]
    assert len(fired) == 1


def test_a_torn_line_is_dropped_and_a_foreign_one_is_named(tmp_path: Path) -> None:
    """A kill in the middle of a write leaves half a line: the slot was not claimed."""
    clocked = Clocked(tmp_path / "schedule.jsonl", entry("0 * * * *"))
    with clocked.path.open("a") as handle:
        handle.write('{"t":"fired","schedule":"watch","sl')
    clocked.restart()
    clocked.now = START + timedelta(hours=1)
    clocked.look()
    assert len(clocked.fired) == 1
    with clocked.path.open("a") as handle:
        handle.write("nonsense\n")
    with pytest.raises(InvalidFile, match=r"schedule\.jsonl:3: is not a line"):
        Book(clocked.path).schedules()


def test_a_removed_schedule_lets_its_run_end_and_comes_due_no_more(tmp_path: Path) -> None:
    clocked = Clocked(tmp_path / "schedule.jsonl", entry("0 * * * *"))
    clocked.now = START + timedelta(hours=1)
    clocked.look()
    clocked.book.remove("watch", at=clocked.now, by="")
    assert list(clocked.book.going()) == ["watch"]
    clocked.end()
    clocked.now += timedelta(hours=5)
    clocked.look()
    assert len(clocked.fired) == 1
    with pytest.raises(UnknownName):
        clocked.book.remove("watch", at=clocked.now, by="")


def test_added_again_it_fires_no_slot_that_was_fired(tmp_path: Path) -> None:
    """Even where the clock was set back in between."""
    clocked = Clocked(tmp_path / "schedule.jsonl", entry("0 * * * *"))
    clocked.now = START + timedelta(hours=3)
    clocked.look()
    clocked.end()
    clocked.book.remove("watch", at=clocked.now, by="")
    clocked.book.add(entry("0 * * * *"))
    clocked.look()
    assert clocked.fired == [START + timedelta(hours=3)]
