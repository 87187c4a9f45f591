"""From the raw rows of a bundle to its report again, and where the two part."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import reports
from mitigations.codec import build
from mitigations.compose import sealing
from mitigations.compose.bundle.archive import Archive, Damaged
from mitigations.compose.bundle.compare import differences, page_difference
from mitigations.compose.bundle.making import PACK, PAGE, PLAN, REPORT
from mitigations.compose.bundle.manifest import made_by
from mitigations.compose.bundle.rows import read_line
from mitigations.compose.bundle.rows_check import Checked
from mitigations.compose.planning import pack_for_lock
from mitigations.compose.planning.amending import amended_in
from mitigations.compose.reporting import report_run
from mitigations.errors import InvalidFile, MitigationsError
from mitigations.model import FACTORS, Alarm, Plan, Scenario
from mitigations.store import Store
from mitigations.study import parse_lock
from reports import Report

OUTCOMES = "tables/outcome.jsonl"
_BATCH = 1000
_NOT_TAKEN = frozenset(
    {"cell", "journal_mark", "outcome_now", "pack_version", "plan", "schema_version"}
)
"""Made here from other members, or of the sender's machine alone."""
_DAMAGED = (MitigationsError, Damaged, KeyError, TypeError, ValueError, AttributeError, IndexError)
"""What rows that nobody of ours wrote can raise on their way through the analysis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recomputed:
    """What the rows say of the report."""

    faults: tuple[str, ...]
    notes: tuple[str, ...] = ()
    outcomes: int = 0
    numbers: int = 0


@dataclass
class _Bundle:
    """An archive whose bytes hold, on its way to a report."""

    archive: Archive
    manifest: Mapping[str, Any]
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def recompute(archive: Archive, manifest: Mapping[str, Any]) -> Recomputed:
    """Make the report again from rows whose hashes hold, and hold the bundle's against it."""
    bundle = _Bundle(archive, manifest)
    try:
        plan = _plan(bundle)
        _check_variants(bundle, plan)
        with _empty_store() as store:
            outcomes = _land(bundle, plan, store)
            if bundle.faults:
                bundle.notes.append("The report was not recomputed: its rows are not the plan's.")
            numbers = 0 if bundle.faults else _compare(bundle, plan, store)
    except _DAMAGED as exc:
        bundle.faults.append(_said(exc))
        outcomes = numbers = 0
    if bundle.faults:
        bundle.notes += _other_versions(manifest)
    return Recomputed(
        faults=tuple(bundle.faults),
        notes=tuple(bundle.notes),
        outcomes=outcomes,
        numbers=numbers,
    )


def _said(exc: BaseException) -> str:
    if isinstance(exc, MitigationsError | Damaged):
        return str(exc).splitlines()[0]
    return f"the report cannot be made from these rows ({type(exc).__name__})"


def _other_versions(manifest: Mapping[str, Any]) -> Iterator[str]:
    ours = made_by()
    others = [
        f"{name} {version} (here {ours.get(name, 'none')})"
        for name, version in manifest["made_by"].items()
        if ours.get(name) != version
    ]
    if others:
        yield f"It was made with other versions: {', '.join(others)}. Verify it with those."


def _plan(bundle: _Bundle) -> Plan:
    """The plan of the lock; its scenarios as installed, as shipped, or known by hash alone."""
    text = bundle.archive.read(PLAN).decode("utf-8")
    plan = parse_lock(text, PLAN, base=None, load_pack=lambda ref, _: _pack(bundle, ref, text))
    if (plan.hash, plan.run_id) != (bundle.manifest["lock_hash"], bundle.manifest["run"]):
        bundle.faults.append(f"{PLAN}: is the lock of {plan.run_id}, not of this run")
    return plan


def _pack(bundle: _Bundle, ref: str, lock: str) -> tuple[str, tuple[Scenario, ...]]:
    recorded = json.loads(lock)["scenarios"]
    if PACK in bundle.archive.names:
        shipped = build(tuple[Scenario, ...], json.loads(bundle.archive.read(PACK)))
        return recorded["pack_hash"], shipped
    if ref.startswith("builtin/"):
        try:
            found = pack_for_lock(ref, None)
        except MitigationsError:
            found = ("", ())
        if found[0] == recorded["pack_hash"]:
            return found
        bundle.notes.append(f"The scenarios of {ref} are not the ones installed here.")
    bundle.notes.append(
        "The scenarios' texts are not here: which factors and twins they are is the sender's word."
    )
    return recorded["pack_hash"], tuple(_named(bundle))


def _named(bundle: _Bundle) -> Iterator[Scenario]:
    """Scenarios that are known by name, factors and hash, without their texts."""
    columns = _columns("scenario_version")
    name = "tables/scenario_version.jsonl"
    for number, text in enumerate(bundle.archive.lines(name), start=1):
        row = read_line(text, columns, f"{name} line {number}")
        scenario = Scenario(
            id=row["scenario"],
            pack=row["pack"],
            title=row["title"],
            factors={factor: row[factor] for factor in FACTORS if row[factor] is not None},
            behaviours=(),
            twin_of=row["twin_of"],
            twin_kind=row["twin_kind"],
            organisations=(),
            cast=(),
            system="",
            inbox=(),
            tools=(),
        )
        # The hash is a cached property; this scenario's content is what we do not have.
        vars(scenario)["hash"] = row["hash"]
        yield scenario


@contextmanager
def _empty_store() -> Iterator[Store]:
    with (
        tempfile.TemporaryDirectory() as folder,
        Store.open(Path(folder) / "again.duckdb") as store,
    ):
        yield store


def _columns(table: str) -> tuple[str, ...]:
    with _empty_store() as store:
        return store.columns()[table]


def _check_variants(bundle: _Bundle, plan: Plan) -> None:
    for variant in plan.variants:
        name = f"variants/{variant.id}.txt"
        if bundle.archive.read(name) != variant.text.encode():
            bundle.faults.append(f"{name}: is not the text that the lock holds")


def _land(bundle: _Bundle, plan: Plan, store: Store) -> int:
    """Put the rows into an empty database; gives the number of outcomes."""
    checked = Checked(plan)
    lock = bundle.archive.read(PLAN).decode("utf-8")
    known = store.columns()
    store.load("plan", [(plan.hash, plan.study, plan.created, lock)])
    # Outcomes last: what a trial of the plan is, the amendments among the others say.
    tables = (name for name in bundle.archive.names if name.startswith("tables/"))
    for name in sorted(tables, key=lambda name: (name == OUTCOMES, name)):
        if name == OUTCOMES:
            checked.amend(amended_in(store, plan, plan.run_id))
        table = name.removeprefix("tables/").removesuffix(".jsonl")
        if table not in known or table in _NOT_TAKEN:
            raise InvalidFile(name, "is a table that this version does not take from a bundle")
        batch: list[tuple[Any, ...]] = []
        for number, text in enumerate(bundle.archive.lines(name), start=1):
            place = f"{name} line {number}"
            row = read_line(text, known[table], place)
            bundle.faults += (f"{place}: {fault}" for fault in checked.row(table, row))
            batch.append(tuple(row.values()))
            if len(batch) >= _BATCH:
                _load(store, table, batch, name)
        _load(store, table, batch, name)
    bundle.faults += checked.at_the_end()
    store.recount(bundle.manifest["run"])
    return checked.outcomes


def _load(store: Store, table: str, batch: list[tuple[Any, ...]], name: str) -> None:
    try:
        store.load(table, batch)
    except InvalidFile as exc:
        raise InvalidFile(name, exc.problem) from exc
    batch.clear()


def _compare(bundle: _Bundle, plan: Plan, store: Store) -> int:
    """Hold JSON and page against the report made again; gives the number of values compared."""
    try:
        said = json.loads(bundle.archive.read(REPORT))
        page = bundle.archive.read(PAGE).decode("utf-8")
    except (ValueError, RecursionError) as exc:
        raise InvalidFile(REPORT, "is not JSON, or the page is no text") from exc
    again = _as_the_sender(
        report_run(
            store,
            amended_in(store, plan, plan.run_id),
            bundle.manifest["run"],
            commands=(),
            transcripts=bundle.manifest["transcripts"],
            stored=_stored(said),
        ),
        said,
    )
    with tempfile.TemporaryDirectory() as folder:
        found = json.loads(reports.write(again, Path(folder) / REPORT).read_bytes())
        made = reports.write(again, Path(folder) / PAGE).read_text(encoding="utf-8")
    parted = list(differences(said, found))
    bundle.faults += (f"{REPORT}: {line}" for line in parted)
    if not parted:
        # The page follows from the data: with other data every line of it would be named again.
        line = page_difference(page, made)
        bundle.faults += [f"{PAGE}: {line}"] if line else []
    elif page_difference(page, made):
        bundle.faults.append(f"{PAGE}: is not the page that the rows give")
    return _leaves(found)


def _stored(said: Any) -> Alarm:
    """What the sender's report found of its rows; texts may be withheld here, so no seal holds."""
    for alarm in said["analysis"]["alarms"]:
        if alarm["name"] == sealing.ALARM:
            return build(Alarm, alarm)
    detail = "the report was made before runs were sealed"
    return Alarm(name=sealing.ALARM, fired=None, detail=detail)


def _as_the_sender(report: Report, said: Any) -> Report:
    """With the versions and command lines of the sender, which no row can show."""
    if report.run is None:
        return report
    versions, commands = said["run"]["versions"], said["run"]["commands"]
    return replace(
        report,
        run=replace(
            report.run,
            versions=build(dict[str, str], versions),
            commands=build(tuple[str, ...], commands),
        ),
    )


def _leaves(value: Any) -> int:
    if isinstance(value, dict):
        return sum(map(_leaves, value.values()))
    return sum(map(_leaves, value)) if isinstance(value, list) else 1
