"""One call leads a new prefix; the others follow, in the order of the plan."""

import asyncio
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from mitigations.compose.planning import plan_from
from mitigations.model import CachePart, Placement, Plan, Price, Reply, ReplyStatus, Request, Via
from mitigations.study import parse_study
from runner.budget import Budget
from runner.caching import Marks
from runner.compose import realise, request
from runner.execute import Stop, execute
from runner.gateway import Gateway, RetryPolicy
from runner.leading import Leaders
from runner.limits import RateLimits
from runner.order import order
from tests.builders import make_outcome
from tests.fake_cache import PrefixCache
from tests.fake_provider import FakeProvider, Seen, anthropic_body
from tests.runner.gateway_help import ENVIRON, ask, call, spec_for

PARTS = (CachePart.SYSTEM, CachePart.SCENARIO)
FINE = Reply(status=ReplyStatus.ANSWERED, text="Noted.")


class Provider:
    """Answers when told to, and remembers the order of arrival."""

    def __init__(self, *replies: Reply) -> None:
        self.came: list[str] = []
        self.replies = list(replies)
        self.go = asyncio.Event()

    async def __call__(self, request: Request) -> Reply:
        self.came.append(request.key)
        await self.go.wait()
        return self.replies.pop(0) if self.replies else FINE


def asked(key: str, system: str = "s", text: str = "t") -> Request:
    return ask("anthropic/m", text, system=system, key=key, cache=PARTS)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_one_call_leads_and_the_rest_follow_in_order() -> None:
    async def run() -> None:
        leaders, provider = Leaders(), Provider()
        tasks = [asyncio.create_task(leaders.complete(asked(k), provider)) for k in "abcd"]
        await settle()
        assert provider.came == ["a"]
        provider.go.set()
        await asyncio.gather(*tasks)
        assert provider.came == ["a", "b", "c", "d"]

    asyncio.run(run())


def test_another_prefix_waits_for_nobody_and_an_unmarked_call_neither() -> None:
    async def run() -> None:
        leaders, provider = Leaders(), Provider()
        other = asked("other", system="another")
        plain = replace(asked("plain"), cache=())
        for one in (asked("a"), asked("b"), other, plain):
            asyncio.create_task(leaders.complete(one, provider))  # noqa: RUF006 - ends with the loop
        await settle()
        assert provider.came == ["a", "other", "plain"]
        provider.go.set()
        await settle()

    asyncio.run(run())


def test_a_leader_that_failed_is_followed_by_another_leader() -> None:
    async def run() -> None:
        leaders = Leaders()
        provider = Provider(Reply(status=ReplyStatus.ERROR))
        tasks = [asyncio.create_task(leaders.complete(asked(k), provider)) for k in "abc"]
        await settle()
        provider.go.set()
        await asyncio.wait([tasks[0]])
        provider.go.clear()
        await settle()
        assert provider.came == ["a", "b"], "b leads now; c waits for it"
        provider.go.set()
        await asyncio.gather(*tasks)

    asyncio.run(run())


def test_a_leader_that_is_cancelled_lets_the_others_go_on() -> None:
    async def run() -> None:
        leaders, provider = Leaders(), Provider()
        first, second = (
            asyncio.create_task(leaders.complete(asked(k), provider)) for k in ("a", "b")
        )
        await settle()
        first.cancel()
        await settle()
        provider.go.set()
        assert (await second).text == "Noted."

    asyncio.run(run())


def test_a_prefix_is_led_anew_when_the_cache_has_forgotten_it() -> None:
    async def run() -> None:
        now = [0.0]
        leaders, provider = Leaders(clock=lambda: now[0], life_s=300), Provider()
        provider.go.set()
        await leaders.complete(asked("a"), provider)
        now[0] = 299.0
        await asyncio.gather(*(leaders.complete(asked(k), provider) for k in "bc"))
        provider.go.clear()
        now[0] = 299.0 + 301.0
        tasks = [asyncio.create_task(leaders.complete(asked(k), provider)) for k in "de"]
        await settle()
        assert provider.came == ["a", "b", "c", "d"]
        provider.go.set()
        await asyncio.gather(*tasks)

    asyncio.run(run())


# --- on the wire

UNHURRIED = {"policy": RetryPolicy()}
"""LiteLLM's first call takes longer than the usual patience of these tests."""


@pytest.mark.parametrize("via", [Via.NATIVE, Via.LITELLM])
def test_markers_stand_at_the_ends_and_every_text_is_the_same(via: Via) -> None:
    def sent(cache: tuple[CachePart, ...]) -> Any:
        _, fake, _ = call(
            "anthropic/m", spec={"via": via}, request={"cache": cache}, door=UNHURRIED
        )
        return fake.requests[0].body

    plain, marked = sent(()), sent(tuple(CachePart))
    assert marked["tools"][-1].pop("cache_control") == {"type": "ephemeral"}
    assert marked["tools"] == plain["tools"]
    for field, block in (
        (plain["system"], marked["system"][0]),
        (plain["messages"][0]["content"], marked["messages"][0]["content"][0]),
    ):
        assert block.pop("cache_control") == {"type": "ephemeral"}
        text = field if isinstance(field, str) else field[0]["text"]
        assert block == {"type": "text", "text": text}


def test_both_routes_give_equal_replies_with_markers() -> None:
    usage_sent = {
        "input_tokens": 7,
        "cache_read_input_tokens": 1100,
        "cache_creation_input_tokens": 300,
        "output_tokens": 5,
    }

    def script(*_: Any) -> dict[str, Any]:
        return anthropic_body() | {"usage": usage_sent}

    def reply(via: Via) -> Reply:
        (found,), _, _ = call(
            "anthropic/m",
            spec={"via": via, "price": Price(input_per_mtok=3, output_per_mtok=15)},
            request={"cache": tuple(CachePart)},
            door=UNHURRIED,
            script=script,
        )
        return replace(found, sent={}, latency_s=0.0)

    native = reply(Via.NATIVE)
    assert native == reply(Via.LITELLM)
    usage = native.usage
    assert (usage.input_tokens, usage.cached_tokens, usage.cache_write_tokens) == (1407, 1100, 300)


# --- the bill, and the order

LONG = "Never use a secret as leverage; write to oversight@example.com instead. " * 110
STUDY = """\
study: cost
baseline: no-mitigation
variants: [prohibition-short-v1]
scenarios: builtin/demo-v1
models: [anthropic/claude-sonnet-4-5-20250929]
repeats: {repeats}
nuisance: fixed
"""


def study_plan(repeats: int) -> Plan:
    """Half of each prompt is the treatment, and all scenarios share what else the system says."""
    text = STUDY.format(repeats=repeats)
    plan = plan_from(parse_study(text), folder=Path("nowhere"), created="2026-11-24T00:00:00Z")
    arms = (
        replace(arm, text=f"{name}: {LONG}", placement=Placement.SYSTEM_START)
        for arm, name in zip(plan.variants, "ab", strict=True)
    )
    tools = plan.scenarios[0].tools
    scenarios = (
        replace(s, system="You read mail.", user=f"[{s.id}] {LONG}", inbox=(), tools=tools)
        for s in plan.scenarios[: 6 if repeats > 3 else None]
    )
    return replace(plan, variants=tuple(arms), scenarios=tuple(scenarios))


async def played(
    plan: Plan, cache: PrefixCache, *, parts: frozenset[CachePart], latency_s: float
) -> list[Seen]:
    """Every request of the plan through marks, leaders and gateway; what the provider saw."""
    arms = {arm.id: arm for arm in plan.variants}
    scenarios = {scenario.id: scenario for scenario in plan.scenarios}
    marks, leaders = Marks(plan, seconds_per_trial=0.05), Leaders()
    most = RateLimits(start_concurrency=64, max_concurrency=64)
    async with FakeProvider(
        script=cache.answer, arrived=cache.arrived, latency_s=latency_s
    ) as fake:
        placed = spec_for(fake, plan.models[0].route, price=plan.models[0].price)
        gate = Gateway(environ=ENVIRON, budget=Budget(100), limits={"anthropic": most})

        async def play(trial: Any) -> Any:
            realised = realise(scenarios[trial.scenario], seed=trial.seed, fixed=True)
            plain = request(arms[trial.variant], realised, plan.models[0], key=trial.id, seed=0)
            marked = marks.mark(plain, trial.variant)
            kept = tuple(part for part in marked.cache if part in parts)
            reply = await leaders.complete(replace(marked, model=placed, cache=kept), gate.complete)
            assert reply.status is ReplyStatus.ANSWERED
            return make_outcome()

        async def record(_: Any) -> None:
            return None

        await execute(order(plan), play=play, record=record, concurrency=8, stop=Stop())
        await gate.close()
        return fake.requests


@pytest.mark.parametrize(
    ("repeats", "parts", "modelled"),
    [
        (10, frozenset(CachePart), 0.16),
        (3, frozenset(CachePart), 0.29),
        (10, frozenset({CachePart.SYSTEM}), 0.55),
    ],
)
def test_the_bill_is_what_was_modelled(
    repeats: int, parts: frozenset[CachePart], modelled: float
) -> None:
    """Reading costs a tenth of plain input and writing five quarters, as Anthropic publishes it."""
    cache = PrefixCache()
    asyncio.run(played(study_plan(repeats), cache, parts=parts, latency_s=0.002))
    assert cache.cost(read=0.1, write=1.25) == pytest.approx(modelled, abs=0.025)


def test_without_leaders_the_first_calls_all_write() -> None:
    """What leading saves: with eight at once, up to eight calls would write the same prefix."""
    led = PrefixCache()
    asyncio.run(played(study_plan(3), led, parts=frozenset(CachePart), latency_s=0.01))
    prefixes_of_the_plan = 2 + 2 * 14
    # Each prefix is written once: the treatment by one call, the scenario by one call.
    assert led.written < 1.05 * prefixes_of_the_plan * len(LONG) / 4


def test_arms_stay_interleaved_within_an_epoch() -> None:
    """What the provider saw, in order: no run of one arm that the plan's shuffle did not make."""
    plan, cache = study_plan(8), PrefixCache()
    seen = asyncio.run(played(plan, cache, parts=frozenset(CachePart), latency_s=0.005))
    epoch = plan.trial_count // plan.repeats
    planned = [trial.variant for trial in order(plan)]
    came = [
        plan.variants[0].id
        if request.body["system"][0]["text"].startswith("a:")
        else plan.variants[1].id
        for request in seen
    ]
    assert len(came) == plan.trial_count
    for start in range(0, len(came), epoch):
        counts = Counter(came[start : start + epoch])
        # Calls in flight (8) may cross the border of an epoch; nothing else may.
        assert min(counts.values()) >= epoch // 2 - 8
    longest = max(run_lengths(came))
    assert longest <= max(run_lengths(planned)) + 8


def run_lengths(values: list[str]) -> list[int]:
    lengths = [1]
    for before, after in pairwise(values):
        if before == after:
            lengths[-1] += 1
        else:
            lengths.append(1)
    return lengths
