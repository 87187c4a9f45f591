"""What is told of each request, what it costs, and what is refused before the first."""

import asyncio
from dataclasses import replace

import pytest

from mitigations.errors import MissingKey, OverBudget
from mitigations.model import (
    ModelSpec,
    Price,
    Via,
)
from runner.budget import Budget, UnpricedModel, worst_case_of
from runner.gateway import NoRoute, RetryPolicy
from tests.fake_provider import (
    FakeProvider,
    Fault,
)
from tests.runner.gateway_help import KEY, ask, call, gateway, spec_for

PRICE = Price(input_per_mtok=3.0, output_per_mtok=15.0)
both = pytest.mark.parametrize("route", ["openai/m", "anthropic/m"])


def test_each_request_is_told_before_it_is_sent_and_when_it_is_over():
    lines = []

    async def run():
        async with FakeProvider(faults={Fault.SERVER_ERROR: 1.0}) as fake:
            door = gateway(on_attempt=lambda a: lines.append((a, fake.count)))
            await door.complete(ask(spec_for(fake, "openai/m"), key="trial/target/1"))
            await door.close()

    asyncio.run(run())
    assert [(a.phase, a.number) for a, _ in lines] == [
        (phase, number) for number in (1, 2, 3, 4) for phase in ("sent", "done")
    ]
    assert [count for _, count in lines] == [0, 1, 1, 2, 2, 3, 3, 4]
    assert {a.key for a, _ in lines} == {"trial/target/1"}
    assert {a.status for a, _ in lines if a.phase == "done"} == {"server-error"}


def test_a_cancelled_call_is_told_as_perhaps_paid_and_its_worst_case_stays_spent():
    lines = []
    budget = Budget(10.0)

    async def run():
        async with FakeProvider(faults={Fault.HANG: 1.0}) as fake:
            door = gateway(on_attempt=lines.append, budget=budget, policy=RetryPolicy())
            request = ask(spec_for(fake, "openai/m", price=PRICE))
            task = asyncio.create_task(door.complete(request))
            await fake.arrived.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await door.close()
            return worst_case_of(request)

    worst = asyncio.run(run())
    assert (lines[-1].status, lines[-1].may_be_paid) == ("cancelled", True)
    assert budget.reserved_usd == 0
    assert budget.spent_usd == pytest.approx(worst)


@both
def test_a_reply_costs_what_its_tokens_cost_and_the_budget_says_the_same(route):
    """120 in and 30 out at 3 and 15 dollars per million tokens: 0.00081 dollars."""
    budget = Budget(1.0)
    (reply,), _, _ = call(route, spec={"price": PRICE}, door={"budget": budget})
    assert reply.cost_usd == pytest.approx(0.00081)
    assert budget.settled_usd == pytest.approx(0.00081)
    assert budget.reserved_usd == 0


def test_no_request_leaves_once_the_worst_case_no_longer_fits():
    async def run():
        async with FakeProvider() as fake:
            spec = spec_for(fake, "openai/m", price=PRICE)
            worst = worst_case_of(ask(spec))
            door = gateway(budget=Budget(worst * 1.5))
            done, refused = 0, 0
            for _ in range(80):
                try:
                    await door.complete(ask(spec))
                    done += 1
                except OverBudget:
                    refused += 1
            await door.close()
            assert fake.count == done
            assert (done + 1) * 0.00081 + worst > worst * 1.5 >= (done - 1) * 0.00081 + worst
            assert refused == 80 - done > 0
            assert door.limiter(spec).in_flight == 0

    asyncio.run(run())


@pytest.mark.parametrize(
    ("fault", "is_spent"),
    [
        (Fault.SERVER_ERROR, False),
        (Fault.RATE_LIMITED, False),
        (Fault.KEY_ECHO, False),
        (Fault.CUT, True),
        (Fault.TRUNCATED_JSON, True),
        (Fault.HANG, True),
    ],
)
def test_what_may_have_been_generated_counts_as_spent(fault, is_spent):
    budget = Budget(10.0)
    policy = RetryPolicy(attempts=1, request_timeout_s=0.15)
    call(faults={fault: 1.0}, spec={"price": PRICE}, door={"budget": budget, "policy": policy})
    assert (budget.spent_usd > 0) is is_spent
    assert budget.reserved_usd == 0


def test_a_connection_that_was_never_made_costs_nothing():
    budget = Budget(10.0)

    async def run():
        door = gateway(budget=budget)
        spec = ModelSpec(route="openai/m", base_url="http://127.0.0.1:9/v1", price=PRICE)
        reply = await door.complete(ask(spec))
        await door.close()
        return reply

    reply = asyncio.run(run())
    assert reply.detail.startswith("connection: ")
    assert budget.spent_usd == 0


# --- before any call


def test_a_missing_key_is_named_before_anything_is_sent():
    for spec, variable in (
        (ModelSpec(route="openai/gpt-4o"), "OPENAI_API_KEY"),
        (ModelSpec(route="anthropic/claude"), "ANTHROPIC_API_KEY"),
        (ModelSpec(route="groq/llama"), "GROQ_API_KEY"),
        (ModelSpec(route="openai/m", key_env="MY_KEY"), "MY_KEY"),
    ):
        with pytest.raises(MissingKey, match=variable):
            gateway().check([spec])
        with pytest.raises(MissingKey, match=variable):
            asyncio.run(gateway().complete(ask(spec)))
        gateway(environ={variable: KEY}).check([spec])
    with pytest.raises(MissingKey):
        gateway(environ={"OPENAI_API_KEY": "  "}).check([ModelSpec(route="openai/gpt-4o")])


def test_a_paid_model_without_a_price_refuses_to_start():
    spec = ModelSpec(route="openai/gpt-4o")
    door = gateway(environ={"OPENAI_API_KEY": KEY}, budget=Budget(1.0))
    with pytest.raises(UnpricedModel, match="openai/gpt-4o"):
        door.check([spec], priced=True)
    with pytest.raises(UnpricedModel):
        asyncio.run(door.complete(ask(spec)))
    door.check([replace(spec, price=PRICE)], priced=True)


def test_routes_that_do_not_exist_are_refused():
    for spec in (
        ModelSpec(route="groq/llama", via=Via.NATIVE),
        ModelSpec(route="local/smollm2"),
        ModelSpec(route="nonsense"),
    ):
        with pytest.raises(NoRoute):
            gateway(environ={"GROQ_API_KEY": KEY}).check([spec])


def test_simulated_models_need_no_route():
    gateway().check([ModelSpec(route="simulated/average")])
