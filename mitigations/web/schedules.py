"""Schedules inside the service: what is due is started, what was going is resumed."""

import threading
import traceback
from datetime import UTC, datetime

from mitigations.compose.running import Options
from mitigations.compose.scheduling import Due, Keeper, book_of, shown
from mitigations.errors import MitigationsError
from mitigations.schedules import Schedule
from mitigations.web.access import Who
from mitigations.web.jobs import Job, State
from mitigations.web.notices import NoticeBoard
from mitigations.web.services import HealthSection, Hooks, Services
from mitigations.web.tokens import Role

SCHEDULE = Who(name="schedule", roles=frozenset({Role.RUN}), via="schedule")
COLUMNS = ("Study", "When", "Next", "Last run", "Last missed", "Fired", "Missed")


class Scheduler:
    """Attaches itself to the hooks of a service."""

    def __init__(self, *, base: str = "") -> None:
        """`base` is how readers reach the service: links in notices begin with it."""
        self._base = base
        self._board: NoticeBoard | None = None
        self._services: Services | None = None
        self._keeper: Keeper | None = None
        self._starting: threading.Thread | None = None
        self._stopping = threading.Event()
        self._problem = ""

    def attach(self, hooks: Hooks) -> Hooks:
        """Have the service call this one; gives the hooks back."""
        hooks.started.append(self.begin)
        hooks.stopping.append(self.stop)
        hooks.run_ended.append(self.run_ended)
        hooks.health += [self.health, self.notices]
        hooks.next_run = self.next_run
        return hooks

    def begin(self, services: Services) -> None:
        """Resume what was going, and let the clock begin behind the first request."""
        self.begin_without_clock(services)
        self._starting = threading.Thread(target=self._run_clock, name="clock", daemon=True)
        self._starting.start()

    def begin_without_clock(self, services: Services) -> None:
        """The same for whoever calls `tick` himself."""
        self._services = services
        self._board = NoticeBoard(services, base=self._base, now=now)
        self._keeper = Keeper(services.db, now=now, told=self._board.slots)
        self._keeper.resume(self._start)

    def stop(self) -> None:
        """No slot is started from here on; runs that go are left to be resumed."""
        self._stopping.set()
        if self._starting is not None:
            self._starting.join(30.0)
        if self._board is not None:
            self._board.close()

    def _run_clock(self) -> None:
        try:
            # A second of imports, and nothing that a page waits for.
            from mitigations.web.clock import Clock  # noqa: PLC0415

            assert self._services is not None  # `begin` has run
            clock = Clock(self._services.db.parent, self.tick)
            clock.start()
        except Exception as exc:  # noqa: BLE001 - the pages serve on, and say that no clock runs
            traceback.print_exc()
            self._problem = f"the clock does not run: {type(exc).__name__}; see the log"
            return
        try:
            clock.call()
            self._stopping.wait()
        finally:
            clock.stop()

    def tick(self) -> None:
        """Start what is due by now, and record what is missed."""
        if self._keeper is None or self._stopping.is_set():
            return
        self._keeper.look(self._start, is_busy=self._is_busy)
        if self._board is not None:
            self._board.send()

    def _is_busy(self, study: str) -> bool:
        """A run of this study goes already, whoever started it."""
        assert self._services is not None  # `begin` has run
        return any(job.plan.study == study for job in self._services.jobs.live())

    def _start(self, due: Due) -> None:
        assert self._services is not None  # `begin` has run
        self._services.start(due.plan, Options(), SCHEDULE, folder=due.folder)

    def run_ended(self, job: Job) -> None:
        """Record it; a run that only the end of the service stopped is resumed by the next one."""
        if self._keeper is None or (self._stopping.is_set() and job.state is State.STOPPED):
            return
        detail = "" if job.error is None else str(job.error)
        self._keeper.ended(job.run, state=job.state.value, detail=detail)
        if self._board is not None:
            self._board.run_ended(job)

    def next_run(self, study: str) -> str | None:
        """When a study is due next, as its zone reads it."""
        found = self._schedules().get(study)
        return _next(found) if found is not None else None

    def health(self) -> HealthSection:
        """Every schedule with its next and its last slots."""
        found = self._schedules()
        lost = [one.name for one in found.values() if _missed_last(one)]
        if self._problem:
            summary = f"No slot will be started: {self._problem}."
        elif not found:
            summary = "No study runs on a schedule."
        elif lost:
            summary = f"The latest slot was missed by {', '.join(lost)}."
        else:
            summary = "The latest slot of every schedule was fired."
        return HealthSection(
            id="schedules",
            title="Schedules",
            summary=summary,
            is_well=None if not found and not self._problem else not (lost or self._problem),
            columns=COLUMNS if found else (),
            rows=tuple(_row(one) for one in found.values()),
            links="/studies/",
            way_in="A study's own page sets its schedule.",
        )

    def notices(self) -> HealthSection:
        """What began of late, and who was told."""
        if self._board is None:
            return HealthSection(id="notices", title="Notices", summary="None yet.")
        return self._board.health()

    def _schedules(self) -> dict[str, Schedule]:
        if self._services is None:
            return {}
        try:
            return book_of(self._services.db).schedules()
        except MitigationsError as exc:
            self._problem = str(exc).splitlines()[0]
            return {}


def now() -> datetime:
    """The time in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def _next(one: Schedule) -> str:
    moment = one.next(now())
    return shown(moment, one.timetable.zone) if moment is not None else "never again"


def _missed_last(one: Schedule) -> bool:
    if not one.missed:
        return False
    return not one.fired or one.missed[-1].last > one.fired[-1].slot


def _row(one: Schedule) -> tuple[str, ...]:
    zone = one.timetable.zone
    last = missed = "none yet"
    if one.fired:
        slot = one.fired[-1]
        last = f"{shown(slot.slot, zone)}: {slot.run}, {slot.state or 'going'}"
    if one.missed:
        lost = one.missed[-1]
        missed = f"{shown(lost.last, zone)}: {lost.reason}"
    fired, lost_count = one.counts
    return (one.name, str(one.timetable), _next(one), last, missed, str(fired), str(lost_count))
