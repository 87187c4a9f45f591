"""The gateway over its own SDK routes, against the fake provider: faults and limits."""

import asyncio
import json
from collections import Counter
from dataclasses import replace

import pytest

from mitigations.model import (
    Reply,
    ReplyStatus,
)
from runner.gateway import RetryPolicy
from runner.limits import RateLimits, Signal, Timer
from tests.fake_provider import (
    RECOVERABLE,
    Answer,
    FakeProvider,
    Fault,
    openai_body,
)
from tests.runner.gateway_help import QUICK, ask, call, gateway, spec_for

WIRES = ("openai/m", "anthropic/m")
PAIR = replace(QUICK, attempts=2)
both = pytest.mark.parametrize("route", WIRES)


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
    assert reply.attempts == requests
    # On a busy machine a request may run out of time before it arrives.
    assert fake.count == requests or reply.detail.startswith("timeout: "), reply


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
