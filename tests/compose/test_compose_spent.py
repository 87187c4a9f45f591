"""Whatever is killed whenever: a resume never believes to have spent less than it may have."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mitigations.compose.limits import told_to
from mitigations.errors import OverBudget
from mitigations.model import (
    ActionProtocol,
    Message,
    ModelSpec,
    Price,
    Reply,
    ReplyStatus,
    Request,
    Usage,
)
from mitigations.store import Landing, Store, recover
from runner.budget import Budget, worst_case_of
from runner.execute import Stop, remembered
from runner.gateway import Gateway, RetryPolicy
from runner.gateway.faults import Fault, FaultKind
from runner.limits import Timer
from tests.builders import make_outcome

SPEC = ModelSpec(
    route="openai/m",
    base_url="http://127.0.0.1:9",
    price=Price(input_per_mtok=3.0, output_per_mtok=15.0),
    max_tokens=500,
)
RUN = "run-1"


def ask(key: str) -> Request:
    return Request(
        model=SPEC,
        system="You are an assistant.",
        messages=(Message(role="user", content="Item."),),
        protocol=ActionProtocol.TAGS,
        key=key,
    )


WORST = worst_case_of(ask("0/target/0"))


class Killed(BaseException):
    """The process is gone: nothing is closed, nothing more is written."""


@dataclass
class World:
    """What the provider charged at most, over all starts, and when the next kill comes."""

    rng: random.Random
    charged: float = 0.0
    left: int = 0
    """Requests until the kill."""
    snapshot: bytes = b""
    """What was on disk at the kill."""
    is_dead: bool = False
    path: Path = Path()


class Scripted(Gateway):
    """A gateway whose requests never leave; each may be the one in which the process dies."""

    def __init__(self, world: World, **more: Any) -> None:
        async def sleep(_: float) -> None:
            """As fast as can be: what is not on disk by now is not there at a kill."""

        super().__init__(
            environ={},
            policy=RetryPolicy(attempts=4, base_s=0.0),
            timer=Timer(sleep=sleep),
            **more,
        )
        self._world = world

    async def _send(self, *_: Any) -> Reply | Fault:
        world = self._world
        if world.is_dead:
            raise Killed
        # From here on this request may be charged at its worst.
        world.charged += WORST
        world.left -= 1
        if world.left == 0:
            world.snapshot, world.is_dead = world.path.read_bytes(), True
            raise Killed
        for _ in range(world.rng.randrange(3)):
            await asyncio.sleep(0)
        if world.is_dead:
            raise Killed
        kind = world.rng.random()
        if kind < 0.4:
            return Fault(kind=FaultKind.CONNECTION, detail="cut", may_be_paid=True)
        if kind < 0.6:
            world.charged -= WORST
            return Fault(kind=FaultKind.SERVER, detail="500")
        cost = WORST * world.rng.random()
        world.charged += cost - WORST
        return Reply(
            status=ReplyStatus.ANSWERED,
            text="x",
            requested_model=SPEC.route,
            usage=Usage(input_tokens=1, output_tokens=1),
            cost_usd=cost,
        )


async def start(world: World, store: Store, *, limit: float | None) -> None:
    """One start of the run, as `run_plan` wires it, over ten trials of two calls."""
    found = recover(world.path, store, run=RUN, twins=frozenset())
    assert found.spent_usd >= world.charged - 1e-9, "a resume understates what may be spent"
    budget = Budget(limit, spent_usd=min(found.spent_usd, limit or found.spent_usd))
    landing = Landing(
        world.path,
        store,
        run=RUN,
        twins=frozenset(),
        now=lambda: "2026-11-24T00:00:00Z",
        worst_usd=worst_case_of,
        ledger=found.ledger,
    )
    gateway = Scripted(world, budget=budget, on_attempt=told_to(landing), kept=landing.kept)
    complete = remembered(
        gateway.complete,
        known=found.known,
        sent=landing.sent,
        replied=landing.replied,
        withdrawn=landing.withdrawn,
        stop=Stop(),
    )
    done = set(store.landed_of(RUN, {trial(n) for n in range(10)}))
    waiting = [n for n in range(10) if (trial(n), 0) not in done]

    async def worker() -> None:
        while waiting:
            number = waiting.pop(0)
            for role in ("target/0", "judge/0"):
                await complete(ask(f"{trial(number)}/{role}"))
            await landing.record(outcome(number))

    async with landing:
        workers = [asyncio.create_task(worker()) for _ in range(world.rng.randint(1, 6))]
        ended = await asyncio.gather(*workers, return_exceptions=True)
    for end in ended:
        if isinstance(end, BaseException):
            raise end


def outcome(number: int) -> Any:
    return make_outcome(scenario=f"s{number}")


def trial(number: int) -> str:
    return str(outcome(number).trial.id)


def killed_thrice(seed: int, folder: Path, limit: Callable[[], float | None]) -> World:
    world = World(random.Random(seed), path=folder / "calls.jsonl")
    for number in range(4):
        world.left = world.rng.randint(1, 15) if number < 3 else -1
        world.is_dead = False
        # The database may be behind the journal, never before it: each start has a new one.
        with Store.in_memory() as store:
            try:
                asyncio.run(start(world, store, limit=limit()))
            except Killed:
                world.path.write_bytes(world.snapshot)
            except OverBudget:
                pass
    return world


@pytest.mark.parametrize(
    "seed", [*range(6), *(pytest.param(n, marks=pytest.mark.slow) for n in range(6, 60))]
)
def test_a_resume_after_kills_never_understates_what_may_be_spent(
    tmp_path: Path, seed: int
) -> None:
    """Retries of unknown cost, kills between any two of them, up to six calls in flight."""
    world = killed_thrice(seed, tmp_path, lambda: None)
    with Store.in_memory() as store:
        found = recover(world.path, store, run=RUN, twins=frozenset())
    assert found.spent_usd >= world.charged - 1e-9
    assert found.unanswered == frozenset()


@pytest.mark.parametrize(
    "seed", [101, 107, *(pytest.param(n, marks=pytest.mark.slow) for n in range(110, 140))]
)
def test_a_budget_holds_over_kills_and_retries(tmp_path: Path, seed: int) -> None:
    limit = 12 * WORST
    world = killed_thrice(seed, tmp_path, lambda: limit)
    assert world.charged <= limit + 1e-9
