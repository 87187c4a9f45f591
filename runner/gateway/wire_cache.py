"""Where a prompt's shared beginnings end, in the words of a provider's cache. No text changes.

Anthropic takes a marker on the last block of a prefix; LiteLLM passes the same marker on. OpenAI's
cache finds prefixes alone; a key sends calls that share one to the same machines.
"""

from collections.abc import Mapping
from typing import Any

from mitigations.model import CachePart, Request
from runner.caching import prefixes

_MARKER: Mapping[str, Any] = {"type": "ephemeral"}


def mark_messages(parameters: dict[str, Any], cache: tuple[CachePart, ...]) -> dict[str, Any]:
    """Anthropic's own format: tools, system and the first message carry markers."""
    if CachePart.TOOLS in cache and parameters.get("tools"):
        parameters["tools"][-1]["cache_control"] = dict(_MARKER)
    if CachePart.SYSTEM in cache and parameters.get("system"):
        parameters["system"] = [_block(parameters["system"])]
    if CachePart.SCENARIO in cache:
        _mark_first(parameters["messages"], "user")
    return parameters


def mark_chat(parameters: dict[str, Any], cache: tuple[CachePart, ...]) -> dict[str, Any]:
    """The chat format, for LiteLLM to turn into Anthropic's."""
    if CachePart.TOOLS in cache and parameters.get("tools"):
        parameters["tools"][-1]["cache_control"] = dict(_MARKER)
    if CachePart.SYSTEM in cache:
        _mark_first(parameters["messages"], "system")
    if CachePart.SCENARIO in cache:
        _mark_first(parameters["messages"], "user")
    return parameters


def _mark_first(messages: list[dict[str, Any]], role: str) -> None:
    for message in messages:
        if message["role"] == role:
            if isinstance(message["content"], str) and message["content"]:
                message["content"] = [_block(message["content"])]
            return


def _block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text, "cache_control": dict(_MARKER)}


def routing_key(request: Request) -> str | None:
    """OpenAI's `prompt_cache_key`: one for each shared prefix; None where nothing is shared."""
    shared = [digest for part, digest, _ in prefixes(request) if part in request.cache]
    return shared[0].hex()[:32] if shared else None
