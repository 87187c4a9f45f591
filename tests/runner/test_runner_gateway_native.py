"""The gateway over its own SDK routes, against the fake provider: faults, money, journal."""

import asyncio
import json
from collections import Counter
from dataclasses import replace

import pytest

from mitigations.errors import MissingKey, OverBudget
from mitigations.model import (
    Action,
    ActionProtocol,
    Message,
    ModelSpec,
    Price,
    Reply,
    ReplyStatus,
    Via,
)
from runner.budget import Budget, UnpricedModel, worst_case_of
from runner.gateway import NoRoute, RetryPolicy
from runner.gateway.attempt import render
from runner.gateway.hosts import Hosts
from runner.gateway.routes import route_of
from runner.limits import RateLimits, Signal, Timer
from tests.fake_provider import (
    RECOVERABLE,
    Answer,
    FakeProvider,
    Fault,
    anthropic_body,
    openai_body,
)
from tests.runner.gateway_help import KEY, MAIL_TOOL, QUICK, ask, gateway, spec_for

WIRES = ("openai/m", "anthropic/m")
PAIR = replace(QUICK, attempts=2)
PRICE = Price(input_per_mtok=3.0, output_per_mtok=15.0)
both = pytest.mark.parametrize("route", WIRES)


def call(route="openai/m", *, door=None, times=1, spec=None, request=None, **server):
    """Replies of `times` calls in a row, the server, and the gateway."""

    async def run():
        async with FakeProvider(**server) as fake:
            gate = gateway(**(door or {}))
            made = request or {}
            model = spec_for(fake, route, **(spec or {}))
            replies = [await gate.complete(ask(model, **made)) for _ in range(times)]
            await gate.close()
            return replies, fake, gate

    return asyncio.run(run())


# --- faults


@both
@pytest.mark.parametrize("rate", [0.05, 0.2, 0.5])
def test_every_call_ends_typed_whatever_share_of_requests_fails(route, rate):
    """Eleven faults of the line and the server; none is ever scored, none hangs."""
    calls, most = 120 if rate < 0.1 else 50, 5
    faults = {fault: rate / len(RECOVERABLE) for fault in sorted(RECOVERABLE)}
    lines = []
    policy = RetryPolicy(attempts=most, base_s=0.001, request_timeout_s=0.4)

    async def run():
        async with FakeProvider(faults=faults, seed=12, retry_after_s=0.001) as fake:
            door = gateway(on_attempt=lines.append, policy=policy)
            spec = spec_for(fake, route)
            replies = await asyncio.gather(
                *(door.complete(ask(spec, f"call {n}", key=str(n))) for n in range(calls))
            )
            await door.close()
            return replies, fake

    replies, fake = asyncio.run(run())
    assert fake.struck.total() > 0
    sent = sum(reply.attempts for reply in replies)
    # On a busy machine the time of a request may be over before it arrives.
    assert fake.count <= sent
    assert max(reply.attempts for reply in replies) <= most
    for reply in replies:
        if reply.status is ReplyStatus.ANSWERED:
            assert reply.text.startswith("Understood.")
        else:
            assert reply.status in {ReplyStatus.ERROR, ReplyStatus.MALFORMED}
            assert reply.text == ""
            assert reply.attempts == most
    recovered = sum(reply.attempts > 1 for reply in replies if reply.status is ReplyStatus.ANSWERED)
    assert recovered > 0
    assert Counter(line.phase for line in lines) == {"sent": sent, "done": sent}


LAST = {
    ReplyStatus.ANSWERED: {None},
    ReplyStatus.REFUSED: {Fault.REFUSAL},
    ReplyStatus.FILTERED: {Fault.CONTENT_FILTER},
    ReplyStatus.TRUNCATED: {Fault.LENGTH},
    ReplyStatus.EMPTY: {Fault.EMPTY_CHOICES},
    ReplyStatus.MALFORMED: {Fault.BAD_TOOL_CALL, Fault.TRUNCATED_JSON, Fault.WRONG_TYPE},
}
"""What the last request of a call met, by what the call may then be. The rest are errors."""


@both
@pytest.mark.parametrize("rate", [0.05, 0.2, 0.5])
def test_each_reply_is_what_the_last_request_of_its_call_met(route, rate):
    """All 19 kinds at once: none is answered, refused or filtered but by the model itself."""
    faults = dict.fromkeys(Fault, rate / len(Fault))
    policy = RetryPolicy(attempts=3, base_s=0.001, request_timeout_s=0.4)

    async def run():
        async with FakeProvider(faults=faults, seed=7, retry_after_s=0.001) as fake:
            door = gateway(policy=policy)
            spec = spec_for(fake, route)
            asks = [ask(spec, f"call {n}", key=str(n)) for n in range(60)]
            replies = await asyncio.gather(*(door.complete(a) for a in asks))
            await door.close()
            return replies, fake

    replies, fake = asyncio.run(run())
    last = {json.dumps(seen.body["messages"][-1]): seen.fault for seen in fake.requests}
    met = {n: fault for n in range(60) for said, fault in last.items() if f'"call {n}"' in said}
    assert fake.struck.total() > 0
    for number, reply in enumerate(replies):
        assert 1 <= reply.attempts <= policy.attempts or reply.detail.startswith("blocked: ")
        if reply.status in LAST:
            assert met[number] in LAST[reply.status], reply
        else:
            assert reply.status is ReplyStatus.ERROR
            assert reply.text == ""
            assert reply.tool_calls == ()
            # On a busy machine a request may run out of time before it arrives.
            unsent = reply.detail.startswith(("timeout: ", "blocked: "))
            assert unsent or met[number] not in set().union(*LAST.values()), reply


@both
@pytest.mark.parametrize(
    ("fault", "status", "requests"),
    [
        (Fault.EMPTY_CHOICES, ReplyStatus.EMPTY, 1),
        (Fault.CONTENT_FILTER, ReplyStatus.FILTERED, 1),
        (Fault.REFUSAL, ReplyStatus.REFUSED, 1),
        (Fault.LENGTH, ReplyStatus.TRUNCATED, 1),
        (Fault.BAD_TOOL_CALL, ReplyStatus.MALFORMED, 1),
        (Fault.QUOTA, ReplyStatus.ERROR, 1),
        (Fault.KEY_ECHO, ReplyStatus.ERROR, 1),
        (Fault.REDIRECT, ReplyStatus.ERROR, 1),
        (Fault.RATE_LIMITED, ReplyStatus.ERROR, QUICK.attempts),
        (Fault.TRUNCATED_JSON, ReplyStatus.MALFORMED, QUICK.attempts),
        (Fault.RESET, ReplyStatus.ERROR, QUICK.attempts),
    ],
)
def test_only_what_may_heal_is_sent_again(route, fault, status, requests):
    """What a model said is final: asking again until it behaves would bend the rates."""
    (reply,), fake, _ = call(route, faults={fault: 1.0})
    assert reply.status is status, reply
    assert fake.count == reply.attempts == requests


def test_retry_after_is_obeyed_and_its_absence_backs_off():
    waits = []

    async def sleep(seconds):
        waits.append(seconds)

    call(
        faults={Fault.RATE_LIMITED: 1.0},
        retry_after_s=3.0,
        door={"timer": Timer(clock=lambda: sum(waits), sleep=sleep), "policy": PAIR},
    )
    assert waits[0] >= 3.0
    waits.clear()
    call(
        faults={Fault.SERVER_ERROR: 1.0},
        door={"timer": Timer(clock=lambda: sum(waits), sleep=sleep), "policy": PAIR},
    )
    assert 0 < waits[0] <= PAIR.base_s


def test_a_wait_beyond_the_allowed_one_ends_the_call():
    policy = replace(QUICK, max_wait_s=60)
    (reply,), fake, _ = call(
        faults={Fault.RATE_LIMITED: 1.0}, retry_after_s=3600, door={"policy": policy}
    )
    assert reply.status is ReplyStatus.ERROR
    assert reply.detail.startswith("wait-too-long: ")
    assert fake.count == 1


def test_the_total_deadline_holds_over_all_attempts():
    clock = [0.0]

    async def sleep(seconds):
        clock[0] += seconds

    policy = RetryPolicy(attempts=50, base_s=40, cap_s=40, deadline_s=100)
    timer = Timer(clock=lambda: clock[0], sleep=sleep)
    (reply,), _, _ = call(faults={Fault.SERVER_ERROR: 1.0}, door={"policy": policy, "timer": timer})
    assert reply.detail.startswith("deadline: ")
    assert clock[0] <= 100


def test_the_total_deadline_holds_while_a_call_waits_for_its_turn():
    """Another call is told to pause for longer than this call has left."""
    clock = [0.0]

    async def sleep(seconds):
        clock[0] += seconds

    async def run():
        async with FakeProvider(faults={Fault.SERVER_ERROR: 1.0}) as fake:
            spec = spec_for(fake, "openai/m")

            def on_attempt(attempt):
                if attempt.phase == "done":
                    gate.finish(other, Signal.RATE_LIMITED, retry_after_s=300)

            door = gateway(
                on_attempt=on_attempt,
                policy=RetryPolicy(attempts=50, base_s=1, deadline_s=100, max_wait_s=600),
                timer=Timer(clock=lambda: clock[0], sleep=sleep),
            )
            gate = door.limiter(spec)
            other = await gate.admit(1, max_wait_s=1)
            reply = await door.complete(ask(spec))
            await door.close()
            return reply, fake.count, gate.in_flight

    reply, count, in_flight = asyncio.run(run())
    assert reply.detail.startswith("deadline: "), reply
    assert (reply.attempts, count, in_flight) == (1, 1, 0)
    assert clock[0] <= 100


def test_the_last_request_gets_no_more_time_than_the_call_has_left():
    policy = RetryPolicy(attempts=3, request_timeout_s=60, deadline_s=0.3)
    (reply,), fake, _ = call(faults={Fault.HANG: 1.0}, door={"policy": policy})
    assert reply.detail.startswith("deadline: "), reply
    assert "no whole answer within 0.3 s" in reply.detail
    assert fake.count == 1


def test_a_used_up_quota_stops_the_model_and_a_rate_limit_does_not():
    replies, fake, door = call(faults={Fault.QUOTA: 1.0}, times=5)
    assert fake.count == 3
    assert [reply.attempts for reply in replies] == [1, 1, 1, 0, 0]
    assert replies[-1].detail.startswith("blocked: no longer called after quota-exhausted")
    assert list(door.blocked) == ["openai/m"]
    _, fake, door = call(faults={Fault.RATE_LIMITED: 1.0}, times=5)
    assert fake.count == 5 * QUICK.attempts
    assert not door.blocked


def test_a_slow_drip_is_cut_at_the_total_time_of_a_request():
    """Each byte comes in time; only a limit on the whole ends it."""
    policy = RetryPolicy(attempts=1, request_timeout_s=0.2)
    (reply,), _, _ = call(faults={Fault.SLOW_DRIP: 1.0}, door={"policy": policy})
    assert reply.detail.startswith("timeout: ")


def test_a_provider_that_changes_its_model_is_seen_in_every_reply():
    replies, _, _ = call(times=20, switch_after=10)
    served = [reply.served_model for reply in replies]
    assert served == ["served-model-1"] * 10 + ["served-model-2"] * 10
    assert {reply.requested_model for reply in replies} == {"openai/m"}


def test_a_bug_of_ours_is_raised_and_gives_its_slot_back():
    """Errors that no table names are ours: a reply would hide them."""

    def broken(attempt):
        raise ZeroDivisionError(attempt.phase)

    async def run():
        async with FakeProvider() as fake:
            door = gateway(on_attempt=broken)
            spec = spec_for(fake, "openai/m")
            with pytest.raises(ZeroDivisionError):
                await door.complete(ask(spec))
            assert door.limiter(spec).in_flight == 0
            await door.close()

    asyncio.run(run())


# --- the journal and money


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


# --- what goes out

SEND = Action(tool="send_email", arguments={"to": "kyle", "body": "Hello"})
WAIT = Action(tool="wait", arguments={})
HISTORY = (
    Message(role="user", content="Go on."),
    Message(role="assistant", content="Sending.", actions=(SEND, WAIT)),
    Message(role="tool", content="sent"),
    Message(role="user", content="And now?"),
)


def rendered(route: str, **settings) -> dict:
    spec = ModelSpec(route=route, **settings.pop("spec", {}))
    request = ask(spec, **settings)
    return render(request, route_of(spec, Hosts()))


def test_history_in_the_chat_format():
    body = rendered("openai/m", messages=HISTORY)
    assert [m["role"] for m in body["messages"]] == [
        "system", "user", "assistant", "tool", "tool", "user",
    ]  # fmt: skip
    calls = body["messages"][2]["tool_calls"]
    assert [c["function"]["name"] for c in calls] == ["send_email", "wait"]
    assert json.loads(calls[0]["function"]["arguments"]) == SEND.arguments
    results = body["messages"][3:5]
    assert [r["tool_call_id"] for r in results] == [c["id"] for c in calls]
    assert [r["content"] for r in results] == ["sent", "(no result)"]


def test_history_in_the_messages_format():
    body = rendered("anthropic/m", messages=HISTORY)
    assert body["system"] == "You are an assistant."
    assert [m["role"] for m in body["messages"]] == ["user", "assistant", "user"]
    uses = [b for b in body["messages"][1]["content"] if b["type"] == "tool_use"]
    assert [u["input"] for u in uses] == [dict(SEND.arguments), {}]
    last = body["messages"][2]["content"]
    assert [b["type"] for b in last] == ["tool_result", "tool_result", "text"]
    assert [b["tool_use_id"] for b in last[:2]] == [u["id"] for u in uses]


@both
@pytest.mark.parametrize("protocol", [ActionProtocol.TAGS, ActionProtocol.JSON])
def test_without_native_tools_results_are_ordinary_turns(route, protocol):
    body = rendered(route, messages=HISTORY, protocol=protocol)
    turns = [m for m in body["messages"] if m["role"] != "system"]
    assert [m["content"] for m in turns] == ["Go on.", "Sending.", "sent", "And now?"]
    assert "tools" not in body


@both
def test_a_tool_turn_that_answers_nothing_is_an_ordinary_turn(route):
    turns = (Message(role="user", content="a"), Message(role="tool", content="b"))
    body = rendered(route, messages=turns)
    said = [m["content"] for m in body["messages"] if m["role"] != "system"]
    assert said == ["a", "b"]


def test_a_closed_schema_is_asked_for_strictly_and_an_open_one_is_not():
    for closed in (True, False):
        schema = {"type": "object", **({"additionalProperties": False} if closed else {})}
        body = rendered("openai/m", protocol=ActionProtocol.JSON, response_schema=schema)
        assert body["response_format"]["json_schema"]["strict"] is closed


def test_a_schema_goes_to_anthropic_only_where_the_model_takes_one():
    schema = {"type": "object", "additionalProperties": False}
    made = {"protocol": ActionProtocol.JSON, "response_schema": schema}
    assert "output_config" not in rendered("anthropic/some-old-model", **made)
    format_ = rendered("anthropic/claude-opus-4-8", **made)["output_config"]["format"]
    assert format_ == {"type": "json_schema", "schema": schema}


def test_the_limit_has_the_name_the_endpoint_has_for_it():
    assert "max_completion_tokens" in rendered("openai/gpt-5")
    assert "max_tokens" in rendered("openai/m", spec={"base_url": "https://vllm.example/v1"})
    assert "max_tokens" in rendered("anthropic/m")


def test_a_seed_goes_to_the_local_server_only():
    local = {"base_url": "http://127.0.0.1:8080/v1"}
    assert rendered("local/smollm2", spec=local, seed=2**40 + 5)["seed"] == 5
    assert "seed" not in rendered("openai/m", seed=5)


@both
def test_what_was_really_sent_is_recorded_from_the_bytes(route):
    (reply,), fake, _ = call(route, spec={"temperature": 0.3, "max_tokens": 77})
    body = fake.requests[0].body
    assert reply.sent["max_tokens"] == body["max_tokens"] == 77
    assert reply.sent["tools"] == len(body["tools"]) == 1
    if route == "anthropic/m":
        assert "temperature" not in body
        assert reply.sent["not_settable"] == ["temperature"]
    else:
        assert reply.sent["temperature"] == body["temperature"] == 0.3
        assert reply.sent["not_settable"] == []
    assert "messages" not in reply.sent


@both
def test_tools_are_offered_and_read_back_as_actions(route):
    def script(seen, _):
        if seen.is_openai:
            return openai_body(None, calls=(("send_email", '{"to": "kyle", "n": [1]}'),))
        return anthropic_body(None, calls=(("send_email", {"to": "kyle", "n": [1]}),))

    (reply,), fake, _ = call(route, script=script)
    tool = fake.requests[0].body["tools"][0]
    schema = tool["input_schema"] if route == "anthropic/m" else tool["function"]["parameters"]
    assert schema["required"] == list(MAIL_TOOL.parameters)
    assert reply.tool_calls == (Action(tool="send_email", arguments={"to": "kyle", "n": "[1]"}),)


# --- limits


def test_no_more_requests_are_in_flight_than_allowed_and_specs_share_their_gate():
    async def run():
        async with FakeProvider(latency_s=0.01) as fake:
            limits = {"openai": RateLimits(start_concurrency=3, max_concurrency=3)}
            door = gateway(limits=limits, timer=Timer())
            spec = spec_for(fake, "openai/m")
            judge = replace(spec, max_tokens=5)
            assert door.limiter(spec) is door.limiter(judge)
            asks = [ask(spec if n % 2 else judge, str(n)) for n in range(24)]
            replies = await asyncio.gather(*(door.complete(a) for a in asks))
            await door.close()
            return replies, fake

    replies, fake = asyncio.run(run())
    assert Counter(r.status for r in replies) == {ReplyStatus.ANSWERED: 24}
    assert fake.peak == 3


def test_replies_survive_being_called_from_a_second_loop():
    """A gateway belongs to one loop; two gateways in two loops share nothing."""
    for _ in range(2):
        (reply,), _, _ = call()
        assert isinstance(reply, Reply)


def test_an_oversize_body_is_a_fault_and_a_long_reply_is_cut_and_never_judged():
    (reply,), fake, _ = call(script=lambda *_: Answer(body=b" " * 9_000_000))
    assert reply.detail.startswith("oversize: ")
    assert fake.count == 1
    (reply,), _, _ = call(script=lambda *_: openai_body("é" * 600_000))
    assert reply.status is ReplyStatus.TRUNCATED
    assert len(reply.text.encode()) == 1_000_000
    call_too_long = (("send_email", json.dumps({"to": "x" * 1_100_000})),)
    (reply,), _, _ = call(script=lambda *_: openai_body(None, calls=call_too_long))
    assert reply.status is ReplyStatus.TRUNCATED
    assert reply.tool_calls == ()


def test_a_request_never_carries_the_key_of_its_journal():
    """`Request.key` names trial and purpose: the model must not see it."""
    _, fake, _ = call(request={"key": "variant-threats/trial-9"})
    seen = json.dumps([fake.requests[0].body, dict(fake.requests[0].headers)])
    assert "variant-threats" not in seen
