"""A run that a command plays by itself tells what a service would tell."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from mitigations.cli.session import moment
from mitigations.compose.kept import plan_of
from mitigations.compose.run_told import told
from mitigations.errors import Interrupted, ModelUnavailable, OverBudget
from mitigations.store import Store


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    texts: list[str] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            texts.append(json.loads(self.rfile.read(int(self.headers["content-length"])))["text"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("MITIGATIONS_WEBHOOK", f"http://127.0.0.1:{server.server_port}/x")
    yield texts
    server.shutdown()
    thread.join()
    server.server_close()


def test_budget_and_failure_are_told_once_each_and_interruption_never(
    workspace: Path, command: Any, heard: list[str]
) -> None:
    command(workspace, "plan", "studies/first.yaml")
    assert command(workspace, "run", "studies/first.lock")[0] == 0
    assert heard == []
    db = workspace / "mitigations.duckdb"
    with Store.open(db) as store:
        plan = plan_of(store, store.runs()[0][0])
        for error in (OverBudget, OverBudget, ModelUnavailable, Interrupted, KeyboardInterrupt):
            with pytest.raises(error), told(db, store, plan, now=moment, say=heard.append):
                raise error("secret words of a provider")
    assert [text.partition("\n")[0] for text in heard] == [
        f"The run {plan.run_id} stopped at its budget; it can be resumed.",
        f"The run {plan.run_id} failed; its page says why.",
    ]


def test_a_target_that_is_away_fails_no_run(
    workspace: Path, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MITIGATIONS_WEBHOOK", "http://127.0.0.1:9/x")
    command(workspace, "plan", "studies/first.yaml")
    (workspace / "notices.jsonl").mkdir()  # not even the book of notices can be written
    code, out, err = command(workspace, "run", "studies/first.lock")
    assert (code, "is complete" in out, "Traceback" in err) == (0, True, False)
