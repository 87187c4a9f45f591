"""Trials through DuckDB: Parquet of any size, and CSV too large to read row by row."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from mitigations.errors import InvalidFile
from mitigations.model import Cell, Counts, PairCell
from mitigations.tables.columns import NAMES, Header, read_header

_SQL = Path(__file__).parent / "sql"
_INTEGERS = frozenset(
    {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
)
_TEXTS = frozenset({*NAMES, "coercive"})
_OUTCOME_TEXT = """case when trim({0}::varchar) = '' then null
    when lower(trim({0}::varchar)) in ('1', '1.0', 'true') then 1
    when lower(trim({0}::varchar)) in ('0', '0.0', 'false') then 0
    when {0} is null then null else 9 end"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """A view `trial` over the file: variant, scenario, model, epoch, repeat, outcome."""

    path: Path
    connection: duckdb.DuckDBPyConnection
    header: Header
    whole_repeats: bool
    """Repeats are integers, so that copies can be told without sorting."""
    checked_outcomes: bool
    """The outcome column can hold more than 0, 1 and null, as 9."""

    def query(self, name: str, **values: str) -> list[tuple[Any, ...]]:
        """Run one of the statements in `sql/`."""
        statement = (_SQL / f"{name}.sql").read_text(encoding="utf-8")
        found: list[tuple[Any, ...]] = self.connection.execute(statement, values).fetchall()
        return found


class Unreadable(Exception):
    """Something in the file is wrong; the caller finds out which row."""


FAILURES = (Unreadable, InvalidFile, duckdb.Error)
"""After these a CSV is read row by row, which says what is wrong in which line."""


@contextmanager
def open_source(path: Path, source: str) -> Iterator[Trials]:
    """Open a file as trials; `source` is `parquet` or `csv`.

    Raises `InvalidFile` for a file that is no Parquet or lacks a column.
    """
    with closing(duckdb.connect()) as connection:
        file = _literal(str(path))
        reading = f"read_parquet({file})"
        if source == "csv":
            reading = f"read_csv({file}, header = true, all_varchar = true)"
        try:
            described = _describe(connection, reading)
            if source == "csv":
                # Names and outcomes stay text; repeats and epochs are numbers where all of them
                # are.
                kept = [name for name, _ in described if name.strip().lower() in _TEXTS]
                texts = ", ".join(f"{_literal(name)}: 'VARCHAR'" for name in kept)
                reading = f"read_csv({file}, header = true, types = {{{texts}}})"
                described = _describe(connection, reading)
        except duckdb.Error as exc:
            first = str(exc).splitlines()[0]
            raise InvalidFile(path, f"is not readable as {source}: {first}") from exc
        header = read_header(path, [name for name, _ in described])
        types = {name.strip().lower(): kind for name, kind in described}
        actual = [_identifier(name) for name, _ in described]
        columns = {name: actual[place] for name, place in header.places.items()}
        if header.layout == "trials":
            connection.execute(_view(columns, types, reading))
        else:
            listed = ", ".join(f"{columns[name]}::varchar as {name}" for name in columns)
            connection.execute(f"create temp view listed as select {listed} from {reading}")  # noqa: S608 - the same
        yield Trials(
            path=path,
            connection=connection,
            header=header,
            whole_repeats=types.get("repeat") in _INTEGERS,
            checked_outcomes=types.get("coercive") != "BOOLEAN",
        )


def count_rows(trials: Trials) -> list[list[str]]:
    """The rows of a table of counts as text, in the order of its own columns."""
    rows = trials.connection.execute("select * from listed").fetchall()
    return [["" if value is None else str(value) for value in row] for row in rows]


def cells(trials: Trials) -> tuple[tuple[Cell, ...], int]:
    """Counts of every cell and the number of rows; raises `Unreadable` if any row is wrong."""
    rows = trials.query("cells" if trials.whole_repeats else "cells_text")
    if any(not name or name != name.strip() for row in rows for name in row[:3]):
        raise Unreadable("a name is empty or has blanks around it")
    if trials.checked_outcomes and _wrong_outcome(trials):
        raise Unreadable("an outcome is neither 0 nor 1")
    if not _all_distinct(trials, rows) and (_empty_repeat(trials) or trials.query("duplicates")):
        raise Unreadable("a trial stands twice")
    return (
        tuple(
            Cell(
                variant=variant,
                scenario=scenario,
                model=model,
                counts=Counts(coercive=int(coercive), scored=scored, lost=count - scored),
            )
            for variant, scenario, model, count, scored, coercive, *_ in rows
        ),
        sum(row[3] for row in rows),
    )


def pairs(trials: Trials, baseline: str) -> tuple[PairCell, ...]:
    """Pairs of the r-th valid trials, cut at the shortest stratum of each variant.

    Where the file has epochs, from complete ones only.
    """
    statement = "pairs_epochs" if "epoch" in trials.header.places else "pairs"
    return tuple(
        PairCell(
            variant=row[0],
            scenario=row[1],
            model=row[2],
            variant_only=row[3],
            control_only=row[4],
            concordant=row[5],
        )
        for row in trials.query(statement, baseline=baseline)
    )


def discordant(trials: Trials, baseline: str) -> dict[str, tuple[int, int]]:
    """Discordant trials of the same repeat, by variant."""
    return {row[0]: (row[1], row[2]) for row in trials.query("discordant", baseline=baseline)}


def first_wrong_row(trials: Trials) -> InvalidFile:
    """What is wrong in which row of a Parquet file."""
    fix = "Rows are counted from 1."
    conditions = [
        *((f"{name} is null or trim({name}) = ''", f"{name} is empty") for name in NAMES),
        *((f"{name} <> trim({name})", f"{name} has blanks around it") for name in NAMES),
        ("repeat is null", "repeat is empty"),
        ("outcome not in (0, 1)", "coercive is neither 0 nor 1"),
    ]
    for condition, problem in conditions:
        found = trials.connection.execute(
            "select row from (select *, row_number() over () as row from trial) "  # noqa: S608 - fixed texts
            f"where {condition} limit 1"
        ).fetchone()
        if found is not None:
            return InvalidFile(trials.path, problem, fix=fix, line=int(found[0]))
    copies = trials.query("duplicates")
    where = " x ".join(copies[0][:3]) + f", repeat {copies[0][3]}" if copies else "a trial"
    return InvalidFile(trials.path, f"{where} stands in the file twice", fix="Remove the copy.")


def _describe(connection: duckdb.DuckDBPyConnection, reading: str) -> list[tuple[str, str]]:
    """Column names and types."""
    rows = connection.execute(f"describe select * from {reading}").fetchall()  # noqa: S608 - the path is quoted
    return [(str(row[0]), str(row[1])) for row in rows]


def _view(columns: dict[str, str], types: dict[str, str], reading: str) -> str:
    coercive, kind = columns["coercive"], types["coercive"]
    if kind == "BOOLEAN":
        outcome = f"{coercive}::tinyint"
    elif kind in _INTEGERS:
        outcome = coercive
    else:
        outcome = _OUTCOME_TEXT.format(coercive)
    repeat = columns["repeat"]
    whole = types["repeat"] in _INTEGERS
    listed = [
        *(f"{columns[name]}::varchar as {name}" for name in NAMES),
        f"{columns['epoch']} as epoch" if "epoch" in columns else "0 as epoch",
        f"{repeat}::bigint as repeat"
        if whole
        else f"nullif(trim({repeat}::varchar), '') as repeat",
        f"{outcome} as outcome",
    ]
    return f"create temp view trial as select {', '.join(listed)} from {reading}"  # noqa: S608 - names are quoted


def _wrong_outcome(trials: Trials) -> bool:
    low, high = trials.connection.execute(
        "select min(outcome), max(outcome) from trial"
    ).fetchone() or (None, None)
    return low is not None and (low < 0 or high > 1)


def _empty_repeat(trials: Trials) -> bool:
    found = trials.connection.execute("select 1 from trial where repeat is null limit 1").fetchone()
    return found is not None


def _all_distinct(trials: Trials, rows: list[tuple[Any, ...]]) -> bool:
    """Whether every cell's repeats are consecutive and each there once, without sorting the trials.

    The sum of n consecutive numbers says where they start; the exclusive or of the 64-bit hashes
    must then be that of the full range, which a copy in place of a missing value would change.
    """
    if not trials.whole_repeats:
        return False
    expected: dict[tuple[int, int], int] = {}
    for _, _, _, count, _, _, total, hashed in rows:
        if total is None:
            return False
        first, rest = divmod(int(total) - count * (count - 1) // 2, count)
        if rest:
            return False
        if (first, count) not in expected:
            row = trials.connection.execute(
                "select bit_xor(hash(r::bigint)) from range($1::bigint, $2::bigint) as t(r)",
                [first, first + count],
            ).fetchone()
            expected[first, count] = row[0] if row else -1
        if expected[first, count] != hashed:
            return False
    return True


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
