"""`local/*` routes: which weights they mean, and the servers that were started for them."""

import asyncio
from dataclasses import replace
from typing import Self

from mitigations.errors import UnknownName
from mitigations.model import ModelSpec
from runner.local.server import LocalServer
from runner.local.weights import MODELS, locate


class LocalModels:
    """Starts a model's server on its first use and stops them all at the end.

    The weights are hashed once for every start of a server. A server that died is started anew.
    """

    def __init__(self, *, slots: int | None = None, deadline_s: float = 60.0) -> None:
        self._slots, self._deadline_s = slots, deadline_s
        self._servers: dict[str, LocalServer] = {}
        self._starting = asyncio.Lock()

    async def spec(self, model: ModelSpec) -> ModelSpec:
        """The spec with the running server's `base_url`; any other provider's comes back as it is.

        Raises:
            UnknownName: there is no such embedded model.
            ModelUnavailable: weights missing or changed, package missing, server not ready.
        """
        if model.provider != "local":
            return model
        if model.name not in MODELS:
            raise UnknownName("embedded model", model.name, MODELS)
        async with self._starting:
            server = self._servers.get(model.name)
            if server is None or not server.is_running:
                if server is not None:
                    await server.stop()
                server = await self._start(model.name)
        return replace(model, base_url=server.base_url)

    async def close(self) -> None:
        """Stop every server that was started. Calling it again does nothing."""
        while self._servers:
            _, server = self._servers.popitem()
            await server.stop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    async def _start(self, name: str) -> LocalServer:
        weights = await asyncio.to_thread(locate, MODELS[name])
        server = LocalServer(weights, alias=name, slots=self._slots, deadline_s=self._deadline_s)
        await server.start()
        self._servers[name] = server
        return server
