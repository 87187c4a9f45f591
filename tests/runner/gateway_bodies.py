"""Response bodies with what they are: the table both routes are held to."""

import json
from dataclasses import dataclass, field
from typing import Any

from mitigations.model import Action, ReplyStatus
from tests.fake_provider import anthropic_body, openai_body

S = ReplyStatus
MAIL = Action(tool="send_email", arguments={"to": "kyle", "urgent": "true"})
MAIL_JSON = '{"to": "kyle", "urgent": true}'
MAIL_OBJECT = {"to": "kyle", "urgent": True}


@dataclass(frozen=True, kw_only=True)
class Body:
    """One response and the reply it must become."""

    name: str
    wire: str
    body: Any
    expect: ReplyStatus
    status: int = 200
    text: str | None = None
    actions: tuple[Action, ...] | None = None
    detail: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def raw(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def _openai(name, body, expect, **more):
    return Body(name=f"openai: {name}", wire="openai", body=body, expect=expect, **more)


def _anthropic(name, body, expect, **more):
    return Body(name=f"anthropic: {name}", wire="anthropic", body=body, expect=expect, **more)


def _message(finish, **message):
    body = openai_body()
    body["choices"][0] = {"index": 0, "finish_reason": finish, "message": message}
    return body


def _without(body, *names):
    return {name: value for name, value in body.items() if name not in names}


def _error(kind, message, code=None):
    return {"error": {"message": message, "type": kind, "code": code or kind, "param": None}}


def _a_error(kind, message):
    return {"type": "error", "error": {"type": kind, "message": message}}


def _a_blocks(*blocks, stop="end_turn"):
    return {**anthropic_body(), "content": list(blocks), "stop_reason": stop}


_DEEP = "[" * 5_000 + "]" * 5_000

BODIES: tuple[Body, ...] = (
    # answers
    _openai("plain text", openai_body("Hello."), S.ANSWERED, text="Hello."),
    _openai(
        "tool call",
        openai_body(None, calls=(("send_email", MAIL_JSON),)),
        S.ANSWERED,
        actions=(MAIL,),
    ),
    _openai(
        "two tool calls and text",
        openai_body("Sending.", calls=(("send_email", MAIL_JSON), ("wait", ""))),
        S.ANSWERED,
        text="Sending.",
        actions=(MAIL, Action(tool="wait", arguments={})),
    ),
    _openai(
        "tool call that ends in stop",
        openai_body(None, calls=(("wait", "{}"),), finish="stop"),
        S.ANSWERED,
    ),
    _openai(
        "old function call",
        _message("function_call", content=None, function_call={"name": "wait", "arguments": "{}"}),
        S.ANSWERED,
    ),
    _openai(
        "content as parts",
        _message("stop", role="assistant", content=[{"type": "text", "text": "Hello."}]),
        S.ANSWERED,
        text="Hello.",
    ),
    _openai(
        "reasoning apart", openai_body("Hello.", reasoning_content="hm"), S.ANSWERED, text="Hello."
    ),
    _openai(
        "thoughts inline", openai_body("<think>hm</think>\n\nHello."), S.ANSWERED, text="Hello."
    ),
    _openai("no usage", _without(openai_body("Hello."), "usage"), S.ANSWERED, text="Hello."),
    _openai(
        "usage of nonsense", {**openai_body("Hello."), "usage": {"prompt_tokens": -3}}, S.ANSWERED
    ),
    _openai("lone surrogate", openai_body("Hi \ud800 there"), S.ANSWERED, text="Hi \ufffd there"),
    _openai(
        "JSON under a wrong content type",
        openai_body("Hello."),
        S.ANSWERED,
        headers={"content-type": "text/plain"},
    ),
    _anthropic("plain text", anthropic_body("Hello."), S.ANSWERED, text="Hello."),
    _anthropic(
        "tool call",
        anthropic_body(None, calls=(("send_email", MAIL_OBJECT),)),
        S.ANSWERED,
        actions=(MAIL,),
    ),
    _anthropic(
        "text and tool call",
        anthropic_body("Sending.", calls=(("send_email", MAIL_OBJECT),)),
        S.ANSWERED,
        text="Sending.",
    ),
    _anthropic(
        "thinking apart",
        anthropic_body(
            "Hello.", blocks=({"type": "thinking", "thinking": "hm", "signature": "s"},)
        ),
        S.ANSWERED,
        text="Hello.",
    ),
    _anthropic("stop sequence", anthropic_body("Hello.", stop="stop_sequence"), S.ANSWERED),
    _anthropic("no usage", _without(anthropic_body("Hello."), "usage"), S.ANSWERED),
    # refusals
    _openai("refusal field", openai_body(None, refusal="No."), S.REFUSED, text="No."),
    _openai("refusal beside text", openai_body("I would rather", refusal="No."), S.REFUSED),
    _anthropic("refusal", anthropic_body("I cannot", stop="refusal"), S.REFUSED, text="I cannot"),
    _anthropic("refusal before any text", _a_blocks(stop="refusal"), S.REFUSED, text=""),
    # filters
    _openai("filter, null text", openai_body(None, finish="content_filter"), S.FILTERED),
    _openai(
        "filter after some text", openai_body("Dear Kyle", finish="content_filter"), S.FILTERED
    ),
    _openai(
        "filter with a refusal",
        openai_body(None, finish="content_filter", refusal="No."),
        S.FILTERED,
    ),
    _openai(
        "input filter as HTTP 400",
        _error(
            "invalid_request_error", "blocked by the content management policy", "content_filter"
        ),
        S.FILTERED,
        status=400,
    ),
    _anthropic("filter", anthropic_body(None, stop="content_filter"), S.FILTERED),
    _anthropic(
        "output filter as HTTP 400",
        _a_error("invalid_request_error", "Output blocked by content filtering policy"),
        S.FILTERED,
        status=400,
    ),
    # cuts
    _openai("length", openai_body("Dear Ky", finish="length"), S.TRUNCATED),
    _openai("length with null text", openai_body(None, finish="length"), S.TRUNCATED),
    _openai(
        "length in a tool call",
        openai_body(None, calls=(("send_email", '{"to": "ky'),), finish="length"),
        S.TRUNCATED,
    ),
    _openai("length in a refusal", openai_body(None, finish="length", refusal="I c"), S.TRUNCATED),
    _anthropic("max_tokens", anthropic_body("Dear Ky", stop="max_tokens"), S.TRUNCATED),
    _anthropic("pause_turn", anthropic_body("Dear Ky", stop="pause_turn"), S.TRUNCATED),
    _anthropic(
        "context window", anthropic_body("D", stop="model_context_window_exceeded"), S.TRUNCATED
    ),
    # nothing
    _openai("no choices", {**openai_body(), "choices": []}, S.EMPTY),
    _openai("null text", openai_body(None), S.EMPTY),
    _openai("empty text", openai_body(""), S.EMPTY),
    _openai("white space", openai_body(" \n\t "), S.EMPTY),
    _openai("only thoughts", openai_body("<think>I could threaten him"), S.EMPTY),
    _openai("only reasoning", openai_body(None, reasoning_content="hm"), S.EMPTY),
    _anthropic("no content", _a_blocks(), S.EMPTY),
    _anthropic("empty text", anthropic_body(""), S.EMPTY),
    _anthropic(
        "only thinking",
        _a_blocks({"type": "thinking", "thinking": "hm", "signature": "s"}),
        S.EMPTY,
    ),
    # broken tool calls
    _openai("arguments cut", openai_body(None, calls=(("send_email", '{"to": "ky'),)), S.MALFORMED),
    _openai("arguments a list", openai_body(None, calls=(("send_email", "[1]"),)), S.MALFORMED),
    _openai("arguments a text", openai_body(None, calls=(("send_email", '"kyle"'),)), S.MALFORMED),
    _openai("arguments NaN", openai_body(None, calls=(("send_email", '{"a": NaN}'),)), S.MALFORMED),
    _openai("arguments too deep", openai_body(None, calls=(("wait", _DEEP),)), S.MALFORMED),
    _openai("call without a name", openai_body(None, calls=(("", "{}"),)), S.MALFORMED),
    _openai(
        "tool call promised, none there", openai_body("Sending.", finish="tool_calls"), S.MALFORMED
    ),
    _openai(
        "call without a function",
        _message("tool_calls", content=None, tool_calls=[{"id": "x", "type": "function"}]),
        S.MALFORMED,
    ),
    _openai("calls no list", openai_body("Hello.", tool_calls={"name": "wait"}), S.MALFORMED),
    _anthropic("input a text", anthropic_body(None, calls=(("wait", '{"a": '),)), S.MALFORMED),
    _anthropic("input null", anthropic_body(None, calls=(("wait", None),)), S.MALFORMED),
    _anthropic("tool use promised", anthropic_body("Sending.", stop="tool_use"), S.MALFORMED),
    # broken shapes
    _openai("no finish reason", _message(None, role="assistant", content="Hello."), S.MALFORMED),
    _openai("unknown finish reason", openai_body("Hello.", finish="vanished"), S.MALFORMED),
    _openai("finish reason a number", _message(1, role="assistant", content="Hello."), S.MALFORMED),
    _openai("error beside", {**openai_body("Hi."), "error": {"code": 502}}, S.MALFORMED),
    _anthropic("error beside", {**anthropic_body("Hi."), "error": {"type": "x"}}, S.MALFORMED),
    _openai("error null", {**openai_body("Hi."), "error": None}, S.ANSWERED, text="Hi."),
    _openai("choices null", {**openai_body(), "choices": None}, S.MALFORMED),
    _openai("choices a text", {**openai_body(), "choices": "Hello."}, S.MALFORMED),
    _openai("choice a text", {**openai_body(), "choices": ["Hello."]}, S.MALFORMED),
    _openai("message null", {**openai_body(), "choices": [{"message": None}]}, S.MALFORMED),
    _openai("content a number", _message("stop", role="assistant", content=7), S.MALFORMED),
    _openai("message of the user", _message("stop", role="user", content="Hello."), S.MALFORMED),
    _openai(
        "content an image",
        _message("stop", role="assistant", content=[{"type": "image_url", "image_url": {}}]),
        S.MALFORMED,
    ),
    _openai("a list", [1, 2], S.MALFORMED),
    _openai("nothing at all", b"", S.MALFORMED),
    _openai("half a document", json.dumps(openai_body()).encode()[:200], S.MALFORMED),
    _openai("a web page", b"<html>down</html>", S.MALFORMED, headers={"content-type": "text/html"}),
    _openai("not UTF-8", b'{"choices": "\xff\xfe"}', S.MALFORMED),
    _openai("too deep", _DEEP.encode(), S.MALFORMED),
    _anthropic("no stop reason", {**anthropic_body("Hello."), "stop_reason": None}, S.MALFORMED),
    _anthropic("unknown stop reason", anthropic_body("Hello.", stop="vanished"), S.MALFORMED),
    _anthropic("content null", {**anthropic_body(), "content": None}, S.MALFORMED),
    _anthropic("content a text", {**anthropic_body(), "content": "Hello."}, S.MALFORMED),
    _anthropic("block a text", _a_blocks("Hello."), S.MALFORMED),
    _anthropic("text null", _a_blocks({"type": "text", "text": None}), S.MALFORMED),
    _anthropic("unknown block", _a_blocks({"type": "image", "source": {}}), S.MALFORMED),
    _anthropic("half a document", json.dumps(anthropic_body()).encode()[:90], S.MALFORMED),
    # errors
    _openai("error in a 200", _error("server_error", "upstream failed"), S.ERROR),
    _openai("error in a 200, by code", {"error": {"code": 502, "message": "bad gateway"}}, S.ERROR),
    _openai("bad request", _error("invalid_request_error", "no such field"), S.ERROR, status=400),
    _openai(
        "quota",
        _error("insufficient_quota", "You exceeded your current quota"),
        S.ERROR,
        status=429,
    ),
    _openai("rate limit", _error("rate_limit_exceeded", "slow down"), S.ERROR, status=429),
    _openai("wrong key", _error("invalid_api_key", "Incorrect API key"), S.ERROR, status=401),
    _openai("no such model", _error("model_not_found", "no model m"), S.ERROR, status=404),
    _openai("server error", b"oops", S.ERROR, status=500),
    _openai("gateway page", b"<html>502</html>", S.ERROR, status=502),
    _anthropic("overloaded", _a_error("overloaded_error", "Overloaded"), S.ERROR, status=529),
    _anthropic("error in a 200", _a_error("overloaded_error", "Overloaded"), S.ERROR),
    _anthropic(
        "no credit",
        _a_error("invalid_request_error", "Your credit balance is too low"),
        S.ERROR,
        status=400,
        detail="quota-exhausted",
    ),
    _anthropic(
        "spend limit under a rate limit's status",
        {
            "type": "error",
            "error": {
                "type": "rate_limit_error",
                "message": "no",
                "details": {"error_code": "enforced_spend_limit_reached"},
            },
        },
        S.ERROR,
        status=429,
        detail="quota-exhausted",
    ),
    _anthropic("forbidden", _a_error("permission_error", "no"), S.ERROR, status=403),
    _anthropic("too large", _a_error("request_too_large", "no"), S.ERROR, status=413),
)
