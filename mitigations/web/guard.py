"""What every request passes first: host, size, origin, identity; and the headers of every answer.

Plain ASGI, so that it also stands before static files and before anything a framework may do.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mitigations.web.access import COOKIE, LOCAL, Access, Who

MAX_BODY = 1_000_000
MAX_COMMAND = 64 * MAX_BODY
"""What a command of our own user may send: the rows it asks for, a file of labels."""
READING = "/api/owner/views"
"""Questions of such a command: they are sent as changes are, and change nothing."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not `no-referrer`: a browser would then send forms with `Origin: null`.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosts:
    """The names this service answers to. A name that is not listed may be a rebound one."""

    names: frozenset[str]

    @classmethod
    def of(cls, names: Iterable[str]) -> "Hosts":
        """From names without port; compared without case."""
        return cls(names=frozenset(name.strip("[]").lower() for name in names))

    def has(self, host: str) -> bool:
        """Whether a `Host` header names one of ours, whichever port it adds."""
        return _name_of(host) in self.names

    def has_origin(self, origin: str, host: str) -> bool:
        """Whether an `Origin` is this very service: one of our names, and the port asked for."""
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        if parts.scheme not in {"http", "https"}:
            return False
        return self.has(parts.netloc) and parts.netloc.lower() == host.lower()


def _name_of(host: str) -> str:
    text = host.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0]


class Guard:
    """The middleware. What it refuses never reaches a route."""

    def __init__(
        self, app: ASGIApp, *, access: Access, hosts: Hosts, changed: Callable[[], None]
    ) -> None:
        self._app, self._access, self._hosts, self._changed = app, access, hosts, changed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on with `request.state.who` set (None: nobody is signed in)."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        guarded = _with_headers(send)
        refusal = self._refuse_early(headers)
        who = None if refusal else self._who(headers)
        most = MAX_COMMAND if who is not None and who.via == "command" else MAX_BODY
        body = None if refusal else await _body(receive, headers, most)
        if refusal is None and body is None:
            refusal = _refusal(scope, 413, f"the body is larger than {most:,} bytes")
        if refusal is None:
            scope.setdefault("state", {})["who"] = who
            if scope["method"] not in SAFE and not self._may_write(headers, who):
                refusal = _refusal(
                    scope, 403, "a change must come from a page of this service, or with a token"
                )
        if refusal is not None:
            await refusal(scope, receive, guarded)
            return
        try:
            await self._app(scope, _replay(body or b"", receive), guarded)
        finally:
            if scope["method"] not in SAFE and not scope["path"].startswith(READING):
                self._changed()

    def _refuse_early(self, headers: Headers) -> Response | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._hosts.has(hosts[0]):
            return PlainTextResponse(
                "This service does not answer to that host name; see --allow-host.\n", 421
            )
        return None

    def _who(self, headers: Headers) -> Who | None:
        authorization = headers.get("authorization")
        if authorization is not None:
            # A wrong token is nobody, also where no token is needed.
            return self._access.by_bearer(authorization)
        if self._access.is_open:
            return LOCAL
        session = session_of(headers)
        return self._access.by_session(session) if session else None

    def _may_write(self, headers: Headers, who: Who | None) -> bool:
        if who is not None and who.via in {"token", "command"}:
            # Only a program sets this header; a browser never does so by itself.
            return True
        origin = headers.get("origin")
        return origin is not None and self._hosts.has_origin(origin, headers.get("host", ""))


def session_of(headers: Headers) -> str | None:
    """The session id in the cookie header, if there is one."""
    cookie: SimpleCookie = SimpleCookie()
    try:
        cookie.load(headers.get("cookie", ""))
    except CookieError:
        return None
    found = cookie.get(COOKIE)
    return found.value if found else None


async def _body(receive: Receive, headers: Headers, most: int) -> bytes | None:
    """The whole body, or None when it passes the cap; read no further than that."""
    declared = headers.get("content-length", "0")
    if declared.isascii() and declared.isdigit() and int(declared) > most:
        return None
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b""
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > most:
            return None
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once and then what the server says."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _with_headers(send: Send) -> Send:
    """A `send` that adds our headers where an answer does not carry its own."""

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return guarded


def _refusal(scope: Scope, status: int, text: str) -> Response:
    if scope["path"].startswith("/api/"):
        return JSONResponse({"error": text}, status)
    return PlainTextResponse(f"{text[0].upper()}{text[1:]}.\n", status)


def loopback_only(host: str) -> bool:
    """Whether an address to bind is one that only this machine can reach."""
    return host in LOOPBACK or host.startswith("127.")


def allowed(host: str, more: Collection[str]) -> Hosts:
    """The host names of a service bound to `host`, and what its operator adds."""
    own = () if host in {"0.0.0.0", "::"} else (host,)  # noqa: S104 - compared, never bound
    return Hosts.of((*LOOPBACK, *own, *more))
