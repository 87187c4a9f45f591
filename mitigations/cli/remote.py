"""Speaking to the service that owns the database, when there is one."""

import http.client
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlsplit

from mitigations.errors import (
    DatabaseBusy,
    Interrupted,
    MitigationsError,
    NoData,
    OverBudget,
    StorageFailed,
)

TIMEOUT_S = 600.0
HELLO_S = 5.0


_BY_CODE: dict[int, type[MitigationsError]] = {
    kind.exit_code: kind for kind in (StorageFailed, NoData, OverBudget, DatabaseBusy, Interrupted)
}


def refused(message: str, code: int) -> MitigationsError:
    """What the service said instead of doing it, as the error that leaves with its code."""
    return _BY_CODE.get(code, MitigationsError)(message)


class Remote:
    """The service of a database, shown the secret of its owner file."""

    def __init__(self, url: str, secret: str, *, pid: int) -> None:
        self._address, self._secret, self.pid = urlsplit(url), secret, pid

    def get(self, path: str) -> Any:
        """A JSON answer."""
        return json.loads(self._ask("GET", path, None))

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """A JSON answer to a JSON question."""
        return json.loads(self._ask("POST", path, body))

    def fetch(self, path: str, body: dict[str, Any]) -> bytes:
        """An answer as bytes."""
        return self._ask("POST", path, body)

    def run_path(self, run: str, *more: str) -> str:
        """The address of a run's job."""
        return "/".join(("/api/owner/runs", quote(run, safe=""), *more))

    @classmethod
    def answering(cls, url: str, secret: str, *, pid: int, db: Path) -> "Self | None":
        """The service, if it answers to the secret and serves this very database."""
        found = cls(url, secret, pid=pid)
        try:
            said = json.loads(found._ask("GET", "/api/owner", None, timeout=HELLO_S))
        except (MitigationsError, ValueError):
            return None
        serves = said.get("pid") == pid and said.get("database") == str(db.resolve())
        return found if serves else None

    def _ask(
        self, method: str, path: str, body: dict[str, Any] | None, *, timeout: float = TIMEOUT_S
    ) -> bytes:
        connection = http.client.HTTPConnection(
            self._address.hostname or "", self._address.port, timeout=timeout
        )
        headers = {"authorization": f"Bearer {self._secret}"}
        data = None
        if body is not None:
            data, headers["content-type"] = json.dumps(body), "application/json"
        try:
            connection.request(method, path, body=data, headers=headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as exc:
            raise StorageFailed(
                f"the service (PID {self.pid}) does not answer: {exc}\n"
                "  Nothing acknowledged is lost; look at its page, or start it again."
            ) from exc
        finally:
            connection.close()
        if answer.status >= 400:
            raise _refusal(content, answer.status)
        return content


def _refusal(content: bytes, status: int) -> MitigationsError:
    try:
        said = json.loads(content)
        return refused(str(said["error"]), int(said["exit_code"] or 1))
    except (ValueError, KeyError, TypeError):
        return refused(f"the service answered with HTTP {status}", 1)


def service_of(db: Path) -> Remote | None:
    """The service that owns a database, or None: then a command opens the file itself."""
    if not db.with_name(f"{db.name}.owner").exists():
        return None
    from mitigations.compose.ownership import find_owner  # noqa: PLC0415 - start-up stays light

    owner = find_owner(db)
    if owner is None:
        return None
    return Remote.answering(owner.url, owner.secret, pid=owner.pid, db=db)


def follow(
    remote: Remote,
    run: str,
    *,
    started: Callable[[dict[str, Any]], None],
    advanced: Callable[[int, int, float | None], None],
    noted: Callable[[dict[str, Any]], None],
    pause: Callable[[], None],
) -> dict[str, Any]:
    """Watch a job to its end; Ctrl-C asks it to stop, and once more to give up what is in flight.

    `advanced` is given the new trials, those lost among them, and what they cost; `noted` how far
    each batch is.
    """
    before: dict[str, Any] | None = None
    while True:
        try:
            now = remote.get(remote.run_path(run))
            if now["has_started"]:
                if before is None:
                    started(now)
                    before = {"new": 0, "lost": 0, "cost_usd": 0.0}
                if now["new"] > before["new"]:
                    advanced(
                        now["new"] - before["new"],
                        now["lost"] - before["lost"],
                        _difference(now["cost_usd"], before["cost_usd"]),
                    )
                before = now
            for batch in now["batches"]:
                noted(batch)
            if now["state"] in {"finished", "stopped", "failed"}:
                return dict(now)
            pause()
        except KeyboardInterrupt:
            remote.post(remote.run_path(run, "stop"), {})


def _difference(now: float | None, before: float | None) -> float | None:
    return None if now is None or before is None else now - before
