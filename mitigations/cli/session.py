"""What every command shares: where the database is, and how to speak."""

import os
import shutil
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from mitigations.compose.lease import Engine

DEFAULT_DB = "mitigations.duckdb"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The global options."""

    db: Path
    json: bool = False
    quiet: bool = False
    color: bool = True

    @property
    def runs(self) -> Path:
        """Where the journals of this database's runs are."""
        return self.db.parent / "runs"

    def say(self, text: str = "", *, hang: int = 2) -> None:
        """Print a line for people, its breaks `hang` columns in; silent with --quiet or --json."""
        if self.quiet or self.json:
            return
        if sys.stdout.isatty():
            # A terminal breaks lines in the middle of words; a pipe gets one line a message.
            width = min(shutil.get_terminal_size().columns, 100)
            text = "\n".join(
                textwrap.fill(line, width, subsequent_indent=" " * hang, break_on_hyphens=False)
                for line in text.splitlines()
            )
        typer.echo(text)

    @property
    def is_live(self) -> bool:
        """True where a progress display can redraw itself."""
        return sys.stderr.isatty() and self.color and not (self.quiet or self.json)


def session(context: typer.Context) -> Session:
    """The session that the global callback made."""
    found = context.find_object(Session)
    return found if found is not None else Session(db=default_db())


def engine_of(
    name: str | None, url: str | None, *, takes_part: bool = True, quiet: bool = False
) -> "Engine | None":
    """What `--engine` and `--database-url` ask for; None: this process plays every trial."""
    if name is None:
        if url is not None or not takes_part:
            option = "--database-url" if url is not None else "--workers-only"
            raise typer.BadParameter("goes with --engine dbos", param_hint=option)
        return None
    if name != "dbos":
        raise typer.BadParameter(f"no engine {name!r}; known: dbos", param_hint="--engine")
    from mitigations.compose.lease import Engine  # noqa: PLC0415 - start-up stays light
    from runner.engine import Address  # noqa: PLC0415

    return Engine(address=Address.of(url), takes_part=takes_part, say=told(quiet=quiet))


def told(*, quiet: bool) -> Callable[[str], None]:
    """Says things on standard error and at once: they are read while a long command works."""

    def say(text: str) -> None:
        if not quiet:
            typer.echo(text, err=True)

    return say


def default_db() -> Path:
    """`MITIGATIONS_DB`, else `mitigations.duckdb` in the working folder."""
    return Path(os.environ.get("MITIGATIONS_DB") or DEFAULT_DB)


def now() -> str:
    """The current time in UTC, ISO 8601 to the second."""
    return moment().strftime("%Y-%m-%dT%H:%M:%SZ")


def moment() -> datetime:
    """The same as a moment."""
    return datetime.now(UTC).replace(microsecond=0)
