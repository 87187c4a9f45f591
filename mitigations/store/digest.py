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
_PLACES = tuple((COLUMNS.index(name), name in _FRACTIONS) for name in FIELDS)


@dataclass(slots=True)
class Tally:
    """Rows so far and the XOR of their hashes."""

    outcomes: int = 0
    digest: int = 0

    def add(self, row: Sequence[Any]) -> None:
        """Take in a row in the order of `COLUMNS`."""
        text = "\x1f".join(_text(row[place], fraction=fraction) for place, fraction in _PLACES)
        hashed = hashlib.md5(text.encode(), usedforsecurity=False).digest()
        # DuckDB's md5_number reads the hash with its first byte least significant.
        self.digest ^= int.from_bytes(hashed, "little")
        self.outcomes += 1

    def join(self, other: "Tally") -> "Tally":
        """Both together."""
        return Tally(self.outcomes + other.outcomes, self.digest ^ other.digest)


def tally(outcomes: Iterable[Outcome], *, twins: frozenset[str]) -> Tally:
    """The tally of outcomes as the store would land them."""
    found = Tally()
    for outcome in outcomes:
        found.add(to_row(outcome, twin=outcome.trial.scenario in twins))
    return found


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
