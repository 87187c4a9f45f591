"""`mitigations analyze` and `report` on ten million trials in a folder of Parquet: writes the page.

`python tests/benchmarks/bench_parquet.py` makes 50 runs of 200,000 trials (5 variants, 40
scenarios, 4 models, 250 repeats, 2 in 100 lost) in the layout of `mitigations export --parquet`,
and starts the command line once for each line of the table. Figures, not tests: nothing here
asserts a time. CPU and memory are those of the child process, as the kernel counts them.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import duckdb

ROOT = Path(__file__).parents[2]
RUNS = 50
TRIALS = "range(250) e(repeat), range(40) s(scenario), range(4) m(model), range(5) v(variant)"
ROWS = """copy (
    select 'study-' || {study} as study, 'run-{run}' as run, 'variant-' || variant as variant,
           'scenario-' || scenario as scenario, 'provider/model-' || model as model,
           repeat::integer as epoch, repeat::integer as repeat,
           case when lost then null else event end as coercive, false as twin,
           'variant-0' as baseline,
           case when lost then 'provider-error' else 'scored' end as status,
           hash(trial, 3) % 1000 / 1e5 as cost_usd, md5(trial) as trial
    from (select *, variant || scenario || '/' || model || '/' || repeat || '/{run}' as trial,
                 hash(trial, 1) % 100 < 2 as lost,
                 hash(trial, 2) % 1000 < 300 - 40 * variant as event
          from {trials})
) to '{path}' (format parquet, compression zstd)"""
PAGE = """# Benchmarks: ten million outcomes in Parquet

Regenerate with `python tests/benchmarks/bench_parquet.py`. {runs} runs of {each:,} trials each,
{size:.0f} MB in `study=.../date=.../RUN.parquet`, read in place. Every line is one whole process;
CPU seconds are sturdier than wall seconds, which the other work of the machine stretches (its load
while this ran: {load}).

| command | trials | wall s | CPU s | largest memory, MiB |
|---|---|---|---|---|
{lines}

Past four million trials no pairs are formed and no e-value is given: with pairs, the same ten
million took 33 CPU s and 3,175 MiB (once, on 2026-11-24).

Date: {date}. Machine: {cores} cores, {machine}, Python {python}, DuckDB {duckdb}.
"""


def make(folder: Path, runs: int) -> int:
    """Write the folder; returns its size in bytes."""
    connection = duckdb.connect()
    for run in range(runs):
        study, day = run % 5, f"2026-10-{run % 28 + 1:02d}"
        path = folder / f"study=study-{study}" / f"date={day}" / f"run-{run}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        connection.execute(ROWS.format(study=study, run=run, trials=TRIALS, path=path))
    return sum(path.stat().st_size for path in folder.rglob("*.parquet"))


def measured(arguments: list[str]) -> tuple[float, float, float]:
    """Wall and CPU seconds and the largest resident size of one command, MiB."""
    begun = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-m", "mitigations", *arguments], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(child.pid, 0)
    wall = time.perf_counter() - begun
    if status:
        raise SystemExit(f"{' '.join(arguments)} ended with {status}")
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "benchmarks-storage.md")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "outcomes"
        size, each = make(folder, given.runs), 200_000
        total = given.runs * each
        one = str(folder / "study=study-0" / "*" / "*.parquet")
        whole, page = str(folder), f"{name}/a.html"
        asked = [
            ("analyze outcomes/ --json", ["analyze", whole, "--json"], total),
            ("report outcomes/ -o all.html", ["report", whole, "-o", page], total),
            ("analyze 'outcomes/study=study-0/*/*.parquet'", ["analyze", one], total // 5),
        ]
        lines = []
        for words, arguments, trials in asked:
            wall, cpu, memory = measured(arguments)
            lines.append(f"| `{words}` | {trials:,} | {wall:.1f} | {cpu:.1f} | {memory:,.0f} |")
    text = PAGE.format(
        runs=given.runs, each=each, size=size / 1e6, lines="\n".join(lines),
        load=f"{os.getloadavg()[0]:.0f}", date=datetime.now(UTC).strftime("%Y-%m-%d"),
        cores=os.cpu_count(), machine=platform.machine(), python=platform.python_version(),
        duckdb=version("duckdb"),
    )  # fmt: skip
    given.page.write_text(text)


if __name__ == "__main__":
    main()
