"""The last metre before the line: bounded bodies, no stray credentials, and a tap on the bytes.

Every client of the gateway (both SDKs, and LiteLLM where it takes a client of ours) sends through
`TappedTransport`, over one aiohttp session per host. Because the tap sees the response itself, a
reply is read from the same bytes by the same code whichever library carried it.
"""

from collections.abc import AsyncIterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Self

from runner.gateway.faults import Fault, FaultKind
from runner.gateway.hosts import AddressRefused, Hosts, guarded_resolver

BODY_LIMIT = 8_000_000
"""Bytes read of one response; a longer one is a fault, not a reply."""
_CREDENTIALS = frozenset(
    {"authorization", "x-api-key", "api-key", "x-goog-api-key", "proxy-authorization", "cookie"}
)
_NEVER_CONNECTED = frozenset(
    {
        "ClientConnectorError",
        "ClientConnectorDNSError",
        "ClientConnectorCertificateError",
        "ClientConnectorSSLError",
        "ConnectionTimeoutError",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One HTTP request and its response, as they were on the line."""

    path: str
    request: bytes
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Tap:
    """What one call did on the line."""

    exchanges: list[Exchange] = field(default_factory=list)
    fault: Fault | None = None
    """Why the last request got no response."""
    requests: int = 0
    sent: tuple[str, Mapping[str, str]] | None = None
    """Address and headers of the last request that an SDK made."""


TAP: ContextVar[Tap | None] = ContextVar("TAP", default=None)


class Oversize(Exception):
    """A response body longer than `BODY_LIMIT`."""


class TappedTransport:
    """An httpx transport around another: for httpx and for httpx2, which share their shape.

    Args:
        inner: the transport that sends.
        lib: the module (`httpx` or `httpx2`) whose types `inner` speaks.
        host: the only host this transport sends to; empty where LiteLLM knows it and we do not.
        key: the only credential it lets out.
        limit: bytes read of one response.
    """

    def __init__(
        self, inner: Any, lib: Any, *, host: str, key: str, limit: int = BODY_LIMIT
    ) -> None:
        self._inner, self._lib, self._host, self._key = inner, lib, host, key
        self._limit = limit

    async def handle_async_request(self, request: Any) -> Any:
        """Send one request, read the whole response, and show both to the tap of this call."""
        tap = TAP.get() or Tap()
        tap.requests += 1
        tap.fault = None
        self._guard(request)
        tap.sent = (str(request.url), dict(request.headers))
        try:
            await request.aread()  # an uploaded file is a stream until it is read
            response = await self._inner.handle_async_request(request)
            body = await self._read(response)
        except Exception as error:
            tap.fault = connection_fault(error)
            raise
        # The body is whole and plain now; the framing headers no longer describe it.
        headers = {name.lower(): value for name, value in response.headers.items()}
        headers.pop("transfer-encoding", None)
        encoding = headers.pop("content-encoding", "identity")
        if encoding != "identity":
            tap.fault = Fault(kind=FaultKind.BAD_BODY, detail=f"a body encoded as {encoding}")
            raise self._lib.DecodingError(f"a body encoded as {encoding}, which was not asked for")
        tap.exchanges.append(
            Exchange(
                path=request.url.path,
                request=request.content,
                status=response.status_code,
                headers=headers,
                body=body,
            )
        )
        return self._lib.Response(
            response.status_code, headers=headers, content=body, request=request
        )

    async def aclose(self) -> None:
        """Close the transport below."""
        await self._inner.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _guard(self, request: Any) -> None:
        """Refuse another host; drop every credential that is not this host's.

        The SDKs read more of the environment than we hand them.
        """
        if self._host and request.url.host.rstrip(".") != self._host.strip("[]"):
            raise AddressRefused(f"a request to {request.url.host} on the line to {self._host}")
        for name in [name for name in request.headers if name.lower() in _CREDENTIALS]:
            if self._key not in request.headers[name]:
                del request.headers[name]
        # A body that cannot inflate needs no second limit.
        request.headers["accept-encoding"] = "identity"

    async def _read(self, response: Any) -> bytes:
        chunks: list[bytes] = []
        size = 0
        stream: AsyncIterator[bytes] = response.stream
        try:
            async for chunk in stream:
                size += len(chunk)
                if size > self._limit:
                    raise Oversize(f"a response of more than {self._limit} bytes")
                chunks.append(chunk)
        finally:
            await response.aclose()
        return b"".join(chunks)


def connection_fault(error: BaseException) -> Fault:
    """The fault of a request that got no whole response, from the innermost cause it names."""
    chain: list[BaseException] = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) and cause not in chain:
        chain.append(cause)
    for link in chain:
        if isinstance(link, AddressRefused):
            return Fault(kind=FaultKind.ADDRESS, detail=str(link))
        if isinstance(link, Oversize):
            return Fault(kind=FaultKind.OVERSIZE, detail=str(link), may_be_paid=True)
    # A connection that was never made carried no request; any other may have been answered.
    made = not any(type(link).__name__ in _NEVER_CONNECTED for link in chain)
    if any(isinstance(link, TimeoutError) for link in chain):
        return Fault(kind=FaultKind.TIMEOUT, detail="no answer in time", may_be_paid=made)
    text = str(error) or type(error).__name__
    return Fault(kind=FaultKind.CONNECTION, detail=text, may_be_paid=made)


def session_factory(hosts: Hosts) -> Any:
    """A function that opens the aiohttp session of one host, inside the running loop."""
    import aiohttp  # noqa: PLC0415 - import is slow

    def open_session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=0,  # the limiter above decides how many calls are in flight
            resolver=guarded_resolver(hosts),
            keepalive_timeout=20,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
        )

    return open_session
