"""A run -> one archive: raw rows, lock, variants, scenario hashes, report, hashes, signature."""

import hashlib
import json
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import reports
from mitigations.codec import plain
from mitigations.compose.bundle.archive import write_archive
from mitigations.compose.bundle.keys import sign
from mitigations.compose.bundle.manifest import (
    FORMAT,
    MANIFEST,
    README,
    SIGNATURE,
    entry,
    made_by,
    manifest_text,
)
from mitigations.compose.bundle.rows import line, outcome_lines, shown_trials, without_note
from mitigations.compose.reporting import report_run
from mitigations.model import Plan, Scenario
from mitigations.store import Chosen, Rows, Store
from reports import Report, Transcripts

PLAN, PAGE, REPORT, PACK = "plan.lock", "report.html", "report.json", "scenarios.json"
_TEXTS = "all"
_ABOUT = """\
The evidence of one run of `mitigations`, for somebody who does not take our word for it.

report.html      what was found, for people
report.json      the same, for programs
plan.lock        what was fixed beforehand: texts, hashes, models, analysis, seed
variants/        the tested texts, byte for byte
tables/          the rows behind every number, one JSON object a line; outcome.jsonl has one a trial
scenarios.json   the scenarios' own texts, only where they were asked for
manifest.json    SHA-256 of every file
signature.json   an ed25519 signature of manifest.json, where there is one

Check it offline, without the database:  mitigations verify THIS.zip [--key team.key.pub]
A text marked `withheld sha256:...` was not passed on; whoever holds it can be held to that hash.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a bundle is to hold."""

    transcripts: Transcripts | None = None
    """None: 3 example pairs, and no text at all where the scenarios are a private pack."""
    with_pack: bool = False
    """Ship the texts of a private pack's scenarios."""
    key: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was written."""

    run: str
    members: int
    outcomes: int
    transcripts: Transcripts
    signed: bool


def make_bundle(store: Store, plan: Plan, run: str, path: Path, wanted: Wanted) -> Made:
    """Write the archive; the same run and options give the same bytes.

    Raises `InvalidFile` (an unfit key, too large a run), `StorageFailed`.
    """
    transcripts = _transcripts(plan, wanted)
    report = report_run(store, plan, run, commands=_commands(plan, run), transcripts=transcripts)
    with tempfile.TemporaryDirectory() as folder:
        members: dict[str, bytes | Path] = dict(_documents(report, plan, Path(folder), wanted))
        members[PLAN] = store.lock(run).encode()
        hashes = {name: entry(content) for name, content in _held(members)}
        outcomes = 0
        for rows in store.extract(_chosen(plan, run)):
            name = f"tables/{rows.table}.jsonl"
            target = Path(folder) / f"{rows.table}.jsonl"
            count, hashes[name] = _spill(_lines(rows, plan, report, transcripts, wanted), target)
            members[name] = target
            outcomes += count if rows.table == "outcome" else 0
        manifest = manifest_text(
            {
                "format": FORMAT,
                "run": run,
                "study": plan.study,
                "lock_hash": plan.hash,
                "transcripts": transcripts,
                "pack_shipped": PACK in members,
                "made_by": made_by(),
                "members": hashes,
            }
        )
        members[MANIFEST] = manifest
        if wanted.key is not None:
            members[SIGNATURE] = sign(manifest, wanted.key)
        write_archive(path, members)
    return Made(
        run=run,
        members=len(members),
        outcomes=outcomes,
        transcripts=transcripts,
        signed=wanted.key is not None,
    )


def is_private(plan: Plan) -> bool:
    """Whether the scenarios come from a folder of somebody's own."""
    return not plan.pack.startswith("builtin/")


def _transcripts(plan: Plan, wanted: Wanted) -> Transcripts:
    if wanted.transcripts is not None:
        return wanted.transcripts
    return "none" if is_private(plan) and not wanted.with_pack else 3


def _commands(plan: Plan, run: str) -> tuple[str, ...]:
    return f"mitigations run {plan.study}.lock", f"mitigations bundle {run}"


def _chosen(plan: Plan, run: str) -> Chosen:
    return Chosen(
        run=run,
        variants=[variant.id for variant in plan.variants],
        scenarios=[scenario.hash for scenario in plan.scenarios],
        judges=[model.route for model in plan.judge.models],
        rubric=plan.rubric_hash,
    )


def _documents(
    report: Report, plan: Plan, folder: Path, wanted: Wanted
) -> Iterable[tuple[str, bytes]]:
    """The report, the variants, and the scenarios where asked for."""
    yield README, _ABOUT.encode()
    for name in (PAGE, REPORT):
        yield name, reports.write(report, folder / name).read_bytes()
    for variant in plan.variants:
        yield f"variants/{variant.id}.txt", variant.text.encode()
    if wanted.with_pack and is_private(plan):
        texts = plain(tuple[Scenario, ...], plan.scenarios)
        yield PACK, (json.dumps(texts, indent=1, ensure_ascii=False) + "\n").encode()


def _held(members: dict[str, bytes | Path]) -> Iterable[tuple[str, bytes]]:
    return ((name, content) for name, content in members.items() if isinstance(content, bytes))


def _lines(
    rows: Rows, plan: Plan, report: Report, transcripts: Transcripts, wanted: Wanted
) -> Iterable[bytes]:
    if rows.table == "outcome":
        whole = None if transcripts == _TEXTS else shown_trials(report.examples)
        yield from outcome_lines(rows.columns, rows.rows, whole=whole)
        return
    for row in rows.rows:
        record = dict(zip(rows.columns, row, strict=True))
        if rows.table == "label" and transcripts != _TEXTS:
            record = without_note(record)
        yield line(rows.columns, tuple(_passed_on(rows.table, record, plan, wanted).values()))


def _passed_on(table: str, record: dict[str, Any], plan: Plan, wanted: Wanted) -> dict[str, Any]:
    """The row without the title of a private scenario."""
    if table == "scenario_version" and is_private(plan) and not wanted.with_pack:
        return record | {"title": "withheld"}
    return record


def _spill(lines: Iterable[bytes], target: Path) -> tuple[int, dict[str, Any]]:
    """Write the lines; gives their number and the manifest's entry. Nothing is held in memory."""
    digest, size, count = hashlib.sha256(), 0, 0
    with target.open("wb") as file:
        for text in lines:
            digest.update(text)
            size += len(text)
            count += 1
            file.write(text)
    return count, {"sha256": digest.hexdigest(), "bytes": size}
