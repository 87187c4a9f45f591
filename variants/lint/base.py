"""What every lint rule takes and gives."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from mitigations.model import Variant


class Severity(StrEnum):
    """`error` stops a plan, `warning` asks for an answer, `note` is worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class LintContext:
    """What the rules may compare a variant with. The default knows nothing and stays silent."""

    names: frozenset[str] = frozenset()
    """People, organisations and addresses of the scenarios."""
    passages: tuple[str, ...] = ()
    """Texts of the scenarios, for wording taken over from them."""
    tools: frozenset[str] | None = None
    """Every tool name the scenarios offer; None: not known."""
    channels: frozenset[str] = frozenset()
    """Addresses that are an authorised channel whether a text names them or not."""
    known: Mapping[str, Variant] = field(default_factory=dict)
    """The other variants of workspace and library, by id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One remark with its place and a way out."""

    line: int
    rule: str
    severity: Severity
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.line}: {self.severity}: {self.message} [{self.rule}]\n  {self.fix}"


class Hit(NamedTuple):
    """A remark before its rule is attached; `line` counts from 1 within the treatment text.

    Line 0 stands for the front matter.
    """

    line: int
    message: str
    fix: str


Check = Callable[[Variant, LintContext], Iterator[Hit]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing a reviewer would say."""

    name: str
    severity: Severity
    why: str
    """One sentence for the reference page: what it is about and why it matters."""
    check: Check


def rule(severity: Severity, why: str) -> Callable[[Check], Rule]:
    """Make a `Rule` of a check function; its name is the function's with hyphens."""

    def make(check: Check) -> Rule:
        name = str(getattr(check, "__name__", "")).replace("_", "-")
        return Rule(name=name, severity=severity, why=why, check=check)

    return make


def line_of(text: str, offset: int) -> int:
    """The line of a character offset, counted from 1."""
    return text.count("\n", 0, offset) + 1


def matches(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, str]]:
    """Line and wording of the first match of each distinct wording."""
    seen: set[str] = set()
    for match in pattern.finditer(text):
        wording = " ".join(match[0].split())
        if wording.lower() not in seen:
            seen.add(wording.lower())
            yield line_of(text, match.start()), wording
