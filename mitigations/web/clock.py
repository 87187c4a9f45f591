"""The clock of the service: DBOS on SQLite beside the database calls once a minute.

It only ever says "look now". What is due, and that a slot is claimed once, stands in the book of
schedules (ADR 0012): a call too many finds nothing to do, and one too few is made up by the next.
Its database keeps JSON alone: the library's own default would put pickles there, which are code.
"""

import json
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dbos import DBOS, DBOSConfig, Serializer

FILE_NAME = "schedule.sqlite"
EVERY_MINUTE = "* * * * *"
NAME = "look-for-due-slots"
TRIM_EVERY = 720
"""Calls between two clearings of the calls that DBOS has written down: half a day."""
KEPT = timedelta(days=1)


class JsonOnly(Serializer):
    """Plain JSON; a moment becomes its ISO text."""

    def serialize(self, data: Any) -> str:
        """As text; an error keeps its kind and words, never its object."""
        return json.dumps(data, default=_plain, ensure_ascii=False)

    def deserialize(self, serialized_data: str) -> Any:
        """What `json` makes of it."""
        found = json.loads(serialized_data)
        if isinstance(found, dict) and "error_of_workflow" in found:
            return RuntimeError(str(found["error_of_workflow"]))
        return found

    def name(self) -> str:
        """What the rows are marked with."""
        return "mitigations_json"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, BaseException):
        return {"error_of_workflow": type(value).__name__}
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    raise TypeError(f"{type(value).__name__} is not kept in the clock's database")


class Clock:
    """Calls `tick` once a minute from a thread of DBOS, between `start` and `stop`."""

    def __init__(self, folder: Path, tick: Callable[[], None]) -> None:
        self._path, self._tick = folder / FILE_NAME, tick
        self._busy, self._calls = threading.Lock(), 0

    def start(self) -> None:
        """Open the clock's database and begin to call."""
        config = DBOSConfig(
            name="mitigations",
            system_database_url=f"sqlite:///{self._path.resolve()}",
            serializer=JsonOnly(),
            # One owner of the workspace, whatever version it is: a restart goes on where it was.
            application_version="1",
            executor_id="service",
            log_level="ERROR",
            scheduler_polling_interval_sec=5.0,
            max_executor_threads=4,
        )
        DBOS(config=config)
        _CLOCKS.append(self)
        DBOS.launch()
        trim()
        DBOS.apply_schedules(
            [{"schedule_name": NAME, "workflow_fn": look, "schedule": EVERY_MINUTE}]
        )

    def stop(self) -> None:
        """Call no more, and give the database back."""
        if self in _CLOCKS:
            _CLOCKS.remove(self)
        DBOS.destroy()

    def fire_now(self) -> None:
        """A call at once, written down like every other; returns when it has been made."""
        look(datetime.now(UTC), None)

    def call(self) -> None:
        """One call; what it raises is logged and ends nothing. Calls never run side by side."""
        if not self._busy.acquire(blocking=False):
            return
        try:
            self._calls += 1
            if self._calls % TRIM_EVERY == 0:
                # In a thread of its own: inside a workflow it would be written down as a step.
                threading.Thread(target=trim, name="trim", daemon=True).start()
            self._tick()
        except Exception:  # noqa: BLE001 - the next minute is another chance
            traceback.print_exc()
        finally:
            self._busy.release()


def trim(*, before: datetime | None = None) -> None:
    """Clear the calls of days gone by: the book says what came of them."""
    end = before or datetime.now(UTC) - KEPT
    while old := DBOS.list_workflows(
        name=NAME, end_time=end.isoformat(), limit=500, load_input=False, load_output=False
    ):
        DBOS.delete_workflows([one.workflow_id for one in old])


_CLOCKS: list[Clock] = []
"""The clock of this process; DBOS is one a process, and its workflows are module functions."""


@DBOS.workflow(name=NAME)
def look(due: Any, context: Any) -> None:
    """What DBOS calls, and writes down that it did."""
    del due, context
    for clock in _CLOCKS:
        clock.call()
