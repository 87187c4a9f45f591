"""The store: append outcomes with their cells, and read what statistics and reports need."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import duckdb

from mitigations.carried import carried_text
from mitigations.codec import dump, load
from mitigations.errors import (
    InvalidFile,
    MitigationsError,
    NoData,
    PlanChanged,
    StorageFailed,
)
from mitigations.model import FACTORS, Cell, Counts, JudgeCheck, Outcome, PairCell, Plan
from mitigations.store import extract
from mitigations.store.connection import connect, sql
from mitigations.store.digest import Tally
from mitigations.store.ledger import Mark
from mitigations.store.rows import COLUMNS, CellKey, counted, from_row, to_row

if TYPE_CHECKING:
    from pyarrow import RecordBatchReader

_COLUMNS = ", ".join(COLUMNS)

Event = tuple[str, str, str]
"""When (UTC, ISO 8601), what kind, details: something that happened to a run."""


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


class Store:
    """The one owner of a database file."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self._db = connection
        self.path = path
        self.tallies: dict[str, Tally] = {}
        """Run to what this process has landed of it; a seal starts from it."""
        self.is_alone = False
        """True where nobody else in this process reads while a run writes: see `trim`."""

    @classmethod
    def open(cls, path: Path, *, create: bool = True) -> Self:
        """Open (or create) the file; see `connection.connect` for what it raises."""
        return cls(connect(path, create=create), path)

    @classmethod
    def in_memory(cls, path: Path | None = None) -> Self:
        """A private store that no file stands behind: for readers while another owns `path`."""
        return cls(connect(Path(":memory:"), create=True), path or Path(":memory:"))

    def fork(self) -> Self:
        """A second connection to the same open file, for another thread; close it by itself."""
        return type(self)(self._db.cursor(), self.path)

    def shut_in(self) -> None:
        """Forbid this process every other file and any change of that: for one that serves."""
        self._db.execute("set enable_external_access = false")
        self._db.execute("set lock_configuration = true")

    def close(self) -> None:
        """Give the file back; a second call does nothing."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- writing

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.begin()
            yield
            self._db.commit()
        except MitigationsError:
            self._db.rollback()
            raise
        except duckdb.Error as exc:
            reason = str(exc).splitlines()[0]
            raise StorageFailed(
                f"{self.path}: cannot be written: {reason}\n"
                "  Nothing acknowledged is lost: the journal holds it; the same command resumes."
            ) from exc

    def begin_run(self, plan: Plan, lock: str, *, at: str) -> str:
        """Record plan, variants, scenarios and run once; returns the run's id."""
        run = plan.run_id
        with self._transaction():
            if not self._exists("plan", "hash", plan.hash):
                self._append("plan", [(plan.hash, plan.study, plan.created, lock)])
            if not self._exists("run", "run", run):
                self._append("run", [(run, plan.hash, plan.study, at)])
            self._append("variant_version", list(self._new_variants(plan, at)))
            self._append("scenario_version", list(self._new_scenarios(plan)))
            self._append("variant_event", list(self._new_approvals(plan)))
            if not self._exists("pack_version", "pack_hash", plan.pack_hash):
                self._append("pack_version", [(plan.pack_hash, carried_text(plan))])
        return run

    def _new_variants(self, plan: Plan, at: str) -> Iterator[tuple[Any, ...]]:
        query = "select variant, treatment_hash from variant_version"
        known = dict(self._db.execute(query).fetchall())
        for variant in plan.variants:
            if known.get(variant.id, variant.treatment_hash) != variant.treatment_hash:
                raise PlanChanged(
                    f"variant {variant.id!r} was run before with another text or placement\n"
                    "  Versions are immutable: give the new text an id of its own."
                )
            if variant.id not in known:
                yield (
                    variant.id,
                    variant.text_hash,
                    variant.treatment_hash,
                    variant.title,
                    variant.text,
                    at,
                )

    def _new_approvals(self, plan: Plan) -> Iterator[tuple[Any, ...]]:
        """What the lock recorded of its texts' status: a copy, nothing decides by it."""
        known = set(self._db.execute("select * exclude (note) from variant_event").fetchall())
        for one in plan.approvals:
            event = (one.variant, one.text_hash, one.status, one.by, one.at)
            if event not in known:
                yield (*event, "")

    def _new_scenarios(self, plan: Plan) -> Iterator[tuple[Any, ...]]:
        known = {row[0] for row in self._db.execute("select hash from scenario_version").fetchall()}
        for scenario in plan.scenarios:
            if scenario.hash not in known:
                levels = (scenario.factors.get(factor) for factor in FACTORS)
                yield (
                    scenario.id,
                    scenario.hash,
                    scenario.pack,
                    plan.pack_hash,
                    scenario.title,
                    scenario.twin_of,
                    scenario.twin_kind,
                    *levels,
                )

    def append(self, outcomes: Sequence[Outcome], *, twins: frozenset[str]) -> None:
        """Land a batch with its cells in one transaction. `twins`: ids of benign twins."""
        if outcomes:
            self.land(outcomes[0].run, outcomes, twins=twins)

    def land(
        self,
        run: str,
        outcomes: Sequence[Outcome],
        *,
        twins: frozenset[str],
        events: Sequence[Event] = (),
        mark: Mark | None = None,
    ) -> None:
        """The same with the run's events and how far its journal is in here; all or nothing."""
        deltas: dict[CellKey, Counter[str]] = {}
        rows, again = [], []
        for outcome in outcomes:
            twin = outcome.trial.scenario in twins
            rows.append(to_row(outcome, twin=twin))
            self.tallies.setdefault(run, Tally()).add(rows[-1])
            if outcome.rerun:
                again.append((run, outcome.trial.id, outcome.rerun))
            for key, (events_, scored, lost) in counted(outcome, twin=twin):
                deltas.setdefault(key, Counter()).update(events=events_, scored=scored, lost=lost)
        with self._transaction():
            self._append("outcome", rows)
            self._append("rerun", again)
            self._append("run_event", [(run, *event) for event in events])
            if mark is not None:
                self._append("journal_mark", [(run, mark.bytes, mark.spent_usd)])
            if rows:
                self._add_to_cells(run, deltas)

    def trim(self) -> None:
        """Give back the memory of pages that are on disk, where no query could miss it.

        DuckDB keeps every page it wrote, up to most of the machine's memory; a run needs none.
        """
        if not self.is_alone:
            return
        with suppress(duckdb.Error):
            self._db.execute("set memory_limit = '24MB'")
        self._db.execute("reset memory_limit")

    def _add_to_cells(self, run: str, deltas: Mapping[CellKey, Mapping[str, int]]) -> None:
        self._db.execute(
            "create or replace temp table delta as select * exclude (run) from cell limit 0"
        )
        rows = [
            (*key, delta["events"], delta["scored"], delta["lost"]) for key, delta in deltas.items()
        ]
        self._append("delta", rows)
        self._db.execute(sql("add_to_cells"), {"run": run})
        self._db.execute(sql("new_cells"), {"run": run})

    def event(self, run: str, kind: str, detail: str, *, at: str) -> None:
        """Record that a run was started, resumed, stopped, finished, or saw a model change."""
        with self._transaction():
            self._append("run_event", [(run, at, kind, detail)])

    def add_awareness(self, run: str, probe: str, read: Sequence[tuple[str, int, str]]) -> None:
        """Record what a probe made of (trial, rerun)."""
        with self._transaction():
            self._append("awareness", [(run, trial, n, probe, state) for trial, n, state in read])

    def add_judge_checks(self, checks: Sequence[JudgeCheck]) -> None:
        """Record live checks of judges that are not recorded yet."""
        known = set(self._db.execute("select document from judge_check").fetchall())
        rows = [(c.judge, c.rubric_hash, c.checked_at, dump(JudgeCheck, c)) for c in checks]
        with self._transaction():
            self._append("judge_check", [row for row in rows if (row[3],) not in known])

    def add(self, tables: Mapping[str, Sequence[tuple[Any, ...]]]) -> None:
        """Append rows to append-only tables of ours, all of them or none."""
        with self._transaction():
            for table, rows in tables.items():
                self._append(table, rows)

    def _append(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            with self._db.appender(table) as appender:
                appender.append_rows(rows)

    def _exists(self, table: str, column: str, value: str) -> bool:
        # Table and column are our own literals; the value is a parameter.
        query = f"select 1 from {table} where {column} = ? limit 1"  # noqa: S608
        return self._db.execute(query, [value]).fetchone() is not None

    # ---- reading

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

    def amend(self, run: str, lines: Sequence[str]) -> None:
        """Record the amendments of a run that are not here yet."""
        known = self.amendments(run)
        new = [(run, place, line) for place, line in enumerate(lines) if place >= len(known)]
        with self._transaction():
            self._append("amendment", new)

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

    def load(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Take over extracted rows; `recount` then gives their cells. Raises `InvalidFile`."""
        extract.load(self._db, table, rows)

    def recount(self, run: str) -> None:
        """Count the cells of a run whose rows were loaded, from the rows alone."""
        counted_again = sql("cells_from_outcomes")
        self._db.execute(f"insert into cell select $run, * from ({counted_again})", {"run": run})  # noqa: S608 - our own statement

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
