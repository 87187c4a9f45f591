"""What a whole trial costs: target and judge call, journal, landing, rules; everything a run does.

    python tests/benchmarks/bench_trials.py [--trials 2000] [--latency 50] [--concurrency 100]
        [--provider anthropic] [--via native] [--profile]

One process, a provider on loopback in another. The physical limit is `concurrency / (2 * latency)`
trials a second. CPU seconds are of the running process alone, without start-up.
"""

# ruff: noqa: T201 - a command that prints its line

import argparse
import asyncio
import cProfile
import json
import os
import pstats
import resource
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from mitigations.cli.session import now
from mitigations.compose import planning, running
from mitigations.providers import read_providers
from mitigations.store import Store
from tests.benchmarks.quick_provider import serving

MODELS = {
    "openai": "openai/gpt-5-mini-2025-08-07",
    "anthropic": "anthropic/claude-haiku-4-5-20251001",
}
JUDGES = {
    "openai": "openai/gpt-5-2025-08-07",
    "anthropic": "anthropic/claude-sonnet-4-5-20250929",
}
STUDY = """\
study: {name}
baseline: no-mitigation
variants: [pause-and-review-v1, prohibition-short-v1, constitution-medium-v1]
scenarios: builtin/demo-v1
models: [{{model: {model}, via: {via}}}]
judge: {{model: {{model: {judge}, via: {via}}}, allow_own_family: true}}
repeats: {repeats}
budget_usd: 100000
"""
EPOCH = 4 * 14
PROFILE = cProfile.Profile()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run."""

    trials: int
    trials_per_s: float
    cpu_s_per_1000: float
    peak_mib: float


def measure(folder: Path, port: int, options: argparse.Namespace) -> Measured:
    """Run one epoch to warm up, then about so many trials, against the provider on `port`."""
    (folder / "providers.yaml").write_text(
        "providers:\n"
        f"  openai: {{base_url: 'http://127.0.0.1:{port}/v1', key_env: BENCH_KEY}}\n"
        f"  anthropic: {{base_url: 'http://127.0.0.1:{port}', key_env: BENCH_KEY}}\n"
    )
    os.environ["BENCH_KEY"] = "sk-benchmark-0123456789"
    # Imports and first calls cost seconds once; they are no part of a trial.
    play(folder, "warm", 1, options)
    return play(folder, "bench", max(1, round(options.trials / EPOCH)), options)


def play(folder: Path, name: str, repeats: int, options: argparse.Namespace) -> Measured:
    """Plan a study, run it, and see that every trial was scored."""
    study = STUDY.format(
        name=name,
        model=MODELS[options.provider],
        judge=JUDGES[options.provider],
        via=options.via,
        repeats=repeats,
    )
    (folder / f"{name}.yaml").write_text(study)
    plan = planning.plan_study(folder / f"{name}.yaml", created=now())
    with Store.open(folder / f"{name}.duckdb") as store:
        around = running.Surroundings(
            store=store,
            runs=folder / "runs",
            providers=read_providers(folder),
            now=now,
            watch=lambda _: None,
        )
        chosen = running.Options(concurrency=options.concurrency)
        used = resource.getrusage(resource.RUSAGE_SELF)
        began, cpu = time.perf_counter(), used.ru_utime + used.ru_stime
        if options.profile and name == "bench":
            PROFILE.enable()
        run = asyncio.run(running.run_plan(plan, around, chosen))
        PROFILE.disable()
        wall = time.perf_counter() - began
        used = resource.getrusage(resource.RUSAGE_SELF)
        spent = used.ru_utime + used.ru_stime - cpu
        statuses = store.query("statuses", run)
    lost = [row for row in statuses if "scored" not in row]
    assert not lost, lost
    return Measured(
        trials=plan.trial_count,
        trials_per_s=plan.trial_count / wall,
        cpu_s_per_1000=spent * 1000 / plan.trial_count,
        peak_mib=used.ru_maxrss / 1024,
    )


def main() -> None:
    """Run once and print the figures as a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--latency", type=float, default=50.0, help="milliseconds")
    parser.add_argument("--concurrency", type=int, default=100)
    parser.add_argument("--provider", choices=sorted(MODELS), default="anthropic")
    parser.add_argument("--via", choices=["native", "litellm"], default="native")
    parser.add_argument("--port", type=int, help="of a provider that is up already")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.port is not None:
            print(json.dumps(asdict(measure(Path(folder), options.port, options))))
            return
        with serving(options.latency / 1000) as port:
            found = measure(Path(folder), port, options)
    limit = options.concurrency / (2 * options.latency / 1000) if options.latency else None
    share = {} if limit is None else {"share": round(found.trials_per_s / limit, 3)}
    print(json.dumps(asdict(found) | share))
    if options.profile:
        for order in ("tottime", "cumulative"):
            pstats.Stats(PROFILE).sort_stats(order).print_stats(60)


if __name__ == "__main__":
    main()
