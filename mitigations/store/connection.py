"""Opening the database file: one owner, a schema version, no extension that needs the network."""

import json
import re
from pathlib import Path

import duckdb

from mitigations.errors import DatabaseBusy, InvalidFile, StorageFailed

SCHEMA_VERSION = 1
_SQL = Path(__file__).parent / "sql"


def sql(name: str) -> str:
    """The text of a statement under `sql/`."""
    return (_SQL / f"{name}.sql").read_text(encoding="utf-8")


def connect(path: Path, *, create: bool) -> duckdb.DuckDBPyConnection:
    """The one connection to a database file.

    Raises `DatabaseBusy` (naming the process), `InvalidFile` when it is not ours, `StorageFailed`
    when the disk refuses.
    """
    if not create and not path.exists():
        raise InvalidFile(path, "does not exist", fix="Run a study first, or name another --db.")
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        # Rows stay in memory until their log is put into the file; 16 MB of it are 20 MiB of them.
        "checkpoint_threshold": "4MB",
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = duckdb.connect(str(path), config=config)
    except duckdb.IOException as exc:
        raise _io_error(path, exc) from exc
    except (duckdb.Error, OSError) as exc:
        reason = str(exc).splitlines()[0]
        raise StorageFailed(f"{path}: cannot be opened: {reason}") from exc
    try:
        _ensure_schema(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_read_only(path: Path) -> duckdb.DuckDBPyConnection:
    """A connection that can read this one file and nothing else, and change nothing.

    Raises what `connect` raises, and `InvalidFile` for a file that a newer program must open first.
    """
    if not path.is_file():
        raise InvalidFile(path, "does not exist", fix="Name the database of a workspace.")
    try:
        connection = duckdb.connect(
            str(path),
            read_only=True,
            config={
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "enable_external_access": False,
                "lock_configuration": True,
            },
        )
    except duckdb.IOException as exc:
        raise _io_error(path, exc) from exc
    except duckdb.Error as exc:
        reason = str(exc).splitlines()[0]
        raise StorageFailed(f"{path}: cannot be opened: {reason}") from exc
    try:
        _check_version(connection, path, _tables(connection))
        _check_additions(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_additions(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    columns = "select table_name, column_name from duckdb_columns() where not internal"
    with duckdb.connect(":memory:") as fresh:
        fresh.execute(sql("schema"))
        fresh.execute(sql("additions"))
        fresh.execute(sql("outcome_now"))
        wanted = set(fresh.execute(columns).fetchall())
    if wanted - set(connection.execute(columns).fetchall()):
        fix = f"Bring it up to date: mitigations --db {path} check --database"
        raise InvalidFile(path, "was last written by an earlier version", fix=fix)


def _io_error(path: Path, exc: duckdb.IOException) -> DatabaseBusy | InvalidFile | StorageFailed:
    message = str(exc)
    holder = re.search(r"held in (.+?) \(PID (\d+)\)", message)
    if holder:
        program = Path(holder[1]).name
        served = _served_at(path, int(holder[2]))
        if served:
            return DatabaseBusy(
                f"{path} is in use by PID {holder[2]} (mitigations serve, {served})\n"
                "  Do this on its pages, or stop it."
            )
        return DatabaseBusy(
            f"{path} is in use by PID {holder[2]} ({program})\n"
            "  Wait for it to finish, stop it, or name another --db."
        )
    if "Could not set lock" in message:
        return DatabaseBusy(f"{path} is in use by another process\n  Wait, or name another --db.")
    if "not a valid DuckDB database" in message:
        return InvalidFile(path, "is not a DuckDB database", fix="Name another --db.")
    return StorageFailed(f"{path}: cannot be opened: {message.splitlines()[0]}")


def _served_at(path: Path, pid: int) -> str:
    """Where a service of this process says it listens; empty when it is none, or not ours."""
    try:
        owner = json.loads(path.with_name(f"{path.name}.owner").read_text(encoding="utf-8"))
        return str(owner["url"]) if owner["pid"] == pid else ""
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _ensure_schema(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    tables = _tables(connection)
    if not tables:
        connection.begin()
        connection.execute(sql("schema"))
        connection.execute("insert into schema_version values (?)", [SCHEMA_VERSION])
        connection.execute(sql("additions"))
        connection.commit()
        _ensure_view(connection)
        return
    _check_version(connection, path, tables)
    # What later versions added, in databases made before them as well.
    connection.execute(sql("additions"))
    _ensure_view(connection)


def _tables(connection: duckdb.DuckDBPyConnection) -> set[str]:
    rows = connection.execute("select table_name from duckdb_tables()").fetchall()
    return {row[0] for row in rows}


def _check_version(connection: duckdb.DuckDBPyConnection, path: Path, tables: set[str]) -> None:
    if "schema_version" not in tables:
        raise InvalidFile(path, "is a database of something else", fix="Name another --db.")
    row = connection.execute("select max(version) from schema_version").fetchone()
    if row is None or row[0] != SCHEMA_VERSION:
        found = row[0] if row else "none"
        raise InvalidFile(
            path,
            f"has schema version {found}; this program reads {SCHEMA_VERSION}",
            fix="Rebuild it from its journals: mitigations check --db FILE --rebuild.",
        )


def _ensure_view(connection: duckdb.DuckDBPyConnection) -> None:
    """The outcomes that stand; made again where the table has gained a column."""
    # All of it: a result that is not read to its end keeps the connection from appending.
    ((made, shown),) = connection.execute(sql("columns")).fetchall()
    if made != shown:
        connection.execute(sql("outcome_now"))
