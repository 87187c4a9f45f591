"""One number for all outcome rows of a run, whatever their order: what a seal holds.

The same number comes from the rows in the database (`sql/digest.sql`) and from outcomes as they are
recorded, so a row that was changed, added or removed later is seen without reading the journal.
"""

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mitigations.model import Outcome
from mitigations.store.rows import COLUMNS, to_row

FIELDS = COLUMNS
"""Columns a digest covers, in the order of the statement."""
_FRACTIONS = {"cost_usd", "latency_s", "unconfirmed_usd"}
NUMBERS = (
    *("trial", "variant", "treatment_hash", "scenario", "scenario_hash", "twin", "model", "repeat"),
    *("position", "status", "coercive", "severity", "rule_severity", "task_completed"),
    *("needless_refusal", "needless_escalation", "duty_reported", "requested_model"),
    *("served_model", "fingerprint", "cost_usd", "rerun"),
)
"""The columns that a report's numbers stand on, in the order of `sql/digest_numbers.sql`."""
_PLACES = tuple((COLUMNS.index(name), name in _FRACTIONS) for name in FIELDS)
_NUMBERS = tuple(FIELDS.index(name) for name in NUMBERS)


@dataclass(slots=True)
class Tally:
    """Rows so far and the XOR of their hashes, over all columns and over those of numbers."""

    outcomes: int = 0
    digest: int = 0
    numbers: int = 0

    def add(self, row: Sequence[Any]) -> None:
        """Take in a row in the order of `COLUMNS`."""
        texts = [_text(row[place], fraction=fraction) for place, fraction in _PLACES]
        self.digest ^= _hashed(texts)
        self.numbers ^= _hashed([texts[place] for place in _NUMBERS])
        self.outcomes += 1

    def join(self, other: "Tally") -> "Tally":
        """Both together."""
        return Tally(
            self.outcomes + other.outcomes,
            self.digest ^ other.digest,
            self.numbers ^ other.numbers,
        )


def tally(outcomes: Iterable[Outcome], *, twins: frozenset[str]) -> Tally:
    """The tally of outcomes as the store would land them."""
    found = Tally()
    for outcome in outcomes:
        found.add(to_row(outcome, twin=outcome.trial.scenario in twins))
    return found


def _hashed(texts: Iterable[str]) -> int:
    hashed = hashlib.md5("\x1f".join(texts).encode(), usedforsecurity=False).digest()
    # DuckDB's md5_number reads the hash with its first byte least significant.
    return int.from_bytes(hashed, "little")


def _text(value: Any, *, fraction: bool) -> str:
    """As DuckDB writes the value; None is a mark that no number is."""
    if value is None:
        return "-"
    if fraction:
        return str(math.floor(value * 1e9 + 0.5))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(value)
    return str(value)
