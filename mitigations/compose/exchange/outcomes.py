"""A run's trials as a table, one file or a folder of Parquet that many runs share."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mitigations.errors import InvalidFile, NoData, StorageFailed
from mitigations.model import Plan
from mitigations.store import Store
from reports import clean
from reports.tables import guard


def export_outcomes(store: Store, plan: Plan, run: str, path: Path) -> int:
    """Write `.csv` or `.parquet`, whole or not at all, in constant memory; returns the trials."""
    if not store.trials_done(run):
        raise NoData(f"{run} has no outcome yet")
    if path.suffix.lower() not in {".csv", ".parquet"}:
        fix = "Write .csv or .parquet; `export inspect` writes .eval."
        raise InvalidFile(path, f"has the extension {path.suffix!r}", fix=fix)
    with store.outcome_table(run, plan.baseline.id) as reader, _draft(path) as draft:
        return _csv(reader, draft) if path.suffix.lower() == ".csv" else _parquet(reader, draft)


def export_parquet(store: Store, plan: Plan, run: str, folder: Path) -> Path:
    """Write `folder/study=STUDY/date=DAY/RUN.parquet`; the same run again replaces its own file.

    DAY is the one on which the run was begun, in UTC.
    """
    begun = next((at for one, _, at in store.runs() if one == run), "")
    path = folder / f"study={plan.study}" / f"date={begun[:10]}" / f"{run}.parquet"
    export_outcomes(store, plan, run, path)
    return path


@contextmanager
def _draft(path: Path) -> Iterator[Path]:
    """A file beside the target that takes its place when all of it is written."""
    draft = path.with_name(f".draft-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        draft.replace(path)
    except OSError as exc:
        raise StorageFailed(f"{path}: cannot be written: {exc.strerror or exc}") from exc
    finally:
        draft.unlink(missing_ok=True)


def _csv(reader: Any, path: Path) -> int:
    rows = 0
    with path.open("w", encoding="utf-8", newline="") as handle:
        sheet = csv.writer(handle)
        sheet.writerow(reader.schema.names)
        for batch in reader:
            columns = [column.to_pylist() for column in batch.columns]
            sheet.writerows([_cell(value) for value in row] for row in zip(*columns, strict=True))
            rows += batch.num_rows
    return rows


def _parquet(reader: Any, path: Path) -> int:
    import pyarrow as pa  # noqa: PLC0415 - heavy
    from pyarrow import parquet  # noqa: PLC0415 - heavy

    rows = 0
    with parquet.ParquetWriter(path, reader.schema, compression="zstd") as target:
        held: list[Any] = []
        for batch in reader:
            held.append(batch)
            rows += batch.num_rows
            if sum(one.num_rows for one in held) >= 200_000:
                target.write_table(pa.Table.from_batches(held))
                held = []
        if held:
            target.write_table(pa.Table.from_batches(held))
    return rows


def _cell(value: Any) -> Any:
    """Absent is empty, yes and no are 1 and 0, and a text is never a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return int(value)
    return guard(clean(value)) if isinstance(value, str) else value
