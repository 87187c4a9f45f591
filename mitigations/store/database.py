"""The store: append outcomes with their cells, and read what statistics and reports need."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import duckdb

from mitigations.carried import carried_text
from mitigations.codec import dump
from mitigations.errors import (
    MitigationsError,
    PlanChanged,
    StorageFailed,
)
from mitigations.model import FACTORS, JudgeCheck, Outcome, Plan
from mitigations.store import extract
from mitigations.store.connection import connect, sql
from mitigations.store.digest import Tally
from mitigations.store.ledger import Mark
from mitigations.store.reads import Reads
from mitigations.store.rows import COLUMNS, CellKey, counted, to_row
from mitigations.store.snapshot import Snapshot

_COLUMNS = ", ".join(COLUMNS)

Event = tuple[str, str, str]
"""When (UTC, ISO 8601), what kind, details: something that happened to a run."""


class Store(Reads):
    """The one owner of a database file: appends outcomes with their cells; `Reads` reads."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        super().__init__(connection, path)
        self.tallies: dict[str, Tally] = {}
        """Run to what this process has landed of it; a seal starts from it."""
        self.is_alone = False
        """True where whoever else in this process reads does so by a fork: see `trim`."""
        self.seen_at: str | None = None
        """Where it is a picture of a moment: when; files beside it may tell of later ones."""
        self._gate = threading.RLock()
        """Held while rows land; one for all connections of this process to the file."""
        self._others: set[object] = set()
        """Forks and snapshots that are open, of all of them together."""

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
        with self._gate:
            made = type(self)(self._db.cursor(), self.path)
            made._gate, made._others = self._gate, self._others  # noqa: SLF001 - of the same class
            made.is_alone = self.is_alone
            self._others.add(made)
        return made

    def snapshot(self, *, slots: int = 3, fresh: bool = False) -> Snapshot:
        """Connections that see the file as it is now, whatever lands later, and change nothing."""
        with self._gate:
            connections = [self._db.cursor() for _ in range(slots)]
            made = Snapshot(connections, fresh=fresh, closed=self._others.discard)
            self._others.add(made)
        return made

    def shut_in(self) -> None:
        """Forbid this process every other file and any change of that: for one that serves."""
        self._db.execute("set enable_external_access = false")
        self._db.execute("set allowed_configs = ['memory_limit']")  # for `trim`
        self._db.execute("set lock_configuration = true")

    def close(self) -> None:
        """Give the file back; a second call does nothing."""
        self._db.close()
        self._others.discard(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._gate, self._committing():
            yield

    @contextmanager
    def _committing(self) -> Iterator[None]:
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
        with self._gate:
            if self._others - {self}:
                return  # the next time, then: a query under way would run out of memory
            with suppress(duckdb.Error):
                self._db.execute("set memory_limit = '24MB'")
            self._db.execute("reset memory_limit")

    @contextmanager
    def frugal(self) -> Iterator[None]:
        """Read a whole column or table without keeping its pages, where no query could miss them.

        For scans alone: a sort or a large join may not fit. Who wants a connection meanwhile waits.
        """
        with self._gate:
            if not self.is_alone or self._others - {self}:
                yield
                return
            self.trim()
            with suppress(duckdb.Error):
                self._db.execute("set memory_limit = '32MB'")
            try:
                yield
            finally:
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

    def amend(self, run: str, lines: Sequence[str]) -> None:
        """Record the amendments of a run that are not here yet."""
        known = self.amendments(run)
        new = [(run, place, line) for place, line in enumerate(lines) if place >= len(known)]
        with self._transaction():
            self._append("amendment", new)

    def load(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Take over extracted rows; `recount` then gives their cells. Raises `InvalidFile`."""
        extract.load(self._db, table, rows)

    def recount(self, run: str) -> None:
        """Count the cells of a run whose rows were loaded, from the rows alone."""
        counted_again = sql("cells_from_outcomes")
        self._db.execute(f"insert into cell select $run, * from ({counted_again})", {"run": run})  # noqa: S608 - our own statement
