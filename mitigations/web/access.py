"""Who is asking, and what they may do."""

import hmac
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mitigations.errors import InvalidFile
from mitigations.web.tokens import Role, Token, digest, match, read_tokens

COOKIE = "mitigations_session"
SESSION_S = 12 * 3600
MAX_SESSIONS = 10_000
EVERYTHING = frozenset(Role)


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """The person or program behind a request."""

    name: str
    roles: frozenset[Role]
    via: Literal["loopback", "token", "session", "command", "schedule"]

    def may(self, role: Role) -> bool:
        """Whether the role was given."""
        return role in self.roles

    @property
    def is_named(self) -> bool:
        """False on an open loopback, where a form must ask who acts."""
        return self.via in {"token", "session"}


LOCAL = Who(name="local user", roles=EVERYTHING, via="loopback")
COMMAND = Who(name="command line", roles=EVERYTHING, via="command")


class Access:
    """Answers who is asking. Without a token file whoever reaches the loopback address may all."""

    def __init__(
        self,
        *,
        token_file: Path | None,
        secret: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file, self._secret, self._clock = token_file, secret, clock
        self._seen: tuple[int, int, int] | None = None
        self._tokens: tuple[Token, ...] = ()
        self._sessions: dict[str, tuple[str, float]] = {}
        """Hash of a session id to the hash of its token and when it ends."""
        self._lock = threading.Lock()
        if token_file is not None:
            self._tokens_now()

    @property
    def is_open(self) -> bool:
        """True without a token file."""
        return self._file is None

    def by_bearer(self, authorization: str) -> Who | None:
        """Who an `Authorization` header names; None for a wrong one."""
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        if hmac.compare_digest(digest(secret.strip()), digest(self._secret)):
            return COMMAND
        token = match(self._tokens_now(), secret.strip()) if self._file else None
        return None if token is None else _who(token, "token")

    def by_session(self, session: str) -> Who | None:
        """Who signed in with this cookie; a revoked token ends its sessions."""
        with self._lock:
            found = self._sessions.get(digest(session))
        if found is None or found[1] < self._clock():
            return None
        for token in self._tokens_now():
            if token.revoked is None and hmac.compare_digest(token.sha256, found[0]):
                return _who(token, "session")
        return None

    def sign_in(self, secret: str) -> tuple[Who, str] | None:
        """A token exchanged for a session id; None when the token is not known."""
        token = match(self._tokens_now(), secret.strip()) if self._file else None
        if token is None:
            return None
        session = secrets.token_urlsafe(32)
        now = self._clock()
        with self._lock:
            live = {key: value for key, value in self._sessions.items() if value[1] >= now}
            if len(live) >= MAX_SESSIONS:
                live.pop(min(live, key=lambda key: live[key][1]))
            live[digest(session)] = (token.sha256, now + SESSION_S)
            self._sessions = live
        return _who(token, "session"), session

    def sign_out(self, session: str) -> None:
        """End a session; an unknown one is no fault."""
        with self._lock:
            self._sessions.pop(digest(session), None)

    def _tokens_now(self) -> tuple[Token, ...]:
        """The file as it is now: a token revoked by the command line ends at once."""
        if self._file is None:
            return ()
        try:
            stat = self._file.stat()
            seen = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if seen != self._seen:
                self._tokens, self._seen = read_tokens(self._file), seen
        except (OSError, InvalidFile):
            # A file that is gone or damaged lets nobody in.
            return ()
        return self._tokens


def _who(token: Token, via: Literal["token", "session"]) -> Who:
    return Who(name=token.name, roles=frozenset(token.roles), via=via)
