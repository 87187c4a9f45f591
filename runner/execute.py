"""Run trials with bounded concurrency; stop without losing what is already paid for."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from mitigations.errors import MitigationsError, OverBudget
from mitigations.model import Complete, Outcome, Reply, ReplyStatus, Request, Trial

Play = Callable[[Trial], Awaitable[Outcome]]
Record = Callable[[Outcome], Awaitable[None]]


class Stop:
    """A wish to stop: no new trial starts, calls in flight are finished and kept."""

    def __init__(self) -> None:
        self.reason: MitigationsError | None = None

    def because(self, reason: MitigationsError) -> None:
        """Ask for the stop; the first reason stays."""
        if self.reason is None:
            self.reason = reason


async def execute(
    trials: Iterator[Trial], *, play: Play, record: Record, concurrency: int, stop: Stop
) -> None:
    """Play the trials in order, at most `concurrency` at once, recording each as it ends.

    A `MitigationsError` out of a trial (budget, storage) stops the run: the other trials in flight
    are finished and recorded first, then it is raised. Memory does not grow with the trials.
    """

    async def worker() -> None:
        # The workers share one iterator: the next trial goes to whoever is free.
        for trial in trials:
            if stop.reason is not None:
                return
            try:
                await record(await play(trial))
            except MitigationsError as exc:
                stop.because(exc)
                return

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(worker())
    if stop.reason is not None:
        raise stop.reason


def remembered(
    complete: Complete,
    *,
    known: dict[str, Reply],
    sent: Callable[[Request], Awaitable[None]],
    replied: Callable[[Request, Reply], Awaitable[None]],
    withdrawn: Callable[[Request], Awaitable[None]],
    stop: Stop,
) -> Complete:
    """`complete` with a memory on disk: a call whose answer was kept is never paid for again.

    `known` maps the keys of calls of unfinished trials to their replies; each is used once. A call
    that ended by an error of ours (budget, a blocked model) is withdrawn: nothing is on the line.
    Once the run stops for its budget, each trial in play sends one call more at most.
    """
    last: set[str] = set()

    async def call(request: Request) -> Reply:
        reply = known.pop(request.key, None)
        if reply is not None and reply.status is not ReplyStatus.ERROR:
            return reply
        if isinstance(stop.reason, OverBudget):
            trial = request.key.partition("/")[0]
            if trial in last:
                raise stop.reason
            last.add(trial)
        await sent(request)
        try:
            reply = await complete(request)
        except MitigationsError:
            await withdrawn(request)
            raise
        await replied(request, reply)
        return reply

    return call
