"""The short way for all but the first request of a line: the SDK's headers, our bytes, aiohttp.

An SDK takes about two thirds of a call's CPU time to arrive at the same headers and the same JSON
each time. So it makes the first request of a line; the transport notes address and headers, and the
following ones repeat them with bodies of their own. Rules of the line hold here too: one host, one
credential, no redirects, bounded and plain bodies, and the tap that replies are read from.
"""

import json
from collections.abc import Mapping
from typing import Any

from runner.gateway.faults import Fault, FaultKind
from runner.gateway.transport import Exchange, Oversize, Tap, connection_fault

_OF_ONE_REQUEST = frozenset({"content-length", "host", "transfer-encoding", "idempotency-key"})
"""Headers that aiohttp writes anew, or that must never be used twice."""


def encoded(parameters: Mapping[str, Any]) -> bytes:
    """The JSON of a body, byte for byte as both SDKs write it."""
    return json.dumps(
        parameters, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).encode()


class Express:
    """Posts to one address with the headers of a request that an SDK made.

    Args:
        session: an aiohttp session.
        url: where the SDK sent its request.
        headers: what it sent with it.
        limit: bytes read of one response.
    """

    def __init__(self, session: Any, url: str, headers: Mapping[str, str], *, limit: int) -> None:
        import aiohttp  # noqa: PLC0415 - import is slow
        import yarl  # noqa: PLC0415 - comes with aiohttp

        self._session, self._limit = session, limit
        self._timeout = aiohttp.ClientTimeout
        self._url = yarl.URL(url, encoded=True)
        self._headers = {
            name: value for name, value in headers.items() if name.lower() not in _OF_ONE_REQUEST
        }

    async def post(self, parameters: Mapping[str, Any], tap: Tap, *, timeout_s: float) -> None:
        """One request; response or fault go to the tap. Raises what the line raised."""
        body = encoded(parameters)
        tap.requests += 1
        tap.fault = None
        try:
            async with self._session.post(
                self._url,
                data=body,
                headers=self._headers,
                allow_redirects=False,
                timeout=self._timeout(total=timeout_s),
            ) as response:
                raw = await self._read(response)
                headers = {name.lower(): value for name, value in response.headers.items()}
        except Exception as error:
            tap.fault = connection_fault(error)
            raise
        encoding = headers.get("content-encoding", "identity")
        if encoding != "identity":
            tap.fault = Fault(kind=FaultKind.BAD_BODY, detail=f"a body encoded as {encoding}")
            return
        tap.exchanges.append(
            Exchange(
                path=self._url.path,
                request=body,
                status=response.status,
                headers=headers,
                body=raw,
            )
        )

    async def _read(self, response: Any) -> bytes:
        chunks: list[bytes] = []
        size = 0
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > self._limit:
                raise Oversize(f"a response of more than {self._limit} bytes")
            chunks.append(chunk)
        return b"".join(chunks)

    async def close(self) -> None:
        """Close the session."""
        await self._session.close()
