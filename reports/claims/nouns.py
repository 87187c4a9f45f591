"""What the claims check says: one `ClaimResult` for each sentence."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """What the run says of a sentence; the worst claim in it decides."""

    NOT_A_CLAIM = "not a claim"
    SUPPORTED = "supported"
    UNSUPPORTED = "unsupported"
    CONTRADICTED = "contradicted"


ORDER = tuple(Status)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One claim of a sentence against the run."""

    status: Status
    why: str
    numbers: str = ""
    """Counts, interval and p behind it."""
    variant: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimResult:
    """One sentence of the text."""

    line: int
    text: str
    status: Status
    findings: tuple[Finding, ...] = ()


def worst(findings: tuple[Finding, ...]) -> Status:
    """The status of a sentence that makes these claims."""
    return max((one.status for one in findings), key=ORDER.index, default=Status.NOT_A_CLAIM)
