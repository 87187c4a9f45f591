"""What a run on workers costs each process: CPU and memory of owner, worker and PostgreSQL.

    python tests/benchmarks/bench_engine.py [--epochs 40] [--latency 50]

One worker, an owner that plays nothing, a provider on loopback, a PostgreSQL of its own.
"""

# ruff: noqa: T201 - a command that prints its lines

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import psycopg

from tests.engine.engine_help import Site, provider
from tests.engine.postgres import Postgres, binaries

PER_EPOCH = 28
TICKS = os.sysconf("SC_CLK_TCK")


def server_cpu(postgres: Postgres) -> float:
    """CPU seconds of the server and of every child it has had."""
    pid = (postgres.folder / "data" / "postmaster.pid").read_text().splitlines()[0]
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    total = sum(int(field) for field in fields[11:15])
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        own = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        total += sum(int(field) for field in own[11:13])
    return total / TICKS


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--latency", type=float, default=50)
    options = parser.parse_args()
    found = binaries()
    if found is None:
        raise SystemExit("PostgreSQL is not installed: apt-get install postgresql")
    os.environ["LEASE"] = "150"
    trials = PER_EPOCH * options.epochs
    with (
        tempfile.TemporaryDirectory() as folder,
        Postgres(found) as postgres,
        provider(options.latency / 1000) as fake,
    ):
        site = Site(Path(folder), postgres.url, [])
        site.plan(repeats=options.epochs, port=fake.port)
        worker = site.worker("--concurrency", "50")
        since = time.monotonic()
        owner = site.owner("--workers-only")
        _, status, owned = os.wait4(owner.pid, 0)
        owner.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - since
        served = server_cpu(postgres)
        with psycopg.connect(postgres.url) as connection:
            (size,) = connection.execute("select pg_database_size('trials')").fetchone() or (0,)
        worker.terminate()
        _, status, worked = os.wait4(worker.pid, 0)
        worker.returncode = os.waitstatus_to_exitcode(status)
        site.check_whole(trials)
        print(f"{trials} trials, {wall:.1f} s wall, load {os.getloadavg()[0]:.1f}")
        for name, used in (("owner", owned), ("worker", worked)):
            cpu = used.ru_utime + used.ru_stime
            print(f"{name}: {cpu:.2f} CPU s, {used.ru_maxrss / 1024:.0f} MiB")
        journal, database = site.journal.stat().st_size, site.folder / "mitigations.duckdb"
        print(f"PostgreSQL: {served:.2f} CPU s, {size / 2**20:.1f} MiB")
        print(f"journal {journal / trials:.0f} B a trial, database {database.stat().st_size} B")


if __name__ == "__main__":
    main()
