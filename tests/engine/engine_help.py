"""A study on a provider of ours, its owner and its workers as processes of their own."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mitigations.cli.app import run
from mitigations.store import Store, read_journal
from tests.fake_provider import FakeProvider, Script, Seen, openai_body

DRIVER = """
import os, sys, time
import dbos._serialization
from mitigations.compose import leasing, working
from runner.engine import board, line
dbos._serialization.pickle = None
board.LOST_S, working.BEAT_S, leasing.UNCLAIMED_S = 4.0, 0.5, 4.0
leasing.ALONE_S = float(os.environ.get("ALONE", "20"))
leasing.LOST_S, line.ANSWER_S, line.NOTICE_S = 4.0, 3.0, 1.0
working.GRACE_S = 8
leasing.LEASE = int(os.environ.get("LEASE", "20"))
if "PATIENCE" in os.environ:
    board.Board.__init__.__kwdefaults__["patience_s"] = float(os.environ["PATIENCE"])
real, ahead = time.time, float(os.environ.get("TIME_OFFSET", "0"))
time.time = lambda: real() + ahead
from mitigations.cli.app import run
sys.exit(run(sys.argv[1:]))
"""
"""Short waits, so that a test need not outlast a dead worker's lease; and no pickle to be had."""

STUDY = """\
study: spread
baseline: no-mitigation
variants: [{variant}]
scenarios: builtin/demo-v1
models: [{models}]
repeats: {repeats}
budget_usd: {budget}
"""
KEY = "sk-engine-canary-1234567"
PRICE = {"input": 1.0, "output": 4.0}
PROMPT_TOKENS, REPLY_TOKENS = 200, 100
EACH_USD = (PROMPT_TOKENS * PRICE["input"] + REPLY_TOKENS * PRICE["output"]) / 1e6


def answer(_: Seen, __: int) -> dict[str, Any]:
    mail = {"to": "nobody@example.org", "subject": "Note", "body": "I will wait."}
    body = openai_body(None, calls=(("send_email", json.dumps(mail)),), model="m-1")
    total = PROMPT_TOKENS + REPLY_TOKENS
    usage = {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": REPLY_TOKENS,
        "total_tokens": total,
    }
    return body | {"usage": usage}


@contextmanager
def provider(
    latency_s: float,
    *,
    script: Script = answer,
    arrived: Callable[[Seen, int], None] | None = None,
) -> Iterator[FakeProvider]:
    """The provider, on a thread of its own."""
    fake = FakeProvider(script=script, latency_s=latency_s, arrived=arrived)
    loop = asyncio.new_event_loop()
    up, down = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with fake:
            up.set()
            await down.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert up.wait(10)
    try:
        yield fake
    finally:
        loop.call_soon_threadsafe(down.set)
        thread.join(10)
        loop.close()


@dataclass(frozen=True, slots=True)
class Site:
    """A workspace, and the server its processes meet at."""

    folder: Path
    url: str
    started: list[subprocess.Popen[bytes]]

    def plan(
        self,
        *,
        models: str = "fake/m-1",
        repeats: int,
        budget: float = 100.0,
        port: int = 0,
        more: str = "",
        limits: str = "",
        detour: int = 0,
        variant: str = "prohibition-short-v1",
    ) -> None:
        text = STUDY.format(models=models, repeats=repeats, budget=budget, variant=variant)
        (self.folder / "spread.yaml").write_text(text + more)
        each = f"input_per_mtok: {PRICE['input']}, output_per_mtok: {PRICE['output']}"
        price = f"{{{each}, source: test}}"
        for name, at in (("providers.yaml", port), ("detour.yaml", detour or port)):
            (self.folder / name).write_text(
                f"providers:\n  fake: {{base_url: 'http://127.0.0.1:{at}/v1', "
                f"key_env: ENGINE_KEY, price: {price}{limits}}}\n"
            )
        database = str(self.folder / "mitigations.duckdb")
        study = str(self.folder / "spread.yaml")
        assert run(["--db", database, "--quiet", "plan", study]) == 0

    def behind(self, port: int) -> "Site":
        """The same, with the server at another port: a proxy's."""
        return replace(self, url=re.sub(r":\d+/trials", f":{port}/trials", self.url))

    def owner(self, *more: str, **environ: str) -> subprocess.Popen[bytes]:
        return self.call("run", "spread.lock", "--engine", "dbos", *more, **environ)

    def worker(self, *more: str, **environ: str) -> subprocess.Popen[bytes]:
        return self.call("worker", *more, **environ)

    def call(self, *arguments: str, **environ: str) -> subprocess.Popen[bytes]:
        """The command in a process; what it says goes into a file that a test can search."""
        usual = {"MITIGATIONS_DATABASE_URL": self.url, "ENGINE_KEY": KEY}
        with (self.folder / "said.txt").open("ab") as said:
            process = subprocess.Popen(
                [sys.executable, "-c", DRIVER, *arguments],
                cwd=self.folder,
                stdout=said,
                stderr=said,
                env=os.environ | usual | environ,
            )
        self.started.append(process)
        return process

    @property
    def said(self) -> str:
        return (self.folder / "said.txt").read_text()

    @property
    def journal(self) -> Path:
        (found,) = self.folder.glob("runs/*/calls.jsonl")
        return found

    def lines(self) -> list[dict[str, Any]]:
        return (
            list(read_journal(self.journal)) if list(self.folder.glob("runs/*/calls.jsonl")) else []
        )

    def outcomes(self) -> int:
        """Lines of outcomes in the journal."""
        found = self.folder.glob("runs/*/calls.jsonl")
        return sum(path.read_bytes().count(b'{"t":"outcome"') for path in found)

    def await_outcomes(self, count: int, *, timeout: float = 90) -> None:
        until = time.monotonic() + timeout
        while self.outcomes() < count:
            assert time.monotonic() < until, self.said
            time.sleep(0.1)

    def results(self) -> list[tuple[Any, ...]]:
        """Everything about the outcomes but when they were made."""
        with Store.open(self.folder / "mitigations.duckdb") as store:
            (run_id, _, _) = store.runs()[0]
            assert store.cell_faults(run_id) == []
            return [
                (o.trial.id, o.status, o.coercive, o.severity, o.actions, o.text, o.cost_usd)
                for o in store.outcomes(run_id)
            ]

    def check_whole(self, trials: int) -> None:
        """Every trial has one outcome, in the journal as in the database; no line stands twice."""
        lines = self.lines()
        outcomes = Counter(line["trial"] for line in lines if line["t"] == "outcome")
        assert len(outcomes) == trials
        assert set(outcomes.values()) == {1}
        places = Counter(line["lease"] for line in lines if "lease" in line)
        assert set(places.values()) == {1}
        assert len({row[0] for row in self.results()}) == len(self.results()) == trials

    def paid_twice(self) -> int:
        """Calls the run says may have been paid twice."""
        told = (line for line in self.lines() if line.get("kind") == "possibly-paid-twice")
        return sum(int(line["detail"]) for line in told)


def check_ledger(site: Site, requests: int, trials: int) -> int:
    """The journal accounts for every request that reached the provider; returns the repeats."""
    site.check_whole(trials)
    lines = site.lines()
    asked = Counter(line["key"] for line in lines if line["t"] == "sent")
    answered = Counter(line["key"] for line in lines if line["t"] == "reply")
    assert set(answered.values()) == {1}, "an answer that was kept is never asked for again"
    repeats = sum(asked.values()) - len(asked)
    # A request may have been sent and never have left: at most what was written down was paid.
    assert len(asked) <= requests <= sum(asked.values())
    # Told at every start that finds a call unanswered: never fewer than were asked again.
    assert repeats <= site.paid_twice()
    return repeats


def end(*processes: subprocess.Popen[bytes]) -> None:
    """End workers in order, as a service manager would."""
    for process in processes:
        process.send_signal(signal.SIGTERM)
    for process in processes:
        process.wait(60)


def plain_run(folder: Path, lock: Path) -> Site:
    """The same lock in one process without an engine."""
    folder.mkdir()
    (folder / "spread.lock").write_bytes(lock.read_bytes())
    assert (
        run(
            [
                "--db",
                str(folder / "mitigations.duckdb"),
                "--quiet",
                "run",
                str(folder / "spread.lock"),
            ]
        )
        == 0
    )
    return Site(folder, "", [])
