"""One trial as a row that `mitigations analyze` reads, whatever tool it comes from."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from mitigations.errors import InvalidFile
from mitigations.files import write_atomic
from reports import clean
from reports.tables import guard

SCORED = "scored"
NOT_RUN = "not-run"
UNSCORED = "unscored"
LIMIT = "limit"
INVALIDATED = "invalidated"
SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One trial; `coercive` None is a lost one, and `status` says why."""

    variant: str
    scenario: str
    model: str
    repeat: int
    coercive: bool | None
    status: str = SCORED
    detail: str = ""
    twin: bool = False
    """A benign twin: it measures side effects and is no part of the coercive rate."""
    baseline: str = ""
    """The variant that the others are compared with; the same in every row."""
    source: str = ""
    """The file it was read from."""
    sample: str = ""
    source_epoch: int = 0


COLUMNS = tuple(field.name for field in fields(Row))


def write_rows(rows: Iterable[Row], path: Path) -> int:
    """Write `.csv` or `.parquet`, whole or not at all; returns the number of rows."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InvalidFile(path, f"has the extension {suffix!r}", fix="Write .csv or .parquet.")
    held = list(rows)
    write_atomic(path, _csv(held) if suffix == ".csv" else _parquet(held))
    return len(held)


def _csv(rows: Iterable[Row]) -> str:
    out = io.StringIO(newline="")
    sheet = csv.writer(out)
    sheet.writerow(COLUMNS)
    sheet.writerows([_cell(getattr(row, name)) for name in COLUMNS] for row in rows)
    return out.getvalue()


def _cell(value: str | int | bool | None) -> str | int:
    """A lost trial is an empty cell; a text is never a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return int(value)
    return guard(value) if isinstance(value, str) else value


def _parquet(rows: list[Row]) -> bytes:
    import pyarrow as pa  # noqa: PLC0415 - heavy
    from pyarrow import parquet  # noqa: PLC0415 - heavy

    kinds = {"repeat": pa.int64(), "source_epoch": pa.int64()}
    kinds |= {"coercive": pa.bool_(), "twin": pa.bool_()}
    schema = pa.schema([pa.field(name, kinds.get(name, pa.string())) for name in COLUMNS])
    data = {name: list(_values(rows, name)) for name in COLUMNS}
    sink = io.BytesIO()
    parquet.write_table(pa.table(data, schema=schema), sink)
    return sink.getvalue()


def _values(rows: list[Row], name: str) -> Iterator[str | int | bool | None]:
    for row in rows:
        value = getattr(row, name)
        yield clean(value) if isinstance(value, str) else value
