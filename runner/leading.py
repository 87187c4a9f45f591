"""One call writes a new prefix into the provider's cache; calls that share it wait for that one.

Calls keep the order of the plan: a follower waits for the call that leads its prefix, no longer
than `PATIENCE_S`, and overtakes nobody on purpose. Within an epoch the arms stay interleaved; what
is delayed is at most the first calls of a prefix, by one latency.
"""

import asyncio
import time
from collections.abc import Callable

from mitigations.model import Complete, Reply, ReplyStatus, Request
from runner.caching import LIFE_S, prefixes

PATIENCE_S = 60.0
"""Longest wait for a leader: one that is being retried must not hold up the run."""
_MANY = 4096

_Key = tuple[str, bytes]


class Leaders:
    """Leads each new prefix by one call.

    Args:
        clock: monotonic seconds.
        life_s: how long a provider keeps a prefix after its last use.
    """

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, life_s: float = LIFE_S
    ) -> None:
        self._clock, self._life_s = clock, life_s
        self._until: dict[_Key, float] = {}
        self._leading: dict[_Key, asyncio.Event] = {}

    async def complete(self, request: Request, send: Complete) -> Reply:
        """`send(request)`, after the call that leads one of its prefixes, if one is under way."""
        if not request.cache:
            return await send(request)
        route = request.model.route
        keys = [(route, digest) for part, digest, _ in prefixes(request) if part in request.cache]
        led = [key for key in keys if await self._leads(key)]
        try:
            reply = await send(request)
        finally:
            for key in led:
                self._leading.pop(key).set()
        if reply.status is not ReplyStatus.ERROR:
            self._keep(keys)
        return reply

    async def _leads(self, key: _Key) -> bool:
        """Wait until the prefix is cached, or become the one who writes it.

        Prefixes are asked for shortest first, so that no two leaders can wait for each other.
        """
        deadline = self._clock() + PATIENCE_S
        while self._until.get(key, 0.0) <= self._clock():
            event = self._leading.get(key)
            if event is None:
                self._leading[key] = asyncio.Event()
                return True
            left = deadline - self._clock()
            try:
                await asyncio.wait_for(event.wait(), left)
            except TimeoutError:
                return False
        return False

    def _keep(self, keys: list[_Key]) -> None:
        now = self._clock()
        self._until |= dict.fromkeys(keys, now + self._life_s)
        if len(self._until) > _MANY:
            self._until = {key: until for key, until in self._until.items() if until > now}
