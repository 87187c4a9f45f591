"""Readers of the service while a run lands: how long a page takes, and whether an outcome is lost.

    python tests/benchmarks/bench_web.py [--readers 50] [--seconds 20] [--rate 200] [--pause 0.0]

The run is a real one on simulated models, slowed down to the rate; journal, store and pages are the
service's own, in one process. The readers are another process: each asks for the next page as soon
as it has the one before (`--pause` gives it time to read). Afterwards every outcome in the journal
must stand in the database, and every cell must agree with its rows.
"""

# ruff: noqa: T201 - a command that prints its table

import argparse
import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from mitigations.compose.workspace import create_workspace
from mitigations.model import Reply, Request
from mitigations.store import read_journal
from mitigations.web.services import Services
from runner.simulated import SimulatedModels
from tests.web.conftest import STUDY, client_of, listening, serving

WIDTH = 32
"""Calls in flight of a run on simulated models."""


@dataclass(frozen=True)
class Result:
    """What was seen."""

    pages: int
    failed: int
    median_ms: float
    p95_ms: float
    worst_ms: float
    slowest: Mapping[str, float]
    """p95 by page, in milliseconds."""
    landed_per_s: float
    cpu_s: float
    """CPU seconds of the service, its run included: sturdier than wall times."""
    wall_s: float
    journalled: int
    stored: int
    cell_faults: int

    @property
    def lost(self) -> int:
        """Outcomes that were acknowledged and are not in the database."""
        return self.journalled - self.stored


@contextmanager
def paced_at(rate: float) -> Iterator[None]:
    """Slow every simulated model down, so that a run lands `rate` outcomes a second."""
    answer, before = SimulatedModels.answer, SimulatedModels.complete
    due = [time.monotonic()]

    async def paced(self: SimulatedModels, request: Request) -> Reply:
        due[0] = max(due[0] + 1 / rate, time.monotonic() - 1.0)
        await asyncio.sleep(max(0.0, due[0] - time.monotonic()))
        return answer(self, request)

    SimulatedModels.complete = paced  # type: ignore[method-assign]
    try:
        yield
    finally:
        SimulatedModels.complete = before  # type: ignore[method-assign]


async def read(port: int, paths: list[str], seconds: float, pause: float) -> list[Any]:
    """One reader over one connection: (page, seconds, status) of every page it saw."""
    seen: list[tuple[str, float, int]] = []
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        path = paths[number % len(paths)]
        number += 1
        begin = time.monotonic()
        head = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n"
        writer.write(head.encode())
        answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(answer.partition("content-length: ")[2].partition("\r\n")[0])
        await reader.readexactly(length)
        seen.append((path, time.monotonic() - begin, int(answer.split()[1])))
        await asyncio.sleep(pause)
    writer.close()
    return seen


def readers(
    port: int, paths: list[str], count: int, seconds: float, pause: float, out: Any
) -> None:
    """All readers, in a process of their own; each begins with another page."""

    async def everybody() -> list[Any]:
        turns = [paths[n % len(paths) :] + paths[: n % len(paths)] for n in range(count)]
        each = await asyncio.gather(*(read(port, turn, seconds, pause) for turn in turns))
        return [one for seen in each for one in seen]

    out.put(asyncio.run(everybody()))


def finished(services: Services) -> str:
    """A run that is complete, with its report made; gives its id."""
    client = client_of(services)
    client.post("/studies/first/lock")
    done = client.post("/studies/first/run").headers["location"].removeprefix("/runs/")
    job = services.jobs.get(done)
    assert job is not None
    assert job.wait(120)
    services.results.refresh(done)
    client.get(f"/runs/{done}/report")
    return done


def landing(services: Services, rate: float, seconds: float) -> str:
    """A run that goes on for longer than the readers read; gives its id."""
    client = client_of(services)
    needed = int(rate * (seconds + 60) / (14 * 3)) + 1
    text = STUDY.replace("study: first", "study: live")
    text = text.replace("repeats: 2", f"repeats: {needed}")
    (services.root / "studies" / "live.yaml").write_text(text)
    client.post("/studies/live/lock")
    return client.post("/studies/live/run").headers["location"].removeprefix("/runs/")


def measure(*, count: int, seconds: float, rate: float, pause: float) -> Result:
    """Everything, in a workspace that is thrown away."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "team"
        create_workspace(folder)
        (folder / "studies" / "first.yaml").write_text(STUDY)
        with serving(folder) as services:
            return _measure(services, count=count, seconds=seconds, rate=rate, pause=pause)


def _measure(
    services: Services, *, count: int, seconds: float, rate: float, pause: float
) -> Result:
    done = finished(services)
    with paced_at(rate):
        return _under_way(services, done, count=count, seconds=seconds, rate=rate, pause=pause)


def _under_way(
    services: Services, done: str, *, count: int, seconds: float, rate: float, pause: float
) -> Result:
    live = landing(services, rate, seconds)
    paths = ["/", f"/runs/{live}", "/studies/first", "/variants", f"/runs/{done}"]
    paths += [f"/api/runs/{live}", "/health", f"/runs/{done}/cells", f"/runs/{done}/report"]
    context = multiprocessing.get_context("spawn")
    out = context.Queue()
    with listening(services) as url:
        port = int(url.rpartition(":")[2])
        process = context.Process(target=readers, args=(port, paths, count, seconds, pause, out))
        job = services.jobs.get(live)
        assert job is not None
        process.start()
        while not job.has_started:
            time.sleep(0.05)
        before, begin, used = job.pace.new, time.monotonic(), time.process_time()
        seen = out.get(timeout=seconds + 120)
        cpu, wall = time.process_time() - used, time.monotonic() - begin
        landed = (job.pace.new - before) / wall
        process.join()
        job.ask_to_stop("the benchmark")
        job.wait(120)
    return _result(services, live, seen, (landed, cpu, wall))


def _result(
    services: Services, live: str, seen: list[Any], spent: tuple[float, float, float]
) -> Result:
    times = sorted(took for _, took, _ in seen)
    by_page: dict[str, list[float]] = {}
    for path, took, _ in seen:
        by_page.setdefault(path.replace(live, "LIVE"), []).append(took)
    journal = services.runs / live / "calls.jsonl"
    with services.reading() as store:
        stored, faults = store.run_sizes().get(live, 0), len(store.cell_faults(live))
    return Result(
        pages=len(seen),
        failed=sum(status != 200 for _, _, status in seen),
        median_ms=1000 * _at(times, 0.5),
        p95_ms=1000 * _at(times, 0.95),
        worst_ms=1000 * times[-1],
        slowest={path: 1000 * _at(sorted(all_), 0.95) for path, all_ in sorted(by_page.items())},
        landed_per_s=spent[0],
        cpu_s=spent[1],
        wall_s=spent[2],
        journalled=sum(record["t"] == "outcome" for record in read_journal(journal)),
        stored=stored,
        cell_faults=faults,
    )


def _at(times: list[float], share: float) -> float:
    return times[min(len(times) - 1, int(share * len(times)))]


def main() -> None:
    """The figures as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--pause", type=float, default=0.0)
    given = parser.parse_args()
    found = measure(count=given.readers, seconds=given.seconds, rate=given.rate, pause=given.pause)
    print(json.dumps(found.__dict__ | {"lost": found.lost}, indent=1))


if __name__ == "__main__":
    main()
