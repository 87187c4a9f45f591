"""The line to PostgreSQL: nobody waits on it for ever; what waiting cannot mend is said at once."""

import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeVar

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict
from psycopg.generators import notifies

from runner.engine.address import Address, EngineUnavailable

T = TypeVar("T")
Say = Callable[[str], None]

ANSWER_S = 25.0
"""A statement that the server has not answered by then never will be: more than its own limit."""
PATIENCE_S = 180.0
"""How long PostgreSQL may be away in mid-run before a run or a worker gives up."""
FIRST_PATIENCE_S = 30.0
"""The same before anything was read from it: a restart is waited for, a wrong address is not."""
NOTICE_S = 3.0
"""An absence that lasts longer is told."""

CONNECTION: Mapping[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
    "application_name": "mitigations",
}
"""A cut line is noticed within about ten seconds."""
_OPTIONS = "-c statement_timeout=20000 -c idle_in_transaction_session_timeout=60000"

_FINAL: tuple[tuple[str, str], ...] = (
    (
        r'password authentication failed|no password supplied|role ".*" (does not|is not perm)',
        "Look at user and password in MITIGATIONS_DATABASE_URL.",
    ),
    (
        r"no pg_hba\.conf entry",
        "The server lets nobody in from here: its pg_hba.conf says who may come from where.",
    ),
    (
        r'database ".*" does not exist',
        "Make it once: createdb -h HOST -U USER DATABASE",
    ),
    (
        r"permission denied|must be owner",
        "The user makes two schemas: grant create on database DATABASE to USER",
    ),
    (
        r"server does not support SSL|certificate verify failed|root certificate file",
        "Look at sslmode and sslrootcert in MITIGATIONS_DATABASE_URL.",
    ),
    (
        r"unsupported startup parameter|prepared statement .* (already exists|does not exist)",
        "A pooler that shares connections between statements stands before the server: go past it.",
    ),
    (
        r"invalid (connection option|URI|value)",
        "It reads postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
    ),
)
"""What a server or driver says of faults that a person mends, and how."""


class Line(psycopg.Connection[tuple[Any, ...]]):
    """A connection whose server must answer.

    Timeouts of TCP see a dead host. They do not see a proxy that keeps the connection and passes
    nothing on, nor a server that is frozen: libpq would wait for ever.
    """

    def wait(self, gen: Any, *args: Any, **limits: Any) -> Any:
        """Wait for the server to answer, but not beyond `ANSWER_S`."""
        if limits.get("timeout") is not None or _is_listening(gen):
            return super().wait(gen, *args, **limits)
        try:
            return super().wait(gen, *args, **limits | {"timeout": ANSWER_S})
        except errors._WaitTimeout:  # noqa: SLF001 - what psycopg documents to raise here
            # In mid-statement nothing more can be asked of it; whoever holds it must see it closed.
            self.pgconn.finish()
            said = f"no answer for {ANSWER_S:.0f} s"
            raise psycopg.OperationalError(said) from None

    @classmethod
    def to(cls, address: Address, *, autocommit: bool) -> Self:
        """Connect; raises `psycopg.OperationalError`."""
        own = conninfo_to_dict(address.url)
        # What the URL sets wins, save that statements end: it may name a search path or a tenant.
        options = f"{_OPTIONS} {own.get('options') or ''}".strip()
        return cls.connect(
            address.url,
            autocommit=autocommit,
            **{key: value for key, value in CONNECTION.items() if key not in own},
            options=options,
        )


def _is_listening(gen: Any) -> bool:
    """Whether it waits for a notification, which may never come."""
    return getattr(gen, "gi_code", None) is notifies.__code__


class Patience:
    """Tries again while PostgreSQL is away; tells of it, and when it is back.

    Args:
        address: named in what is told.
        limit_s: how long it may be away.
        say: hears of an absence and of its end.
    """

    def __init__(self, address: Address, *, limit_s: float, say: Say = lambda _: None) -> None:
        self._address, self.limit_s, self._say = address, limit_s, say
        self._has_ended = threading.Event()

    def end(self) -> None:
        """Whoever still waits gives up."""
        self._has_ended.set()

    def keep(
        self, work: Callable[[], T], *, lost: Callable[[], None], limit_s: float | None = None
    ) -> T:
        """Do it, again after each loss of the line (`lost` is called); raises what stays."""
        since, pause, told = time.monotonic(), 0.1, False
        limit_s = self.limit_s if limit_s is None else min(limit_s, self.limit_s)
        while True:
            try:
                done = work()
            except Exception as exc:
                cause = driver_error(exc)
                if cause is None:
                    raise
                lost()
                waited = time.monotonic() - since
                if self._has_ended.is_set() or waited > limit_s or not may_pass(cause):
                    raise self.unavailable(cause) from None
                if waited > NOTICE_S and not told:
                    told = True
                    self._say(
                        f"PostgreSQL at {self._address.shown}: {self._reason(cause)}\n"
                        f"  Waiting for it, up to {limit_s:.0f} s; nothing is lost."
                    )
            else:
                if told:
                    self._say(f"PostgreSQL at {self._address.shown} is back.")
                return done
            self._has_ended.wait(pause)
            pause = min(2 * pause, 2.0)

    def unavailable(self, exc: psycopg.Error) -> EngineUnavailable:
        """The error for people: where, what, and what to do."""
        hint = next((hint for pattern, hint in _FINAL if re.search(pattern, str(exc))), "")
        if not hint and isinstance(exc, psycopg.OperationalError):
            hint = "What was acknowledged is kept; when it is back the same command goes on."
        said = f"PostgreSQL at {self._address.shown}: {self._reason(exc)}"
        return EngineUnavailable(f"{said}\n  {hint}" if hint else said)

    def _reason(self, exc: psycopg.Error) -> str:
        """One line; a driver's last attempt comes first in what it says."""
        lines = self._address.scrub(str(exc)).strip().splitlines() or [type(exc).__name__]
        _, fatal, reason = lines[0].rpartition("FATAL:")
        if fatal:
            return reason.strip()
        named = re.sub(r"^connection failed: connection to server at .*? failed: ", "", lines[0])
        return named.strip()


def driver_error(exc: BaseException) -> psycopg.Error | None:
    """The driver's own error, bare or inside SQLAlchemy's."""
    inner = getattr(exc, "orig", exc)
    if isinstance(inner, psycopg.Error):
        return inner
    # A pool that could give no connection says so without a driver's error.
    is_pool = type(exc).__module__ == "sqlalchemy.exc" and type(exc).__name__ == "TimeoutError"
    return psycopg.OperationalError("no connection was free") if is_pool else None


def may_pass(exc: psycopg.Error) -> bool:
    """Whether the server may be fine again in a moment."""
    if not isinstance(exc, psycopg.OperationalError | psycopg.InterfaceError):
        return False
    return not any(re.search(pattern, str(exc)) for pattern, _ in _FINAL)
