"""A database of runs for people who program: DuckDB relations, none of them writable."""

from pathlib import Path
from typing import Self

import duckdb
from duckdb import ColumnExpression, ConstantExpression, DuckDBPyConnection, DuckDBPyRelation

import reports
from mitigations.compose.kept import plan_of
from mitigations.compose.reporting import analyse_run, known_run, latest_run, served_models
from mitigations.errors import InvalidFile
from mitigations.store import Store, connect_read_only

_RUNS = """
select r.run, r.study, r.started_at, p.created as locked_at, r.plan as lock_hash,
       count(o.trial) as outcomes,
       count(o.trial) filter (o.status = 'scored') as scored,
       sum(o.cost_usd) as known_cost_usd,
       count(o.trial) filter (o.cost_usd is null) as outcomes_of_unknown_cost,
       max(o.finished_at) as last_at
from run r
join plan p on p.hash = r.plan
left join outcome_now o on o.run = r.run
group by all
order by r.started_at desc, r.run
"""


class Database:
    """What `mitigations.open` gives; close it, or use it in a `with`.

    Each method gives a relation: `.df()` for pandas, `.pl()` for polars, `.to_arrow_table()`,
    `.fetchall()`, or `.filter(...)`, `.aggregate(...)` and the rest of DuckDB.
    """

    def __init__(self, connection: DuckDBPyConnection, path: Path) -> None:
        self._db = connection
        self._store = Store(connection, path)
        self.path = path

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the file for reading, with access to nothing else."""
        return cls(connect_read_only(path), path)

    def close(self) -> None:
        """Give the file back; relations made from it end with it."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def runs(self) -> DuckDBPyRelation:
        """One row a run, newest first: study, dates, lock hash, outcomes, known cost."""
        return self._db.sql(_RUNS)

    def outcomes(self, run: str | None = None) -> DuckDBPyRelation:
        """One row a trial, in the order planned; `run` is an id or a study, else the latest."""
        return self._of("outcome_now", run).order("position, trial")

    def cells(self, run: str | None = None) -> DuckDBPyRelation:
        """Counts by measure, variant, scenario and model: `events` of `scored`, and `lost`.

        The measure `coercive` counts coercive trials; the others a guardrail's bad event.
        """
        return self._of("cell", run).order("measure, variant, scenario, model")

    def comparisons(self, run: str | None = None) -> DuckDBPyRelation:
        """The plan's analysis: one row for each variant, then one for each of its models.

        The columns are the ones of `mitigations report -o FILE.parquet`. Raises `NoData` for a run
        without an outcome.
        """
        chosen = self.run(run)
        plan = plan_of(self._store, chosen)
        analysis = analyse_run(self._store, plan, chosen, served_models(self._store, chosen))
        report = reports.build(analysis, self._store.cells(chosen), plan=plan)
        return self._db.from_arrow(reports.arrow_table(report))

    def sql(self, query: str) -> DuckDBPyRelation:
        """Any query over the tables (`docs/python.md` names them); nothing can be written.

        Never paste a text that somebody else wrote into `query`.
        """
        try:
            return self._db.sql(query)
        except duckdb.Error as exc:
            raise InvalidFile("sql", str(exc).splitlines()[0]) from exc

    def run(self, name: str | None = None) -> str:
        """The id of the latest run, or of a study's; raises `UnknownName`, `NoData`."""
        return latest_run(self._store) if name is None else known_run(self._store, name)

    def _of(self, table: str, run: str | None) -> DuckDBPyRelation:
        chosen = ColumnExpression("run") == ConstantExpression(self.run(run))
        return self._db.table(table).filter(chosen)
