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

from mitigations.errors import InvalidFile, StorageFailed
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


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_a_clear_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageFailed, match="cannot be opened"):
        Journal(tmp_path / "calls.jsonl")


def make_landing(journal: Journal, store: Store, worst_usd: float = 0.0) -> Landing:
    return Landing(
        journal, store, twins=frozenset(), now=lambda: "t", worst_usd=lambda _: worst_usd
    )


def make_request(key: str) -> Request:
    return Request(model=ModelSpec(route="simulated/x"), system="", messages=(), key=key)


def test_recovery_lands_outcomes_and_remembers_paid_replies(tmp_path: Path) -> None:
    """A finished trial is landed once; of an unfinished one, what was paid for is kept."""
    path, outcomes = tmp_path / "calls.jsonl", [make_outcome(repeat=n) for n in range(4)]
    reply = Reply(status=ReplyStatus.ANSWERED, text="hello", cost_usd=0.25)
    ids = [outcome.trial.id for outcome in outcomes]

    async def first(store: Store) -> None:
        async with Journal(path) as journal:
            async with make_landing(journal, store) as landing:
                await landing.record(outcomes[0])
            # From here on the process dies before the store hears of anything.
            lost = make_landing(journal, store)
            await lost.sent(make_request(f"{ids[1]}/target/0"))
            await lost.replied(make_request(f"{ids[1]}/target/0"), reply)
            await lost.record(outcomes[1])
            await lost.sent(make_request(f"{ids[2]}/target/0"))
            await lost.replied(make_request(f"{ids[2]}/target/0"), reply)
            await lost.sent(make_request(f"{ids[3]}/target/0"))

    with Store.open(tmp_path / "db.duckdb") as store:
        asyncio.run(first(store))
        assert store.trials_done("run-1") == {ids[0]}
        found = recover(path, store, run="run-1", twins=frozenset())
        assert store.trials_done("run-1") == {ids[0], ids[1]}
        assert found.known == {f"{ids[2]}/target/0": reply}
        assert found.unanswered == {f"{ids[3]}/target/0"}
        assert found.landed == 1
        assert recover(path, store, run="run-1", twins=frozenset()).landed == 0
        assert store.cell_faults("run-1") == []


def test_an_outcome_survives_json_exactly(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    outcome = replace(make_outcome(coercive=True), text="a\u2028b\x00c", cost_usd=1e-9)

    async def write(store: Store) -> None:
        async with Journal(path) as journal:
            await make_landing(journal, store).record(outcome)

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
        async with Journal(path) as journal:
            landing = make_landing(journal, store, worst_usd=1.0)
            for turn, cost in enumerate((0.25, None)):
                request = make_request(f"{trial}/target/{turn}")
                await landing.sent(request)
                await landing.replied(request, Reply(status=ReplyStatus.ANSWERED, cost_usd=cost))
            await landing.sent(make_request(f"{trial}/target/2"))
            await landing.sent(make_request(f"{trial}/target/2"))

    with Store.open(tmp_path / "db.duckdb") as store:
        asyncio.run(write(store))
        found = recover(path, store, run="run-1", twins=frozenset())
        # 0.25 known, 1 unknown, 1 lost before it was sent again, 1 still in flight.
        assert found.spent_usd == pytest.approx(3.25)
        assert recover(tmp_path / "none", store, run="run-1", twins=frozenset()).spent_usd == 0
