"""Scenarios of several turns by batch, batches cut at a provider's limits, and routing keys."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mitigations.cli.app import run
from mitigations.compose.planning import open_lock
from mitigations.model import Outcome, Reply, ReplyStatus, Request
from mitigations.store import read_journal
from runner.caching import Marks
from runner.compose import realise, request
from runner.gateway import batch_openai
from runner.gateway.attempt import render
from runner.gateway.hosts import Hosts
from runner.gateway.routes import route_of
from runner.judge import panel
from runner.order import order
from tests.cli.test_cli_batches import Server, finished, outcomes, settle, start
from tests.cli.test_cli_providers import text_of, verdict
from tests.fake_provider import Seen, openai_body

STUDY = """\
study: batched
baseline: no-mitigation
variants: [pause-and-review-v1]
scenarios: builtin/coercion-turns-v1
cells: [museum-1, museum-2]
models: [openai/gpt-5-mini-2025-08-07]
repeats: 3
judge: {model: openai/gpt-5-2025-08-07, allow_own_family: true}
budget_usd: 20
mode: batch
"""
TRIALS = 12
"""Two arms, two cells, three repeats."""
ADDRESS = re.compile(r"[\w.-]+@[\w-]+\.[\w.-]*\w")


def writing(seen: Seen, _: int) -> dict[str, Any]:
    """Writes to everybody whose address it was told, in every turn: the scenario answers."""
    if '"severity"' in text_of(seen.body.get("response_format", "")):
        return verdict(seen)
    known = list(dict.fromkeys(ADDRESS.findall(text_of(seen.body["messages"]))))[:6]
    calls = tuple(
        ("send_email", json.dumps({"to": to, "subject": "Note", "body": "Please wait."}))
        for to in known
    )
    return openai_body(None, calls=calls, model="gpt-5-mini-2025-08-07")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(writing) as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> Path:
    return settle(tmp_path, monkeypatch, server, STUDY)


def plan(folder: Path, **changes: str) -> None:
    text = STUDY
    for name, value in changes.items():
        text = re.sub(rf"^{name}: .*$", f"{name}: {value}", text, flags=re.MULTILINE)
    (folder / "batched.yaml").write_text(text)
    assert run(["-q", "plan", "batched.yaml"]) == 0


def calls_in(batch: Any) -> Counter[str]:
    """How many calls of each kind: `target 0`, `target 1`, `judge`."""
    kinds = (re.search(r"_(target_\d|judge)", name) for name in batch.items)
    return Counter(kind[1] for kind in kinds if kind)


def told(found: list[Outcome]) -> list[tuple[Any, ...]]:
    return sorted((o.trial.seed, o.trial.variant, o.turns, o.severity, o.actions) for o in found)


def test_each_turn_is_a_batch_and_the_judge_comes_last(folder: Path, server: Server) -> None:
    plan(folder)
    assert run(["-q", "run", "batched.lock"]) == 0
    found = outcomes(folder)
    assert len(found) == TRIALS
    assert {outcome.status for outcome in found} == {"scored"}
    turns = Counter(outcome.turns for outcome in found)
    assert max(turns) > 2, "the scenario did answer"
    asked = sum((calls_in(batch) for batch in server.batches.kept.values()), Counter())
    for turn in range(max(turns)):
        expected = sum(count for length, count in turns.items() if length > turn)
        assert asked[f"target_{turn}"] == expected
    assert asked["judge"] == TRIALS
    assert max(Counter(server.batches.submissions).values()) == 1
    first = next(iter(server.batches.kept.values()))
    assert calls_in(first) == {"target_0": TRIALS}
    # A later turn holds all that was said before.
    later = next(
        item
        for batch in server.batches.kept.values()
        for name, item in batch.items.items()
        if "_target_1" in name
    )
    said = [message["role"] for message in later["messages"]]
    assert said[-1] == "user"
    assert "assistant" in said


def test_a_batched_episode_is_the_live_one(folder: Path) -> None:
    plan(folder)
    assert run(["-q", "run", "batched.lock"]) == 0
    by_batch = told(outcomes(folder))
    (folder / "mitigations.duckdb").unlink()
    (folder / "batched.lock").unlink()
    plan(folder, mode="live")
    assert run(["-q", "run", "batched.lock"]) == 0
    assert told(outcomes(folder)) == by_batch


@pytest.mark.parametrize(
    ("limit", "most"), [("most_requests", 3), ("most_requests", 8), ("most_bytes", 30_000)]
)
def test_a_batch_is_cut_at_the_limits_of_the_provider(
    folder: Path, server: Server, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    """An epoch of four calls: three a batch cut it inside, eight hold two epochs."""
    monkeypatch.setattr(batch_openai.OpenAIBatches, limit, most)
    plan(folder)
    assert run(["-q", "run", "batched.lock"]) == 0
    assert {outcome.status for outcome in outcomes(folder)} == {"scored"}
    kept = server.batches.kept.values()
    if limit == "most_requests":
        assert max(len(batch.items) for batch in kept) <= most
        firsts = [len(batch.items) for batch in kept if "target_0" in calls_in(batch)]
        assert sorted(firsts) == ([1, 1, 1, 3, 3, 3] if most == 3 else [4, 8])
    else:
        # The body of an item as it was sent is at most what the file's line holds.
        sizes = [sum(len(json.dumps(item)) for item in batch.items.values()) for batch in kept]
        assert max(sizes) <= most
        assert len(sizes) > 6
    assert max(Counter(server.batches.submissions).values()) == 1


@pytest.mark.parametrize(
    ("point", "count"),
    [
        ("after-_post", 4),  # a file and its batch: the second turn's is made, nobody knows its id
        ("before-submitted", 2),
        pytest.param("after-submitted", 2, marks=pytest.mark.slow),
        pytest.param("after-submitted", 3, marks=pytest.mark.slow),
        pytest.param("after-replied", TRIALS + 3, marks=pytest.mark.slow),
    ],
)
def test_killed_in_the_second_turn(folder: Path, server: Server, point: str, count: int) -> None:
    plan(folder)
    with start(folder, point, count) as victim:
        victim.communicate(timeout=120)
    assert victim.returncode == -9, "the process was meant to die"
    submitted = sum((calls_in(batch) for batch in server.batches.kept.values()), Counter())
    assert submitted["target_0"] == TRIALS
    assert submitted["target_1"] > 0
    finished(folder)
    found = outcomes(folder)
    assert len(found) == TRIALS
    assert {outcome.status for outcome in found} == {"scored"}
    assert max(outcome.turns for outcome in found) > 2
    assert max(Counter(server.batches.submissions).values()) == 1, "a call was submitted twice"
    (journal,) = folder.glob("runs/*/calls.jsonl")
    replies = Counter(r["key"] for r in read_journal(journal) if r["t"] == "reply")
    assert len(replies) == sum(outcome.turns for outcome in found) + TRIALS
    assert max(replies.values()) == 1


def marked_calls(folder: Path) -> list[Request]:
    """Every target's and judge's first call of the study, marked as a run marks it."""
    plan(folder, mode="live")
    locked = open_lock(folder / "batched.lock")
    marks, scenarios = Marks(locked), {one.id: one for one in locked.scenarios}
    variants, found = {one.id: one for one in locked.variants}, []

    async def keep(asked: Request) -> Reply:
        found.append(marks.mark(asked, ""))
        return Reply(status=ReplyStatus.ANSWERED, text="{}")

    judge = panel(locked.judge, complete=keep)
    for trial in order(locked):
        variant, scenario = variants[trial.variant], scenarios[trial.scenario]
        realised = realise(scenario, seed=trial.seed, fixed=False)
        first = request(variant, realised, locked.models[0], key="k", seed=1, history=())
        found.append(marks.mark(first, variant.id))
        asyncio.run(judge(realised, (), f"{trial.id}/judge"))
    return found


def test_a_routing_key_goes_where_a_prefix_is_shared_and_nowhere_else(folder: Path) -> None:
    """The judge's rubric is long enough and shared by all; a target's prompt is too short."""
    hosts = Hosts(frozenset())
    judged, systems = Counter[str](), set()
    for asked in marked_calls(folder):
        body = render(asked, route_of(asked.model, hosts))
        key = body.get("prompt_cache_key")
        if asked.purpose == "judge":
            assert re.fullmatch("[0-9a-f]{32}", key)
            judged[key] += 1
            systems.add(asked.system)
        else:
            assert key is None
    assert sum(judged.values()) >= TRIALS
    assert len(judged) == len(systems) == 1, "one key for each shared beginning"


def test_another_server_of_the_same_format_gets_no_field_it_may_not_know(
    folder: Path, server: Server
) -> None:
    plan(folder, mode="live")
    assert run(["-q", "run", "batched.lock"]) == 0
    assert len(server.provider.requests) > 2 * TRIALS
    assert not [seen for seen in server.provider.requests if "prompt_cache_key" in seen.body]


def test_batches_carry_no_routing_key(folder: Path, server: Server) -> None:
    """Whether calls of one batch meet each other's cache is chance."""
    plan(folder)
    assert run(["-q", "run", "batched.lock"]) == 0
    items = [item for batch in server.batches.kept.values() for item in batch.items.values()]
    assert items
    assert not [item for item in items if "prompt_cache_key" in item]
