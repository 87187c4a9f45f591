"""CSV, row by row: slower than SQL, and able to say what is wrong in which line."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TextIO

from mitigations.errors import InvalidFile
from mitigations.model import Cell, Counts
from mitigations.tables.columns import (
    NAMES,
    Header,
    check_counts,
    count_of,
    name_of,
    outcome_of,
    read_header,
)
from mitigations.tables.pairs import WITHIN, Series
from mitigations.tables.table import two_baselines

Key = tuple[str, str, str]
DELIMITERS = ",;\t"


@dataclass(slots=True, kw_only=True)
class Rows:
    """What was read so far."""

    header: Header
    count: int = 0
    cells: dict[Key, Counts] = field(default_factory=dict)
    series: dict[Key, Series] = field(default_factory=dict)
    twins: int = 0
    baseline: str | None = None


def read_csv(path: Path) -> Rows:
    """The whole file; raises `InvalidFile` with the line of the first thing that is wrong."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            return _read(path, handle)
    except OSError as exc:
        raise InvalidFile(path, f"cannot be read: {exc.strerror or exc}") from exc
    except UnicodeDecodeError as exc:
        raise InvalidFile(path, "is not UTF-8 text", fix="Save it as CSV (UTF-8).") from exc


def csv_rows(path: Path, handle: TextIO) -> Iterator[tuple[int, list[str]]]:
    """Lines with their numbers, blank ones skipped; the header is the first."""
    first = handle.readline()
    delimiter = max(DELIMITERS, key=first.count)
    handle.seek(0)
    reader = csv.reader(handle, delimiter=delimiter, strict=True)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, row
    except csv.Error as exc:
        raise InvalidFile(path, f"is not CSV: {exc}", line=reader.line_num) from exc


def cells_of(rows: Rows) -> tuple[Cell, ...]:
    """The cells in a fixed order."""
    return tuple(
        Cell(variant=key[0], scenario=key[1], model=key[2], counts=counts)
        for key, counts in sorted(rows.cells.items())
    )


def _read(path: Path, handle: TextIO) -> Rows:
    lines = csv_rows(path, handle)
    _, names = next(lines, (1, []))
    if not names:
        raise InvalidFile(path, "is empty", fix="The first line names the columns.")
    rows = Rows(header=read_header(path, names))
    if rows.header.layout == "counts":
        _read_counts(path, lines, rows)
    else:
        _read_trials(path, lines, rows)
    return _not_empty(path, rows)


def read_count_rows(path: Path, header: Header, lines: Iterable[tuple[int, list[str]]]) -> Rows:
    """Counts that come as numbered rows of text, their columns in the order of `header.places`."""
    places = {name: place for place, name in enumerate(header.places)}
    rows = Rows(header=replace(header, places=places, width=len(places)))
    _read_counts(path, lines, rows)
    return _not_empty(path, rows)


def _not_empty(path: Path, rows: Rows) -> Rows:
    if rows.count == 0:
        raise InvalidFile(path, "has a header and no row", fix="Add the counts.")
    return rows


def _read_counts(path: Path, lines: Iterable[tuple[int, list[str]]], rows: Rows) -> None:
    seen: dict[Key, int] = {}
    places = rows.header.places
    for line, row in lines:
        key = _key(path, rows.header, row, line)
        if key in seen:
            raise InvalidFile(
                path,
                f"{' x '.join(key)} stands here and in line {seen[key]}",
                fix="Give one row for each variant, scenario and model.",
                line=line,
            )
        seen[key] = line
        coercive = count_of(path, "coercive", row[places["coercive"]], line)
        trials = count_of(path, "trials", row[places["trials"]], line)
        lost = count_of(path, "lost", row[places["lost"]], line) if "lost" in places else 0
        check_counts(path, coercive, trials, line)
        rows.cells[key] = Counts(coercive=coercive, scored=trials, lost=lost)
        rows.count += 1


def _read_trials(path: Path, lines: Iterable[tuple[int, list[str]]], rows: Rows) -> None:
    places = rows.header.places
    seen: dict[Key, dict[tuple[str, str], int]] = defaultdict(dict)
    for line, row in lines:
        key = _key(path, rows.header, row, line)
        rows.baseline = _baseline(path, rows, row, line)
        if "twin" in places and outcome_of(path, row[places["twin"]], line, column="twin"):
            rows.twins += 1
            continue
        repeat = name_of(path, "repeat", row[places["repeat"]], line)
        trial = _trial(rows.header, row, repeat)
        epoch = trial[0]
        if trial in seen[key]:
            raise InvalidFile(
                path,
                f"trial {' x '.join(key)}, repeat {repeat} stands here and in line "
                f"{seen[key][trial]}",
                fix="Every trial is one row; remove the copy or give it its own repeat.",
                line=line,
            )
        seen[key][trial] = line
        outcome = outcome_of(path, row[places["coercive"]], line)
        rows.series.setdefault(key, []).append((epoch, trial[1], outcome))
        rows.count += 1
    for key, series in rows.series.items():
        outcomes = [outcome for _, _, outcome in series]
        rows.cells[key] = Counts(
            coercive=outcomes.count(True),
            scored=len(outcomes) - outcomes.count(None),
            lost=outcomes.count(None),
        )


def _trial(header: Header, row: Sequence[str], repeat: str) -> tuple[str, str]:
    """Epoch and repeat; both within their run, where the table names one."""
    places = header.places
    epoch = row[places["epoch"]].strip() if "epoch" in places else ""
    if "run" not in places:
        return epoch, repeat
    run = row[places["run"]].strip()
    return (f"{run}{WITHIN}{epoch}" if epoch else ""), f"{run}{WITHIN}{repeat}"


def _baseline(path: Path, rows: Rows, row: Sequence[str], line: int) -> str | None:
    """The baseline that the table names; the same in every row that names one."""
    place = rows.header.places.get("baseline")
    named = row[place].strip() if place is not None else ""
    if not named or rows.baseline in {None, named}:
        return named or rows.baseline
    raise two_baselines(path, str(rows.baseline), named, line)


def _key(path: Path, header: Header, row: Sequence[str], line: int) -> Key:
    if len(row) != header.width:
        raise InvalidFile(
            path,
            f"has {len(row)} fields where the header has {header.width}",
            fix="Quote a field that holds the delimiter.",
            line=line,
        )
    variant, scenario, model = (
        name_of(path, column, row[header.places[column]], line) for column in NAMES
    )
    return variant, scenario, model
