"""Whole trials beside promptfoo, Inspect and bare LiteLLM, all in one run on one provider.

    python tests/benchmarks/bench_peers.py [--trials 1000] [--latency 0 50 500]
        [--concurrency 20 100 500] [--only ours inspect] [--promptfoo FOLDER]

Ours are two-call trials with everything on: target and judge call, reservation, journal on disk,
rules, landing in the database. The peers make one call a trial and judge nothing, which is less
work: LiteLLM as a bare `acompletion`, Inspect as an `eval` without a scorer, promptfoo as an `eval`
without assertions. Each client runs in a process of its own; `CPU s` are its seconds per 1,000
trials without start-up (promptfoo's from the difference of two sizes). They are the sturdy figure:
wall times and shares of the limit suffer from whatever else the machine does.

The physical limit is `concurrency / (calls a trial * latency)`. promptfoo is installed from npm
into a temporary folder, or taken from the folder of an earlier installation.
"""

# ruff: noqa: T201 - a command that prints its table

import argparse
import asyncio
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.benchmarks.quick_provider import serving  # noqa: E402 - the checkout first

PROMPT = "The board meets on Thursday. " * 280  # about 8 KiB
SHARE_OF_TRIALS = {"ours, native": 1.0, "ours, litellm": 0.25, "litellm": 0.25}
CALLS = {"ours, native": 2, "ours, litellm": 2}
CLIENTS = ("ours, native", "ours, litellm", "litellm", "inspect", "promptfoo")

Result = dict[str, float]


def ours(port: int, trials: int, concurrency: int, *, via: str) -> Result:
    """`bench_trials.py` in a process of its own."""
    command = [
        *(sys.executable, str(ROOT / "tests/benchmarks/bench_trials.py")),
        *("--port", str(port), "--trials", str(trials)),
        *("--concurrency", str(concurrency), "--provider", "openai", "--via", via),
    ]
    return _last_line(command)


def peer(name: str, port: int, trials: int, concurrency: int) -> Result:
    """This file again, as the process of a peer that is a Python library."""
    command = [
        *(sys.executable, str(Path(__file__)), "--peer", name, "--port", str(port)),
        *("--trials", str(trials), "--concurrency", str(concurrency)),
    ]
    return _last_line(command)


def _last_line(command: list[str]) -> Result:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr[-2000:]}")
    found: Result = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def promptfoo(folder: Path, port: int, trials: int, concurrency: int) -> Result:
    """The difference of a large and a small evaluation, so that start-up counts for neither."""
    small = max(1, trials // 10)
    wall_small, cpu_small = _promptfoo(folder, port, small, concurrency)
    wall, cpu = _promptfoo(folder, port, small + trials, concurrency)
    return {
        "trials": trials,
        "trials_per_s": trials / max(wall - wall_small, 1e-9),
        "cpu_s_per_1000": (cpu - cpu_small) * 1000 / trials,
    }


def _promptfoo(folder: Path, port: int, trials: int, concurrency: int) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as work:
        config = {
            "prompts": [PROMPT + "Item {{n}}"],
            "providers": [
                {
                    "id": "openai:chat:m",
                    "config": {"apiBaseUrl": f"http://127.0.0.1:{port}/v1", "apiKey": "x"},
                }
            ],
            "tests": [{"vars": {"n": number}} for number in range(trials)],
        }
        path = Path(work) / "config.json"
        path.write_text(json.dumps(config))
        quiet = {
            "PROMPTFOO_DISABLE_TELEMETRY": "1",
            "PROMPTFOO_DISABLE_UPDATE": "1",
            "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1",
            "PROMPTFOO_CONFIG_DIR": work,
            "NODE_NO_WARNINGS": "1",
        }
        used, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(
            [
                *(str(folder / "node_modules/.bin/promptfoo"), "eval", "-c", str(path)),
                *("--no-cache", "--no-table", "--no-progress-bar", "-j", str(concurrency)),
                *("-o", str(Path(work) / "out.json")),
            ],
            env={**os.environ, **quiet},
            capture_output=True,
            text=True,
            check=False,
        )
        wall = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        out = Path(work) / "out.json"
        if not out.exists():
            raise SystemExit(f"promptfoo failed:\n{(done.stderr or done.stdout)[-2000:]}")
        stats = json.loads(out.read_text())["results"]["stats"]
        assert stats["successes"] == trials, stats
    return wall, after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime


def litellm_peer(port: int, trials: int, concurrency: int) -> None:
    """Bare `acompletion`, `concurrency` at once."""
    from runner.gateway.clients import import_litellm

    litellm = import_litellm()

    async def call(number: int) -> None:
        await litellm.acompletion(
            model="openai/m",
            messages=[
                {"role": "system", "content": PROMPT},
                {"role": "user", "content": f"Item {number}"},
            ],
            max_tokens=1024,
            api_base=f"http://127.0.0.1:{port}/v1",
            api_key="x",
            num_retries=0,
        )

    async def all_of_them(count: int) -> None:
        numbers = iter(range(count))

        async def worker() -> None:
            for number in numbers:
                await call(number)

        await asyncio.gather(*(worker() for _ in range(concurrency)))

    async def run() -> None:
        await all_of_them(min(concurrency, 20))
        with _metered(trials):
            await all_of_them(trials)

    asyncio.run(run())


def inspect_peer(port: int, trials: int, concurrency: int) -> None:
    """One `eval` of so many samples, logs written as it does by default."""
    from inspect_ai import Task, eval  # noqa: A004 - its own name
    from inspect_ai.dataset import Sample
    from inspect_ai.model import GenerateConfig, get_model
    from inspect_ai.solver import generate, system_message

    def task(count: int) -> Task:
        return Task(
            dataset=[Sample(input=f"Item {number}") for number in range(count)],
            solver=[system_message(PROMPT), generate()],
        )

    # Through the Anthropic format: its provider for OpenAI asks for a newer SDK than is locked.
    model = get_model(
        "anthropic/m",
        base_url=f"http://127.0.0.1:{port}",
        api_key="x",
        config=GenerateConfig(max_connections=concurrency, max_tokens=1024),
    )
    with tempfile.TemporaryDirectory() as logs:
        settings = {"log_dir": logs, "display": "none", "max_samples": concurrency}
        eval(task(min(20, concurrency)), model=model, **settings)
        with _metered(trials):
            (log,) = eval(task(trials), model=model, **settings)
        assert log.status == "success", log.error


class _metered:  # noqa: N801 - used as a context manager
    """Prints the figures of what ran inside."""

    def __init__(self, trials: int) -> None:
        self.trials = trials

    def __enter__(self) -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        self.cpu, self.began = used.ru_utime + used.ru_stime, time.perf_counter()

    def __exit__(self, *_: object) -> None:
        wall = time.perf_counter() - self.began
        used = resource.getrusage(resource.RUSAGE_SELF)
        spent = used.ru_utime + used.ru_stime - self.cpu
        found = {"trials": self.trials, "trials_per_s": self.trials / wall}
        print(json.dumps(found | {"cpu_s_per_1000": spent * 1000 / self.trials}))


def install(folder: Path) -> str:
    """promptfoo from npm into `folder`; its version, or why it could not be had."""
    if shutil.which("npm") is None:
        return ""
    if not (folder / "node_modules/.bin/promptfoo").exists():
        print("installing promptfoo from npm (minutes)", file=sys.stderr)
        command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder)]
        subprocess.run([*command, "promptfoo"], capture_output=True, check=False)
    package = folder / "node_modules/promptfoo/package.json"
    return str(json.loads(package.read_text())["version"]) if package.exists() else ""


def rows(options: argparse.Namespace, folder: Path) -> Iterator[tuple[float, int, str, Result]]:
    """Every client at every latency and concurrency, one after the other."""
    for latency_ms in options.latency:
        with serving(latency_ms / 1000) as port:
            for concurrency in options.concurrency:
                for name in options.clients:
                    trials = max(concurrency, int(options.trials * SHARE_OF_TRIALS.get(name, 0.25)))
                    if name.startswith("ours"):
                        via = name.partition(", ")[2]
                        found = ours(port, max(trials, 2 * concurrency), concurrency, via=via)
                    elif name == "promptfoo":
                        found = promptfoo(folder, port, trials, concurrency)
                    else:
                        found = peer(name, port, trials, concurrency)
                    yield latency_ms, concurrency, name, found


def main() -> None:
    """Print a table, and the load of the machine before and after."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--latency", type=float, nargs="+", default=[0.0, 50.0, 500.0])
    parser.add_argument("--concurrency", type=int, nargs="+", default=[20, 100, 500])
    parser.add_argument("--only", nargs="+", help="clients whose name begins so")
    parser.add_argument("--promptfoo", type=Path, help="folder of an npm installation")
    parser.add_argument("--peer", choices=["litellm", "inspect"], help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        run = litellm_peer if options.peer == "litellm" else inspect_peer
        run(options.port, options.trials, options.concurrency[0])
        return
    named = tuple(options.only or [""])
    options.clients = [name for name in CLIENTS if name.startswith(named)]
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load before {load}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.promptfoo or Path(temporary)
        version = install(folder) if "promptfoo" in options.clients else ""
        if "promptfoo" in options.clients and not version:
            print("promptfoo could not be installed: left out")
            options.clients.remove("promptfoo")
        if version:
            print(f"promptfoo {version}")
        print("latency  at once  client            trials/s   share  CPU s per 1,000 trials")
        for latency_ms, concurrency, name, found in rows(options, folder):
            calls = CALLS.get(name, 1)
            limit = concurrency / (calls * latency_ms / 1000) if latency_ms else None
            share = f"{found['trials_per_s'] / limit:7.3f}" if limit else "      -"
            print(
                f"{latency_ms:5g} ms  {concurrency:7}  {name:16} {found['trials_per_s']:9.1f}"
                f" {share} {found['cpu_s_per_1000']:8.2f}",
                flush=True,
            )
    print("load after " + " ".join(f"{value:.1f}" for value in os.getloadavg()))


if __name__ == "__main__":
    main()
