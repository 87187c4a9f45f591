"""Speed of the statistics: `python tests/benchmarks/bench_stats.py` writes the page.

Figures, not tests: nothing here asserts a time. The peers (a bare DuckDB GROUP BY, statsmodels) run
in the same process on the same rows. CPU seconds count all threads; each figure is the best of
several runs.
"""

import argparse
import gc
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from statsmodels.stats.contingency_tables import StratifiedTable

from mitigations.model import Cell, Counts, Settings
from stats.analysis import analyse
from stats.conditional import permutation_test
from stats.maxt import step_down_max_t
from stats.score import difference_interval
from stats.strata import grid

ARMS, SCENARIOS, MODELS = 6, 40, 6
SIZES = (10_000, 1_000_000, 10_000_000)
GROUP_BY = """
select variant, scenario, model,
       count(*) filter (coercive) as coercive,
       count(coercive) as scored,
       count(*) - count(coercive) as lost
from trial group by all
"""
ROWS = """
create or replace table trial as
select ('v' || (i % {arms}))::variant_name as variant,
       ('s' || (i // {arms} % {scenarios}))::scenario_name as scenario,
       ('m' || (i // {arms} // {scenarios} % {models}))::model_name as model,
       case when hash(i) % 100 = 0 then null
            else hash(i * 7 + 1) % 1000 < 150 + 20 * (i // {arms} % 10) end as coercive
from range({size}) as trials(i)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """CPU and wall seconds of one call."""

    cpu: float
    wall: float

    def __str__(self) -> str:
        return f"{self.cpu:.4f} | {self.wall:.4f}"


def measure(call: Callable[[], object], *, runs: int) -> Cost:
    """The run with the least CPU time, after one that warms up."""
    call()
    costs = []
    for _ in range(runs):
        gc.collect()
        cpu, wall = time.process_time(), time.perf_counter()
        call()
        costs.append(Cost(cpu=time.process_time() - cpu, wall=time.perf_counter() - wall))
    return min(costs, key=lambda cost: cost.cpu)


def database(size: int) -> duckdb.DuckDBPyConnection:
    """Trials in memory, names as enums, one in a hundred lost."""
    found = duckdb.connect()
    for kind, prefix, count in (
        ("variant", "v", ARMS),
        ("scenario", "s", SCENARIOS),
        ("model", "m", MODELS),
    ):
        names = ", ".join(f"'{prefix}{i}'" for i in range(count))
        found.execute(f"create type {kind}_name as enum ({names})")
    found.execute(ROWS.format(arms=ARMS, scenarios=SCENARIOS, models=MODELS, size=size))
    return found


def cells(connection: duckdb.DuckDBPyConnection) -> list[Cell]:
    """One GROUP BY, then nouns."""
    return [
        Cell(
            variant=variant,
            scenario=scenario,
            model=model,
            counts=Counts(coercive=coercive, scored=scored, lost=lost),
        )
        for variant, scenario, model, coercive, scored, lost in connection.execute(
            GROUP_BY
        ).fetchall()
    ]


def statsmodels_peer(rows: pd.DataFrame) -> list[tuple[float, float]]:
    """CMH test and pooled odds ratio of every variant: a small part of an analysis."""
    scored = rows.dropna(subset=["coercive"])
    keys = ["variant", "scenario", "model"]
    sums = scored.groupby(keys, observed=True)["coercive"].agg(["sum", "count"])
    table = (
        sums.astype(float)
        .reset_index()
        .pivot_table(
            index=["scenario", "model"], columns="variant", values=["sum", "count"], observed=True
        )
    )
    events, misses = table["sum"], table["count"] - table["sum"]
    found = []
    for arm in range(1, ARMS):
        name = f"v{arm}"
        tables = np.array([[events[name], misses[name]], [events["v0"], misses["v0"]]], dtype=float)
        table = StratifiedTable(tables)
        found.append((table.test_null_odds().pvalue, table.oddsratio_pooled))
    return found


def from_rows(sizes: tuple[int, ...]) -> list[str]:
    """A line of the page for every size and method."""
    lines = ["| trials | what | CPU s | wall s |", "|---|---|---|---|"]
    settings = Settings(baseline="v0", permutations=0)
    for size in sizes:
        connection = database(size)
        runs = 20 if size <= 10_000 else 5
        bare = measure(lambda c=connection: c.execute(GROUP_BY).fetchall(), runs=runs)
        whole = measure(lambda c=connection: analyse(cells(c), settings), runs=runs)
        full = measure(lambda c=connection: analyse(cells(c), Settings(baseline="v0")), runs=2)
        rows = connection.execute("select * from trial").df()
        rows["coercive"] = rows["coercive"].astype("boolean")
        peer = measure(lambda r=rows: statsmodels_peer(r), runs=2)
        lines += [
            f"| {size:,} | bare DuckDB GROUP BY | {bare} |",
            f"| {size:,} | GROUP BY, cells and analysis, no permutations | {whole} |",
            f"| {size:,} | the same with 9,999 permutations | {full} |",
            f"| {size:,} | pandas and statsmodels: CMH and pooled odds ratio only | {peer} |",
        ]
        connection.close()
    return lines


def from_cells() -> list[str]:
    """Methods on their own: 240 strata, 20 repeats."""
    rng = np.random.default_rng(0)
    rates = rng.beta(0.4, 0.8, SCENARIOS * MODELS)
    table = [
        Cell(
            variant=f"v{arm}",
            scenario=f"s{k // MODELS:02d}",
            model=f"m{k % MODELS}",
            counts=Counts(coercive=int(rng.binomial(20, rate)), scored=20),
        )
        for arm in range(ARMS)
        for k, rate in enumerate(rates)
    ]
    arms = grid(table, "v0")
    batch = arms.strata()
    one = batch.row(0)
    calls: tuple[tuple[str, Callable[[], object], int], ...] = (
        ("exact mid-p, one variant", lambda: permutation_test(one), 20),
        ("Miettinen-Nurminen interval, one variant", lambda: difference_interval(one), 20),
        ("Miettinen-Nurminen intervals, all five", lambda: difference_interval(batch), 20),
        ("9,999 max-T permutations", lambda: step_down_max_t(arms.events, arms.scored), 3),
        (
            "whole analysis, no permutations",
            lambda: analyse(table, Settings(baseline="v0", permutations=0)),
            10,
        ),
        ("whole analysis, 9,999 permutations", lambda: analyse(table, Settings(baseline="v0")), 3),
    )
    lines = ["| what | CPU s | wall s |", "|---|---|---|"]
    return lines + [f"| {name} | {measure(call, runs=runs)} |" for name, call, runs in calls]


HEAD = """# Benchmarks: statistics

Written by `python tests/benchmarks/bench_stats.py` on {date}: Python {python}, {packages}, {cores}
cores. Load average at the start: {load:.1f}. CPU seconds count all threads and are the sturdier
figure; the best of several runs.
"""
ROW_TARGET = """
Targets at 10,000,000 trials: at most 0.15 CPU s end to end, and at most 1.5 times the bare
GROUP BY.
"""
CELL_TARGET = """
Targets: at most 0.001 s without permutations; at most 2 s for 9,999 max-T permutations. The whole
analysis misses the first one: it is {comparisons} comparisons (each variant overall and on each
model), each with its exact law, intervals, heterogeneity and verdict.
"""


def page(sizes: tuple[int, ...]) -> str:
    """The page as Markdown."""
    head = HEAD.format(
        date=datetime.now(UTC).date().isoformat(),
        python=platform.python_version(),
        packages=", ".join(
            f"{p} {version(p)}" for p in ("numpy", "scipy", "duckdb", "statsmodels")
        ),
        cores=os.cpu_count(),
        load=os.getloadavg()[0],
    )
    strata = SCENARIOS * MODELS
    parts = [
        head,
        f"## From trials: K = {ARMS}, {SCENARIOS} scenarios x {MODELS} models\n",
        *from_rows(sizes),
        ROW_TARGET,
        f"## From cells: {strata} strata, 20 repeats, {ARMS - 1} variants\n",
        *from_cells(),
    ]
    return "\n".join(parts) + "\n" + CELL_TARGET.format(comparisons=(ARMS - 1) * (MODELS + 1))


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks-statistics.md"))
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    given = parser.parse_args()
    given.out.write_text(page(tuple(given.sizes)), encoding="utf-8")


if __name__ == "__main__":
    main()
