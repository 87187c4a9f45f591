"""A small finished study, and bundles of it that somebody tampered with."""

import asyncio
import json
from pathlib import Path
from typing import Any

from mitigations.compose.bundle import Wanted, make_bundle
from mitigations.compose.bundle.archive import Archive, write_archive
from mitigations.compose.bundle.manifest import MANIFEST, SIGNATURE, entry, manifest_text
from mitigations.compose.planning import plan_study
from mitigations.compose.running import Options, Surroundings, run_plan
from mitigations.model import Plan
from mitigations.store import Store

STUDY = """\
study: small
baseline: no-mitigation
variants: [prohibition-short-v1, pause-and-review-v1]
scenarios: {pack}
models: [simulated/published, simulated/lossy]
repeats: 4
guardrails: {{task_completion: 0.1}}
"""
WHEN = "2026-11-24T06:00:00Z"


def finished(
    folder: Path,
    *,
    pack: str = "builtin/demo-v1",
    text: str = STUDY,
    options: Options | None = None,
) -> Plan:
    """Run the study on simulated models; `folder/db.duckdb` holds it."""
    path = folder / "small.yaml"
    path.write_text(text.format(pack=pack))
    plan = plan_study(path, created=WHEN)
    rerun(folder, plan, options)
    return plan


def rerun(folder: Path, plan: Plan, options: Options | None = None) -> None:
    """Run or resume a plan in the folder."""
    with Store.open(folder / "db.duckdb") as store:
        around = Surroundings(
            store=store, runs=folder / "runs", providers={}, now=lambda: WHEN, watch=lambda _: None
        )
        asyncio.run(run_plan(plan, around, options or Options()))


def bundled(folder: Path, plan: Plan, target: Path, **wanted: Any) -> Path:
    with Store.open(folder / "db.duckdb", create=False) as store:
        make_bundle(store, plan, plan.run_id, target, Wanted(**wanted))
    return target


def members_of(path: Path) -> dict[str, bytes]:
    with Archive.open(path) as archive:
        assert archive.faults == []
        return {name: archive.read(name) for name in archive.names}


def rehashed(members: dict[str, bytes]) -> dict[str, bytes]:
    """The members with a manifest that a forger made true again; any signature stays as it was."""
    document = json.loads(members[MANIFEST])
    content = {k: v for k, v in members.items() if k not in {MANIFEST, SIGNATURE}}
    document["members"] = {name: entry(data) for name, data in content.items()}
    return members | {MANIFEST: manifest_text(document)}


def packed(members: dict[str, bytes], target: Path) -> Path:
    write_archive(target, members)
    return target
