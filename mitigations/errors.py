"""Errors a user can act on: each says what, where, and what to do next.

The command line prints the message and leaves with the class's exit code; anything that is not a
`MitigationsError` is a bug of ours and leaves with 1.
"""

import difflib
from collections.abc import Collection
from pathlib import Path
from typing import ClassVar


class MitigationsError(Exception):
    """Base of every error a user can act on."""

    exit_code: ClassVar[int] = 2


class InvalidFile(MitigationsError):
    """A file that breaks its format: names the file, the line where known, and the way out."""

    def __init__(
        self, path: Path | str, problem: str, *, fix: str = "", line: int | None = None
    ) -> None:
        self.path, self.line, self.problem, self.fix = str(path), line, problem, fix
        place = f"{path}:{line}" if line is not None else f"{path}"
        super().__init__(f"{place}: {problem}" + (f"\n  {fix}" if fix else ""))


class UnknownName(MitigationsError):
    """A name that is not among the known ones; suggests the nearest."""

    def __init__(
        self, what: str, name: str, known: Collection[str], *, where: str = "", advice: str = ""
    ) -> None:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        place = f"{where}: " if where else ""
        if near:
            hint = f"did you mean {near[0]!r}?"
        elif known:
            shown = sorted(known)
            hint = "known: " + ", ".join(shown[:8]) + (", ..." if len(shown) > 8 else "")
        else:
            hint = "none is known here"
        super().__init__(f"{place}no {what} {name!r}; {hint}" + (f"\n  {advice}" if advice else ""))


class NoData(MitigationsError):
    """A rate or effect was asked of cells without a scored trial."""

    exit_code = 4


class MissingKey(MitigationsError):
    """A provider key is not in the environment. Names the variable, never a value."""

    def __init__(self, variable: str, model: str) -> None:
        super().__init__(
            f"{model} needs the environment variable {variable}\n  export {variable}=..."
        )


class PlanChanged(MitigationsError):
    """Something the lock froze no longer matches its hash."""


class OverBudget(MitigationsError):
    """The next call could exceed the budget; the run stopped and can be resumed."""

    exit_code = 5


class NoBudget(MitigationsError):
    """A paid model and no limit on what it may cost."""

    def __init__(self, route: str) -> None:
        super().__init__(
            f"{route} costs money and no budget is set\n"
            "  Give one: --budget 25, or budget_usd: 25 in the study."
        )


class DatabaseBusy(MitigationsError):
    """Another process owns the database file."""

    exit_code = 6


class StorageFailed(MitigationsError):
    """The disk is full, read-only or the database file is damaged; nothing acknowledged is lost."""

    exit_code = 1


class ModelUnavailable(MitigationsError):
    """A model cannot be started or reached: wrong weights, missing package, port in use."""

    exit_code = 1


class Interrupted(MitigationsError):
    """Stopped by the user; the same command resumes."""

    exit_code = 130
