"""Notices of the service: made and sent in a thread of their own, so that no run waits for them."""

import os
import queue
import threading
import traceback
from collections.abc import Callable
from datetime import datetime

from mitigations.compose import noticing, telling
from mitigations.errors import MitigationsError, OverBudget
from mitigations.schedules import Claimed
from mitigations.web.jobs import Job
from mitigations.web.services import HealthSection, Services

SHOWN = 10


class NoticeBoard:
    """What began, and who was told."""

    def __init__(self, services: Services, *, base: str, now: Callable[[], datetime]) -> None:
        self._services, self._base, self._now = services, base, now
        self._book = noticing.notices_of(services.db)
        self._sends = telling.targets(os.environ)
        self._wanted: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="notices", daemon=True)
        self._thread.start()

    def slots(self, claimed: Claimed) -> None:
        """Slots were fired or missed."""
        self._wanted.put(lambda: noticing.slots_looked_at(self._book, claimed, at=self._now()))

    def run_ended(self, job: Job) -> None:
        """A run has ended, in whichever way."""

        def look() -> None:
            with self._services.reading() as store:
                noticing.run_ended(
                    self._book,
                    store,
                    study=job.plan.study,
                    run=job.run,
                    state=job.state.value,
                    over_budget=isinstance(job.error, OverBudget),
                    at=self._now(),
                )

        self._wanted.put(look)
        self.send()

    def send(self) -> None:
        """Make the attempts that are due."""
        if self._sends:
            self._wanted.put(
                lambda: telling.tell(self._book, self._sends, base=self._base, now=self._now)
            )

    def close(self) -> None:
        """End after what is asked already; what is unsent is tried by the next service."""
        self._wanted.put(None)
        self._thread.join(2 * telling.TIMEOUT_S)

    def health(self) -> HealthSection:
        """The latest notices and how telling went."""
        try:
            rows = tuple(telling.failures(self._book, SHOWN))
        except MitigationsError as exc:
            return HealthSection(id="notices", title="Notices", summary=str(exc), is_well=False)
        who = f"Told to: {', '.join(self._sends)}." if self._sends else (
            f"Nobody is told: set {telling.WEBHOOK} or {telling.OTHERS} for the service."
        )  # fmt: skip
        unsent = [row for row in rows if "given up" in row[2]]
        return HealthSection(
            id="notices",
            title="Notices",
            summary=f"{who} {'Some could not be delivered.' if unsent else ''}".strip(),
            is_well=not unsent if rows else None,
            columns=("When", "What", "Delivery") if rows else (),
            rows=rows,
        )

    def _work(self) -> None:
        while (wanted := self._wanted.get()) is not None:
            try:
                wanted()
            except Exception:  # noqa: BLE001 - a notice that fails must fail nothing else
                traceback.print_exc()
