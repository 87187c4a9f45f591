"""What a reader elsewhere sees of a database: one state, and nothing that it could change."""

import threading
from pathlib import Path

import pytest

from mitigations.errors import InvalidFile
from mitigations.store import Snapshot, Store

COUNT = "select count(*), sum(n) from label_draw"


def filled(path: Path) -> Store:
    store = Store.open(path)
    store.add({"label_draw": [("r", n, 1, 0, "t") for n in range(2500)]})
    return store


def add(store: Store, n: int) -> None:
    store.add({"label_draw": [("r", n, 1, 0, "t")] * 3})


def state(snapshot: Snapshot, slot: int) -> list[int]:
    rows, more = snapshot.select(slot, COUNT, [])
    assert not more
    return list(rows[0])


def test_all_queries_of_a_snapshot_see_one_state(tmp_path: Path) -> None:
    """While another thread adds three rows at a time: no third of them, and never two states."""
    with filled(tmp_path / "x.duckdb") as store:
        stop = threading.Event()

        def write() -> None:
            with store.fork() as other:
                n = 0
                while not stop.is_set():
                    add(other, n := n + 1)

        thread = threading.Thread(target=write)
        thread.start()
        seen = []
        try:
            for _ in range(20):
                snapshot = store.snapshot(slots=3)
                states = [state(snapshot, slot) for slot in (0, 1, 2, 0)]
                snapshot.close()
                assert states == [states[0]] * 4
                assert (states[0][0] - 2500) % 3 == 0
                seen.append(states[0][0])
        finally:
            stop.set()
            thread.join()
        assert seen == sorted(seen)
        assert seen[-1] > seen[0]


def test_a_fresh_one_sees_what_has_landed(tmp_path: Path) -> None:
    with filled(tmp_path / "x.duckdb") as store:
        kept, fresh = store.snapshot(), store.snapshot(fresh=True)
        add(store, 1)
        assert (state(kept, 0)[0], state(fresh, 0)[0]) == (2500, 2503)
        kept.close()
        fresh.close()


def test_rows_come_in_pages_and_queries_do_not_disturb_each_other(tmp_path: Path) -> None:
    with filled(tmp_path / "x.duckdb") as store:
        snapshot = store.snapshot()
        query = "select n from label_draw where run = $run order by n"
        rows, more = snapshot.select(0, query, {"run": "r"})
        assert (len(rows), more) == (1000, True)
        assert state(snapshot, 1)[0] == 2500
        second, more = snapshot.rows(0)
        third, at_end = snapshot.rows(0)
        assert [row[0] for row in rows + second + third] == list(range(2500))
        assert (more, at_end) == (True, False)
        snapshot.select(0, query, {"run": "r"})
        assert state(snapshot, 0)[0] == 2500
        snapshot.close()


def test_memory_is_given_back_only_while_nobody_else_reads(tmp_path: Path) -> None:
    """A limit that is set for a moment would fail a query under way; a served store can set it."""
    with filled(tmp_path / "x.duckdb") as store:
        store.is_alone = True
        store.shut_in()
        limits: list[str] = []
        with store.fork() as run:
            run.trim()
            other, snapshot = store.fork(), store.snapshot()
            for reader in (other, snapshot):
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(run, "_db", Said(limits))
                    run.trim()
                assert limits == []
                reader.close()
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(run, "_db", Said(limits))
                run.trim()
            assert limits == ["set memory_limit = '24MB'", "reset memory_limit"]
            assert run.query("label_lines", "r")


class Said:
    """A connection that only notes what it is told."""

    def __init__(self, told: list[str]) -> None:
        self.execute = told.append


@pytest.mark.parametrize(
    "query",
    [
        "insert into label_draw values ('r', 1, 1, 0, 't')",
        "delete from label_draw",
        "commit",
        "select 1; commit",
        "commit; drop table label_draw",
        "create temp table x (a int)",
        "copy label_draw to 'x.csv'",
        "attach 'y.duckdb'",
        "set memory_limit = '1GB'",
        "install httpfs",
        "select * from nowhere",
        "select",
        "",
        "select * from read_text('/etc/hostname')",
    ],
)
def test_nothing_but_one_query_of_this_file_is_answered(tmp_path: Path, query: str) -> None:
    with filled(tmp_path / "x.duckdb") as store:
        store.shut_in()
        snapshot = store.snapshot()
        with pytest.raises(InvalidFile):
            snapshot.select(0, query, [])
        snapshot.close()
        assert store.query("label_lines", "r")
        assert not (tmp_path / "x.csv").exists()
