"""Virtual time for many tasks: the earliest sleeper wakes when nobody else can run."""

import asyncio
import heapq
import itertools
from collections.abc import Coroutine
from typing import Any

from runner.limits import Timer


class World:
    """A clock that only moves when everybody sleeps."""

    TURNS = 8
    """Rounds of the event loop in which everything that can run does so before time moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        done = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._order), done))
        await done

    @property
    def timer(self) -> Timer:
        return Timer(clock=self.clock, sleep=self.sleep)

    def run(self, main: Coroutine[Any, Any, Any]) -> Any:
        async def drive() -> Any:
            task = asyncio.ensure_future(main)
            while not task.done():
                for _ in range(self.TURNS):
                    await asyncio.sleep(0)
                if task.done():
                    break
                assert self._sleepers, "everybody waits for somebody: a deadlock"
                self.now, _, future = heapq.heappop(self._sleepers)
                if not future.done():
                    future.set_result(None)
            return await task

        return asyncio.run(drive())
