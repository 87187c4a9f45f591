"""What a response is: from its bytes to a status, over a table and over thousands of mutations."""

import json
import random
from collections import Counter
from collections.abc import Mapping

import pytest

from mitigations.model import Action, Reply, ReplyStatus
from runner.gateway import wire_anthropic, wire_openai
from runner.gateway.attempt import fault_reply, read_exchange, to_reply
from runner.gateway.classify import (
    NotAnAction,
    Parts,
    RawCall,
    as_text,
    classify,
    read_action,
    split_thoughts,
)
from runner.gateway.faults import Fault
from runner.gateway.transport import Exchange
from runner.redact import Redactor
from tests.runner.gateway_bodies import BODIES, Body
from tests.runner.gateway_help import ask

READERS = {"openai": wire_openai.read, "anthropic": wire_anthropic.read}


def reply_to(wire: str, raw: bytes, *, status: int = 200, headers=None) -> Reply:
    """The reply the gateway makes of these bytes, without a network."""
    request = ask(f"{wire}/m")
    exchange = Exchange(path="", request=b"{}", status=status, headers=headers or {}, body=raw)
    found = read_exchange(exchange, READERS[wire])
    redactor = Redactor(())
    if isinstance(found, Fault):
        return fault_reply(found, request, redactor=redactor)
    return to_reply(found, request, redactor=redactor, sent={})


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.name)
def test_each_body_becomes_the_status_it_is(body: Body):
    reply = reply_to(body.wire, body.raw, status=body.status, headers=body.headers)
    assert reply.status is body.expect, reply.detail
    if body.text is not None:
        assert reply.text == body.text
    if body.actions is not None:
        assert reply.tool_calls == body.actions
    assert body.detail in reply.detail
    assert (reply.detail == "") is (body.expect is ReplyStatus.ANSWERED)


def test_the_table_is_as_large_as_promised_and_names_are_unique():
    assert len(BODIES) >= 40
    assert len({body.name for body in BODIES}) == len(BODIES)
    assert {body.expect for body in BODIES} == set(ReplyStatus)


# --- mutations: an oracle written apart from the classifier says when "answered" is impossible

FINE = {
    "stop",
    "end_turn",
    "stop_sequence",
    "tool_calls",
    "tool_use",
    "function_call",
    "eos",
    "eos_token",
}


def may_be_answered(wire: str, raw: bytes) -> bool:  # noqa: PLR0911 - one reason a line
    """Necessary conditions for an answer, straight from the document."""
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return False
    if not isinstance(document, dict):
        return False
    if wire == "anthropic":
        blocks = document.get("content")
        if not isinstance(blocks, list) or not blocks:
            return False
        if str(document.get("stop_reason")).lower() not in FINE:
            return False
        kinds = [block.get("type") if isinstance(block, dict) else None for block in blocks]
        texts = [b["text"] for b, k in zip(blocks, kinds, strict=True) if k == "text"]
        calls = [b for b, k in zip(blocks, kinds, strict=True) if k == "tool_use"]
        whole = all(isinstance(call.get("input"), dict) and call.get("name") for call in calls)
        return whole and bool(calls or any(isinstance(t, str) and t.strip() for t in texts))
    choices = document.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return False
    message = choices[0].get("message")
    if not isinstance(message, dict) or message.get("refusal"):
        return False
    if str(choices[0].get("finish_reason")).lower() not in FINE:
        return False
    return bool(message.get("content") or message.get("tool_calls") or message.get("function_call"))


JUNK = (
    None,
    0,
    -1,
    1.5,
    True,
    "",
    " ",
    "stop",
    "length",
    "content_filter",
    [],
    {},
    ["x"],
    {"a": 1},
)


def mutate(raw: bytes, rng: random.Random) -> bytes:
    """Break a body in one to three places: as bytes, or as a document."""
    for _ in range(rng.randint(1, 3)):
        kind = rng.randrange(6)
        if kind == 0 and raw:
            raw = raw[: rng.randrange(len(raw))]
        elif kind == 1 and raw:
            at = rng.randrange(len(raw))
            raw = raw[:at] + bytes([rng.randrange(256)]) + raw[at + 1 :]
        elif kind == 2 and raw:
            at, size = rng.randrange(len(raw)), rng.randint(1, 40)
            raw = raw[:at] + raw[at + size :]
        else:
            try:
                document = json.loads(raw)
            except (ValueError, RecursionError):
                continue
            raw = json.dumps(change(document, rng)).encode()
    return raw


def change(value, rng: random.Random):
    """Replace, drop or double one node, chosen by walking down at random."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        name = rng.choice(sorted(value))
        if rng.random() < 0.2:
            return {key: item for key, item in value.items() if key != name}
        return {**value, name: change(value[name], rng)}
    if isinstance(value, list) and value and rng.random() < 0.85:
        at = rng.randrange(len(value))
        return [*value[:at], change(value[at], rng), *value[at + 1 :]]
    return rng.choice(JUNK)


def test_ten_thousand_mutated_bodies_never_crash_and_never_turn_into_an_answer():
    """What no longer meets the conditions of an answer is never read as one."""
    rng = random.Random(20261124)
    small = [body for body in BODIES if len(body.raw) < 4_000 and body.status == 200]
    counted: Counter[ReplyStatus] = Counter()
    for number in range(10_000):
        body = small[number % len(small)]
        raw = mutate(body.raw, rng)
        reply = reply_to(body.wire, raw)
        counted[reply.status] += 1
        if reply.status is ReplyStatus.ANSWERED:
            assert may_be_answered(body.wire, raw), raw
        for action in reply.tool_calls:
            assert all(isinstance(value, str) for value in action.arguments.values())
    # The mutations reach every status, else this test would prove little.
    assert set(counted) == set(ReplyStatus)


def test_a_mutated_tail_never_heals_a_reply_that_was_none():
    """Only a changed finish reason, refusal or content could make an answer of these."""
    rng = random.Random(7)
    marked = [
        body for body in BODIES if body.expect in {ReplyStatus.FILTERED, ReplyStatus.TRUNCATED}
    ]
    for body in (body for body in marked if body.status == 200):
        document = json.loads(body.raw)
        for _ in range(200):
            kept = {"choices", "content", "stop_reason"}
            changed = {
                name: value if name in kept else rng.choice(JUNK)
                for name, value in document.items()
            }
            reply = reply_to(body.wire, json.dumps(changed).encode())
            assert reply.status is not ReplyStatus.ANSWERED


# --- parts


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is", "as it is"),
        (True, "true"),
        (None, "null"),
        (3, "3"),
        (0.5, "0.5"),
        ({"b": 1, "a": [1, "ü"]}, '{"a":[1,"ü"],"b":1}'),
    ],
)
def test_argument_values_become_text_the_same_way_everywhere(value, text):
    assert as_text(value) == text
    call = RawCall(name="t", arguments=json.dumps({"x": value}))
    assert read_action(call) == Action(tool="t", arguments={"x": text})


@pytest.mark.parametrize("arguments", [None, 3, [], "[]", '{"a": Infinity}', "{'a': 1}", "{" * 9])
def test_arguments_that_are_no_object_are_no_action(arguments):
    with pytest.raises(NotAnAction):
        read_action(RawCall(name="t", arguments=arguments))


def test_thoughts_are_moved_only_from_the_start():
    assert split_thoughts("<think>a</think> b", "") == ("b", "a")
    assert split_thoughts("b <think>a</think>", "") == ("b <think>a</think>", "")
    assert split_thoughts("<thinking>a</thinking>b", "x") == ("b", "x\na")
    assert split_thoughts("<think>never closed", "") == ("", "never closed")


def test_a_filter_outranks_every_other_sign():
    """A filtered reply may hold text, a refusal and calls; it stays filtered."""
    call = RawCall(name="t", arguments="{}")
    parts = Parts(finish="content_filter", text="hi", refusal="no", calls=(call,))
    assert classify(parts).status is ReplyStatus.FILTERED
    assert classify(parts).actions == ()


def test_usage_is_read_whole_from_both_formats_and_absent_stays_absent():
    """120 tokens in, 100 of them cached, are reported in two ways for the same call."""
    for wire in READERS:
        body = next(body for body in BODIES if body.name == f"{wire}: plain text")
        usage = reply_to(wire, body.raw).usage
        assert (usage.input_tokens, usage.output_tokens, usage.cached_tokens) == (120, 30, 100)
        bare = next(body for body in BODIES if body.name == f"{wire}: no usage")
        assert reply_to(wire, bare.raw).usage.input_tokens is None


def test_bodies_are_json_or_bytes():
    assert all(isinstance(body.body, Mapping | list | bytes) for body in BODIES)
