"""The rows of one run out of a database, table by table, and back into another.

A table with a column `run` belongs to its runs; variants and scenarios come by the plan, which is a
text of its own. `cell` is derived: it is counted again where the rows land. Marks are of this
database and its journals alone.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import duckdb

from mitigations.errors import InvalidFile

_DERIVED = frozenset({"cell", "journal_mark", "outcome_now"})
_BY_PLAN = {
    "judge_check": "rubric_hash = $rubric and judge in (select unnest($judges::varchar[]))",
    "scenario_version": "hash in (select unnest($scenarios::varchar[]))",
    "variant_event": "variant in (select unnest($variants::varchar[]))",
    "variant_version": "variant in (select unnest($variants::varchar[]))",
}


class Chosen(NamedTuple):
    """What belongs to a run beyond its own rows."""

    run: str
    variants: Sequence[str]
    scenarios: Sequence[str]
    """Hashes."""
    judges: Sequence[str] = ()
    """Routes; their live checks under `rubric` come along."""
    rubric: str = ""


class Rows(NamedTuple):
    """Rows of one table in a fixed order."""

    table: str
    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


def columns_of(db: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, ...]]:
    """Table to its columns, in order."""
    found: dict[str, tuple[str, ...]] = {}
    for table, column in db.execute(
        "select table_name, column_name from duckdb_columns() "
        "where not internal and schema_name = 'main' order by table_name, column_index"
    ).fetchall():
        found[table] = (*found.get(table, ()), column)
    return found


def extract(db: duckdb.DuckDBPyConnection, chosen: Chosen) -> Iterator[Rows]:
    """Every table that holds rows of the run."""
    for table, columns in columns_of(db).items():
        condition = _BY_PLAN.get(table) or ("run = $run" if "run" in columns else "")
        if not condition or table in _DERIVED:
            continue
        # Table, columns and condition are the schema's and ours; values are parameters.
        order = "position, trial, rerun" if table == "outcome" else "all"
        query = f'select * from "{table}" where {condition} order by {order}'  # noqa: S608
        named = {"run": chosen.run, "variants": list(chosen.variants)}
        named |= {"scenarios": list(chosen.scenarios)}
        named |= {"judges": list(chosen.judges), "rubric": chosen.rubric}
        used = {name: value for name, value in named.items() if f"${name}" in condition}
        yield Rows(table, columns, _stream(db.cursor().execute(query, used)))


def _stream(cursor: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while batch := cursor.fetchmany(1000):
        yield from batch


def load(db: duckdb.DuckDBPyConnection, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Append rows of a known table; raises `InvalidFile` when they are none of it."""
    try:
        with db.appender(table) as appender:
            appender.append_rows(list(rows))
    except (duckdb.Error, TypeError, ValueError, OverflowError) as exc:
        raise InvalidFile(table, f"holds a row that is none: {str(exc).splitlines()[0]}") from exc
