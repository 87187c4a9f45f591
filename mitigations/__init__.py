"""Mitigations: A/B tests for the prompts and policies that keep language models from coercing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from os import PathLike

    from mitigations.opened import Database

__version__ = "0.1.0"
__all__ = ["__version__", "open"]


def open(path: str | PathLike[str]) -> Database:  # noqa: A001 - `mitigations.open`, as users say it
    """Open a database for reading; see `docs/python.md`.

    Raises `mitigations.errors.DatabaseBusy` while a run writes to it, `InvalidFile` when it is not
    one of ours.
    """
    from pathlib import Path  # noqa: PLC0415 - `import mitigations` stays light

    from mitigations.opened import Database  # noqa: PLC0415 - the same

    return Database.open(Path(path))
