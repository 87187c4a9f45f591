"""Trials through DuckDB: Parquet of any size, and CSV too large to read row by row."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from mitigations.errors import InvalidFile
from mitigations.model import Cell, Counts, PairCell
from mitigations.tables.columns import NAMES, Header, read_header
from mitigations.tables.table import two_baselines

_SQL = Path(__file__).parent / "sql"
_INTEGERS = frozenset(
    {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
)
_TEXTS = frozenset({*NAMES, "coercive", "run", "twin", "baseline"})
_OUTCOME_TEXT = """case when trim({0}::varchar) = '' then null
    when lower(trim({0}::varchar)) in ('1', '1.0', 'true') then 1
    when lower(trim({0}::varchar)) in ('0', '0.0', 'false') then 0
    when {0} is null then null else 9 end"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trials:
    """A view `trial` over the file: variant, scenario, model, run, epoch, repeat, outcome.

    `row_of_file` is the same with the benign twins in it.
    """

    path: Path
    connection: duckdb.DuckDBPyConnection
    header: Header
    whole_repeats: bool
    """Repeats are integers, so that copies can be told without sorting."""
    checked_outcomes: bool
    """The outcome column can hold more than 0, 1 and null, as 9."""
    checked_twins: bool
    """The same of the column that marks twins."""

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
def open_source(path: Path, source: str, files: Sequence[Path] = ()) -> Iterator[Trials]:
    """Open a file as trials; `source` is `parquet` or `csv`. `files`: the parts of a folder.

    Raises `InvalidFile` for a file that is no Parquet or lacks a column.
    """
    with closing(duckdb.connect()) as connection:
        file = _literal(str(path))
        if files:
            file = f"[{', '.join(_literal(str(one)) for one in files)}]"
        reading = f"read_parquet({file}, hive_partitioning = {bool(files)})"
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
            twins = "where twin = 0" if "twin" in columns else ""
            connection.execute(
                f"create temp view trial as select * exclude (twin) from row_of_file {twins}"  # noqa: S608 - our own literal
            )
        else:
            listed = ", ".join(f"{columns[name]}::varchar as {name}" for name in columns)
            connection.execute(f"create temp view listed as select {listed} from {reading}")  # noqa: S608 - the same
        yield Trials(
            path=path,
            connection=connection,
            header=header,
            whole_repeats=types.get("repeat") in _INTEGERS,
            checked_outcomes=types.get("coercive") != "BOOLEAN",
            checked_twins=types.get("twin", "BOOLEAN") != "BOOLEAN",
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
    if trials.checked_twins and _found(trials, "row_of_file where twin not in (0, 1)"):
        raise Unreadable("a twin is neither 0 nor 1")
    if trials.checked_outcomes and _wrong_outcome(trials):
        raise Unreadable("an outcome is neither 0 nor 1")
    if not _all_distinct(trials, rows) and (_empty_repeat(trials) or trials.query("duplicates")):
        raise Unreadable("a trial stands twice")
    counts: dict[tuple[str, str, str], Counts] = {}
    for variant, scenario, model, _, count, scored, coercive, *_rest in rows:
        found = Counts(coercive=int(coercive), scored=scored, lost=count - scored)
        key = (variant, scenario, model)
        counts[key] = counts[key] + found if key in counts else found
    return (
        tuple(
            Cell(variant=key[0], scenario=key[1], model=key[2], counts=one)
            for key, one in counts.items()
        ),
        sum(row[4] for row in rows),
    )


def twins(trials: Trials) -> int:
    """Rows of benign twins."""
    if "twin" not in trials.header.places:
        return 0
    found = trials.connection.execute("select count(*) from row_of_file where twin = 1").fetchone()
    return int(found[0]) if found else 0


def baseline(trials: Trials) -> str | None:
    """The baseline that the file names, if it does; raises `InvalidFile` where it names two."""
    if "baseline" not in trials.header.places:
        return None
    named = trials.connection.execute(
        "select distinct baseline from row_of_file where baseline <> '' order by all limit 2"
    ).fetchall()
    if len(named) > 1:
        raise two_baselines(trials.path, named[0][0], named[1][0])
    return str(named[0][0]) if named else None


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
        ("twin not in (0, 1)", "twin is neither 0 nor 1"),
    ]
    for condition, problem in conditions:
        found = trials.connection.execute(
            "select row from (select *, row_number() over () as row from row_of_file) "  # noqa: S608 - fixed texts
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
    repeat = columns["repeat"]
    epoch = columns.get("epoch", "0")
    run = f"{columns['run']}::varchar" if "run" in columns else "''"
    twin = _as_outcome(columns["twin"], types["twin"]) if "twin" in columns else "0"
    named = f"trim({columns['baseline']}::varchar)" if "baseline" in columns else "null"
    whole = types["repeat"] in _INTEGERS
    listed = [
        *(f"{columns[name]}::varchar as {name}" for name in NAMES),
        f"{run} as run",
        # An epoch is one of its run.
        f"struct_pack(run := {run}, epoch := {epoch}) as epoch"
        if "run" in columns
        else f"{epoch} as epoch",
        f"{repeat}::bigint as repeat"
        if whole
        else f"nullif(trim({repeat}::varchar), '') as repeat",
        f"{_as_outcome(columns['coercive'], types['coercive'])} as outcome",
        f"coalesce({twin}, 0) as twin",
        f"{named} as baseline",
    ]
    return f"create temp view row_of_file as select {', '.join(listed)} from {reading}"  # noqa: S608 - names are quoted


def _as_outcome(column: str, kind: str) -> str:
    """An expression that is 0, 1, null, or 9 for anything else."""
    if kind == "BOOLEAN":
        return f"{column}::tinyint"
    return column if kind in _INTEGERS else _OUTCOME_TEXT.format(column)


def _found(trials: Trials, where: str) -> bool:
    found = trials.connection.execute(f"select 1 from {where} limit 1").fetchone()  # noqa: S608 - our own literals
    return found is not None


def _wrong_outcome(trials: Trials) -> bool:
    low, high = trials.connection.execute(
        "select min(outcome), max(outcome) from trial"
    ).fetchone() or (None, None)
    return low is not None and (low < 0 or high > 1)


def _empty_repeat(trials: Trials) -> bool:
    return _found(trials, "trial where repeat is null")


def _all_distinct(trials: Trials, rows: list[tuple[Any, ...]]) -> bool:
    """Whether every cell's repeats are consecutive and each there once, without sorting the trials.

    The sum of n consecutive numbers says where they start; the exclusive or of the 64-bit hashes
    must then be that of the full range, which a copy in place of a missing value would change.
    """
    if not trials.whole_repeats:
        return False
    expected: dict[tuple[int, int], int] = {}
    for _, _, _, _, count, _, _, total, hashed in rows:
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
