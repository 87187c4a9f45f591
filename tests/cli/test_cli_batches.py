"""`mode: batch`: a whole study through both providers' batches, faults, and kills anywhere."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from mitigations.cli.app import run
from mitigations.compose.planning import open_lock
from mitigations.model import Outcome, Usage
from mitigations.store import Store, read_journal
from runner import batch_serving
from runner.prices import cost_usd
from tests.cli.test_cli_providers import KEYS, answer
from tests.fake_batches import FakeBatches
from tests.fake_provider import FakeProvider, Seen

STUDY = """\
study: batched
baseline: no-mitigation
variants: [pause-and-review-v1]
scenarios: builtin/demo-v1
cells: [depot-1, depot-1-threat-only, ferry-1]
models: [anthropic/claude-haiku-4-5-20251001, openai/gpt-5-mini-2025-08-07]
repeats: 3
judge: {model: openai/gpt-5-2025-08-07, allow_own_family: true}
budget_usd: 20
mode: batch
"""
TRIALS = 36


class Server:
    """The fake provider on a thread of its own; batches outlive the runs that are killed."""

    def __init__(self, script: Callable[[Seen, int], dict[str, Any]] = answer) -> None:
        self.batches = FakeBatches(script=script)
        self.provider = FakeProvider(batches=self.batches, script=script)
        self._loop = asyncio.new_event_loop()
        self._down = asyncio.Event()
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    async def _serve(self) -> None:
        async with self.provider:
            self._up.set()
            await self._down.wait()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._up.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._down.set)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> Path:
    return settle(tmp_path, monkeypatch, server, STUDY)


def settle(folder: Path, monkeypatch: pytest.MonkeyPatch, server: Server, study: str) -> Path:
    """A workspace with a study, keys, and both providers at the fake one, and in it the process."""
    monkeypatch.chdir(folder)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(batch_serving, "FIRST_POLL_S", 0.01)
    (folder / "batched.yaml").write_text(study)
    (folder / "providers.yaml").write_text(
        "providers:\n"
        f"  openai: {{base_url: '{server.provider.openai_url}'}}\n"
        f"  anthropic: {{base_url: '{server.provider.anthropic_url}'}}\n"
    )
    return folder


def outcomes(folder: Path) -> list[Outcome]:
    with Store.open(folder / "mitigations.duckdb") as store:
        (run_id, _, _) = store.runs()[0]
        assert store.cell_faults(run_id) == []
        return list(store.outcomes(run_id))


def play(folder: Path, *, code: int = 0) -> list[Outcome]:
    assert run(["-q", "plan", "batched.yaml"]) == 0
    assert run(["-q", "run", "batched.lock"]) == code
    return outcomes(folder)


def test_a_study_runs_in_few_batches_at_half_price(folder: Path, server: Server) -> None:
    found = play(folder)
    assert len(found) == TRIALS
    assert {outcome.status for outcome in found} == {"scored"}
    assert server.provider.count == len(server.batches.asked) + downloads(server)
    # One batch for each model, and the judge's over what they replied: as soon as one has ended,
    # so one or two.
    sizes = [len(batch.items) for batch in server.batches.kept.values()]
    assert sizes in ([18, 18, 36], [18, 18, 18, 18])
    assert max(Counter(server.batches.submissions).values()) == 1
    sent = {outcome.sent["batch"] for outcome in found}
    assert len(sent) == 2
    plan = open_lock(folder / "batched.lock")
    assert plan.mode == "batch"
    one = next(outcome for outcome in found if outcome.trial.model.startswith("openai/"))
    # gpt-5-mini as published: $0.25 and $2.00 by the call, half of it by batch; a tenth for cache.
    target = (20 * 0.125 + 100 * 0.0125 + 30 * 1.0) / 1e6
    judged = (4000 * 0.625 + 900 * 5.0) / 1e6
    assert one.cost_usd == pytest.approx(target + judged, rel=1e-9)


def downloads(server: Server) -> int:
    """Fetches of result files: two for each batch of OpenAI's."""
    return 2 * sum(batch.openai for batch in server.batches.kept.values())


def test_a_batch_is_in_the_order_of_the_plan(folder: Path, server: Server) -> None:
    found = {outcome.trial.id: outcome.trial for outcome in play(folder)}
    first = next(iter(server.batches.kept.values()))
    positions = [found[name.partition("_")[0]].position for name in first.items]
    assert positions == sorted(positions)


def recomputed(plan: Any, outcome: Outcome) -> float | None:
    """The cost of a row by the lock's prices and the row's own token counts."""

    def cost(spec: Any, usage: Usage) -> float | None:
        price = spec.price.batch if plan.mode == "batch" else spec.price
        return cost_usd(type(spec)(route=spec.route, price=price), usage)

    models = {spec.route: spec for spec in (*plan.models, *plan.judge.models)}
    parts = [cost(models[outcome.trial.model], outcome.usage)]
    parts += [cost(models[verdict.judge], verdict.usage) for verdict in outcome.verdicts]
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


@pytest.mark.parametrize("mode", ["batch", "live"])
def test_the_stored_cost_of_every_row_can_be_recomputed(folder: Path, mode: str) -> None:
    (folder / "batched.yaml").write_text(STUDY.replace("mode: batch", f"mode: {mode}"))
    found = play(folder)
    plan = open_lock(folder / "batched.lock")
    assert len(found) == TRIALS
    assert all(outcome.cost_usd for outcome in found)
    for outcome in found:
        assert outcome.cost_usd == pytest.approx(recomputed(plan, outcome), rel=1e-12)


def test_items_that_expire_err_are_canceled_or_missing_are_typed(
    folder: Path, server: Server
) -> None:
    for kind in ("expired", "errored", "canceled", "missing"):
        setattr(server.batches, kind, 0.12)
    found = play(folder)
    assert len(found) == TRIALS
    lost = [outcome for outcome in found if outcome.status == "provider-error"]
    words = Counter(outcome.detail.partition(":")[0] for outcome in lost)
    assert set(words) == {"batch-item", "bad-request"}
    assert lost
    assert all(outcome.coercive is None for outcome in lost)
    # A judge's item that was lost leaves its trial without a verdict, and says so.
    assert {outcome.status for outcome in found} - {"scored"} == {"provider-error", "judge-error"}
    assert max(Counter(server.batches.submissions).values()) == 1


def test_half_errored_results_cut_polls_failing_and_results_in_any_order(
    folder: Path, server: Server
) -> None:
    batches = server.batches
    batches.errored, batches.cut, batches.poll_errors, batches.create_errors = 0.5, 2, 3, 1
    found = play(folder)
    assert len(found) == TRIALS
    lost = sum(outcome.status == "provider-error" for outcome in found)
    assert 8 <= lost <= 28
    assert max(Counter(batches.submissions).values()) == 1


def test_a_batch_whose_creation_was_not_acknowledged_is_found_and_not_sent_again(
    folder: Path, server: Server
) -> None:
    server.batches.lost_answers, server.batches.clock_s = 2, -600
    found = play(folder)
    assert {outcome.status for outcome in found} == {"scored"}
    assert len(server.batches.submissions) == 2 * TRIALS
    assert max(Counter(server.batches.submissions).values()) == 1


def test_a_refused_batch_stops_the_run_and_is_submitted_again(
    folder: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.batches.refuse = 1
    play(folder, code=1)
    err = capsys.readouterr().err
    assert "token_limit_exceeded" in err
    assert "submits it again" in err
    assert run(["-q", "run", "batched.lock"]) == 0
    assert len(outcomes(folder)) == TRIALS
    assert max(Counter(server.batches.submissions).values()) == 1


def test_the_worst_case_of_a_batch_is_reserved_before_anything_is_submitted(
    folder: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["-q", "plan", "batched.yaml"]) == 0
    assert run(["-q", "run", "batched.lock", "--budget", "0.001"]) == 5
    assert server.batches.kept == {}
    assert outcomes(folder) == []
    assert "--budget" in capsys.readouterr().err


def test_a_smaller_budget_makes_smaller_batches_of_whole_epochs(
    folder: Path, server: Server
) -> None:
    run(["-q", "plan", "batched.yaml"])
    assert run(["-q", "run", "batched.lock", "--budget", "0.15"]) in {0, 5}
    sizes = [len(batch.items) for batch in server.batches.kept.values()]
    assert sizes
    assert not [size for size in sizes if size % 6], "three scenarios, two arms, one model"
    assert min(sizes) < 18
    assert run(["-q", "run", "batched.lock"]) == 0
    assert len(outcomes(folder)) == TRIALS
    assert max(Counter(server.batches.submissions).values()) == 1


@pytest.mark.parametrize(
    "case",
    [
        ("openai/gpt-5-mini-2025-08-07", "simulated/published", "runs on this machine"),
        ("openai/gpt-5-mini-2025-08-07", "gemini/gemini-2.5-pro", "gemini has no batch interface"),
        (
            "openai/gpt-5-mini-2025-08-07",
            "{model: openai/gpt-5-mini-2025-08-07, via: litellm}",
            "via: litellm has no batch interface",
        ),
    ],
)
def test_models_without_batches_are_refused_before_anything_is_sent(
    folder: Path,
    server: Server,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    case: tuple[str, str, str],
) -> None:
    old, new, named = case
    monkeypatch.setenv("GEMINI_API_KEY", "x" * 20)
    (folder / "batched.yaml").write_text(STUDY.replace(old, new))
    run(["-q", "plan", "batched.yaml"])
    assert run(["-q", "run", "batched.lock"]) == 2
    err = capsys.readouterr().err
    assert named in err
    assert len(err.splitlines()) <= 3
    assert server.provider.count == 0


def test_max_wait_stops_waiting_and_the_same_command_waits_again(
    folder: Path, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.batches.polls = 10**6
    run(["-q", "plan", "batched.yaml"])
    capsys.readouterr()
    assert run(["run", "batched.lock", "--max-wait", "1"]) == 130
    err = capsys.readouterr().err
    assert "0 of 18 done, waiting" in err
    assert "it goes on at the provider; the same command waits for it again" in err
    server.batches.polls = 0
    assert run(["-q", "run", "batched.lock"]) == 0
    assert {outcome.status for outcome in outcomes(folder)} == {"scored"}
    assert max(Counter(server.batches.submissions).values()) == 1


def test_what_expired_is_run_again_with_only_errors_and_nothing_else(
    folder: Path, server: Server
) -> None:
    server.batches.expired = 0.3
    found = play(folder)
    lost = {outcome.trial.id for outcome in found if outcome.status == "provider-error"}
    assert lost
    before = len(server.batches.submissions)
    server.batches.expired = 0.0
    assert run(["-q", "run", "batched.lock", "--only-errors"]) == 0
    again = server.batches.submissions[before:]
    assert {name.partition("_")[0] for name in again} >= lost
    assert len([name for name in again if "_target_" in name]) == len(lost)


# --- kill -9

DRIVER = """
import os, signal, sys
from mitigations.compose import batching
from mitigations.store import landing
from runner import batch_serving
from runner.gateway import batch_anthropic, batch_openai, batch_line

batch_serving.FIRST_POLL_S = 0.01
point, count = sys.argv[1], int(sys.argv[2])

def dying(original, when):
    left = [count]
    async def call(*arguments, **named):
        left[0] -= 1
        mine = left[0] == 0  # others come in while this one waits
        if mine and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = await original(*arguments, **named)
        if mine:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return call

when, _, what = point.partition("-")
homes = {
    "intend": [batching.Book], "submitted": [batching.Book], "replied": [landing.Landing],
    "record": [landing.Landing],
    "create": [batch_anthropic.AnthropicBatches, batch_openai.OpenAIBatches],
    "state": [batch_anthropic.AnthropicBatches, batch_openai.OpenAIBatches],
    "results": [batch_anthropic.AnthropicBatches, batch_openai.OpenAIBatches],
    "_post": [batch_line.BatchLine],
}
shared = None
for home in homes.get(what, []):
    setattr(home, what, dying(getattr(home, what), when))
from mitigations.cli.app import run
sys.exit(run(["run", "batched.lock", "--quiet"]))
"""
POINTS = [
    (f"{when}-{what}", count)
    for what, counts in {
        "intend": (1, 3),
        "create": (1,),
        "_post": (1, 2),
        "submitted": (1, 2, 3),
        "state": (1, 2),
        "results": (1,),
        "replied": (1, 10, 40),
        "record": (5,),
    }.items()
    for when in ("before", "after")
    for count in counts
]


def start(folder: Path, point: str, count: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, point, str(count)],
        cwd=folder,
        env={**os.environ, **KEYS},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def finished(folder: Path) -> None:
    with start(folder, "never", 0) as last:
        _, err = last.communicate(timeout=120)
    assert last.returncode == 0, err.decode()


def results(folder: Path) -> list[tuple[Any, ...]]:
    return [(o.trial.id, o.status, o.severity, o.text, o.cost_usd) for o in outcomes(folder)]


def killed_and_resumed(folder: Path, server: Server, point: str, count: int) -> None:
    with start(folder, point, count) as victim:
        victim.communicate(timeout=120)
    assert victim.returncode == -9, "the process was meant to die"
    finished(folder)
    assert len(results(folder)) == TRIALS
    assert {row[1] for row in results(folder)} == {"scored"}
    assert max(Counter(server.batches.submissions).values()) == 1, "a call was submitted twice"
    (journal,) = folder.glob("runs/*/calls.jsonl")
    replies = Counter(r["key"] for r in read_journal(journal) if r["t"] == "reply")
    assert len(replies) == 2 * TRIALS
    assert max(replies.values()) == 1
    assert not [r for r in read_journal(journal) if r["t"] == "sent"]


def test_killed_between_the_submission_and_its_id(folder: Path, server: Server) -> None:
    """The batch is at the provider, and nothing on this side knows its id."""
    assert run(["-q", "plan", "batched.yaml"]) == 0
    killed_and_resumed(folder, server, "after-_post", 1)


@pytest.mark.slow
@pytest.mark.parametrize(("point", "count"), POINTS)
def test_killed_at_every_named_point(folder: Path, server: Server, point: str, count: int) -> None:
    assert run(["-q", "plan", "batched.yaml"]) == 0
    killed_and_resumed(folder, server, point, count)


@pytest.mark.slow
def test_ctrl_c_stops_waiting_at_once(folder: Path, server: Server) -> None:
    """The batch goes on at the provider: there is nothing in flight to finish."""
    server.batches.polls = 10**6
    assert run(["-q", "plan", "batched.yaml"]) == 0
    with start(folder, "never", 0) as victim:
        for _ in range(1200):
            time.sleep(0.05)
            if server.batches.kept and server.batches.asked[-1].startswith("GET"):
                break
        victim.send_signal(signal.SIGINT)
        _, err = victim.communicate(timeout=30)
    assert victim.returncode == 130, err.decode()
    assert b"Traceback" not in err
    server.batches.polls = 0
    finished(folder)
    assert len(outcomes(folder)) == TRIALS
    assert max(Counter(server.batches.submissions).values()) == 1


def test_keys_are_in_no_file_of_a_batched_run(folder: Path) -> None:
    play(folder)
    written = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert not [key for key in KEYS.values() if key.encode() in written]
    assert json.dumps("intended").encode() in written
