"""`mitigations report` on a million outcomes, as whole processes: writes the page.

`python tests/benchmarks/bench_report.py` runs one epoch of the simulated demo for real, copies its
rows to the wanted number inside DuckDB (new trial ids, repeats, answers and outcomes per copy),
recounts the cells, and starts the command line once for every format. Figures, not tests: nothing
here asserts a time. CPU and memory are those of the child process, as the kernel counts them.
"""

import argparse
import asyncio
import os
import platform
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

import duckdb

from mitigations.compose.demonstrating import STUDIES
from mitigations.compose.planning import plan_from
from mitigations.compose.running import Options, Surroundings, run_plan
from mitigations.model import Plan
from mitigations.store import Store
from mitigations.store.connection import sql
from mitigations.study import lock_text, read_study

AT = "2026-11-24T06:00:00Z"
SEED_REPEATS = 8
# A copy is another trial: its own id, repeat, place, answer, and now and then another result.
COPY = """
insert into outcome
select * exclude (copy) replace (
    $run as run, $plan as plan,
    md5(trial || c.copy) as trial,
    (repeat + $seed_repeats * c.copy)::integer as repeat,
    position + {rows} * c.copy as position,
    case when coercive is null then null
         when hash(trial || c.copy) % 20 = 0 then not coercive else coercive end as coercive,
    -- Texts that no compression folds into one: every trial answered in words of its own.
    replace(actions, '"}}}}]',
            '\\n' || md5(trial || c.copy) || md5(c.copy || trial) || '"}}}}]') as actions,
    '{{"copy":"' || md5('n' || trial || c.copy) || '",' || nuisance[2:] as nuisance
)
from seed.outcome cross join range({copies}) as c(copy)
where repeat + $seed_repeats * c.copy < $repeats
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one command line took."""

    wall: float
    cpu: float
    memory: float
    """Largest resident size, MiB."""


def plan_of(repeats: int) -> Plan:
    """The simulated demo with so many repeats."""
    study = replace(read_study(STUDIES / "simulated.yaml"), repeats=repeats)
    return plan_from(study, folder=STUDIES, created=AT)


def make_seed(folder: Path) -> tuple[Path, int]:
    """A real run of the demo's eight repeats."""
    path, plan = folder / "seed.duckdb", plan_of(SEED_REPEATS)
    with Store.open(path) as store:
        around = Surroundings(
            store=store,
            runs=folder / "runs",
            providers={},
            now=lambda: AT,
            watch=lambda _: None,
        )
        asyncio.run(run_plan(plan, around, Options()))
    return path, plan.trial_count


def make_store(folder: Path, outcomes: int) -> tuple[Path, int]:
    """A database with one run of about so many outcomes; gives its path and their number."""
    seed, rows = make_seed(folder)
    repeats = -(-outcomes * SEED_REPEATS // rows)
    plan, path = plan_of(repeats), folder / "big.duckdb"
    with Store.open(path) as store:
        run = store.begin_run(plan, lock_text(plan), at=AT)
        store.event(run, "started", "", at=AT)
    with duckdb.connect(str(path)) as db:
        db.execute(f"attach '{seed}' as seed (read_only)")
        copies = -(-repeats // SEED_REPEATS)
        db.execute(
            COPY.format(rows=rows, copies=copies),
            {"run": run, "plan": plan.hash, "seed_repeats": SEED_REPEATS, "repeats": repeats},
        )
        cells = db.execute(sql("cells_from_outcomes"), {"run": run}).fetchall()
        db.executemany(
            "insert into cell values (?, ?, ?, ?, ?, ?, ?, ?, ?)", [(run, *row) for row in cells]
        )
    with Store.open(path) as store:
        # Sealed as a run is when it stops: the report holds every row against the seal.
        rows, digest = store.query("digest", run)[0]
        store.event(run, "sealed", f"{rows} {digest}", at=AT)
    return path, int(rows)


def measure(path: Path, out: Path, *more: str) -> Cost:
    """One command line in a process of its own."""
    command = [sys.executable, "-m", "mitigations", "--db", str(path), "--quiet", "report"]
    started = time.perf_counter()
    child = subprocess.Popen([*command, "-o", str(out), *more])
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"the report of {path} failed with {child.returncode}")
    return Cost(wall=wall, cpu=usage.ru_utime + usage.ru_stime, memory=usage.ru_maxrss / 1024)


def best(path: Path, out: Path, runs: int, *more: str) -> Cost:
    """The quickest of several: what the machine's other work adds is not ours."""
    return min((measure(path, out, *more) for _ in range(runs)), key=lambda cost: cost.wall)


def cpu_model() -> str:
    """The processor's name, where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    return next((line.split(":")[1].strip() for line in lines if "model name" in line), "unknown")


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--outcomes", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="folder whose database is used again")
    parser.add_argument("--page", type=Path, default=Path("docs/benchmarks-report.md"))
    parser.add_argument("--formats", nargs="+", default=["md", "html", "json", "csv", "pdf"])
    given = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        big = folder / "big.duckdb"
        if big.exists():
            with duckdb.connect(str(big), read_only=True) as db:
                row = db.execute("select count(*) from outcome").fetchone()
            count = int(row[0]) if row else 0
        else:
            # Made in another process: a child's largest size starts at that of its parent.
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                big, count = pool.submit(make_store, folder, given.outcomes).result()
        small = folder / "seed.duckdb"
        lines = []
        for label, path in ((f"{count:,}", big), ("5,760", small)):
            for suffix in given.formats:
                cost = best(path, folder / f"report.{suffix}", given.runs)
                lines.append(
                    f"| {label} | .{suffix} | {cost.wall:.2f} | {cost.cpu:.2f} "
                    f"| {cost.memory:,.0f} |"
                )
                print(lines[-1], flush=True)  # noqa: T201 - a long run shows where it is
    given.page.write_text(page(lines, load))


def page(lines: list[str], load: float) -> str:
    """The published page."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "numpy", "scipy"))
    rows = "\n".join(lines)
    return f"""# Benchmarks: the report

Written by `python tests/benchmarks/bench_report.py` on {datetime.now(UTC):%Y-%m-%d}: Python
{platform.python_version()}, {versions}, {os.cpu_count()} cores ({cpu_model()}). Load average at
the start: {load:.1f}. Each figure is one whole process, `mitigations report -o report.EXT`, from
start to exit: the database opened, the plan held against its hashes, everything counted, analysed
(9,999 permutations), three random pairs and the largest changes fetched, the file written. Wall
and CPU seconds of the quickest of several starts; memory is the largest resident size.

The database holds 5 arms, 36 scenarios with 36 benign twins, and 2 models, with the texts of real
simulated replies in every row.

| outcomes | format | wall s | CPU s | memory MiB |
|---|---|---|---|---|
{rows}

Target on 1,000,000 outcomes: 5 s; hoped for: 2 s.
"""


if __name__ == "__main__":
    main()
