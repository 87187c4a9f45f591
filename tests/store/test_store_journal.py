"""The journal: on disk before acknowledged, whole lines only, readable while it is written."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from mitigations.errors import DatabaseBusy, InvalidFile, StorageFailed
from mitigations.model import ModelSpec, Reply, ReplyStatus, Request
from mitigations.store import Journal, Landing, Store, read_journal, recover
from tests.builders import make_outcome


def test_records_come_back_in_order_however_many_are_written_at_once(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "calls.jsonl"

    async def write() -> None:
        async with Journal(path) as journal:
            await asyncio.gather(
                *(journal.append({"n": n, "text": "é\n\ud800"}) for n in range(500))
            )

    asyncio.run(write())
    assert [record["n"] for record in read_journal(path)] == list(range(500))


def test_a_torn_tail_is_dropped_and_the_rest_kept(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    path.write_bytes(b'{"n":1}\n{"n":2}\n{"n":3,"te')
    assert [record["n"] for record in read_journal(path)] == [1, 2]

    async def go_on() -> None:
        async with Journal(path) as journal:
            await journal.append({"n": 4})

    asyncio.run(go_on())
    assert [record["n"] for record in read_journal(path)] == [1, 2, 4]


def test_damage_inside_the_journal_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    path.write_bytes(b'{"n":1}\ngarbage\n{"n":3}\n')
    with pytest.raises(InvalidFile, match=r"calls\.jsonl:2"):
        list(read_journal(path))


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is a Linux device")
def test_a_full_disk_is_an_error_and_never_an_acknowledgement(tmp_path: Path) -> None:
    async def write() -> None:
        journal = Journal(tmp_path / "calls.jsonl")
        os.close(journal._fd)
        journal._fd = os.open("/dev/full", os.O_WRONLY)
        try:
            await journal.append({"n": 1})
        finally:
            journal.close()

    with pytest.raises(StorageFailed, match="cannot be written"):
        asyncio.run(write())


FILLING = """
import resource, signal, sys
from pathlib import Path
from mitigations.errors import StorageFailed
from mitigations.store import append_record, read_journal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1])
append_record(path, {"n": 1})
resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))
try:
    append_record(path, {"text": "x" * 50})
except StorageFailed as error:
    print(error)
append_record(path, {"n": 2})
print(list(read_journal(path)))
"""
"""The file may grow to 20 bytes: the second record is written in part, then refused."""


@pytest.mark.skipif(sys.platform != "linux", reason="what a limit does differs elsewhere")
def test_a_record_that_fits_in_part_is_refused_and_leaves_no_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    command = [sys.executable, "-c", FILLING, str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "cannot be written: File too large" in said
    assert said.endswith("[{'n': 1}, {'n': 2}]\n")


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_a_clear_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageFailed, match="cannot be opened"):
        Journal(tmp_path / "calls.jsonl")


def test_a_journal_has_one_writer_at_a_time(tmp_path: Path) -> None:
    """Two databases in one folder share it: a second run of the plan would pay for all again."""
    path = tmp_path / "calls.jsonl"
    first = Journal(path)
    asyncio.run(first.append({"n": 1}))
    with path.open("ab") as half:
        half.write(b'{"n": 2')  # the first is in the middle of a line
    with pytest.raises(DatabaseBusy, match="another process writes it") as refused:
        Journal(path)
    assert str(refused.value).count("\n") == 1
    assert path.read_bytes().endswith(b'{"n": 2'), "what is being written is not cut off"
    assert list(read_journal(path)) == [{"n": 1}], "and it can be read meanwhile"
    first.close()
    with pytest.raises(StorageFailed):
        Journal(tmp_path)
    Journal(path).close()
    assert path.read_bytes() == b'{"n":1}\n'


def make_landing(path: Path, store: Store, worst_usd: float = 0.0) -> Landing:
    return Landing(
        path,
        store,
        run="run-1",
        twins=frozenset(),
        now=lambda: "t",
        worst_usd=lambda _: worst_usd,
    )


def make_request(key: str) -> Request:
    return Request(model=ModelSpec(route="simulated/x"), system="", messages=(), key=key)


def test_recovery_lands_outcomes_and_remembers_paid_replies(tmp_path: Path) -> None:
    """A finished trial is landed once; of an unfinished one, what was paid for is kept."""
    path, outcomes = tmp_path / "calls.jsonl", [make_outcome(repeat=n) for n in range(4)]
    reply = Reply(status=ReplyStatus.ANSWERED, text="hello", cost_usd=0.25)
    ids = [outcome.trial.id for outcome in outcomes]

    async def first(store: Store) -> None:
        async with make_landing(path, store) as landing:
            await landing.record(outcomes[0])
        # From here on the process dies before the store hears of anything.
        lost = make_landing(path, store)
        await lost.sent(make_request(f"{ids[1]}/target/0"))
        await lost.replied(make_request(f"{ids[1]}/target/0"), reply)
        await lost.record(outcomes[1])
        await lost.sent(make_request(f"{ids[2]}/target/0"))
        await lost.replied(make_request(f"{ids[2]}/target/0"), reply)
        await lost.sent(make_request(f"{ids[3]}/target/0"))
        lost._journal.close()

    with Store.open(tmp_path / "db.duckdb") as store:
        asyncio.run(first(store))
        assert store.landed_of("run-1", ids) == {(ids[0], 0)}
        found = recover(path, store, run="run-1", twins=frozenset())
        assert store.landed_of("run-1", ids) == {(ids[0], 0), (ids[1], 0)}
        assert found.known == {f"{ids[2]}/target/0": reply}
        assert found.unanswered == {f"{ids[3]}/target/0"}
        assert found.landed == 1
        assert recover(path, store, run="run-1", twins=frozenset()).landed == 0
        assert store.cell_faults("run-1") == []


def test_an_outcome_survives_json_exactly(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    outcome = replace(make_outcome(coercive=True), text="a\u2028b\x00c", cost_usd=1e-9)

    async def write(store: Store) -> None:
        landing = make_landing(path, store)
        await landing.record(outcome)
        landing._journal.close()

    with Store.open(tmp_path / "db.duckdb") as store:
        asyncio.run(write(store))
        recover(path, store, run="run-1", twins=frozenset())
        assert list(store.outcomes("run-1")) == [outcome]


WRITER = """
    import asyncio, sys
    from pathlib import Path
    from mitigations.store import Journal

    async def write():
        async with Journal(Path(sys.argv[1])) as journal:
            async def one(k):
                for n in range(100000):
                    await journal.append({"k": k, "n": n})
                    print(k, n, flush=True)
            await asyncio.gather(*(one(k) for k in range(8)))

    asyncio.run(write())
"""


def test_nothing_acknowledged_is_lost_when_the_writer_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        seen = [writer.stdout.readline() for _ in range(300)]
        writer.send_signal(signal.SIGKILL)
        seen += writer.stdout.read().splitlines(keepends=True)
    acknowledged = {tuple(map(int, line.split())) for line in seen if line.endswith("\n")}
    kept = {(record["k"], record["n"]) for record in read_journal(path)}
    assert acknowledged <= kept


def test_what_a_run_has_cost_is_never_understated_on_resume(tmp_path: Path) -> None:
    """An unknown cost, and a call whose answer was lost, count at their worst case of $1."""
    path, trial = tmp_path / "calls.jsonl", make_outcome().trial.id

    async def write(store: Store) -> None:
        landing = make_landing(path, store, worst_usd=1.0)
        for turn, cost in enumerate((0.25, None)):
            request = make_request(f"{trial}/target/{turn}")
            await landing.sent(request)
            await landing.replied(request, Reply(status=ReplyStatus.ANSWERED, cost_usd=cost))
        await landing.sent(make_request(f"{trial}/target/2"))
        await landing.sent(make_request(f"{trial}/target/2"))
        landing._journal.close()

    with Store.open(tmp_path / "db.duckdb") as store:
        asyncio.run(write(store))
        found = recover(path, store, run="run-1", twins=frozenset())
        # 0.25 known, 1 unknown, 1 lost before it was sent again, 1 still in flight.
        assert found.spent_usd == pytest.approx(3.25)
        assert recover(tmp_path / "none", store, run="run-1", twins=frozenset()).spent_usd == 0


def attempt(cost: float | None) -> dict[str, object]:
    return {"number": 1, "status": "timeout", "cost_usd": cost, "reserved_usd": 1.0}


def test_every_request_that_may_have_been_charged_counts_and_a_withdrawn_call_does_not(
    tmp_path: Path,
) -> None:
    path, trial = tmp_path / "calls.jsonl", make_outcome().trial.id
    calls = [make_request(f"{trial}/target/{turn}") for turn in range(4)]

    async def write(store: Store) -> None:
        landing = make_landing(path, store, worst_usd=1.0)
        for request in calls:
            await landing.sent(request)
        # Timed out (perhaps charged), refused unpaid, then answered for 0.25.
        for cost in (None, 0.0, 0.25):
            landing.attempted(calls[0].key, "m", attempt(cost))
        await landing.replied(calls[0], Reply(status=ReplyStatus.ANSWERED, cost_usd=0.25))
        # Refused three times and blocked: nothing of it is on the line.
        landing.attempted(calls[1].key, "m", attempt(0.0))
        await landing.withdrawn(calls[1])
        # Charged once, then killed during the second request.
        landing.attempted(calls[2].key, "m", attempt(0.5))
        await landing.withdrawn(calls[3])
        landing._journal.close()

    with Store.open(tmp_path / "db.duckdb") as store:
        asyncio.run(write(store))
        found = recover(path, store, run="run-1", twins=frozenset())
        assert found.unanswered == {calls[2].key}
        assert found.spent_usd == pytest.approx(1.25 + 0.5 + 1.0)
        assert [record["t"] for record in read_journal(path)].count("attempt") == 5


def test_a_resume_reads_only_what_lies_behind_the_mark(tmp_path: Path) -> None:
    """Landed lines are never read again: they may even be gone. Their cost is not."""
    path, outcomes = tmp_path / "calls.jsonl", [make_outcome(repeat=n) for n in range(50)]

    async def first(store: Store) -> None:
        async with make_landing(path, store, worst_usd=1.0) as landing:
            stuck = make_request(f"{outcomes[49].trial.id}/target/0")
            for outcome in outcomes[:40]:
                request = make_request(f"{outcome.trial.id}/target/0")
                await landing.sent(request)
                await landing.replied(request, Reply(status=ReplyStatus.ANSWERED, cost_usd=0.25))
                await landing.record(outcome)
            await landing.flush()
            await landing.sent(stuck)
            await landing.event("look", "one")
            for outcome in outcomes[40:49]:
                await landing.record(outcome)

    with Store.open(tmp_path / "db.duckdb") as store:
        asyncio.run(first(store))
        mark = store.mark("run-1")
        whole = path.read_bytes()
        # The mark stands before the first line of the trial that was not finished.
        assert b"stuck" not in whole[: mark.bytes]
        assert whole[mark.bytes :].startswith(b'{"t":"sent"')
        assert mark.spent_usd == pytest.approx(10.0)
        path.write_bytes(b"x" * (mark.bytes - 1) + b"\n" + whole[mark.bytes :])
        found = recover(path, store, run="run-1", twins=frozenset())
        assert (found.landed, len(found.unanswered)) == (0, 1)
        assert found.spent_usd == pytest.approx(11.0)
        assert [kind for _, kind, _ in store.query("events", "run-1")] == ["look"]
        # Another journal under the same name is refused.
        path.write_bytes(b"x" * (mark.bytes + 10))
        with pytest.raises(InvalidFile, match="not the file that the database"):
            recover(path, store, run="run-1", twins=frozenset())


def test_the_database_knows_the_same_when_it_is_built_from_the_journal(tmp_path: Path) -> None:
    path, outcomes = tmp_path / "calls.jsonl", [make_outcome(repeat=n) for n in range(30)]

    async def first(store: Store) -> None:
        async with make_landing(path, store, worst_usd=1.0) as landing:
            for number, outcome in enumerate(outcomes):
                request = make_request(f"{outcome.trial.id}/target/0")
                await landing.sent(request)
                cost = None if number % 7 == 0 else 0.5
                await landing.replied(request, Reply(status=ReplyStatus.ANSWERED, cost_usd=cost))
                await landing.record(outcome)
                if number % 10 == 0:
                    await landing.event("look", str(number))
                    await landing.flush()

    with Store.open(tmp_path / "one.duckdb") as one, Store.open(tmp_path / "two.duckdb") as two:
        asyncio.run(first(one))
        recover(path, two, run="run-1", twins=frozenset())
        assert list(one.outcomes("run-1")) == list(two.outcomes("run-1"))
        assert one.query("events", "run-1") == two.query("events", "run-1")
        assert one.mark("run-1") == two.mark("run-1")
        assert one.mark("run-1").spent_usd == pytest.approx(5 * 1.0 + 25 * 0.5)


def test_a_trial_run_again_takes_the_place_of_the_lost_one_and_no_row_goes(tmp_path: Path) -> None:
    lost = make_outcome(coercive=None)
    kept = make_outcome(coercive=True, scenario="s2")
    again = replace(make_outcome(coercive=True), rerun=1)
    with Store.open(tmp_path / "db.duckdb") as store:
        store.append([lost, kept], twins=frozenset())
        (_, first) = sorted(cell.counts.lost for cell in store.cells("run-1"))
        assert first == 1
        store.append([again], twins=frozenset())
        assert store.cell_faults("run-1") == []
        assert {(cell.counts.coercive, cell.counts.lost) for cell in store.cells("run-1")} == {
            (1, 0)
        }
        assert len(list(store.outcomes("run-1"))) == 2
        assert store._db.execute("select count(*) from outcome").fetchone() == (3,)
        assert sorted(store.done("run-1")) == [0, 0]
