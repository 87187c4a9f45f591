"""What goes out on the wire, and what is recorded of it."""

import json

import pytest

from mitigations.model import (
    Action,
    ActionProtocol,
    Message,
    ModelSpec,
)
from runner.gateway.attempt import render
from runner.gateway.hosts import Hosts
from runner.gateway.routes import route_of
from tests.fake_provider import (
    anthropic_body,
    openai_body,
)
from tests.runner.gateway_help import MAIL_TOOL, ask, call

both = pytest.mark.parametrize("route", ["openai/m", "anthropic/m"])


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


def test_a_request_never_carries_the_key_of_its_journal():
    """`Request.key` names trial and purpose: the model must not see it."""
    _, fake, _ = call(request={"key": "variant-threats/trial-9"})
    seen = json.dumps([fake.requests[0].body, dict(fake.requests[0].headers)])
    assert "variant-threats" not in seen
