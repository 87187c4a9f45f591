"""The messages format: a `Request` as its parameters, a response as `Parts`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mitigations.model import ActionProtocol, Message, Request, Usage
from runner.gateway.classify import Parts, RawCall, as_count
from runner.gateway.wire_openai import answers_calls, call_id, results_for, tool_schema


def render(request: Request, *, model: str, structured: bool = False) -> dict[str, Any]:
    """The parameters of one call. `structured`: the model takes a JSON schema for its output.

    The SDK has no temperature, top_p or top_k: models behind this format no longer take them.
    """
    parameters: dict[str, Any] = {
        "model": model,
        "max_tokens": request.model.max_tokens,
        "messages": render_messages(request),
    }
    if request.system:
        parameters["system"] = request.system
    if request.protocol is ActionProtocol.TOOLS and request.tools:
        parameters["tools"] = [
            {"name": tool.name, "description": tool.description, "input_schema": tool_schema(tool)}
            for tool in request.tools
        ]
    if structured and request.protocol is ActionProtocol.JSON and request.response_schema:
        schema = {"type": "json_schema", "schema": dict(request.response_schema)}
        parameters["output_config"] = {"format": schema}
    return parameters


def render_messages(request: Request) -> list[dict[str, Any]]:
    """The turns; results of tool calls open the user turn that follows the calls."""
    native = request.protocol is ActionProtocol.TOOLS
    turns = request.messages
    messages: list[dict[str, Any]] = []
    for number, turn in enumerate(turns):
        if turn.role == "assistant":
            messages.append(_assistant(turn, number, native=native))
            if native and turn.actions:
                messages.append({"role": "user", "content": _results(turns, number)})
        elif turn.role == "user" or not native or not answers_calls(turns, number):
            _say(messages, turn.content)
    return messages


def _assistant(turn: Message, number: int, *, native: bool) -> dict[str, Any]:
    if not (native and turn.actions):
        return {"role": "assistant", "content": turn.content}
    blocks: list[dict[str, Any]] = []
    if turn.content.strip():
        blocks.append({"type": "text", "text": turn.content})
    blocks += [
        {
            "type": "tool_use",
            "id": call_id(number, index),
            "name": action.tool,
            "input": dict(action.arguments),
        }
        for index, action in enumerate(turn.actions)
    ]
    return {"role": "assistant", "content": blocks}


def _results(turns: Sequence[Message], number: int) -> list[dict[str, Any]]:
    return [
        {"type": "tool_result", "tool_use_id": call_id(number, index), "content": result}
        for index, result in enumerate(results_for(turns, number))
    ]


def _say(messages: list[dict[str, Any]], text: str) -> None:
    """A user turn; joins the turn of tool results where there is one, for roles must alternate."""
    last = messages[-1] if messages else None
    if last and last["role"] == "user" and isinstance(last["content"], list):
        last["content"].append({"type": "text", "text": text})
    else:
        messages.append({"role": "user", "content": text})


def read(document: Any) -> Parts:
    """Take a message apart. Never raises: what cannot be read is a `problem`."""
    if not isinstance(document, Mapping):
        return Parts(problem="the response is no JSON object")
    known = Parts(served_model=_text(document.get("model")), usage=_usage(document.get("usage")))
    if document.get("error"):
        return replace(known, problem="an error stands beside the reply")
    content = document.get("content")
    if content is None or not isinstance(content, Sequence) or isinstance(content, str):
        return replace(known, problem="the response has no list of content blocks")
    finish = document.get("stop_reason")
    problems: list[str] = []
    if document.get("role", "assistant") != "assistant":
        problems.append("the message is not the assistant's")
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[RawCall] = []
    for block in content:
        _read_block(block, texts, thoughts, calls, problems)
    return replace(
        known,
        finish=finish,
        text="".join(texts),
        reasoning="\n".join(thoughts),
        calls=tuple(calls),
        problem="; ".join(problems),
        empty=not content,
    )


def _read_block(
    block: Any,
    texts: list[str],
    thoughts: list[str],
    calls: list[RawCall],
    problems: list[str],
) -> None:
    kind = block.get("type") if isinstance(block, Mapping) else None
    if kind == "text" and isinstance(block.get("text"), str):
        texts.append(block["text"])
    elif kind == "thinking" and isinstance(block.get("thinking"), str):
        thoughts.append(block["thinking"])
    elif kind == "tool_use":
        # The format carries an object here; a text would be a half-parsed stream.
        arguments = block.get("input")
        calls.append(RawCall(name=block.get("name"), arguments=arguments))
        if not isinstance(arguments, Mapping):
            problems.append("a tool call whose input is no object")
    elif kind != "redacted_thinking":
        problems.append("a content block that is no text, thought or tool call")


def _usage(usage: Any) -> Usage:
    """Input tokens here exclude the cache's; the sum is what every other provider reports."""
    if not isinstance(usage, Mapping):
        return Usage()
    fresh = as_count(usage.get("input_tokens"))
    read_back = as_count(usage.get("cache_read_input_tokens"))
    written = as_count(usage.get("cache_creation_input_tokens"))
    whole = None if fresh is None else fresh + (read_back or 0) + (written or 0)
    return Usage(
        input_tokens=whole,
        output_tokens=as_count(usage.get("output_tokens")),
        cached_tokens=read_back,
        cache_write_tokens=written,
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
