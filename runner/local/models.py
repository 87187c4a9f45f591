"""`local/*` routes: which weights they mean, and the servers that were started for them."""

import asyncio
import itertools
import os
import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Self

from mitigations.errors import UnknownName
from mitigations.model import ModelSpec
from runner.local.server import LocalServer
from runner.local.weights import MODELS, locate


def default_processes() -> int:
    """One server for each core, at most two: each computes in one thread."""
    return min(2, os.cpu_count() or 1)


class LocalModels:
    """Starts a model's servers on its first use and stops them all at the end.

    The weights are hashed once for every start. Servers that died are started anew.
    """

    def __init__(self, *, processes: int | None = None, deadline_s: float = 60.0) -> None:
        self._processes = processes or default_processes()
        self._deadline_s = deadline_s
        self._servers: dict[str, tuple[LocalServer, ...]] = {}
        self._starting = asyncio.Lock()
        self._turn = itertools.count()

    async def spec(self, model: ModelSpec, *, prompt: str | None = None) -> ModelSpec:
        """The spec with a running server's `base_url`; any other provider's comes back as it is.

        Servers keep the prompts they have read. With `prompt`, equal prompts go to the same server
        and are read once; without, servers take turns.

        Raises:
            UnknownName: there is no such embedded model.
            ModelUnavailable: weights missing or changed, package missing, server not ready.
        """
        if model.provider != "local":
            return model
        if model.name not in MODELS:
            raise UnknownName("embedded model", model.name, MODELS)
        async with self._starting:
            servers = self._servers.get(model.name, ())
            if not servers or not all(server.is_running for server in servers):
                await _stop(servers)
                servers = await self._start(model.name)
        turn = next(self._turn) if prompt is None else zlib.crc32(prompt.encode("utf-8", "replace"))
        return replace(model, base_url=servers[turn % len(servers)].base_url)

    async def close(self) -> None:
        """Stop every server that was started. Calling it again does nothing."""
        while self._servers:
            _, servers = self._servers.popitem()
            await _stop(servers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    async def _start(self, name: str) -> tuple[LocalServer, ...]:
        weights = await asyncio.to_thread(locate, MODELS[name])
        servers = tuple(
            LocalServer(weights, alias=name, deadline_s=self._deadline_s)
            for _ in range(self._processes)
        )
        # Kept before they run: whatever happens while they start, `close` finds them.
        self._servers[name] = servers
        tried = await asyncio.gather(*(s.start() for s in servers), return_exceptions=True)
        if failed := next((result for result in tried if result is not None), None):
            await _stop(self._servers.pop(name))
            raise failed
        return servers


async def _stop(servers: Sequence[LocalServer]) -> None:
    await asyncio.gather(*(server.stop() for server in servers))
