"""Everything that imports LiteLLM, in one module: its import costs seconds."""

import asyncio
import importlib
import inspect
import logging
import os
import random
import subprocess
import sys
from dataclasses import replace

import pytest

from mitigations.model import ActionProtocol, Message, ReplyStatus, Via
from runner.gateway import RetryPolicy
from runner.gateway.clients import import_litellm
from runner.gateway.exceptions import EXCEPTIONS, Disposition, from_exception, lookup
from runner.gateway.faults import FaultKind
from tests.fake_provider import Answer, FakeProvider, Fault, openai_body
from tests.runner.gateway_bodies import BODIES
from tests.runner.gateway_help import KEY, MAIL_TOOL, ask, gateway, spec_for
from tests.runner.test_runner_classify import mutate
from tests.runner.test_runner_gateway_keys import assert_no_planted_key_is_kept

ONCE = RetryPolicy(attempts=1, request_timeout_s=20.0)


@pytest.fixture(scope="module", autouse=True)
def litellm():
    return import_litellm()


def both_routes(answers):
    """The replies of the native route and of LiteLLM's to each (wire, Answer), in order."""

    async def run():
        pending = {}
        script = lambda _seen, _n: pending["answer"]  # noqa: E731 - one line says it
        async with FakeProvider(script=script, record=False) as fake:
            door = gateway(policy=ONCE)
            pairs = []
            for wire, answer in answers:
                pending["answer"] = answer
                spec = spec_for(fake, f"{wire}/m")
                before = fake.count
                pair = []
                for via in (Via.AUTO, Via.LITELLM):
                    door.blocked.clear()
                    pair.append(await door.complete(ask(replace(spec, via=via))))
                pairs.append(tuple(pair))
                assert fake.count == before + 2, "each call is one HTTP request"
            await door.close()
            return pairs

    return asyncio.run(run())


def same(a, b):
    """Equal but for what each library made of the parameters, and the time it took."""
    return replace(a, sent={}, latency_s=0.0) == replace(b, sent={}, latency_s=0.0)


def test_the_same_bytes_give_equal_replies_on_both_routes():
    answers = [
        (body.wire, Answer(body=body.raw, status=body.status, headers=body.headers))
        for body in BODIES
    ]
    for body, (native, through) in zip(BODIES, both_routes(answers), strict=True):
        assert native.status is body.expect, (body.name, native)
        assert same(native, through), (body.name, native, through)
        assert native.sent.get("route") != through.sent.get("route") or not native.sent


def test_mutated_bytes_give_equal_replies_on_both_routes():
    rng = random.Random(3)
    small = [body for body in BODIES if len(body.raw) < 4_000 and body.status == 200]
    answers = [
        (body.wire, Answer(body=mutate(body.raw, rng)))
        for body in (small[number % len(small)] for number in range(160))
    ]
    for (_, answer), (native, through) in zip(answers, both_routes(answers), strict=True):
        assert same(native, through), (answer.body, native, through)


@pytest.mark.slow
def test_ten_thousand_mutated_bodies_give_equal_replies_on_both_routes():
    rng = random.Random(4)
    small = [body for body in BODIES if len(body.raw) < 4_000 and body.status == 200]
    answers = [
        (body.wire, Answer(body=mutate(body.raw, rng)))
        for body in (small[number % len(small)] for number in range(10_000))
    ]
    for (_, answer), (native, through) in zip(answers, both_routes(answers), strict=True):
        assert same(native, through), (answer.body, native, through)


def test_faults_of_the_line_are_told_alike_on_both_routes():
    async def run():
        found = {}
        for fault in (Fault.RESET, Fault.CUT, Fault.HANG, Fault.SLOW_DRIP, Fault.REDIRECT):
            async with FakeProvider(faults={fault: 1.0}) as fake:
                for wire in ("openai", "anthropic"):
                    # Short only where nothing else ends the wait: a busy machine is slow as well.
                    endless = fault in {Fault.HANG, Fault.SLOW_DRIP}
                    door = gateway(policy=replace(ONCE, request_timeout_s=0.5 if endless else 20.0))
                    replies = [
                        await door.complete(ask(spec_for(fake, f"{wire}/m", via=via)))
                        for via in (Via.AUTO, Via.LITELLM)
                    ]
                    await door.close()
                    found[fault, wire] = replies
        return found

    for place, (native, through) in asyncio.run(run()).items():
        assert native.status is ReplyStatus.ERROR, place
        assert same(native, through), (place, native, through)


def test_litellm_never_imports_what_it_does_not_depend_on():
    """With `tools`, 1.106 imports `mcp` unless told not to."""
    assert "litellm.responses.mcp.chat_completions_handler" not in sys.modules
    assert "mcp" not in sys.modules


def test_tools_history_and_schema_reach_the_wire_through_litellm():
    async def run():
        async with FakeProvider() as fake:
            door = gateway()
            action = replace_action()
            turns = (
                Message(role="user", content="Go on."),
                Message(role="assistant", content="Sending.", actions=(action,)),
                Message(role="tool", content="sent"),
                Message(role="user", content="And now?"),
            )
            for wire in ("openai", "anthropic"):
                spec = spec_for(fake, f"{wire}/m", via=Via.LITELLM)
                await door.complete(ask(spec, messages=turns))
            schema = {"type": "object", "properties": {}, "additionalProperties": False}
            spec = spec_for(fake, "openai/m", via=Via.LITELLM, temperature=0.7)
            reply = await door.complete(
                ask(spec, protocol=ActionProtocol.JSON, response_schema=schema)
            )
            await door.close()
            return [seen.body for seen in fake.requests], reply

    def replace_action():
        from mitigations.model import Action

        return Action(tool="send_email", arguments={"to": "kyle"})

    (openai, anthropic, structured), reply = asyncio.run(run())
    assert [message["role"] for message in openai["messages"]] == [
        "system", "user", "assistant", "tool", "user",
    ]  # fmt: skip
    call = openai["messages"][2]["tool_calls"][0]
    assert call["id"] == openai["messages"][3]["tool_call_id"]
    assert [message["role"] for message in anthropic["messages"]] == ["user", "assistant", "user"]
    results = [b for b in anthropic["messages"][2]["content"] if b["type"] == "tool_result"]
    assert results[0]["tool_use_id"] == call["id"]
    assert anthropic["tools"][0]["name"] == MAIL_TOOL.name
    assert structured["response_format"]["json_schema"]["strict"] is True
    assert reply.sent["temperature"] == 0.7
    assert reply.sent["not_settable"] == []


def test_a_provider_without_an_sdk_of_its_own_is_read_from_litellms_answer(monkeypatch):
    """Cerebras speaks the same format, but here LiteLLM brings the client and there is no tap."""

    async def run():
        async with FakeProvider(script=lambda _seen, _n: next(bodies)) as fake:
            monkeypatch.setenv("CEREBRAS_API_BASE", fake.openai_url)
            door = gateway(environ={"CEREBRAS_API_KEY": KEY}, policy=ONCE)
            spec = spec_for(None, "cerebras/m")
            replies = [await door.complete(ask(spec)) for _ in range(len(listed))]
            await door.close()
            return replies, fake.requests

    listed = [
        openai_body("Hello."),
        openai_body(None, calls=(("send_email", '{"to": "kyle"}'),)),
        openai_body(None, calls=(("send_email", '{"to": "ky'),)),
        openai_body("Dear", finish="length"),
        openai_body(None, finish="content_filter"),
        openai_body(""),
        {**openai_body(), "choices": []},
    ]
    bodies = iter(listed)
    replies, requests = asyncio.run(run())
    assert [reply.status for reply in replies] == [
        ReplyStatus.ANSWERED,
        ReplyStatus.ANSWERED,
        ReplyStatus.MALFORMED,
        ReplyStatus.TRUNCATED,
        ReplyStatus.FILTERED,
        ReplyStatus.EMPTY,
        ReplyStatus.EMPTY,
    ]
    assert len(requests) == len(listed), "no retry below ours"
    assert replies[0].usage.input_tokens == 120
    assert replies[1].tool_calls[0].arguments == {"to": "kyle"}


def test_a_paid_answer_that_litellm_cannot_translate_is_read_from_its_bytes(monkeypatch):
    """1.106 raises on any Groq answer without `service_tier`; a retry would pay for each again."""

    async def run():
        async with FakeProvider() as fake:
            monkeypatch.setenv("GROQ_API_BASE", fake.openai_url)
            door = gateway(environ={"GROQ_API_KEY": KEY})
            reply = await door.complete(ask(spec_for(None, "groq/m")))
            await door.close()
            return reply, fake.count

    reply, count = asyncio.run(run())
    assert reply.status is ReplyStatus.ANSWERED
    assert count == 1


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (429, "rate_limit_exceeded", FaultKind.RATE_LIMITED),
        (429, "insufficient_quota", FaultKind.QUOTA),
        (401, "invalid_api_key", FaultKind.AUTH),
        (404, "model_not_found", FaultKind.NOT_FOUND),
        (400, "context_length_exceeded", FaultKind.TOO_LONG),
        (500, "server_error", FaultKind.SERVER),
        (503, "unavailable", FaultKind.OVERLOADED),
    ],
)
def test_errors_of_such_a_provider_are_sorted_by_litellms_exceptions(
    monkeypatch, status, code, kind
):
    async def run():
        body = {"error": {"message": f"{code} for {KEY}", "code": code, "type": code}}
        async with FakeProvider(script=lambda _seen, _n: Answer(body=body, status=status)) as fake:
            monkeypatch.setenv("CEREBRAS_API_BASE", fake.openai_url)
            door = gateway(environ={"CEREBRAS_API_KEY": KEY}, policy=ONCE)
            reply = await door.complete(ask(spec_for(None, "cerebras/m")))
            await door.close()
            return reply, fake.count

    reply, count = asyncio.run(run())
    assert reply.status is ReplyStatus.ERROR
    assert reply.detail.startswith(f"{kind}: ")
    assert KEY not in repr(reply)
    assert count == 1


@pytest.mark.parametrize("route", ["openai/m", "anthropic/m"])
def test_none_of_eight_planted_keys_is_kept_of_calls_through_litellm(route, caplog):
    """LiteLLM writes whole requests into its own log when somebody turns that on."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="LiteLLM")
    assert_no_planted_key_is_kept(route, Via.LITELLM, caplog)


# --- the exception table


def exception_types():
    """Every exception class the three libraries define where users would look for them."""
    for library, modules in {
        "openai": ("openai", "openai._exceptions"),
        "anthropic": ("anthropic", "anthropic._exceptions"),
        "litellm": ("litellm", "litellm.exceptions"),
    }.items():
        for name in modules:
            for _, kind in inspect.getmembers(importlib.import_module(name), inspect.isclass):
                if issubclass(kind, BaseException) and kind.__module__.split(".")[0] == library:
                    yield kind


def test_every_exception_type_of_the_three_libraries_has_a_row_of_its_own():
    """A new release cannot add an error that we silently treat as something else."""
    found = {f"{kind.__module__.split('.')[0]}.{kind.__name__}" for kind in exception_types()}
    assert len(found) > 60
    assert found <= EXCEPTIONS.keys(), sorted(found - EXCEPTIONS.keys())


def test_the_table_names_no_exception_that_does_not_exist():
    found = {f"{kind.__module__.split('.')[0]}.{kind.__name__}" for kind in exception_types()}
    ours = {name for name in EXCEPTIONS if name.split(".")[0] in {"openai", "anthropic", "litellm"}}
    assert ours <= found, sorted(ours - found)


def test_a_row_of_a_class_agrees_with_its_http_status():
    """What is terminal by its status is never retried by its name, and the other way round."""
    expected = {
        400: Disposition.TERMINAL,
        401: Disposition.TERMINAL,
        403: Disposition.TERMINAL,
        404: Disposition.TERMINAL,
        422: Disposition.TERMINAL,
        429: Disposition.RETRY,
        503: Disposition.RETRY,
        529: Disposition.RETRY,
    }
    checked = 0
    for kind in exception_types():
        status = getattr(kind, "status_code", None)
        disposition, fault = lookup(kind)
        if fault is FaultKind.QUOTA:
            # Some providers say 429 for money that is used up: waiting does not bring it back.
            assert disposition is Disposition.TERMINAL, kind
            continue
        if isinstance(status, int) and status in expected and disposition is not Disposition.BUG:
            assert disposition is expected[status], kind
            checked += 1
    assert checked >= 12


def test_an_unknown_exception_is_a_bug_and_a_known_one_is_told_by_name():
    assert from_exception(KeyError("x")) is None
    assert from_exception(AssertionError("x")) is None
    fault = from_exception(TimeoutError("slow"))
    assert fault is not None
    assert fault.kind is FaultKind.TIMEOUT
    assert fault.retryable


def test_nothing_of_the_gateway_imports_a_provider_library():
    """`--help`, `check`, `plan`, `report` and simulated runs never pay for them."""
    code = (
        "import sys, runner.gateway, runner.budget, runner.limits, runner.prices, runner.redact;"
        "from mitigations.model import ModelSpec;"
        "g = runner.gateway.Gateway(environ={'OPENAI_API_KEY': 'x' * 20});"
        "g.check([ModelSpec(route='openai/gpt-4o-mini')]);"
        "assert runner.prices.lookup('openai/gpt-4o-mini');"
        "bad = {'litellm', 'openai', 'anthropic', 'aiohttp', 'httpx'} & set(sys.modules);"
        "sys.exit(f'imported {bad}' if bad else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=dict(os.environ),
        check=False,
    )
    assert done.returncode == 0, done.stderr
