"""Group commit: whatever arrives while one write is being made durable goes out with the next."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from mitigations.errors import MitigationsError

T = TypeVar("T")


class Grouped(Generic[T]):
    """A queue before a durable writer, for one event loop.

    Args:
        write: makes items durable, all of them or none; called in a thread, never twice at once.
            The first `MitigationsError` out of it is the answer to everything that follows.
        written: told of the same items in the loop, before whoever appended them goes on.
    """

    def __init__(
        self,
        write: Callable[[Sequence[T]], None],
        *,
        written: Callable[[Sequence[T]], None] = lambda _: None,
    ) -> None:
        self._write, self._written = write, written
        self._pending: list[tuple[T, asyncio.Future[None] | None]] = []
        self._flusher: asyncio.Task[None] | None = None
        self._failure: MitigationsError | None = None

    async def append(self, item: T) -> None:
        """Return once the item is durable; raises what `write` raised."""
        done = asyncio.get_running_loop().create_future()
        self._put(item, done)
        await done

    def post(self, item: T) -> None:
        """Write soon, before whatever is appended later; a failure shows at the next `append`."""
        self._put(item, None)

    async def drain(self) -> None:
        """Return once everything put so far was written or has failed."""
        if self._flusher is not None:
            await self._flusher

    async def kept(self) -> None:
        """Return once everything posted is durable; raises what `append` raises."""
        while self._flusher is not None and not self._flusher.done():
            await asyncio.shield(self._flusher)
        if self._failure is not None:
            raise self._failure

    def _put(self, item: T, done: asyncio.Future[None] | None) -> None:
        self._pending.append((item, done))
        if self._flusher is None or self._flusher.done():
            self._flusher = asyncio.create_task(self._flush())

    async def _flush(self) -> None:
        while self._pending:
            batch, self._pending = self._pending, []
            waiting = [done for _, done in batch if done is not None]
            try:
                if self._failure is not None:
                    raise self._failure
                items = [item for item, _ in batch]
                await asyncio.to_thread(self._write, items)
            except MitigationsError as exc:
                self._failure = exc
                for done in waiting:
                    if not done.done():
                        done.set_exception(exc)
                continue
            self._written(items)
            for done in waiting:
                if not done.done():
                    done.set_result(None)
