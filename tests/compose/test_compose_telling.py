"""Notices: once an onset, to a webhook that fails in every way, with no secret anywhere."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mitigations.compose import telling
from mitigations.compose.noticing import notices_of, run_ended, slots_looked_at
from mitigations.compose.telling import targets, tell
from mitigations.schedules import Book, Schedule, timetable
from mitigations.schedules.notices import Notices
from mitigations.store import Store

START = datetime(2026, 11, 24, 6, tzinfo=UTC)
SECRET = "T0SECRET/B0SECRET/x9canary"


class Receiver:
    """A webhook on loopback that answers as the test says."""

    def __init__(self) -> None:
        self.status, self.delay_s, self.got = 200, 0.0, list[dict[str, Any]]()
        self.location = ""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.got.append(json.loads(body))
                time.sleep(outer.delay_s)
                self.send_response(outer.status)
                if outer.location:
                    self.send_header("location", outer.location)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/services/{SECRET}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


class Clock:
    at = START

    def now(self) -> datetime:
        return self.at


def send(book: Notices, url: str, clock: Clock) -> int:
    return tell(book, targets({telling.WEBHOOK: url}), base="https://ab.example.org", now=clock.now)


def test_an_onset_is_told_once_with_a_link(tmp_path: Path, receiver: Receiver) -> None:
    """As Slack takes it: one text, its three special characters written out."""
    book, clock = notices_of(tmp_path / "m.duckdb"), Clock()
    assert book.begin("drift:w", "w: a < b & c drifted.", "/studies/w/history", at=START)
    assert not book.begin("drift:w", "w: again", "/studies/w/history", at=START)
    for _ in range(3):
        assert send(book, receiver.url, clock) == 0
    assert receiver.got == [
        {"text": "w: a &lt; b &amp; c drifted.\nhttps://ab.example.org/studies/w/history"}
    ]
    book.end("drift:w", at=START)
    assert book.begin("drift:w", "w: a new onset", "/studies/w/history", at=START)
    assert send(book, receiver.url, clock) == 0
    assert len(receiver.got) == 2


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("500", "HTTP 500"), ("301", "HTTP 301"), ("hang", "no answer"), ("refused", "no connection")],
)
def test_a_target_that_fails_is_tried_five_times_and_given_up(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, kind: str, reason: str
) -> None:
    """At 0, 1, 5, 30 and 120 minutes after the attempt before, and then never again."""
    monkeypatch.setattr(telling, "TIMEOUT_S", 0.3)
    url, clock = receiver.url, Clock()
    if kind == "hang":
        receiver.delay_s = 1.0
    elif kind == "refused":
        with socket.create_server(("127.0.0.1", 0)) as free:
            url = f"http://127.0.0.1:{free.getsockname()[1]}/{SECRET}"
    else:
        receiver.status = int(kind)
        receiver.location = f"{receiver.url}/elsewhere" if kind == "301" else ""
    book = notices_of(tmp_path / "m.duckdb")
    book.begin("failed:w", "The run w-1 failed; its page says why.", "/runs/w-1", at=START)
    attempts = []
    for minute in range(400):
        clock.at = START + timedelta(minutes=minute)
        if send(book, url, clock):
            attempts.append(minute)
    assert attempts == [0, 1, 6, 36, 156]
    assert len(receiver.got) == (0 if kind == "refused" else 5)
    ((_, tries),) = book.latest(5)
    assert tries["webhook"].state == "given up"
    assert tries["webhook"].reason.startswith(reason)
    written = book.path.read_text()
    assert "SECRET" not in written
    assert "127.0.0.1" not in written


def test_a_target_that_recovers_is_told_and_left_alone(tmp_path: Path, receiver: Receiver) -> None:
    book, clock = notices_of(tmp_path / "m.duckdb"), Clock()
    receiver.status = 503
    book.begin("missed:w", "w missed a slot.", "/studies/w", at=START)
    assert send(book, receiver.url, clock) == 1
    receiver.status = 204
    clock.at += timedelta(minutes=2)
    assert send(Notices(book.path), receiver.url, clock) == 0
    clock.at += timedelta(days=1)
    assert send(book, receiver.url, clock) == 0
    assert len(receiver.got) == 2


@pytest.mark.parametrize(
    "url", ["http://example.org/x", "ftp://example.org", "nonsense", "http://["]
)
def test_an_address_that_is_not_safe_is_not_sent_to(tmp_path: Path, url: str) -> None:
    book = notices_of(tmp_path / "m.duckdb")
    book.begin("missed:w", "w missed a slot.", "/studies/w", at=START)
    assert send(book, url, Clock()) == 1
    ((_, tries),) = book.latest(1)
    assert tries["webhook"].reason.startswith(telling.WEBHOOK)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_other_targets_go_through_apprise(tmp_path: Path, receiver: Receiver) -> None:
    """Its own JSON webhook stands for e-mail and the rest; an unknown scheme is a reason."""
    pytest.importorskip("apprise")
    book = notices_of(tmp_path / "m.duckdb")
    book.begin("missed:w", "w missed a slot.", "/studies/w", at=START)
    where = receiver.url.replace("http://", "json://")
    sends = targets({telling.OTHERS: f"{where}  nosuch://user:{SECRET}@host"})
    assert list(sends) == ["other 1", "other 2"]
    failed = tell(book, sends, base="", now=Clock().now)
    ((_, tries),) = book.latest(1)
    assert (failed, tries["other 1"].reason) == (1, "")
    assert "w missed a slot." in receiver.got[0]["message"]
    ((_, tries),) = book.latest(1)
    assert tries["other 2"].reason.endswith("apprise does not know")
    assert "SECRET" not in book.path.read_text()


def test_what_slots_and_ends_begin(tmp_path: Path) -> None:
    """One notice for a row of missed slots, and another when they begin again."""
    clock = Clock()
    book = notices_of(tmp_path / "m.duckdb")
    schedules = Book(tmp_path / "schedule.jsonl")
    schedules.add(
        Schedule(
            name="w",
            study="w.yaml",
            timetable=timetable("0 * * * *"),
            grace=timedelta(hours=6),
            by="",
            since=START,
            mark=START,
        )
    )
    for hour in range(1, 8):
        clock.at = START + timedelta(hours=hour)
        busy = hour in {2, 3, 4, 6}
        claimed = schedules.claim("w", now=clock.at, is_busy=busy, prepare=lambda *_: "w-1")
        assert claimed is not None
        slots_looked_at(book, claimed, at=clock.at)
        schedules.end("w-1", state="finished", detail="", at=clock.at)
    said = [notice.text for notice, _ in reversed(book.latest(9))]
    assert said == [
        "w missed its slot of 2026-11-24 08:00 UTC (overlap).",
        "w missed its slot of 2026-11-24 12:00 UTC (overlap).",
    ]
    with Store.open(tmp_path / "m.duckdb") as store:
        for state, over in (("failed", False), ("failed", False), ("stopped", True)):
            run_ended(book, store, study="w", run="w-1", state=state, over_budget=over, at=clock.at)
    said = [notice.text for notice, _ in reversed(book.latest(9))][2:]
    assert said == [
        "The run w-1 failed; its page says why.",
        "The run w-1 stopped at its budget; it can be resumed.",
    ]


def test_a_verdict_that_changes_is_told_against_the_one_told_before(tmp_path: Path) -> None:
    book = notices_of(tmp_path / "m.duckdb")
    said = [book.verdict("w", "v", one, at=START) for one in ("reduces", "reduces", "no headroom")]
    assert said == [None, "reduces", "reduces"]
    assert book.verdict("w", "v", "reduces", at=START) == "no headroom"
