"""Full, read-only and locked disks end clearly, lose nothing acknowledged, and let a run go on."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mitigations.cli.app import run
from mitigations.store import Store, read_journal

STUDY = """\
study: stored
baseline: no-mitigation
variants: [prohibition-short-v1]
scenarios: builtin/demo-v1
models: [simulated/published]
repeats: 12
"""
PROGRAM = [sys.executable, "-m", "mitigations"]
SLOW = """
import asyncio, sys
from mitigations.compose import calls

original = calls.Calls.complete

async def slow(self, request):
    await asyncio.sleep(0.03)
    return await original(self, request)

calls.Calls.complete = slow
from mitigations.cli.app import run
sys.exit(run(["run", "stored.lock", "--quiet", "--concurrency", "4"]))
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """The lock, and the outcomes of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "stored.yaml").write_text(STUDY)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run(["-q", "plan", "stored.yaml"]) == 0
        assert run(["-q", "run", "stored.lock"]) == 0
    return folder / "stored.lock", results(folder)


def results(folder: Path) -> list[Any]:
    with Store.open(folder / "mitigations.duckdb") as store:
        (run_id, _, _) = store.runs()[0]
        assert store.cell_faults(run_id) == []
        return [(o.trial.id, o.status, o.severity, o.text) for o in store.outcomes(run_id)]


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [*PROGRAM, *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, stdout=pipe, stderr=pipe, text=True)


def recorded(folder: Path) -> set[str]:
    """Trials whose outcome was acknowledged: it stands whole in the journal."""
    found = folder.glob("runs/*/calls.jsonl")
    return {
        record["trial"]
        for path in found
        for record in read_journal(path)
        if record["t"] == "outcome"
    }


@contextmanager
def small_disk(place: Path, options: str) -> Iterator[None]:
    place.mkdir(exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    if os.getuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs root, to mount a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill_and_resume(whole: tuple[Path, list[Any]], folder: Path, writer: str, kib: int) -> int:
    """Run until the disk is full, make room, resume: the same results. Gives the first exit."""
    lock, expected = whole
    (folder / "stored.lock").write_bytes(lock.read_bytes())
    place = folder / "runs" if writer == "journal" else folder / "disk"
    with small_disk(place, f"size={kib}k"):
        home = folder if writer == "journal" else place
        if writer != "journal":
            (place / "stored.lock").symlink_to(folder / "stored.lock")
        if writer == "store":
            (folder / "elsewhere").mkdir()
            (place / "runs").symlink_to(folder / "elsewhere")
        first = start(home, "run", "stored.lock", "-q")
        _, err = first.communicate(timeout=120)
        assert first.returncode in {0, 1}, err
        if first.returncode:
            assert 1 <= len(err.strip().splitlines()) <= 3, err
            assert "Traceback" not in err
            assert re.search(r"cannot be (written|opened)", err), err
        kept = recorded(home)
        subprocess.run(["mount", "-o", "remount,size=64m", str(place)], check=True)
        again = start(home, "run", "stored.lock", "-q")
        _, err = again.communicate(timeout=120)
        assert again.returncode == 0, err
        found = results(home)
        assert found == expected
        assert kept <= {row[0] for row in found}
    return first.returncode


@pytest.mark.parametrize(
    ("writer", "kib"), [("both", 600), ("both", 1000), ("journal", 300), ("store", 300)]
)
def test_a_full_disk_ends_clearly_and_loses_nothing(
    whole: tuple[Path, list[Any]], tmp_path: Path, writer: str, kib: int
) -> None:
    assert fill_and_resume(whole, tmp_path, writer, kib) == 1, "the disk was meant to be too small"


@pytest.mark.slow
@pytest.mark.parametrize("writer", ["both", "journal", "store"])
def test_thirty_sizes_of_disk(whole: tuple[Path, list[Any]], tmp_path: Path, writer: str) -> None:
    exits = []
    for number in range(30):
        folder = tmp_path / str(number)
        folder.mkdir()
        exits.append(fill_and_resume(whole, folder, writer, 60 + 120 * number))
    assert 1 in exits


def test_a_read_only_folder_is_named(whole: tuple[Path, list[Any]], tmp_path: Path) -> None:
    lock, _ = whole
    place = tmp_path / "disk"
    with small_disk(place, "size=8m"):
        (place / "stored.lock").write_bytes(lock.read_bytes())
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        one = start(place, "run", "stored.lock", "-q")
        _, err = one.communicate(timeout=60)
        assert one.returncode == 1
        assert "cannot be opened" in err
        assert len(err.strip().splitlines()) <= 3


def test_of_eight_that_start_together_one_wins_and_the_others_name_it(
    whole: tuple[Path, list[Any]], tmp_path: Path
) -> None:
    lock, expected = whole
    (tmp_path / "stored.lock").write_bytes(lock.read_bytes())
    command = [sys.executable, "-c", SLOW]
    pipe = subprocess.PIPE
    eight = [
        subprocess.Popen(command, cwd=tmp_path, stdout=pipe, stderr=pipe, text=True)
        for _ in range(8)
    ]
    ends = [(one.communicate(timeout=180)[1], one.returncode, one.pid) for one in eight]
    (winner,) = [pid for _, code, pid in ends if code == 0]
    losers = [err for err, code, _ in ends if code == 6]
    assert len(losers) == 7
    assert all(f"PID {winner}" in err for err in losers)
    assert results(tmp_path) == expected


@contextmanager
def going_on(whole: tuple[Path, list[Any]], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A slow run in another process, some of whose outcomes are on disk."""
    lock, _ = whole
    (folder / "stored.lock").write_bytes(lock.read_bytes())
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", SLOW]
    with subprocess.Popen(command, cwd=folder, stdout=pipe, stderr=pipe, text=True) as owner:
        try:
            for _ in range(1200):
                time.sleep(0.05)
                if len(recorded(folder)) > 20:
                    break
            assert owner.poll() is None, "it was meant to be running"
            yield owner
            owner.wait(timeout=180)
        finally:
            owner.kill()


def test_reports_and_checks_work_while_a_run_holds_the_database(
    whole: tuple[Path, list[Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with going_on(whole, tmp_path) as owner:
        before = len(recorded(tmp_path))
        begun = time.perf_counter()
        assert run(["report", "-o", "middle.md"]) == 0
        assert time.perf_counter() - begun < 60
        out = capsys.readouterr().out
        assert f"in use by PID {owner.pid}" in out
        assert "read from the journal" in out
        middle = Path("middle.md").read_text()
        seen = re.search(r"([\d,]+) of 336 planned trials have an outcome", middle)
        assert seen is not None, middle
        assert before <= int(seen[1]) <= len(recorded(tmp_path)) < 336
        assert run(["report", "stored", "-o", "named.md"]) == 0
        assert run(["check", "--database"]) == 0
        assert "read from the journal" in capsys.readouterr().out
        assert run(["report", "no-such-study", "-o", "none.md"]) == 6
        assert f"PID {owner.pid}" in capsys.readouterr().err
        assert owner.poll() is None, "all of that happened while it ran"
    assert results(tmp_path) == whole[1]
    assert run(["report", "-o", "end.md"]) == 0
    assert "read from the journal" not in capsys.readouterr().out


def test_a_journal_that_is_still_written_reads_as_the_finished_one(
    whole: tuple[Path, list[Any]], tmp_path: Path
) -> None:
    """From the journal alone, the finished run gives the very rows of the database."""
    from mitigations.compose.rebuilding import rebuild_run

    lock, expected = whole
    (folder,) = lock.parent.glob("runs/*")
    with Store.in_memory(tmp_path / "x.duckdb") as store:
        rebuild_run(folder, store, now=lambda: "2026-11-24T00:00:00Z")
        (run_id, _, _) = store.runs()[0]
        rows = [(o.trial.id, o.status, o.severity, o.text) for o in store.outcomes(run_id)]
    assert rows == expected
