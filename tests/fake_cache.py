"""A provider's prompt cache, simulated: exact prefixes, a least length, a life, and its bill.

Rules as Anthropic and OpenAI publish them: a prefix can be read once the call that wrote it was
answered; Anthropic looks only at marked ends, OpenAI at every 128 tokens from 1,024 on; a prefix
lives five minutes after its last use. A token is four bytes here.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.fake_provider import Seen, anthropic_body, openai_body

STEP, LEAST = 128, 1024
End = tuple[int, bytes]
"""Tokens of a prefix, and its digest."""


@dataclass(slots=True)
class PrefixCache:
    """Give `arrived` and `answer` to a `FakeProvider` as `arrived` and `script`."""

    minimum: int = LEAST
    life_s: float = 300.0
    clock: Callable[[], float] = time.monotonic
    fresh: int = 0
    read: int = 0
    written: int = 0
    _until: dict[bytes, float] = field(default_factory=dict)
    _usage: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    _writes: dict[int, list[bytes]] = field(default_factory=dict)

    def arrived(self, seen: Seen, number: int) -> None:
        """Look up what the cache holds now."""
        whole, ends = self._ends(seen.body, openai=seen.is_openai)
        now = self.clock()
        held = [size for size, digest in ends if self._until.get(digest, 0.0) > now]
        read = max(held, default=0)
        written = 0 if seen.is_openai else max((size for size, _ in ends), default=0) - read
        self._usage[number] = (whole - read - written, read, written)
        self._writes[number] = [digest for _, digest in ends]

    def answer(self, seen: Seen, number: int) -> Mapping[str, Any]:
        """Write what was asked for, and bill it."""
        until = self.clock() + self.life_s
        self._until |= dict.fromkeys(self._writes.pop(number), until)
        fresh, read, written = self._usage.pop(number)
        self.fresh += fresh
        self.read += read
        self.written += written
        if seen.is_openai:
            usage: dict[str, Any] = {
                "prompt_tokens": fresh + read,
                "completion_tokens": 30,
                "total_tokens": fresh + read + 30,
                "prompt_tokens_details": {"cached_tokens": read},
            }
            return openai_body() | {"usage": usage}
        return anthropic_body() | {
            "usage": {
                "input_tokens": fresh,
                "cache_read_input_tokens": read,
                "cache_creation_input_tokens": written,
                "output_tokens": 30,
            }
        }

    def cost(self, *, read: float, write: float) -> float:
        """Input cost by the price of plain input, against what it costs without a cache."""
        whole = self.fresh + self.read + self.written
        return (self.fresh + read * self.read + write * self.written) / whole

    def _ends(self, body: Mapping[str, Any], *, openai: bool) -> tuple[int, list[End]]:
        """Tokens of the whole prompt, and the ends at which a prefix may be kept."""
        stream = b""
        marked: list[int] = []
        for text, is_end in _pieces(body):
            stream += text.encode() + b"\0"
            if is_end:
                marked.append(len(stream) // 4)
        whole = len(stream) // 4
        if openai:
            marked = list(range(LEAST, whole + 1, STEP))
        return whole, [
            (size, hashlib.sha256(stream[: size * 4]).digest())
            for size in marked
            if size >= self.minimum
        ]


def _pieces(body: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """The prompt in the order a cache sees it, with whether a marker ends each piece."""
    pieces = []
    for tool in body.get("tools") or ():
        plain = {name: value for name, value in tool.items() if name != "cache_control"}
        pieces.append((json.dumps(plain), "cache_control" in tool))
    pieces += _blocks(body.get("system") or "")
    for message in body["messages"]:
        pieces += _blocks(message["content"] or "")
    return pieces


def _blocks(content: Any) -> list[tuple[str, bool]]:
    if isinstance(content, str):
        return [(content, False)] if content else []
    return [(json.dumps(block.get("text", block)), "cache_control" in block) for block in content]
