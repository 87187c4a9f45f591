"""The one place that says what a reply is: answered, refused, filtered, cut, empty, malformed.

Each wire format fills `Parts` from the bytes of a response; `classify` alone decides. It fails
closed: a reply counts as answered only when its end is known to be regular and it holds text or
well-formed tool calls. Neither a filter nor a cut nor a broken tool call ever reads as an answer.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mitigations.model import Action, ReplyStatus, Usage

REGULAR = frozenset(
    {
        "stop",
        "end_turn",
        "stop_sequence",
        "tool_calls",
        "tool_use",
        "function_call",
        "eos",
        "eos_token",
    }
)
"""Ends that mean the model had finished what it wanted to say."""
CUT = frozenset(
    {"length", "max_tokens", "model_length", "model_context_window_exceeded", "pause_turn"}
)
FILTER = frozenset(
    {"content_filter", "content_filtered", "content_policy", "safety", "guardrail_intervened"}
)
CALLING = frozenset({"tool_calls", "tool_use", "function_call"})
REFUSAL = "refusal"

_THINK = re.compile(r"\A\s*<think(?:ing)?>(?P<inside>.*?)(?:</think(?:ing)?>|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawCall:
    """A tool call as the wire carries it: `arguments` is JSON text, or an object already."""

    name: Any
    arguments: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A response taken apart, in no provider's words but its finish reason's."""

    finish: Any = None
    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    calls: tuple[RawCall, ...] = ()
    problem: str = ""
    """What is wrong with the shape of the response; empty when it could be read."""
    empty: bool = False
    """The provider sent no choice and no content block at all."""
    served_model: str = ""
    fingerprint: str = ""
    usage: Usage = field(default=Usage())


@dataclass(frozen=True, slots=True, kw_only=True)
class Classified:
    """A status with what may be read under it."""

    status: ReplyStatus
    text: str
    reasoning: str
    actions: tuple[Action, ...] = ()
    detail: str = ""


class NotAnAction(ValueError):
    """A tool call that cannot be read back as an `Action`."""


def classify(parts: Parts) -> Classified:
    """Decide the status. The order matters: what could hide an answer's absence comes first."""
    text, reasoning = split_thoughts(parts.text, parts.reasoning)
    text = text or parts.refusal
    status, detail = _verdict_on_the_end(parts)
    actions: tuple[Action, ...] = ()
    if status in {ReplyStatus.ANSWERED, ReplyStatus.REFUSED}:
        try:
            actions = tuple(read_action(call) for call in parts.calls)
        except NotAnAction as problem:
            status, detail = ReplyStatus.MALFORMED, str(problem)
    if status is ReplyStatus.ANSWERED:
        status, detail = _verdict_on_the_content(parts, text)
    return Classified(status=status, text=text, reasoning=reasoning, actions=actions, detail=detail)


def _verdict_on_the_end(parts: Parts) -> tuple[ReplyStatus, str]:
    finish = parts.finish.lower() if isinstance(parts.finish, str) else ""
    reason = f"finish reason {parts.finish!r}" if parts.finish is not None else "no finish reason"
    refused = bool(parts.refusal) or finish == REFUSAL
    rules = (
        (bool(parts.problem), ReplyStatus.MALFORMED, parts.problem),
        (finish in FILTER, ReplyStatus.FILTERED, reason),
        (finish in CUT, ReplyStatus.TRUNCATED, reason),
        (refused, ReplyStatus.REFUSED, "the provider marked the reply as a refusal"),
        (parts.empty, ReplyStatus.EMPTY, "no choice in the response"),
        (
            finish not in REGULAR,
            ReplyStatus.MALFORMED,
            f"whether the reply is whole cannot be known: {reason}",
        ),
    )
    decided = ((status, detail) for holds, status, detail in rules if holds)
    return next(decided, (ReplyStatus.ANSWERED, ""))


def _verdict_on_the_content(parts: Parts, text: str) -> tuple[ReplyStatus, str]:
    if parts.calls:
        return ReplyStatus.ANSWERED, ""
    if str(parts.finish).lower() in CALLING:
        return ReplyStatus.MALFORMED, "the reply ends in a tool call and holds none"
    if not text.strip():
        return ReplyStatus.EMPTY, "no text and no tool call"
    return ReplyStatus.ANSWERED, ""


def split_thoughts(text: str, reasoning: str) -> tuple[str, str]:
    """Move a leading `<think>` block into the reasoning; an unclosed one takes all the text."""
    found = _THINK.match(text)
    if found is None:
        return text, reasoning
    inside = found["inside"].strip()
    return text[found.end() :].lstrip(), "\n".join(filter(None, (reasoning, inside)))


def read_action(call: RawCall) -> Action:
    """A tool call as an `Action` with text arguments; raises `NotAnAction`."""
    if not isinstance(call.name, str) or not call.name.strip():
        raise NotAnAction("a tool call without a name")
    arguments = call.arguments
    if isinstance(arguments, str):
        try:
            arguments = parse_json(arguments) if arguments.strip() else {}
        except ValueError as problem:
            raise NotAnAction(
                f"a tool call whose arguments are no JSON ({problem}): {call.name}"
            ) from None
    if not isinstance(arguments, Mapping):
        raise NotAnAction(f"a tool call whose arguments are no JSON object: {call.name}")
    return Action(
        tool=call.name, arguments={str(name): as_text(value) for name, value in arguments.items()}
    )


def as_text(value: Any) -> str:
    """A JSON value as text, the same on every machine; strings stay as they are."""
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def parse_json(text: str | bytes) -> Any:
    """Strict JSON: no NaN or Infinity, and nesting too deep to read is a `ValueError` too."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    except json.JSONDecodeError as problem:
        raise ValueError(f"{problem.msg} at character {problem.pos}") from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def as_count(value: Any) -> int | None:
    """A token count, or None for anything that is none: absent is not zero."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9
    return value if is_count else None
