"""The chat completions format: a `Request` as its parameters, a response as `Parts`.

LiteLLM speaks this format for every provider, so its route renders and reads with this module too.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mitigations.model import Action, ActionProtocol, Message, Request, ToolSpec, Usage
from runner.gateway.classify import Parts, RawCall, as_count

NO_RESULT = "(no result)"
"""Stands for a result the environment did not give; the format demands one for every call."""


def render(request: Request, *, model: str, limit_name: str = "max_tokens") -> dict[str, Any]:
    """The parameters of one call. `limit_name` is the name the endpoint has for the limit."""
    parameters: dict[str, Any] = {
        "model": model,
        "messages": render_messages(request),
        limit_name: request.model.max_tokens,
    }
    if request.model.temperature is not None:
        parameters["temperature"] = request.model.temperature
    if request.model.provider == "local":
        # llama.cpp reads 32 bits; hosted providers deprecate the field, so they never get it.
        parameters["seed"] = request.seed & 0x7FFFFFFF
    if request.protocol is ActionProtocol.TOOLS and request.tools:
        parameters["tools"] = [render_tool(tool) for tool in request.tools]
    if request.protocol is ActionProtocol.JSON and request.response_schema is not None:
        parameters["response_format"] = render_schema(request.response_schema)
    return parameters


def render_tool(tool: ToolSpec) -> dict[str, Any]:
    """One function tool."""
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": tool_schema(tool),
        },
    }


def tool_schema(tool: ToolSpec) -> dict[str, Any]:
    """JSON schema of a tool's arguments: text, all required, nothing else."""
    return {
        "type": "object",
        "properties": {
            name: {"type": "string", "description": about}
            for name, about in tool.parameters.items()
        },
        "required": list(tool.parameters),
        "additionalProperties": False,
    }


def render_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Structured output. Strict mode is asked for only where the schema closes its objects."""
    strict = schema.get("additionalProperties") is False
    return {
        "type": "json_schema",
        "json_schema": {"name": "reply", "schema": dict(schema), "strict": strict},
    }


def render_messages(request: Request) -> list[dict[str, Any]]:
    """System text first, then the turns; tool calls as calls only under the tools protocol."""
    messages: list[dict[str, Any]] = []
    if request.system:
        messages.append({"role": "system", "content": request.system})
    native = request.protocol is ActionProtocol.TOOLS
    turns = request.messages
    for number, turn in enumerate(turns):
        if turn.role == "assistant":
            messages.append(_assistant(turn, number, native=native))
            if native:
                results = results_for(turns, number)
                messages += [
                    {"role": "tool", "tool_call_id": call_id(number, index), "content": result}
                    for index, result in enumerate(results)
                ]
        elif turn.role == "user" or not native or not answers_calls(turns, number):
            messages.append({"role": "user", "content": turn.content})
    return messages


def _assistant(turn: Message, number: int, *, native: bool) -> dict[str, Any]:
    if not (native and turn.actions):
        return {"role": "assistant", "content": turn.content}
    return {
        "role": "assistant",
        "content": turn.content or None,
        "tool_calls": [
            {
                "id": call_id(number, index),
                "type": "function",
                "function": {"name": action.tool, "arguments": _arguments(action)},
            }
            for index, action in enumerate(turn.actions)
        ],
    }


def _arguments(action: Action) -> str:

    return json.dumps(dict(action.arguments), ensure_ascii=False)


def call_id(turn: int, index: int) -> str:
    """The id that ties a call to its result: from its place, so equal requests have equal bytes."""
    return f"call_{turn}_{index}"


def answers_calls(turns: Sequence[Message], number: int) -> bool:
    """Whether the tool message at `number` follows calls it can be a result of."""
    back = number - 1
    while back >= 0 and turns[back].role == "tool":
        back -= 1
    return (
        back >= 0 and turns[back].role == "assistant" and number - back <= len(turns[back].actions)
    )


def results_for(turns: Sequence[Message], number: int) -> list[str]:
    """One result for each call of the assistant turn `number`, in order."""
    results = []
    for turn in turns[number + 1 : number + 1 + len(turns[number].actions)]:
        if turn.role != "tool":
            break
        results.append(turn.content)
    return results + [NO_RESULT] * (len(turns[number].actions) - len(results))


def read(document: Any) -> Parts:
    """Take a chat completion apart. Never raises: what cannot be read is a `problem`."""
    if not isinstance(document, Mapping):
        return Parts(problem="the response is no JSON object")
    known = Parts(
        served_model=_text(document.get("model")),
        fingerprint=_text(document.get("system_fingerprint")),
        usage=_usage(document.get("usage")),
    )
    if document.get("error"):
        return replace(known, problem="an error stands beside the reply")
    choices = document.get("choices")
    if choices is None or not isinstance(choices, Sequence) or isinstance(choices, str):
        return replace(known, problem="the response has no list of choices")
    if not choices:
        return replace(known, empty=True)
    choice = choices[0]
    message = choice.get("message") if isinstance(choice, Mapping) else None
    if not isinstance(message, Mapping):
        return replace(known, problem="the first choice has no message")
    return _read_message(message, choice.get("finish_reason"), known)


def _read_message(message: Mapping[str, Any], finish: Any, known: Parts) -> Parts:
    problems: list[str] = []
    text, thoughts = _content(message.get("content"), problems)
    calls = _calls(message, problems)
    refusal = message.get("refusal")
    if refusal is not None and not isinstance(refusal, str):
        problems.append("the refusal is no text")
    # A tuple, not a set: the wire may hold a list or an object here, which cannot be hashed.
    if message.get("role", "assistant") not in ("assistant", None):
        problems.append("the message is not the assistant's")
    reasoning = [_text(message.get(name)) for name in ("reasoning_content", "reasoning")]
    return replace(
        known,
        finish=finish,
        text=text,
        reasoning="\n".join(dict.fromkeys(filter(None, [*reasoning, thoughts]))),
        refusal=_text(refusal),
        calls=calls,
        problem="; ".join(problems),
    )


def _content(content: Any, problems: list[str]) -> tuple[str, str]:
    """Text and reasoning of a message: a string, null, or a list of typed parts."""
    if content is None:
        return "", ""
    if isinstance(content, str):
        return content, ""
    if not isinstance(content, Sequence):
        problems.append("the content is neither text nor a list of parts")
        return "", ""
    texts, thoughts = [], []
    for part in content:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind == "text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif kind in ("thinking", "reasoning"):
            thoughts.append(_text(part.get(kind)) or _content(part.get(kind), [])[0])
        else:
            problems.append("a content part that is no text")
    return "".join(texts), "\n".join(filter(None, thoughts))


def _calls(message: Mapping[str, Any], problems: list[str]) -> tuple[RawCall, ...]:
    listed = message.get("tool_calls")
    legacy = message.get("function_call")
    if listed is None:
        listed = [] if legacy is None else [{"function": legacy}]
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        problems.append("tool calls that are no list")
        return ()
    calls = []
    for call in listed:
        function = call.get("function") if isinstance(call, Mapping) else None
        if not isinstance(function, Mapping):
            problems.append("a tool call without a function")
            continue
        calls.append(RawCall(name=function.get("name"), arguments=function.get("arguments")))
    return tuple(calls)


def _usage(usage: Any) -> Usage:
    if not isinstance(usage, Mapping):
        return Usage()
    details = usage.get("prompt_tokens_details")
    details = details if isinstance(details, Mapping) else {}
    written = details.get("cache_write_tokens", details.get("cache_creation_tokens"))
    return Usage(
        input_tokens=as_count(usage.get("prompt_tokens")),
        output_tokens=as_count(usage.get("completion_tokens")),
        cached_tokens=as_count(details.get("cached_tokens")),
        cache_write_tokens=as_count(written),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
