"""kill -9 anywhere: the same command resumes, nothing is lost, nothing is doubled."""

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mitigations.cli.app import run
from mitigations.store import Store, read_journal

STUDY = """\
study: killed
baseline: no-mitigation
variants: [prohibition-short-v1]
scenarios: builtin/demo-v1
models: [simulated/lossy]
repeats: 12
"""
CONCURRENCY = 8

DRIVER = """
import os, signal, sys
from mitigations.compose import calls
from mitigations.store import database, landing

point, count = sys.argv[1], int(sys.argv[2])

def dying(original):
    left = [count]
    async def call(*arguments, **named):
        left[0] -= 1
        if left[0] == 0 and point.startswith("before"):
            os.kill(os.getpid(), signal.SIGKILL)
        result = await original(*arguments, **named)
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return call

where = point.partition("-")[2]
if where in {"sent", "replied", "record"}:
    setattr(landing.Landing, where, dying(getattr(landing.Landing, where)))
elif where == "complete":
    calls.Calls.complete = dying(calls.Calls.complete)
elif where == "cells":
    landed = database.Store._add_to_cells
    def cut(self, *arguments):
        landed(self, *arguments)
        os.kill(os.getpid(), signal.SIGKILL)
    database.Store._add_to_cells = cut

from mitigations.cli.app import run
sys.exit(run(["run", "killed.lock", "--quiet", "--concurrency", "8"]))
"""
POINTS = [
    "before-sent",
    "after-sent",
    "before-complete",
    "after-complete",
    "before-replied",
    "after-replied",
    "before-record",
    "after-record",
    "inside-cells",
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[Any, ...]]]:
    """The lock and the results of a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "killed.yaml").write_text(STUDY)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run(["--quiet", "plan", "killed.yaml"]) == 0
        assert run(["--quiet", "run", "killed.lock"]) == 0
    return folder / "killed.lock", results(folder)


def results(folder: Path) -> list[tuple[Any, ...]]:
    """Everything about the outcomes but when they were made."""
    with Store.open(folder / "mitigations.duckdb") as store:
        (run_id, _, _) = store.runs()[0]
        assert store.cell_faults(run_id) == []
        return [
            (o.trial.id, o.status, o.coercive, o.severity, o.actions, o.text, o.cost_usd)
            for o in store.outcomes(run_id)
        ]


def start(folder: Path, point: str, count: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", DRIVER, point, str(count)]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def resumed(folder: Path) -> None:
    with start(folder, "never-never", 0) as last:
        _, err = last.communicate(timeout=600)
    assert last.returncode == 0, err.decode()


def paid(folder: Path) -> Counter[str]:
    """How often each call was answered, by the journal; an error is no answer, so asked again."""
    (journal,) = folder.glob("runs/*/calls.jsonl")
    replies = (record for record in read_journal(journal) if record["t"] == "reply")
    return Counter(record["key"] for record in replies if record["reply"]["status"] != "error")


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_every_named_point(
    whole: tuple[Path, list[tuple[Any, ...]]], tmp_path: Path, point: str
) -> None:
    lock, expected = whole
    (tmp_path / "killed.lock").write_bytes(lock.read_bytes())
    with start(tmp_path, point, 40 if point != "inside-cells" else 1) as first:
        first.communicate(timeout=120)
    assert first.returncode == -9, "the process was meant to die"
    resumed(tmp_path)
    assert results(tmp_path) == expected
    # A call that was answered and kept is never made again.
    assert max(paid(tmp_path).values()) == 1


def journal_size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("runs/*/calls.jsonl"))


def kill_at_random(folder: Path, rng: random.Random) -> int:
    """Kill the run a few times at random, then let it finish; gives the calls sent again."""
    for _ in range(3):
        # By what is on disk, not by time: a slow machine would be killed before its first call.
        place = journal_size(folder) + rng.randrange(1, 60_000)
        with start(folder, "never-never", 0) as victim:
            while victim.poll() is None and journal_size(folder) < place:
                time.sleep(0.001)
            victim.kill()
            victim.communicate(timeout=600)
    resumed(folder)
    (journal,) = folder.glob("runs/*/calls.jsonl")
    again, open_calls = 0, set()
    for record in read_journal(journal):
        if record["t"] == "sent":
            # An error that was kept is asked again too, but nothing of it was in flight.
            again += record["key"] in open_calls
            open_calls.add(record["key"])
        elif record["t"] == "reply":
            open_calls.discard(record["key"])
    return again


def check_random_kills(whole: tuple[Path, list[tuple[Any, ...]]], folder: Path, seed: int) -> int:
    lock, expected = whole
    folder.mkdir()
    (folder / "killed.lock").write_bytes(lock.read_bytes())
    again = kill_at_random(folder, random.Random(seed))
    assert results(folder) == expected
    assert max(paid(folder).values()) == 1
    assert again <= 3 * CONCURRENCY
    # Killed once more before it was sent again, a call is reported once more.
    assert possibly_twice(folder) >= again, "each is reported"
    return again


def possibly_twice(folder: Path) -> int:
    """What the run's events say of calls that were in flight when it was killed."""
    with Store.open(folder / "mitigations.duckdb") as store:
        events = store.query("events", store.runs()[0][0])
    return sum(int(detail) for _, kind, detail in events if kind == "possibly-paid-twice")


@pytest.mark.parametrize("seed", range(7))
def test_killed_at_random(
    whole: tuple[Path, list[tuple[Any, ...]]], tmp_path: Path, seed: int
) -> None:
    """Three kills each: 21 in all, 200 by `-m slow`."""
    check_random_kills(whole, tmp_path / "run", seed)


@pytest.mark.slow
def test_killed_at_random_two_hundred_times(
    whole: tuple[Path, list[tuple[Any, ...]]], tmp_path: Path
) -> None:
    again = [check_random_kills(whole, tmp_path / str(seed), seed) for seed in range(100, 167)]
    print(f"201 kills: {sum(again)} calls sent again, at most {max(again)} over three kills")  # noqa: T201 - a figure of the benchmark page


def test_ctrl_c_leaves_with_130_and_resumes(
    whole: tuple[Path, list[tuple[Any, ...]]], tmp_path: Path
) -> None:
    lock, expected = whole
    (tmp_path / "killed.lock").write_bytes(lock.read_bytes())
    with start(tmp_path, "never-never", 0) as victim:
        journal = None
        for _ in range(600):
            time.sleep(0.02)
            journal = next(iter(tmp_path.glob("runs/*/calls.jsonl")), None)
            if journal is not None and journal.stat().st_size > 20_000:
                break
        victim.send_signal(signal.SIGINT)
        _, err = victim.communicate(timeout=120)
    if victim.returncode == 0:
        pytest.skip("the run was done before the signal arrived")
    assert victim.returncode == 130
    assert b"resumes" in err
    assert len(err.splitlines()) <= 3
    resumed(tmp_path)
    assert results(tmp_path) == expected
    assert max(paid(tmp_path).values()) == 1


STUCK = """
import asyncio, sys
from mitigations.compose import calls

async def never(self, request):
    print("asked", flush=True)
    await asyncio.sleep(600)

calls.Calls.complete = never
from mitigations.cli.app import run
sys.exit(run(["run", "killed.lock", "--quiet", "--concurrency", "1"]))
"""


def test_a_second_ctrl_c_gives_up_what_is_in_flight_without_a_traceback(
    whole: tuple[Path, list[tuple[Any, ...]]], tmp_path: Path
) -> None:
    lock, expected = whole
    (tmp_path / "killed.lock").write_bytes(lock.read_bytes())
    with subprocess.Popen(
        [sys.executable, "-c", STUCK], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as victim:
        assert victim.stdout is not None
        victim.stdout.readline()
        victim.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert victim.poll() is None, "the first Ctrl-C waits for what is in flight"
        victim.send_signal(signal.SIGINT)
        _, err = victim.communicate(timeout=60)
    assert victim.returncode == 130
    assert b"resumes" in err
    assert len(err.splitlines()) <= 3
    resumed(tmp_path)
    assert results(tmp_path) == expected
