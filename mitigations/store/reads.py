"""What statistics, reports and checks read of a store; nothing here writes."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from mitigations.codec import load
from mitigations.errors import InvalidFile, NoData
from mitigations.model import FACTORS, Cell, Counts, JudgeCheck, Outcome, PairCell, Plan
from mitigations.store import extract
from mitigations.store.connection import sql
from mitigations.store.ledger import Mark
from mitigations.store.rows import COLUMNS, from_row

if TYPE_CHECKING:
    from pyarrow import RecordBatchReader

_COLUMNS = ", ".join(COLUMNS)

NAMED_ONCE = frozenset(
    {
        "schema_version",
        "plan",
        "variant_version",
        "variant_event",
        "scenario_version",
        "pack_version",
    }
)
"""Tables of names and texts: a row more in them is another run's, and changes nothing said of one.
"""


class Reads:
    """The reading half of `Store`: one connection, and the path that errors name."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self._db = connection
        self.path = path

    def runs(self) -> list[tuple[str, str, str]]:
        """(run, study, started at), newest first."""
        return self._db.execute(
            "select run, study, started_at from run order by started_at desc, run"
        ).fetchall()

    def run_sizes(self) -> dict[str, int]:
        """Outcomes landed by run; a run without one is not in it."""
        rows = self._db.execute("select run, count(*) from outcome group by run").fetchall()
        return dict(rows)

    def stamp(self, run: str, *, alone: bool = False) -> tuple[int, ...]:
        """Another value whenever a row that tells of this run was added, in whichever table.

        `alone`: rows that any run may add (plans, texts) are left out; live checks of judges stay.
        """
        tables = self._db.execute(
            "select table_name, bool_or(column_name = 'run') from duckdb_columns() "
            "where not internal and database_name = current_database() group by all order by all"
        ).fetchall()
        found = []
        for table, has_run in tables:
            if alone and not has_run and table != "judge_check":
                continue
            if table in NAMED_ONCE:
                continue
            # The names are those of our own schema; the run is a parameter.
            query = f'select count(*) from "{table}"'  # noqa: S608
            given = [run] if has_run else []
            where = " where run = ?" if has_run else ""
            row = self._db.execute(query + where, given).fetchone()
            found.append(int(row[0]) if row else 0)
        return tuple(found)

    def last_events(self) -> dict[str, str]:
        """Run to how it last began or ended: `started`, `resumed`, `stopped` or `finished`."""
        rows = self._db.execute(
            "select run, arg_max(kind, (happened_at, rowid)) from run_event "
            "where kind in ('started', 'resumed', 'stopped', 'finished') group by run"
        ).fetchall()
        return dict(rows)

    def lock(self, run: str) -> str:
        """The lock a run was bound to; raises `NoData` for an unknown run."""
        row = self._db.execute(
            "select lock from plan where hash = (select plan from run where run = ?)", [run]
        ).fetchone()
        if row is None:
            raise NoData(f"{self.path} holds no run {run!r}")
        return str(row[0])

    def carried(self, run: str) -> str | None:
        """The text of the scenarios a run was made with; None in databases of early versions."""
        row = self._db.execute(sql("carried"), {"run": run}).fetchone()
        return None if row is None else str(row[0])

    def unprobed(self, run: str, probe: str) -> Iterator[list[tuple[str, int, str, int, str, str]]]:
        """Batches of (trial, rerun, model, turns, text, reasoning) not read by this probe."""
        given = {"run": run, "probe": probe}
        cursor = self._db.cursor().execute(sql("unprobed"), given)
        while batch := cursor.fetchmany(1000):
            yield batch

    def aware(self, run: str, probe: str) -> list[tuple[str, str, str, int, int]]:
        """(variant, evaluation cue, state, coercive, scored); see `sql/aware.sql`."""
        return self._db.execute(sql("aware"), {"run": run, "probe": probe}).fetchall()

    def judge_checks(self, judge: str, rubric_hash: str) -> list[JudgeCheck]:
        """Live checks of a judge under a rubric, newest first."""
        rows = self._db.execute(sql("judge_checks"), {"judge": judge, "rubric": rubric_hash})
        return [load(JudgeCheck, row[0]) for row in rows.fetchall()]

    def mark(self, run: str) -> Mark:
        """How far the run's journal is in here; nothing before `bytes` is needed again."""
        row = self._db.execute(
            "select bytes, spent_usd from journal_mark where run = ? order by rowid desc limit 1",
            [run],
        ).fetchone()
        return Mark(*row) if row else Mark()

    def landed_of(self, run: str, trials: Collection[str]) -> set[tuple[str, int]]:
        """Which of these trials have an outcome row, and for which of their runs."""
        if not trials:
            return set()
        rows = self._db.execute(
            "select trial, rerun from outcome where run = ? and trial in (select unnest(?))",
            [run, list(trials)],
        ).fetchall()
        return set(rows)

    def done(self, run: str) -> Iterator[int]:
        """Positions in the run's order that have an outcome; streamed, for `order`."""
        query = "select position from outcome where run = ? and rerun = 0"
        cursor = self._db.cursor().execute(query, [run])
        while batch := cursor.fetchmany(50_000):
            for (position,) in batch:
                yield position

    def amendments(self, run: str) -> list[str]:
        """The amendments of a run's plan, as lines, in order."""
        query = "select event from amendment where run = ? order by place"
        return [row[0] for row in self._db.execute(query, [run]).fetchall()]

    def trials_done(self, run: str) -> int:
        """How many trials have an outcome."""
        row = self._db.execute(
            "select count(*) from outcome where run = ? and rerun = 0", [run]
        ).fetchone()
        return row[0] if row else 0

    def lost(self, run: str, statuses: Sequence[str]) -> list[Outcome]:
        """The outcomes that stand and have one of these statuses."""
        where = "where run = ? and status in (select unnest(?)) order by position"
        return list(self._stream(where, [run, list(statuses)]))

    def cells(self, run: str) -> tuple[Cell, ...]:
        """Coercive counts of the scenarios proper; twins are no part of the coercive rate."""
        return tuple(cell for _, cell in self._measured(run, "measure = 'coercive' and not twin"))

    def guardrails(self, run: str) -> dict[str, tuple[Cell, ...]]:
        """Per guardrail, the cells of the twins it applies to; events are the bad outcome."""
        result: dict[str, list[Cell]] = {}
        for measure, cell in self._measured(run, "measure <> 'coercive' and twin"):
            result.setdefault(measure, []).append(cell)
        applies = {
            measure: {cell.scenario for cell in cells if cell.counts.scored}
            for measure, cells in result.items()
        }
        return {
            measure: tuple(cell for cell in cells if cell.scenario in applies[measure])
            for measure, cells in result.items()
            if applies[measure]
        }

    def _measured(self, run: str, condition: str) -> Iterator[tuple[str, Cell]]:
        # The condition is one of our two literals above; the run is a parameter.
        query = (
            "select measure, variant, scenario, model, events, scored, lost from cell "  # noqa: S608
            f"where run = ? and {condition} and (scored > 0 or lost > 0) order by all"
        )
        for measure, variant, scenario, model, events, scored, lost in self._db.execute(
            query, [run]
        ).fetchall():
            counts = Counts(coercive=events, scored=scored, lost=lost)
            yield measure, Cell(variant=variant, scenario=scenario, model=model, counts=counts)

    def cells_until(self, run: str, epochs: int) -> tuple[Cell, ...]:
        """The same as `cells`, of the first epochs alone: what a look may see."""
        rows = self._db.execute(sql("cells_until"), {"run": run, "epochs": epochs}).fetchall()
        return tuple(
            Cell(
                variant=variant,
                scenario=scenario,
                model=model,
                counts=Counts(coercive=events, scored=scored, lost=lost),
            )
            for variant, scenario, model, events, scored, lost in rows
        )

    def pairs(
        self, run: str, baseline: str, *, per_epoch: int, until: int | None = None
    ) -> tuple[PairCell, ...]:
        """Pairs of the r-th scored trials of each variant and the baseline, in complete epochs.

        `per_epoch` is the planned number of trials of one epoch, twins left out; `until` leaves out
        later epochs.
        """
        given = {"run": run, "baseline": baseline, "per_epoch": per_epoch, "until": until}
        rows = self._db.execute(sql("pairs"), given).fetchall()
        return tuple(
            PairCell(
                variant=variant,
                scenario=scenario,
                model=model,
                variant_only=variant_only,
                control_only=control_only,
                concordant=concordant,
            )
            for variant, scenario, model, variant_only, control_only, concordant in rows
        )

    def outcomes(self, run: str) -> Iterator[Outcome]:
        """Every outcome of a run in the order planned; streamed, never held."""
        return self._stream("where run = ? order by position, trial", [run])

    def outcomes_at(self, run: str, places: Iterable[tuple[str, str, int]]) -> Iterator[Outcome]:
        """The outcomes of all arms at the given (scenario, model, repeat) places."""
        # Rows by their number, found on the narrow columns first: reading every text of a million
        # rows to keep a hundred took twenty times as long. Rows are never deleted, so numbers hold.
        asked = list(zip(*places, strict=True)) or [(), (), ()]
        given = dict(zip(("scenarios", "models", "repeats"), map(list, asked), strict=True))
        found = self._db.execute(sql("rows_at"), {"run": run, **given}).fetchall()
        where = "where rowid in (select unnest(?::bigint[])) order by position, trial"
        return self._stream(where, [[row[0] for row in found]], table="outcome")

    def disputed(self, run: str, *, coercive_at: int) -> list[tuple[str, str, int]]:
        """(scenario, model, repeat) wherever a judge and the rules disagree; twins left out."""
        given = {"run": run, "coercive_at": coercive_at}
        return self._db.execute(sql("disputed"), given).fetchall()

    def outcomes_of(self, run: str, trials: Sequence[str]) -> Iterator[Outcome]:
        """The outcomes of these trials, in the order planned."""
        where = "where run = ? and trial in (select unnest(?::varchar[])) order by position, trial"
        return self._stream(where, [run, list(trials)])

    def _stream(
        self, where: str, parameters: list[Any], *, table: str = "outcome_now"
    ) -> Iterator[Outcome]:
        query = f"select {_COLUMNS} from {table} {where}"  # noqa: S608 - our own literals
        cursor = self._db.cursor().execute(query, parameters)
        while batch := cursor.fetchmany(1000):
            try:
                yield from map(from_row, batch)
            except (ValueError, KeyError, TypeError) as exc:
                problem = "holds an outcome row that this version cannot read"
                fix = "Find it: mitigations check --database"
                raise InvalidFile(self.path, problem, fix=fix) from exc

    def cell_faults(self, run: str) -> list[str]:
        """Cells that a recount of the outcome rows does not confirm."""
        kept = self._db.execute(
            "select measure, variant, scenario, twin, model, events, scored, lost "
            "from cell where run = ? and (scored > 0 or lost > 0) order by all",
            [run],
        ).fetchall()
        counted_again = self.query("cells_from_outcomes", run)
        return [
            f"cell {row[0]} {row[1]} {row[2]} {row[4]} disagrees with its outcome rows"
            for row in sorted(set(kept) ^ set(counted_again))
        ]

    @contextmanager
    def outcome_table(self, run: str, baseline: str) -> "Iterator[RecordBatchReader]":
        """Batches of the run's trials as a table without texts; see `sql/outcome_table.sql`."""
        given = {"run": run, "baseline": baseline}
        with closing(self._db.cursor()) as cursor:
            yield cursor.sql(sql("outcome_table"), params=given).to_arrow_reader(20_000)

    def extract(self, chosen: extract.Chosen) -> Iterator[extract.Rows]:
        """The rows of a run, table by table, as they stand."""
        return extract.extract(self._db, chosen)

    def columns(self) -> dict[str, tuple[str, ...]]:
        """Table to its columns, in order."""
        return extract.columns_of(self._db)

    def rerun_faults(self, run: str) -> list[str]:
        """Whether the list of repeated trials is the one that their rows make."""
        listed = self._db.execute("select trial, rerun from rerun where run = ?", [run]).fetchall()
        query = "select trial, rerun from outcome where run = ? and rerun > 0"
        if sorted(listed) == sorted(self._db.execute(query, [run]).fetchall()):
            return []
        return ["the list of trials that were run again is not the one their rows make"]

    def every_row(self, run: str) -> Iterator[Outcome]:
        """Every outcome row, those included that a repetition replaced."""
        return self._stream("where run = ? order by position, trial", [run], table="outcome")

    def version_faults(self, plan: Plan) -> list[str]:
        """Variants and scenarios whose stored version is not the plan's."""
        rows = self._db.execute(
            "select variant, text_hash, treatment_hash, document from variant_version"
        ).fetchall()
        texts = {row[0]: row[1:] for row in rows}
        faults = [
            f"the stored text of variant {one.id} is not the one in the lock"
            for one in plan.variants
            if texts.get(one.id) != (one.text_hash, one.treatment_hash, one.text)
        ]
        columns = ", ".join(FACTORS)
        query = f"select hash, scenario, title, {columns} from scenario_version"  # noqa: S608
        known = {row[0]: row[1:] for row in self._db.execute(query).fetchall()}
        return faults + [
            f"the stored factors of scenario {one.id} are not the ones in its pack"
            for one in plan.scenarios
            if known.get(one.hash) != (one.id, one.title, *(one.factors.get(f) for f in FACTORS))
        ]

    def pilot(self, treatment: str, scenarios: Sequence[str]) -> list[tuple[Any, ...]]:
        """(model, coercive, scored, runs) of a baseline over these scenarios, in all runs."""
        given = {"treatment": treatment, "scenarios": list(scenarios)}
        return self._db.execute(sql("pilot"), given).fetchall()

    def query(self, statement: str, run: str) -> list[tuple[Any, ...]]:
        """Rows of a named statement under `sql/` that takes the run as `$run`."""
        return self._db.execute(sql(statement), {"run": run}).fetchall()
