"""Execution: bounded, stoppable without losing what is in flight, never paying twice."""

import asyncio
from collections import Counter

import pytest

from mitigations.errors import OverBudget, StorageFailed
from mitigations.model import ModelSpec, Outcome, Reply, ReplyStatus, Request, Trial
from runner.budget import Budget
from runner.execute import Stop, execute, remembered
from tests.builders import make_outcome, make_trial


def trials(count: int) -> list[Trial]:
    return [make_trial(repeat=repeat, position=repeat) for repeat in range(count)]


class Recorder:
    def __init__(self) -> None:
        self.running = self.most = 0
        self.recorded: list[int] = []

    async def play(self, trial: Trial) -> Outcome:
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0.001 * (trial.repeat % 3))
        self.running -= 1
        return make_outcome(repeat=trial.repeat)

    async def record(self, outcome: Outcome) -> None:
        self.recorded.append(outcome.trial.repeat)


@pytest.mark.parametrize("concurrency", [1, 4, 50])
def test_every_trial_is_recorded_once_and_never_more_at_once_than_allowed(concurrency: int) -> None:
    seen = Recorder()
    asyncio.run(
        execute(
            iter(trials(30)),
            play=seen.play,
            record=seen.record,
            concurrency=concurrency,
            stop=Stop(),
        )
    )
    assert sorted(seen.recorded) == list(range(30))
    assert seen.most <= concurrency


def test_an_exhausted_budget_keeps_what_is_in_flight() -> None:
    seen = Recorder()

    async def play(trial: Trial) -> Outcome:
        if trial.repeat == 5:
            raise OverBudget("no money left")
        await asyncio.sleep(0.01)
        return await seen.play(trial)

    with pytest.raises(OverBudget, match="no money"):
        asyncio.run(
            execute(iter(trials(1000)), play=play, record=seen.record, concurrency=4, stop=Stop())
        )
    assert {0, 1, 2, 3, 4} <= set(seen.recorded)
    assert len(seen.recorded) <= 5 + 4


def test_a_store_that_fails_stops_the_run() -> None:
    seen = Recorder()

    async def record(_: Outcome) -> None:
        raise StorageFailed("disk full")

    with pytest.raises(StorageFailed):
        asyncio.run(
            execute(iter(trials(100)), play=seen.play, record=record, concurrency=3, stop=Stop())
        )
    assert seen.running == 0


def test_a_bug_is_not_hidden_as_an_outcome() -> None:
    seen = Recorder()

    async def play(_: Trial) -> Outcome:
        raise KeyError("a bug")

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(
            execute(iter(trials(3)), play=play, record=seen.record, concurrency=2, stop=Stop())
        )
    assert caught.group_contains(KeyError)
    assert seen.recorded == []


def make_request(key: str) -> Request:
    return Request(model=ModelSpec(route="openai/x"), system="", messages=(), key=key)


def test_a_reply_that_was_paid_for_is_used_once_and_never_bought_again() -> None:
    log: list[str] = []

    async def complete(request: Request) -> Reply:
        log.append(f"call {request.key}")
        return Reply(status=ReplyStatus.ANSWERED, text="new")

    async def sent(request: Request) -> None:
        log.append(f"sent {request.key}")

    async def replied(request: Request, _: Reply) -> None:
        log.append(f"replied {request.key}")

    async def withdrawn(request: Request) -> None:
        log.append(f"withdrawn {request.key}")

    known = {
        "a": Reply(status=ReplyStatus.ANSWERED, text="old"),
        "b": Reply(status=ReplyStatus.ERROR, text="old"),
    }
    call = remembered(
        complete, known=known, sent=sent, replied=replied, withdrawn=withdrawn, stop=Stop()
    )

    async def go() -> list[str]:
        return [(await call(make_request(key))).text for key in ("a", "a", "b", "c")]

    assert asyncio.run(go()) == ["old", "new", "new", "new"]
    # An error was no answer, so it is asked again; every real call is announced before it is made.
    assert log == [f"{step} {key}" for key in "abc" for step in ("sent", "call", "replied")]


@pytest.mark.parametrize("workers", [1, 2, 7, 64])
def test_a_budget_stops_within_one_call_a_worker(workers: int) -> None:
    """Trials of eight calls each; after the first refusal no worker sends more than one more."""
    stop, budget = Stop(), Budget(40.0)
    after: Counter[str] = Counter()
    refused = []

    async def complete(request: Request) -> Reply:
        try:
            # A refused first call leaves room for the small ones that follow others.
            held = budget.reserve(5.0 if request.key.endswith("/0") else 0.01)
        except OverBudget:
            refused.append(request.key)
            raise
        if stop.reason is not None:
            after[request.key.partition("/")[0]] += 1
        await asyncio.sleep(0)
        budget.settle(held, held.usd)
        return Reply(status=ReplyStatus.ANSWERED)

    async def nothing(*_: object) -> None:
        await asyncio.sleep(0)

    call = remembered(
        complete, known={}, sent=nothing, replied=nothing, withdrawn=nothing, stop=stop
    )

    async def play(trial: Trial) -> Outcome:
        for number in range(8):
            await call(make_request(f"{trial.id}/{number}"))
        return make_outcome(repeat=trial.repeat)

    with pytest.raises(OverBudget):
        asyncio.run(
            execute(iter(trials(1000)), play=play, record=nothing, concurrency=workers, stop=stop)
        )
    assert refused
    assert max(after.values(), default=0) <= 1
    assert len(after) <= workers
