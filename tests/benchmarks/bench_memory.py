"""Resident memory of a run by its number of trials, on a simulated model, everything on.

    python tests/benchmarks/bench_memory.py [--trials 2000 20000 200000]

Each run is a process of its own: memory before the first trial, when the last one is landed, and
the highest in between.
"""

# ruff: noqa: T201 - a command that prints its table

import argparse
import asyncio
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from mitigations.compose import running
from mitigations.compose.planning import plan_study
from mitigations.store import Store

STUDY = """\
study: memory
baseline: no-mitigation
variants: [prohibition-short-v1]
scenarios: builtin/demo-v1
models: [simulated/published, simulated/null, simulated/high, simulated/floor]
repeats: {repeats}
"""
PER_EPOCH = 2 * 14 * 4


def resident(what: str = "VmRSS") -> float:
    """Memory of this process in MiB: now, or its highest (`VmHWM`)."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024


def measure(trials: int) -> None:
    """One run; prints a line."""
    folder = Path(tempfile.mkdtemp(prefix="bench-memory-"))
    try:
        path = folder / "memory.yaml"
        path.write_text(STUDY.format(repeats=-(-trials // PER_EPOCH)))
        plan = plan_study(path, created="2026-11-24T00:00:00Z")
        with Store.open(folder / "mitigations.duckdb") as store:
            store.is_alone = True  # as `mitigations run` has it
            around = running.Surroundings(
                store=store,
                runs=folder / "runs",
                providers={},
                now=lambda: "2026-11-24T00:00:00Z",
                watch=lambda _: None,
            )
            before, begun = resident(), time.perf_counter()
            asyncio.run(running.run_plan(plan, around, running.Options()))
            seconds = time.perf_counter() - begun
            print(
                f"{plan.trial_count:10,} {before:8.1f} {resident():8.1f} {resident('VmHWM'):8.1f}"
                f" {plan.trial_count / seconds:10.0f}",
                flush=True,
            )
    finally:
        shutil.rmtree(folder)


def main() -> None:
    """A process for each size."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[2_000, 20_000, 200_000])
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        measure(options.one)
        return
    print("    trials   before      end     peak   trials/s   (MiB)")
    for trials in options.trials:
        command = [sys.executable, __file__, "--one", str(trials)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
