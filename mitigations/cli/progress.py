"""What a person sees while trials run: how many, how fast, what it cost so far, time left."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any, Self

import typer

from mitigations.cli.session import Session
from mitigations.compose.planning.durations import duration
from mitigations.compose.running import Started
from mitigations.model import Outcome, OutcomeStatus
from runner.batch_nouns import BatchNote

LINE_EVERY_S = 10.0


class Progress:
    """Redraws one line on a terminal; elsewhere prints a plain line every ten seconds."""

    def __init__(self, session: Session, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._session, self._clock = session, clock
        self._start = self._last = clock()
        self._total = self._before = self._new = self._lost = 0
        self._cost: float | None = 0.0
        self._batches: dict[str, int] = {}
        self._bar: Any = None
        self._task: Any = None
        self._screen: AbstractContextManager[Any] = nullcontext()

    def __enter__(self) -> Self:
        if self._session.is_live:
            from rich.console import Console  # noqa: PLC0415 - only where a bar is drawn
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn  # noqa: PLC0415
            from rich.progress import Progress as Bar  # noqa: PLC0415

            self._bar = Bar(
                TextColumn("trials"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[note]}"),
                console=Console(stderr=True),
            )
            self._screen = self._bar
        self._screen.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._screen.__exit__(kind, value, trace)

    def __call__(self, event: Started | Outcome) -> None:
        """Take note of the start or of an outcome."""
        if isinstance(event, Started):
            self._begin(event)
            return
        self.advance(1, int(event.status is not OutcomeStatus.SCORED), event.cost_usd)

    def advance(self, new: int, lost: int, cost_usd: float | None) -> None:
        """Take note of trials that ended, of those lost among them, and of what they cost."""
        self._new += new
        self._lost += lost
        known = self._cost is not None and cost_usd is not None
        self._cost = (self._cost or 0.0) + (cost_usd or 0.0) if known else None
        if self._bar is not None:
            self._bar.update(self._task, advance=new, note=self.note())
        elif self._clock() - self._last >= LINE_EVERY_S or self._before + self._new == self._total:
            self._last = self._clock()
            self._line()

    def _begin(self, event: Started) -> None:
        self._total, self._before = event.total, event.done
        self._start = self._last = self._clock()
        if event.done:
            self._session.say(f"Resuming {event.run}: {event.done} of {event.total} trials done.")
        if event.possibly_paid_twice:
            self._session.say(
                f"{event.possibly_paid_twice} calls were in flight when it stopped; "
                "they are sent again and possibly paid twice."
            )
        if self._bar is not None:
            self._task = self._bar.add_task(
                "trials", total=event.total, completed=event.done, note=""
            )

    def batch(self, event: BatchNote) -> None:
        """Take note of how far a batch is: a line whenever it changed."""
        of = f" of {event.total}" if event.total else ""
        text = f"batch {event.batch} of {event.model}: {event.done}{of} done"
        if self._bar is not None:
            self._bar.update(self._task, note=text)
        elif self._batches.get(event.batch) != event.done and not (
            self._session.quiet or self._session.json
        ):
            typer.echo(f"{text}, waiting {duration(self._clock() - self._start)}", err=True)
        self._batches[event.batch] = event.done

    def _line(self) -> None:
        if not (self._session.quiet or self._session.json):
            done = self._before + self._new
            typer.echo(f"{done}/{self._total} trials  {self.note()}", err=True)

    def note(self) -> str:
        """Rate, time left, cost so far, lost trials."""
        elapsed = max(self._clock() - self._start, 1e-9)
        rate = self._new / elapsed
        left = (self._total - self._before - self._new) / rate if rate else 0.0
        cost = "cost unknown" if self._cost is None else f"${self._cost:.2f} so far"
        parts = [f"{rate:.1f}/s", f"{duration(left)} left", cost]
        if self._lost:
            parts.append(f"{self._lost} lost")
        return "  ".join(parts)
