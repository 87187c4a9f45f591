"""The owner file: how a command finds the process that holds the database and may speak to it.

It stands beside the database and only its owner can read it. The lock on the database decides who
owns the file; this file only says where that process listens, and a stale one is never believed.
"""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from mitigations.errors import InvalidFile
from mitigations.files import read_text, write_atomic

SUFFIX = ".owner"
PRIVATE = 0o600


class Owner(BaseModel):
    """A serving process: who, where, and the secret that local commands show it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pid: int
    url: str
    secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """The owner file this process wrote."""

    path: Path
    owner: Owner

    def withdraw(self) -> None:
        """Remove the file, unless another process has taken the place since."""
        if _read(self.path) == self.owner:
            self.path.unlink(missing_ok=True)


def owner_path(db: Path) -> Path:
    """Where the owner file of a database is."""
    return db.with_name(f"{db.name}{SUFFIX}")


def announce(db: Path, *, url: str, secret: str) -> Announced:
    """Write the owner file of the database this process has opened."""
    path = owner_path(db)
    owner = Owner(pid=os.getpid(), url=url, secret=secret)
    write_atomic(path, owner.model_dump_json() + "\n", mode=PRIVATE)
    return Announced(path=path, owner=owner)


def find_owner(db: Path) -> Owner | None:
    """Who says it serves this database: our own user's file, and a process that is alive.

    None when nobody does. Whoever is found must still answer to the secret before it is believed.
    """
    path = owner_path(db)
    try:
        found = path.stat()
    except OSError:
        return None
    if found.st_uid != os.getuid() or found.st_mode & 0o077:
        return None
    owner = _read(path)
    return owner if owner is not None and is_alive(owner.pid) else None


def new_secret() -> str:
    """256 random bits as text."""
    return secrets.token_urlsafe(32)


def _read(path: Path) -> Owner | None:
    try:
        return Owner.model_validate(json.loads(read_text(path)))
    except (InvalidFile, ValidationError, ValueError):
        return None


def is_alive(pid: int) -> bool:
    """Whether there is such a process on this machine."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
