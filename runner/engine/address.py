"""Where PostgreSQL is: an address that shows everything but its password."""

import os
import re
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import unquote, urlsplit

from mitigations.errors import MitigationsError

VARIABLE = "MITIGATIONS_DATABASE_URL"


class EngineUnavailable(MitigationsError):
    """PostgreSQL cannot be reached, or nobody is there to work."""

    exit_code = 1


class EngineFailed(MitigationsError):
    """A worker could not go on with what it was given."""

    exit_code = 1


class OtherVersion(MitigationsError):
    """Owner and worker are not the same program: their results would not be one study's."""


@dataclass(frozen=True, slots=True)
class Address:
    """A PostgreSQL database. `url` holds the password and is only ever handed to a driver."""

    url: str = field(repr=False)
    shown: str
    """Host, port and database: for people."""

    @classmethod
    def of(cls, text: str | None) -> Self:
        """From an option, or else from `MITIGATIONS_DATABASE_URL`; refuses what is no address."""
        text = text or os.environ.get(VARIABLE, "")
        if not text:
            raise EngineUnavailable(
                f"the address of PostgreSQL is missing\n"
                f"  Set {VARIABLE}, or give --database-url postgresql://USER@HOST/DATABASE"
            )
        try:
            parts = urlsplit(text)
            host, port, name = parts.hostname, parts.port, parts.path.strip("/")
        except ValueError:
            parts, host, port, name = urlsplit(""), None, None, ""
        if parts.scheme not in {"postgresql", "postgres"} or not name:
            # What was given is not repeated: it may hold a password.
            raise MitigationsError(
                "the database URL is not one of PostgreSQL\n"
                "  It reads postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
            )
        url = "postgresql" + text[text.index("://") :]
        return cls(url=url, shown=f"{host or 'local socket'}:{port or 5432}/{name}")

    def scrub(self, text: str) -> str:
        """The text without the password, however a driver may quote it."""
        query = re.findall(r"[?&]password=([^&]+)", self.url)
        for secret in {urlsplit(self.url).password or "", *query}:
            for form in {secret, unquote(secret)} - {""}:
                text = text.replace(form, "***")
        return text.replace(self.url, self.shown)
