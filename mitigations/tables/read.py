"""From a file to a `Table`, by the shortest way that its format and size allow."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mitigations.errors import InvalidFile
from mitigations.tables.columns import name_of, outcome_of
from mitigations.tables.pairs import discordant, pair_cells
from mitigations.tables.table import EPOCH_PAIR_LIMIT, PAIR_LIMIT, ArmLabels, Table, choose_baseline
from mitigations.tables.text import Rows, cells_of, csv_rows, read_count_rows, read_csv

if TYPE_CHECKING:
    from mitigations.tables import columnar

LARGE_CSV = 4 * 1024 * 1024
"""Bytes above which a CSV of trials is counted by DuckDB."""
MAX_FILES = 10_000
"""Parts of a folder of Parquet."""
LABEL_COLUMNS = ("variant", "human", "judge")


def read_table(path: Path, *, baseline: str | None = None, paired: bool = False) -> Table:
    """Read counts or trials; `paired` also pairs trials by repeat.

    Raises:
        InvalidFile: wrong columns, impossible counts, a rate without its denominator, a trial that
            stands twice, one arm only, no baseline; with the line (of a Parquet file: the row).
        UnknownName: the baseline is not among the variants.
    """
    if is_dataset(path):
        return _parquet(path, baseline, paired=paired, files=parquet_files(path))
    if not path.is_file():
        raise InvalidFile(path, "does not exist" if not path.exists() else "is not a file")
    suffix = path.suffix.lower()
    if suffix in {".parquet", ".pq"}:
        return _parquet(path, baseline, paired=paired)
    if suffix not in {".csv", ".tsv", ".txt"}:
        raise InvalidFile(
            path, f"has the extension {suffix!r}", fix="Give a .csv or a .parquet file."
        )
    if path.stat().st_size > LARGE_CSV:
        found = _large_csv(path, baseline, paired=paired)
        if found is not None:
            return found
    return _from_rows(path, read_csv(path), baseline, paired=paired)


def is_dataset(path: Path) -> bool:
    """Whether it is a folder, or a pattern for files in folders, rather than one file."""
    return path.is_dir() or (not path.exists() and any(sign in str(path) for sign in "*?["))


def parquet_files(path: Path) -> list[Path]:
    """The Parquet files of a folder and the folders in it, or of a pattern, in order.

    Links are not followed. Raises `InvalidFile` where there is none, or more than `MAX_FILES`.
    """
    if path.is_dir():
        root, pattern = path, "**/*.parquet"
    else:
        parts = path.parts
        first = next(n for n, part in enumerate(parts) if any(sign in part for sign in "*?["))
        root, pattern = Path(*parts[:first]), str(Path(*parts[first:]))
    found = []
    for file in root.glob(pattern):
        if file.suffix.lower() in {".parquet", ".pq"} and file.is_file() and not file.is_symlink():
            found.append(file)
        if len(found) > MAX_FILES:
            raise InvalidFile(
                path, f"holds more than {MAX_FILES:,} files", fix="Name a part of it."
            )
    if not found:
        raise InvalidFile(path, "holds no Parquet file", fix="Name a folder of .parquet files.")
    return sorted(found)


def read_labels(path: Path) -> tuple[ArmLabels, ...]:
    """Human labels, one row a trial: `variant, human, judge`, both 1 (coercive) or 0."""
    counts: dict[str, list[int]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            lines = csv_rows(path, handle)
            _, names = next(lines, (1, []))
            header = [name.strip().lower() for name in names]
            missing = [name for name in LABEL_COLUMNS if name not in header]
            if missing:
                raise InvalidFile(
                    path,
                    f"no column {missing[0]!r} in this table of labels",
                    fix=f"Labels have the columns {', '.join(LABEL_COLUMNS)}.",
                    line=1,
                )
            places = [header.index(name) for name in LABEL_COLUMNS]
            for line, row in lines:
                if len(row) != len(header):
                    raise InvalidFile(path, f"has {len(row)} fields, not {len(header)}", line=line)
                variant = name_of(path, "variant", row[places[0]], line)
                human, judge = (
                    outcome_of(path, row[place], line, column=column)
                    for place, column in zip(places[1:], ("human", "judge"), strict=True)
                )
                if human is None or judge is None:
                    continue
                counts.setdefault(variant, [0, 0, 0, 0])[2 * (not human) + (not judge)] += 1
    except OSError as exc:
        raise InvalidFile(path, f"cannot be read: {exc.strerror or exc}") from exc
    except UnicodeDecodeError as exc:
        raise InvalidFile(path, "is not UTF-8 text", fix="Save it as CSV (UTF-8).") from exc
    if not counts:
        raise InvalidFile(path, "holds no label", fix="Give one row for each labelled trial.")
    return tuple(
        ArmLabels(
            variant=variant,
            true_positive=tally[0],
            false_negative=tally[1],
            false_positive=tally[2],
            true_negative=tally[3],
        )
        for variant, tally in sorted(counts.items())
    )


def _from_rows(path: Path, rows: Rows, asked: str | None, *, paired: bool) -> Table:
    cells = cells_of(rows)
    baseline = choose_baseline(path, [cell.variant for cell in cells], asked or rows.baseline)
    return Table(
        path=path,
        layout=rows.header.layout,
        rows=rows.count,
        baseline=baseline,
        cells=cells,
        pairs=pair_cells(rows.series, baseline),
        discordant=discordant(rows.series, baseline) if paired and rows.series else None,
        ignored=rows.header.ignored,
        twins=rows.twins,
    )


def _parquet(path: Path, asked: str | None, *, paired: bool, files: Sequence[Path] = ()) -> Table:
    # Imported here: a small CSV never needs DuckDB.
    from mitigations.tables import columnar  # noqa: PLC0415

    with columnar.open_source(path, "parquet", files) as source:
        if source.header.layout == "counts":
            numbered = list(enumerate(columnar.count_rows(source), start=1))
            return _from_rows(
                path, read_count_rows(path, source.header, numbered), asked, paired=paired
            )
        try:
            return _aggregated(source, asked, paired=paired)
        except columnar.Unreadable as exc:
            raise columnar.first_wrong_row(source) from exc


def _large_csv(path: Path, asked: str | None, *, paired: bool) -> Table | None:
    """None where the row-by-row reader has to say what is wrong, or the file holds counts."""
    from mitigations.tables import columnar  # noqa: PLC0415

    try:
        with columnar.open_source(path, "csv") as source:
            if source.header.layout == "counts":
                return None
            return _aggregated(source, asked, paired=paired)
    except columnar.FAILURES:
        return None


def _aggregated(source: "columnar.Trials", asked: str | None, *, paired: bool) -> Table:
    from mitigations.tables import columnar  # noqa: PLC0415

    cells, rows = columnar.cells(source)
    wanted = rows <= (EPOCH_PAIR_LIMIT if "epoch" in source.header.places else PAIR_LIMIT)
    if not rows:
        raise InvalidFile(source.path, "has a header and no row", fix="Add the trials.")
    asked = asked or columnar.baseline(source)
    baseline = choose_baseline(source.path, [cell.variant for cell in cells], asked)
    return Table(
        path=source.path,
        layout="trials",
        rows=rows,
        baseline=baseline,
        cells=cells,
        pairs=columnar.pairs(source, baseline) if wanted else (),
        discordant=columnar.discordant(source, baseline) if paired else None,
        ignored=source.header.ignored,
        twins=columnar.twins(source),
    )
