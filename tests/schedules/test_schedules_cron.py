"""Due slots against the calendars of real zones, and laws that hold for every expression."""

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from mitigations.errors import InvalidFile, UnknownName
from mitigations.schedules import timetable
from mitigations.study import parse_study


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def due(expression: str, after: str, until: str) -> list[str]:
    found = timetable(expression).due(at(after), at(until))
    return [moment.strftime("%d %H:%M") for moment in found]


def test_a_time_of_day_keeps_its_local_hour_through_the_year() -> None:
    """06:00 in Berlin is 05:00 UTC in winter and 04:00 in summer (EU rules: 29 March 2026)."""
    found = due("0 6 * * * Europe/Berlin", "2026-03-28", "2026-03-30T12:00")
    assert found == ["28 05:00", "29 04:00", "30 04:00"]


def test_a_local_time_that_does_not_exist_comes_due_after_the_gap() -> None:
    """02:30 on the day the clocks go from 02:00 to 03:00 is 03:30 of the new time."""
    found = due("30 2 * * * Europe/Berlin", "2026-03-28", "2026-03-31")
    assert found == ["28 01:30", "29 01:30", "30 00:30"]


def test_a_local_time_that_exists_twice_comes_due_once() -> None:
    found = due("30 2 * * * Europe/Berlin", "2026-10-24", "2026-10-26T12:00")
    assert found == ["24 00:30", "25 00:30", "26 01:30"]


def test_an_interval_goes_on_through_both_changes_of_the_clocks() -> None:
    """Every half hour is every half hour: what is meant by `*` is not a time of day."""
    for after, until in (
        ("2026-03-28T22:00", "2026-03-29T05:00"),
        ("2026-10-24T22:00", "2026-10-25T05:00"),
    ):
        found = timetable("*/30 * * * * Europe/Berlin").due(at(after), at(until))
        steps = {b - a for a, b in pairwise(found)}
        assert (len(found), steps) == (14, {timedelta(minutes=30)})


def test_a_change_by_half_an_hour_is_a_change() -> None:
    """Lord Howe goes back from 02:00 to 01:30 on 5 April 2026."""
    found = due("45 1 * * * Australia/Lord_Howe", "2026-04-03T16:00", "2026-04-06T00:00")
    assert found == ["04 14:45", "05 15:15"]


def test_a_leap_day_comes_every_four_years_and_not_in_2100() -> None:
    found = timetable("0 0 29 2 *").due(at("2092-01-01"), at("2105-01-01"))
    assert [moment.year for moment in found] == [2092, 2096, 2104]


def test_either_day_field_suffices_as_in_every_cron() -> None:
    """The 13th or a Friday."""
    found = due("0 0 13 * FRI", "2026-11-01T12:00", "2026-11-20T12:00")
    assert found == ["06 00:00", "13 00:00", "20 00:00"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("61 * * * *", InvalidFile),
        ("0 0 30 2 *", InvalidFile),
        ("H * * * *", InvalidFile),
        ("* * * *", InvalidFile),
        ("", InvalidFile),
        ("* * * * MOO", InvalidFile),
        ("0 6 * * * 30", UnknownName),
        ("0 6 * * MON Europe/Berlim", UnknownName),
        ("0 6 * * MON ../../etc/passwd", UnknownName),
        ("$(reboot) * * * *", InvalidFile),
    ],
)
def test_what_is_no_timetable_is_refused(text: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        timetable(text)


def test_a_study_with_a_wrong_schedule_names_its_line() -> None:
    text = "study: s\nbaseline: b\nvariants: [v]\nmodels: [simulated/published]\nschedule: "
    assert parse_study(text + '"0 6 * * MON Europe/Berlin"').schedule is not None
    with pytest.raises(InvalidFile, match=r"study:5: schedule: .*not a cron expression"):
        parse_study(text + '"every monday"')
    with pytest.raises(InvalidFile, match=r"study:5: schedule: .*no time zone 'Europe/Berlim'"):
        parse_study(text + '"0 6 * * MON Europe/Berlim"')


def test_a_nickname_is_its_expression() -> None:
    assert str(timetable("@daily Asia/Tokyo")) == "0 0 * * * Asia/Tokyo"


def test_windows_that_join_give_what_the_whole_gives() -> None:
    """Wherever the window is cut: no slot lost, none doubled, all in order. Seeded, 60 cases."""
    rng = random.Random(8)
    zones = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC", "Asia/Kolkata"]
    crons = ["30 2 * * *", "*/20 * * * *", "15 1,2,3 * * SUN", "0 */2 * * *", "59 23 * * *"]
    for _ in range(60):
        table = timetable(rng.choice(crons), zone=rng.choice(zones))
        start = at(rng.choice(["2026-03-06", "2026-03-28", "2026-10-24", "2026-10-31"]))
        cuts = sorted(start + timedelta(seconds=rng.randrange(4 * 86400)) for _ in range(5))
        whole = table.due(cuts[0], cuts[-1])
        parts = [table.due(a, b) for a, b in pairwise(cuts)]
        assert [one for part in parts for one in part] == whole
        assert whole == sorted(set(whole))


def test_outside_the_changes_every_slot_reads_as_written() -> None:
    table = timetable("30 2 * * * America/New_York")
    found = table.due(at("2026-01-01"), at("2027-01-01"))
    local = [moment.astimezone(ZoneInfo("America/New_York")) for moment in found]
    assert len(found) == 365
    odd = [moment for moment in local if (moment.hour, moment.minute) != (2, 30)]
    assert [moment.strftime("%m-%d %H:%M") for moment in odd] == ["03-08 03:30"]
