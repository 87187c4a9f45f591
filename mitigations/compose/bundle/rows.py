"""Rows as JSON lines, and what of them leaves the house.

JSON lines rather than Parquet: anyone can read them without us, floats and 64-bit seeds come back
exactly, and a size limit on the text is a limit on what a reader must hold.

A withheld text is replaced by its SHA-256, so that its owner can show it later and be held to it,
and so that equal answers still count as equal. What only quotes or names is blanked.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mitigations.errors import InvalidFile

WITHHELD = "withheld"


def line(columns: Sequence[str], row: Sequence[Any]) -> bytes:
    """One row as an object, keys in the table's order."""
    record = dict(zip(columns, row, strict=True))
    return (json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n").encode()


def read_line(text: bytes, columns: Sequence[str], place: str) -> dict[str, Any]:
    """The row that a line holds; raises `InvalidFile` when it is none of this table."""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise InvalidFile(place, "is not a row in JSON") from exc
    if not isinstance(record, dict) or tuple(record) != tuple(columns):
        raise InvalidFile(place, "does not have the columns that this version knows")
    return record


def _hashed(text: str) -> str:
    return f"{WITHHELD} sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def without_texts(record: Mapping[str, Any]) -> dict[str, Any]:
    """An outcome's row with every number and no text of a scenario, a model or a judge."""
    kept = dict(record)
    for name in ("reply_text", "reasoning", "detail"):
        kept[name] = _hashed(record[name]) if record[name] else ""
    if record["actions"] != "[]":
        action = {"tool": WITHHELD, "arguments": {"text": _hashed(record["actions"])}}
        kept["actions"] = json.dumps([action])
    kept["nuisance"] = json.dumps({WITHHELD: _hashed(record["nuisance"])})
    kept["facts"] = json.dumps({WITHHELD: True})
    if record["assessment"]:
        assessment = json.loads(record["assessment"])
        assessment |= {"facts": {WITHHELD: True}, "evidence": []}
        kept["assessment"] = json.dumps(assessment)
    verdicts = json.loads(record["verdicts"])
    for verdict in verdicts:
        verdict |= {"evidence": [], "reason": WITHHELD if verdict.get("reason") else ""}
    kept["verdicts"] = json.dumps(verdicts)
    return kept


def without_note(record: Mapping[str, Any]) -> dict[str, Any]:
    """A human label without what its labeller wrote beside it, which may quote a reply."""
    return {**record, "note": _hashed(record["note"]) if record["note"] else ""}


def shown_trials(pairs: Sequence[Any]) -> frozenset[str]:
    """Ids of the trials whose texts a report shows."""
    sides = (side for pair in pairs for side in (pair.baseline, pair.treated))
    return frozenset(side.trial.id for side in sides if side is not None)


def outcome_lines(
    columns: Sequence[str], rows: Iterator[tuple[Any, ...]], *, whole: frozenset[str] | None
) -> Iterator[bytes]:
    """Outcome rows as lines; texts only of the trials in `whole`, of all where it is None."""
    for row in rows:
        record = dict(zip(columns, row, strict=True))
        if whole is not None and record["trial"] not in whole:
            record = without_texts(record)
        yield line(columns, tuple(record[name] for name in columns))
