"""The three clients, opened on first use. Here alone are openai, anthropic and litellm imported."""

import asyncio
import logging
import os
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from runner.gateway.express import Express
from runner.gateway.hosts import Hosts
from runner.gateway.routes import NO_KEY, Client, Route
from runner.gateway.transport import BODY_LIMIT, TAP, Tap, TappedTransport, session_factory

TAKES_A_HANDLER = frozenset(
    {"deepseek", "fireworks_ai", "gemini", "groq", "mistral", "openrouter", "together_ai", "xai"}
)
"""Providers for which LiteLLM 1.106 sends through the HTTP handler it is given. Tried one by one:
the others want an OpenAI client or a handler of their own and fail on this one."""


class Lines:
    """Open clients by route; one gateway has one, and one more for batches.

    Args:
        hosts: where keys may go.
        limit: bytes read of one response.
    """

    def __init__(self, hosts: Hosts, *, limit: int = BODY_LIMIT) -> None:
        self._hosts, self._limit = hosts, limit
        self._open: dict[tuple[Route, str], Any] = {}
        self._express: dict[tuple[Route, str], Express] = {}

    async def open(self, route: Route, key: str | None) -> None:
        """Import and build what the route needs, off the event loop: an import takes seconds."""
        spot = (route, key or NO_KEY)
        if spot not in self._open:
            await asyncio.to_thread(_IMPORTS[route.client])
            if spot not in self._open:  # another call may have come first
                self._open[spot] = self._make(route, key or NO_KEY)

    async def send(
        self, route: Route, key: str | None, parameters: Mapping[str, Any], *, timeout_s: float
    ) -> Any:
        """Make one HTTP request on an open line.

        Returns LiteLLM's response object, or None where only the tap has the response.
        """
        key = key or NO_KEY
        client = self._open[route, key]
        if route.client is Client.LITELLM:
            return await _litellm_send(client, route, key, parameters, timeout_s)
        tap = TAP.get() or Tap()
        express = self._express.get((route, key))
        if express is not None:
            await express.post(parameters, tap, timeout_s=timeout_s)
            return None
        await client.post(
            "/v1/messages" if route.wire is Client.ANTHROPIC else "/chat/completions",
            body=dict(parameters),
            cast_to=response_type(route.wire),
            options={"max_retries": 0, "timeout": timeout_s},
        )
        if tap.sent is not None and (route, key) not in self._express:
            # Served: what follows on this line differs in its body alone.
            session = session_factory(self._hosts)()
            self._express[route, key] = Express(session, *tap.sent, limit=self._limit)
        return None

    def client(self, route: Route, key: str | None) -> Any:
        """The open client of a route: the SDK's own, for what is no completion."""
        return self._open[route, key or NO_KEY]

    async def close(self) -> None:
        """Close every client."""
        while self._open:
            _, client = self._open.popitem()
            if client is not None:
                await client.close()
        while self._express:
            _, express = self._express.popitem()
            await express.close()

    def _make(self, route: Route, key: str) -> Any:
        url = route.base_url
        if url is None:
            # Elsewhere LiteLLM brings its own client, and there is no tap.
            tapped = route.model.partition("/")[0] in TAKES_A_HANDLER
            return _litellm_handler("", key, self._hosts) if tapped else None
        if route.wire is Client.OPENAI:
            return _openai(url, route.host, key, self._hosts, self._limit)
        if route.client is Client.LITELLM:
            return _litellm_handler(route.host, key, self._hosts)
        return _anthropic(url, route.host, key, self._hosts, self._limit)


async def _litellm_send(
    client: Any, route: Route, key: str, parameters: Mapping[str, Any], timeout_s: float
) -> Any:
    options: dict[str, Any] = {} if key == NO_KEY and route.base_url is None else {"api_key": key}
    if client is not None:
        options["client"] = client
    if route.base_url is not None:
        options["api_base"] = route.base_url
    return await import_litellm().acompletion(
        **parameters,
        **options,
        timeout=timeout_s,
        num_retries=0,
        max_retries=0,
        # With tools it would import `mcp`, which it does not depend on.
        _skip_mcp_handler=True,
    )


def _openai(url: str, host: str, key: str, hosts: Hosts, limit: int) -> Any:
    import httpx  # noqa: PLC0415 - seconds of import, inside the call that needs it
    import httpx_aiohttp  # noqa: PLC0415 - the same
    import openai  # noqa: PLC0415 - the same

    inner = httpx_aiohttp.AiohttpTransport(client=session_factory(hosts))
    transport: Any = TappedTransport(inner, httpx, host=host, key=key, limit=limit)
    line = openai.DefaultAioHttpClient(transport=transport, follow_redirects=False, trust_env=False)
    return openai.AsyncOpenAI(api_key=key, base_url=url, max_retries=0, http_client=line)


def _anthropic(url: str, host: str, key: str, hosts: Hosts, limit: int) -> Any:
    import anthropic  # noqa: PLC0415 - seconds of import, inside the call that needs it
    import httpx2  # noqa: PLC0415 - the same
    from httpx_aiohttp.httpx2 import AiohttpTransport  # noqa: PLC0415 - the same

    inner = AiohttpTransport(client=session_factory(hosts))
    transport: Any = TappedTransport(inner, httpx2, host=host, key=key, limit=limit)
    line = anthropic.DefaultAioHttpClient(
        transport=transport, follow_redirects=False, trust_env=False
    )
    return anthropic.AsyncAnthropic(api_key=key, base_url=url, max_retries=0, http_client=line)


def _litellm_handler(host: str, key: str, hosts: Hosts) -> Any:
    import httpx  # noqa: PLC0415 - seconds of import, inside the call that needs it
    import httpx_aiohttp  # noqa: PLC0415 - the same
    from litellm.llms.custom_httpx.http_handler import (  # noqa: PLC0415 - the same
        AsyncHTTPHandler,
    )

    inner = httpx_aiohttp.AiohttpTransport(client=session_factory(hosts))
    transport: Any = TappedTransport(inner, httpx, host=host, key=key)
    return AsyncHTTPHandler(transport=transport, follow_redirects=False)


def response_type(wire: Client) -> Any:
    """What an SDK is told to return so that it parses nothing: the bare response."""
    if wire is Client.ANTHROPIC:
        import httpx2  # noqa: PLC0415 - imported already, with the client

        return httpx2.Response
    import httpx  # noqa: PLC0415 - the same

    return httpx.Response


def _import_openai() -> None:
    import openai  # noqa: F401, PLC0415 - seconds of import, inside the call that needs it

    _hush()


def _import_anthropic() -> None:
    import anthropic  # noqa: F401, PLC0415 - the same

    _hush()


def _hush() -> None:
    """Keep the libraries' own logs out: at debug level they hold prompts, at others error texts.

    What a call did is told by `on_attempt`, redacted.
    """
    for name in ("openai", "anthropic", "httpx", "httpx2", "LiteLLM", "aiohttp"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def import_litellm() -> Any:
    """LiteLLM, kept from the network, from `.env` files and from printing."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("LITELLM_MODE", "PRODUCTION")
    import litellm  # noqa: PLC0415 - 6-10 s of import, inside the call that needs it

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    litellm.drop_params = False
    # It dumps odd replies through pydantic, which would print the model's text to the terminal.
    warnings.filterwarnings("ignore", message="Pydantic serializer warnings")
    _hush()
    return litellm


_IMPORTS: Mapping[Client, Callable[[], Any]] = {
    Client.OPENAI: _import_openai,
    Client.ANTHROPIC: _import_anthropic,
    Client.LITELLM: import_litellm,
}
