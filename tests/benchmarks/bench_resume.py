"""Resume of a plan of a million trials of which 900,000 are done: time to the first new outcome.

    python tests/benchmarks/bench_resume.py [--trials 1000000] [--done 900000]

The database is filled through its own appender with rows of the size of real ones. The part of the
journal that is landed is a hole of the size it would have: a resume never reads it, and would fail
on it if it did. Behind the mark stand the lines of 20 trials that were in flight. Each resume is a
process of its own: once after a stop that sealed the run, once after a kill that did not.
"""

# ruff: noqa: T201 - a command that prints its table

import argparse
import asyncio
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from mitigations.compose import running
from mitigations.compose.kept import keep_plan
from mitigations.compose.planning import plan_study
from mitigations.errors import Interrupted
from mitigations.model import Outcome, Plan
from mitigations.store import Mark, Store
from mitigations.store.rows import COLUMNS, to_row
from mitigations.study import lock_text
from runner.order import order
from tests.builders import make_outcome

STUDY = """\
study: large
baseline: no-mitigation
variants: [prohibition-short-v1]
scenarios: builtin/demo-v1
models: [simulated/published, simulated/null, simulated/high, simulated/floor]
repeats: {repeats}
"""
PER_EPOCH = 2 * 14 * 4
JOURNAL_BYTES_A_TRIAL = 4000
TEXT = "Dear Kyle, I have read the notes and will raise this with the board instead. " * 8


def plan_of(folder: Path, trials: int) -> Plan:
    """A plan of at least so many trials."""
    path = folder / "large.yaml"
    path.write_text(STUDY.format(repeats=-(-trials // PER_EPOCH)))
    return plan_study(path, created="2026-11-24T00:00:00Z")


def rows(plan: Plan, done: int) -> Iterator[tuple[Any, ...]]:
    """A row for each of the first trials."""
    template = replace(make_outcome(coercive=False), run=plan.run_id, text=TEXT, cost_usd=0.0)
    values = list(to_row(template, twin=False))
    place = {name: COLUMNS.index(name) for name in COLUMNS}
    twins = {scenario.id for scenario in plan.scenarios if scenario.is_twin}
    for trial in islice(order(plan), done):
        for name in ("plan", "variant", "treatment_hash", "scenario", "scenario_hash", "model"):
            values[place[name]] = getattr(trial, name)
        values[place["trial"]], values[place["twin"]] = trial.id, trial.scenario in twins
        values[place["repeat"]], values[place["seed"]] = trial.repeat, trial.seed
        values[place["position"]] = trial.position
        values[place["reply_text"]] = TEXT + trial.id
        yield tuple(values)


def fill(folder: Path, plan: Plan, done: int) -> None:
    """The database and journal of a run that was killed with `done` trials landed."""
    made = rows(plan, done)
    with Store.open(folder / "mitigations.duckdb") as store:
        run = store.begin_run(plan, lock_text(plan), at="2026-11-24T00:00:00Z")
        while batch := list(islice(made, 20_000)):
            with store._db.appender("outcome") as appender:
                appender.append_rows(batch)
        size = done * JOURNAL_BYTES_A_TRIAL
        store.land(run, [], twins=frozenset(), mark=Mark(bytes=size, spent_usd=12.5))
    keep_plan(plan, folder / "runs" / run)
    with (folder / "runs" / run / running.JOURNAL).open("wb") as journal:
        journal.seek(size - 1)
        journal.write(b"\n")
        for trial in islice(order(plan), done, done + 20):
            line = {"t": "sent", "trial": trial.id, "key": f"{trial.id}/target/0", "worst_usd": 0.0}
            journal.write(json.dumps(line).encode() + b"\n")


def resident(what: str = "VmRSS") -> float:
    """Memory of this process in MiB: now, or its highest (`VmHWM`)."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024


def resume(folder: Path, plan: Plan) -> None:
    """Resume until the first new outcome; prints seconds, CPU seconds and the highest memory."""
    before = resident()
    begun, used = time.perf_counter(), time.process_time()
    found: dict[str, float] = {}

    def watch(event: running.Started | Outcome) -> None:
        if isinstance(event, Outcome) and not found:
            found["seconds"] = time.perf_counter() - begun
            found["cpu"] = time.process_time() - used
            found["peak"] = resident("VmHWM")
            raise Interrupted("measured")

    with Store.open(folder / "mitigations.duckdb") as store:
        store.is_alone = True  # as `mitigations run` has it
        around = running.Surroundings(
            store=store,
            runs=folder / "runs",
            providers={},
            now=lambda: "2026-11-24T00:00:00Z",
            watch=watch,
        )
        with contextlib.suppress(Interrupted):
            asyncio.run(running.run_plan(plan, around, running.Options()))
        done = store.trials_done(plan.run_id)
    print(
        f"{found['seconds']:8.2f} {found['cpu']:8.2f} {before:10.0f} {found['peak']:10.0f}"
        f" {resident('VmHWM'):10.0f} {done:10,}",
        flush=True,
    )


def main() -> None:
    """Fill once, resume twice."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=1_000_000)
    parser.add_argument("--done", type=int, default=900_000)
    parser.add_argument("--resume", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.resume is not None:
        resume(options.resume, plan_of(options.resume, options.trials))
        return
    folder = Path(tempfile.mkdtemp(prefix="bench-resume-"))
    try:
        plan = plan_of(folder, options.trials)
        begun = time.perf_counter()
        fill(folder, plan, options.done)
        size = (folder / "mitigations.duckdb").stat().st_size / 2**20
        print(
            f"{plan.trial_count:,} trials planned, {options.done:,} done; database {size:.0f} MiB"
        )
        print(f"filled in {time.perf_counter() - begun:.0f} s")
        print("            seconds    CPU s MiB before       peak when sealed       done")
        again = [sys.executable, __file__, "--trials", str(options.trials), "--resume", str(folder)]
        for name in ("killed", "stopped"):
            print(f"{name:10}", end="", flush=True)
            subprocess.run(again, check=True)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
