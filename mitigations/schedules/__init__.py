"""Schedules: when a study comes due, and the book of what became of every slot."""

from mitigations.schedules.book import (
    FILE_NAME,
    GRACE,
    Book,
    Claimed,
    Decision,
    Fired,
    Missed,
    Schedule,
    decide,
)
from mitigations.schedules.cron import Timetable, timetable

__all__ = [
    "FILE_NAME",
    "GRACE",
    "Book",
    "Claimed",
    "Decision",
    "Fired",
    "Missed",
    "Schedule",
    "Timetable",
    "decide",
    "timetable",
]
