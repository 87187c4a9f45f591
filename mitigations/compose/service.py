"""Speaking to the service that owns the database, when there is one.

Nothing is imported here that a command without a service would have to wait for.
"""

import http.client
import json
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlsplit

from mitigations import __version__
from mitigations.compose.ownership import find_owner
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
        if said.get("pid") != pid or said.get("database") != str(db.resolve()):
            return None
        if said.get("version") != __version__:
            raise DatabaseBusy(
                f"{db} is served by PID {pid} with version {said.get('version')}, and this is "
                f"{__version__}\n  Restart the service with this version."
            )
        return found

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
    owner = find_owner(db)
    if owner is None:
        return None
    return Remote.answering(owner.url, owner.secret, pid=owner.pid, db=db)
