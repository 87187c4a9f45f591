"""What runs say: analysed once for each state of the data, and kept."""

import queue
import threading
import traceback
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import reports
from mitigations.compose.kept import plan_of
from mitigations.compose.reporting.comparing import compare_runs
from mitigations.compose.reporting.publishing import published
from mitigations.compose.standing import standing
from mitigations.errors import InvalidFile, MitigationsError
from mitigations.model import Alarm, Plan
from mitigations.store import Store
from reports import Notice, Report, RunComparison, Standing, VerdictLine

ANY = "\x00"
"""Stands for the file's name in a report that is kept: only the command that makes it differs."""
KEPT_REPORTS = 8
KEPT_PLANS = 64
KEPT_FILES = 16

MEDIA: Mapping[str, str] = {
    "html": "text/html; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "pdf": "application/pdf",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """The verdict lines of a run, and how many outcomes they rest on."""

    run: str
    landed: int
    lines: tuple[VerdictLine, ...]
    alarms: tuple[Alarm, ...] = ()
    notices: tuple[Notice, ...] = ()
    """Why they are not to be taken for more than they are: simulated models, alarms."""
    problem: str = ""
    """Why there is no verdict; empty where there is one."""


@dataclass(frozen=True, slots=True)
class _Key:
    run: str
    landed: int
    stamp: tuple[int, ...]


class Results:
    """Reports and verdicts by run. Analysis is CPU work: one at a time, and never in a page."""

    def __init__(self, store: Store, *, root: Path, changed: Callable[[], None]) -> None:
        self._store, self._root, self._changed = store, root, changed
        self._reports: OrderedDict[_Key, Report] = OrderedDict()
        self._files: OrderedDict[tuple[_Key, str], bytes] = OrderedDict()
        self._plans: OrderedDict[str, Plan] = OrderedDict()
        self._verdicts: dict[str, Verdicts] = {}
        self._lock, self._busy = threading.Lock(), threading.Lock()
        self._wanted: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._asked: set[str] = set()
        self._worker = threading.Thread(target=self._work, name="verdicts", daemon=True)
        self._worker.start()

    def plan(self, run: str) -> Plan:
        """The plan of a run, to be shown; a report always reads and checks it anew."""
        with self._lock:
            known = self._plans.get(run)
        if known is not None:
            return known
        with self._store.fork() as store:
            plan = plan_of(store, run, base=self._root)
        self._keep(self._plans, run, plan, KEPT_PLANS)
        return plan

    def verdicts(self, run: str) -> Verdicts | None:
        """The last verdict worked out for a run; None when none has been yet. Never waits."""
        return self._verdicts.get(run)

    def alarms(self, run: str) -> tuple[Alarm, ...] | None:
        """The validity checks of the last analysis of a run; None when there was none."""
        found = self._verdicts.get(run)
        return found.alarms if found is not None and found.alarms else None

    def refresh_later(self, run: str) -> None:
        """Have the verdict of a run worked out in the background; asking twice is asking once."""
        with self._lock:
            if run in self._asked:
                return
            self._asked.add(run)
        self._wanted.put(run)

    def close(self) -> None:
        """End the background thread after what it is at."""
        self._wanted.put(None)
        self._worker.join(30.0)

    def _work(self) -> None:
        while (run := self._wanted.get()) is not None:
            with self._lock:
                self._asked.discard(run)
            try:
                self.refresh(run)
            except Exception:  # noqa: BLE001 - a bug in one analysis must not end the others
                traceback.print_exc()
                problem = "the analysis failed unexpectedly; see the log of the service"
                self._verdicts[run] = Verdicts(run=run, landed=0, lines=(), problem=problem)

    def refresh(self, run: str) -> Verdicts:
        """Work out the verdict of a run for the data as they are."""
        try:
            key, report = self._report(run)
        except MitigationsError as exc:
            problem = str(exc).splitlines()[0]
            found = Verdicts(run=run, landed=0, lines=(), problem=problem)
        else:
            found = Verdicts(
                run=run,
                landed=key.landed,
                lines=reports.verdict_lines(report.analysis),
                alarms=report.analysis.alarms,
                notices=reports.notices(report),
            )
        self._verdicts[run] = found
        self._changed()
        return found

    def file(self, run: str, form: str, *, output: str) -> bytes:
        """The report as a file of the given form, byte for byte what the command line writes."""
        render = reports.FORMATS.get(f".{form}")
        if render is None:
            known = " ".join(sorted(name.removeprefix(".") for name in reports.FORMATS))
            raise InvalidFile(output, "no report format has this name", fix=f"use one of {known}")
        key, report = self._report(run)
        place = (key, output)
        with self._lock:
            known_bytes = self._files.get(place)
        if known_bytes is not None:
            return known_bytes
        with self._busy:
            made = render(_named(report, output))
        self._keep(self._files, place, made, KEPT_FILES)
        return made

    def comparison(self, run: str, other: str) -> RunComparison:
        """Two runs beside each other; raises `NotComparable`."""
        with self._store.fork() as store, self._busy:
            return compare_runs(store, run, other)

    def standing(self, study: str) -> Standing:
        """A study over all of its runs; raises `NoData` where none has ended."""
        with self._store.fork() as store, self._busy:
            return standing(store, study, base=self._root)

    def _report(self, run: str) -> tuple[_Key, Report]:
        with self._store.fork() as store, self._busy:
            landed = store.run_sizes().get(run, 0)
            key = _Key(run, landed, store.stamp(run))
            with self._lock:
                known = self._reports.get(key)
            if known is None:
                known = published(store, run, output=ANY, base=self._root)
                self._keep(self._reports, key, known, KEPT_REPORTS)
        return key, known

    def _keep(self, shelf: OrderedDict[Any, Any], key: Any, value: Any, most: int) -> None:
        with self._lock:
            shelf[key] = value
            shelf.move_to_end(key)
            while len(shelf) > most:
                shelf.popitem(last=False)


def _named(report: Report, output: str) -> Report:
    """The same report under another file name: only the command that makes it differs."""
    if report.run is None or not report.run.commands:
        return report
    commands = tuple(line.replace(ANY, output) for line in report.run.commands)
    return replace(report, run=replace(report.run, commands=commands))
