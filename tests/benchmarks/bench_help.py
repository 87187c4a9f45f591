"""What `mitigations --help` costs: CPU seconds of the whole process, Python's own start beside it.

python tests/benchmarks/bench_help.py [--runs 15]
"""

# ruff: noqa: T201 - a command that prints its line

import argparse
import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def cpu_ms(*arguments: str) -> float:
    """CPU milliseconds of one child process, user and system."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def main() -> None:
    """Print median and least of each command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    for name, arguments in (
        ("python -c pass", ("-c", "pass")),
        ("mitigations --help", ("-m", "mitigations", "--help")),
        ("mitigations run --help", ("-m", "mitigations", "run", "--help")),
    ):
        cpu_ms(*arguments)  # the first one reads the disk
        spent = [cpu_ms(*arguments) for _ in range(runs)]
        print(f"{name:24} median {statistics.median(spent):6.0f} ms, least {min(spent):6.0f} ms")
    print("load " + " ".join(f"{value:.1f}" for value in os.getloadavg()))


if __name__ == "__main__":
    main()
