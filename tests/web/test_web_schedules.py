"""Schedules in the service: started by its clock, resumed after a kill, no pickle anywhere."""

import json
import pickletools
import sqlite3
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mitigations.compose.scheduling import add_schedule, book_of
from mitigations.schedules import Book, timetable
from mitigations.store import Store
from mitigations.web.clock import Clock, JsonOnly, trim
from mitigations.web.schedules import Scheduler
from mitigations.web.services import Hooks, Services
from tests.web.conftest import Process, client_of, serving

Serve = Callable[..., Process]


def scheduled(workspace: Path, *, minutes: int = 1, cron: str = "* * * * *") -> Book:
    """The workspace's study on a schedule that has been due for a while."""
    db = workspace / "mitigations.duckdb"
    since = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=minutes)
    study = workspace / "studies" / "first.yaml"
    add_schedule(db, study, when=timetable(cron), by="", now=since)
    return book_of(db)


def wait_for(what: Callable[[], Any], seconds: float = 90) -> Any:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := what():
            return found
        time.sleep(0.1)
    pytest.fail("nothing came of it in time")


@contextmanager
def attached(workspace: Path) -> Iterator[tuple[Scheduler, Services]]:
    """A service with its schedules, without the clock: the test calls `tick`."""
    scheduler = Scheduler(base="https://ab.example.org")
    with serving(workspace, hooks=scheduler.attach(Hooks())) as services:
        scheduler.begin_without_clock(services)
        try:
            yield scheduler, services
        finally:
            scheduler.stop()


def fired(book: Book) -> tuple[Any, ...]:
    return book.schedules()["first"].fired


def test_a_due_slot_is_run_once_and_shown(workspace: Path) -> None:
    """The tick that DBOS calls, without DBOS: one run, its seed from its slot, on every page."""
    book = scheduled(workspace, minutes=90, cron="0 * * * *")
    with attached(workspace) as (scheduler, services):
        for _ in range(3):
            scheduler.tick()
        (slot,) = fired(book)
        job = services.jobs.get(slot.run)
        assert job is not None
        assert job.wait(60)
        wait_for(lambda: fired(book)[0].state == "finished", 10)
        client = client_of(services)
        page = client.get("/studies/first").text
        assert "Next run" in page
        assert slot.run in page
        health = {one["id"]: one for one in client.get("/api/health").json()["sections"]}
        assert health["schedules"]["rows"][0][0] == "first"
        assert "schedule" in {deed.via for deed in services.audit.latest(5)}


def test_a_slot_that_comes_due_while_a_run_goes_is_missed(workspace: Path) -> None:
    """Also where a person started that run."""
    scheduled(workspace, minutes=2)
    with attached(workspace) as (scheduler, services):
        scheduler._is_busy = lambda _: True  # type: ignore[method-assign]
        scheduler.tick()
        (missed,) = book_of(services.db).schedules()["first"].missed
        assert missed.reason.startswith("overlap")
        assert "overlap" in client_of(services).get("/health").text


def test_a_schedule_is_made_changed_and_ended_on_the_page(workspace: Path) -> None:
    """By whoever may run; what is no timetable is refused, and hostile text is shown as text."""
    with attached(workspace) as (_, services):
        client = client_of(services)
        given = {"cron": "0 6 * * MON", "zone": "Europe/Berlin"}
        assert client.post("/studies/first/schedule", data=given).status_code == 303
        page = client.get("/studies/first").text
        assert "0 6 * * MON Europe/Berlin" in page
        assert client.post("/studies/first/schedule", data=given | {"cron": "@daily"}).is_redirect
        assert "0 0 * * * Europe/Berlin" in client.get("/studies/first").text
        for bad in ({"cron": "<script>alert(1)</script>"}, {"zone": "Mars/<b>X"}, {"cron": ""}):
            answer = client.post("/studies/first/schedule", data=given | bad)
            assert 400 <= answer.status_code < 500
            assert "<script>alert" not in answer.text
            assert "<b>X" not in answer.text
        assert client.post("/studies/first/unschedule").status_code == 303
        assert client.post("/studies/first/unschedule").status_code == 404
        assert book_of(services.db).schedules() == {}
        assert {deed.what for deed in services.audit.latest(9)} >= {
            "schedule a study",
            "end a schedule",
        }


def test_the_health_page_says_who_is_told_and_what_began(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missed slot: written down, tried, and shown with why it was not delivered; no address."""
    monkeypatch.setenv("MITIGATIONS_WEBHOOK", "http://127.0.0.1:9/hook-canary-secret")
    scheduled(workspace, minutes=2)
    with attached(workspace) as (scheduler, services):
        scheduler._is_busy = lambda _: True  # type: ignore[method-assign]
        scheduler.tick()
        client = client_of(services)
        page = wait_for(
            lambda: "no connection" in (text := client.get("/health").text) and text, 20
        )
        assert "first missed its slot" in page
        assert "Told to: webhook." in page
    kept = [path for path in workspace.rglob("*") if path.is_file()]
    assert [path for path in kept if b"hook-canary" in path.read_bytes()] == []


@pytest.mark.slow
def test_a_kill_in_mid_run_is_resumed_and_the_slot_fires_once(
    workspace: Path, serve: Serve
) -> None:
    """kill -9 of the service during a scheduled run; the next service ends that same run."""
    study = workspace / "studies" / "first.yaml"
    study.write_text(study.read_text().replace("repeats: 2", "repeats: 150"))
    book = scheduled(workspace, minutes=90, cron="0 * * * *")
    process = serve(workspace)
    slot = wait_for(lambda: fired(book))[0]
    journal = workspace / "runs" / slot.run / "calls.jsonl"
    wait_for(lambda: journal.exists() and journal.read_bytes().count(b"\n") > 200)
    process.popen.kill()
    process.popen.wait(30)
    assert book.going()["first"].run == slot.run
    again = serve(workspace)
    wait_for(lambda: fired(book)[0].state, 180)
    (ended,) = fired(book)
    assert (ended.run, ended.state) == (slot.run, "finished")
    again.stop()
    with Store.open(process.db, create=False) as store:
        assert [run for run, *_ in store.runs()] == [slot.run]
        kept = json.loads((workspace / "runs" / slot.run / "plan.lock").read_text())
        trials = len(kept["variants"]) * len(kept["scenarios"]["cells"]) * kept["repeats"]
        assert store.trials_done(slot.run) == trials


@pytest.mark.slow
def test_a_stop_leaves_the_run_to_the_next_service(workspace: Path, serve: Serve) -> None:
    study = workspace / "studies" / "first.yaml"
    study.write_text(study.read_text().replace("repeats: 2", "repeats: 400"))
    book = scheduled(workspace, minutes=90, cron="0 * * * *")
    process = serve(workspace)
    slot = wait_for(lambda: fired(book))[0]
    journal = workspace / "runs" / slot.run / "calls.jsonl"
    wait_for(lambda: journal.exists() and journal.stat().st_size > 10_000)
    process.stop()
    assert process.popen.returncode == 0
    assert book.going()["first"].run == slot.run


def test_the_clock_starts_stops_and_keeps_no_pickle(tmp_path: Path) -> None:
    """Twice in one process; what DBOS has written is JSON, and not one value loads as a pickle."""
    called: list[int] = []
    for _ in range(2):
        clock = Clock(tmp_path, lambda: called.append(1))
        clock.start()
        clock.fire_now()
        wait_for(lambda: called, 30)
        called.clear()
        clock.stop()
    with sqlite3.connect(tmp_path / "schedule.sqlite") as db:
        tables = [row[0] for row in db.execute("select name from sqlite_master where type='table'")]
        values = [
            value
            for table in tables
            for row in db.execute(f'select * from "{table}"')
            for value in row
        ]
    assert len(values) > 20
    assert [value for value in values if _loads_as_pickle(value)] == []
    raw = b"".join(path.read_bytes() for path in tmp_path.glob("schedule.sqlite*"))
    assert b"py_pickle" not in raw
    assert b"mitigations_json" in raw or b'{"args"' in raw


def _loads_as_pickle(value: object) -> bool:
    data = value if isinstance(value, bytes) else str(value).encode()
    for candidate in (data, _decoded(data)):
        try:
            # Only read, never loaded; a protocol mark at its start and a stop at its end.
            ops = [op.name for op, _, _ in pickletools.genops(candidate)]
        except Exception:  # noqa: BLE001 - not a pickle
            continue
        if ops[0] == "PROTO":
            return True
    return False


def _decoded(data: bytes) -> bytes:
    try:
        return b64decode(data, validate=True)
    except ValueError:
        return b""


def test_the_serializer_keeps_data_and_refuses_objects() -> None:
    keeper = JsonOnly()
    moment = datetime(2026, 11, 24, tzinfo=UTC)
    kept = keeper.deserialize(keeper.serialize({"args": (moment, None), "kwargs": {}}))
    assert kept == {"args": ["2026-11-24T00:00:00+00:00", None], "kwargs": {}}
    assert isinstance(keeper.deserialize(keeper.serialize(ValueError("x"))), RuntimeError)
    with pytest.raises(TypeError):
        keeper.serialize(object())


def test_old_calls_are_cleared(tmp_path: Path) -> None:
    clock = Clock(tmp_path, lambda: None)
    clock.start()
    for _ in range(3):
        clock.fire_now()
    trim(before=datetime.now(UTC) + timedelta(minutes=1))
    clock.stop()
    with sqlite3.connect(tmp_path / "schedule.sqlite") as db:
        (left,) = db.execute("select count(*) from workflow_status").fetchone()
    assert left <= 1
