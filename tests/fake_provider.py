"""A provider on loopback that fails on purpose: OpenAI and Anthropic wire formats, seeded faults.

Standard library only. It counts requests, records bodies and headers, echoes the key it was sent in
some faults, limits the rate like a real provider, and can change the served model in mid-run.

    async with FakeProvider(faults={Fault.RATE_LIMITED: 0.2}, seed=1) as fake:
        spec = ModelSpec(route="openai/m", base_url=fake.openai_url, key_env="...")

Whether a request fails depends on the seed, the bytes of the request and how often these bytes were
seen, so a run at any concurrency meets the same faults.
"""

import asyncio
import contextlib
import hashlib
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Any, Self


class Fault(StrEnum):
    """What can go wrong with one request."""

    RATE_LIMITED = "429 with Retry-After"
    QUOTA = "429, quota exhausted"
    SERVER_ERROR = "500"
    UNAVAILABLE = "503"
    OVERLOADED = "529"
    RESET = "connection reset before the answer"
    CUT = "connection closed in mid-body"
    HANG = "no answer at all"
    SLOW_DRIP = "one byte at a time, for ever"
    TRUNCATED_JSON = "half a JSON document, complete as HTTP"
    EMPTY_CHOICES = "no choice or content block"
    CONTENT_FILTER = "filtered, text null"
    REFUSAL = "refused"
    LENGTH = "stopped at the token limit"
    WRONG_TYPE = "an HTML page with status 200"
    ERROR_IN_200 = "an error object with status 200"
    BAD_TOOL_CALL = "a tool call whose arguments are no JSON"
    KEY_ECHO = "401 whose text repeats the key"
    REDIRECT = "307 to another host"


RECOVERABLE = frozenset(
    {
        Fault.RATE_LIMITED,
        Fault.SERVER_ERROR,
        Fault.UNAVAILABLE,
        Fault.OVERLOADED,
        Fault.RESET,
        Fault.CUT,
        Fault.HANG,
        Fault.SLOW_DRIP,
        Fault.TRUNCATED_JSON,
        Fault.WRONG_TYPE,
        Fault.ERROR_IN_200,
    }
)
"""Faults of the line or the server, which the same request may not meet again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request as it arrived."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    fault: Fault | None

    @property
    def is_openai(self) -> bool:
        return self.path.endswith("/chat/completions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP response: a JSON body or raw bytes."""

    body: Mapping[str, Any] | bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    drip_s: float = 0.0
    """Pause before every byte."""
    cut_at: int | None = None
    """Close the connection after so many bytes of the body."""

    def encode(self) -> tuple[bytes, bytes]:
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        headers = {"content-type": "application/json", **self.headers}
        lines = [f"HTTP/1.1 {self.status} X", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode(), body


Script = Callable[[Seen, int], Answer | Mapping[str, Any] | bytes]
"""From a request and its running number to what is answered when no fault strikes."""


def openai_body(
    text: str | None = "Understood. I will send the summary to the board.",
    *,
    model: str = "served-model-1",
    calls: tuple[tuple[str, str], ...] = (),
    finish: str | None = None,
    **message: Any,
) -> dict[str, Any]:
    """A chat completion; `calls` are (name, JSON text of the arguments)."""
    tool_calls = [
        {"id": f"call_{i}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for i, (name, arguments) in enumerate(calls)
    ]
    extra = {"tool_calls": tool_calls} if tool_calls else {}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": model,
        "system_fingerprint": "fp_1",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish or ("tool_calls" if calls else "stop"),
                "message": {"role": "assistant", "content": text, **extra, **message},
            }
        ],
        "usage": {
            "prompt_tokens": 120,
            "completion_tokens": 30,
            "total_tokens": 150,
            "prompt_tokens_details": {"cached_tokens": 100},
        },
    }


def anthropic_body(
    text: str | None = "Understood. I will send the summary to the board.",
    *,
    model: str = "served-model-1",
    calls: tuple[tuple[str, Any], ...] = (),
    stop: str | None = None,
    blocks: tuple[Mapping[str, Any], ...] = (),
) -> dict[str, Any]:
    """A message; `calls` are (name, input object), `blocks` come before the text."""
    content: list[Mapping[str, Any]] = list(blocks)
    content += [{"type": "text", "text": text}] if text is not None else []
    content += [
        {"type": "tool_use", "id": f"toolu_{i}", "name": name, "input": arguments}
        for i, (name, arguments) in enumerate(calls)
    ]
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": stop or ("tool_use" if calls else "end_turn"),
        "stop_sequence": None,
        "usage": {
            "input_tokens": 20,
            "cache_read_input_tokens": 100,
            "cache_creation_input_tokens": 0,
            "output_tokens": 30,
        },
    }


def error_body(seen: Seen, kind: str, message: str) -> dict[str, Any]:
    """An error object in the wire format that was asked for."""
    if seen.is_openai:
        return {"error": {"message": message, "type": kind, "code": kind, "param": None}}
    return {"type": "error", "error": {"type": kind, "message": message}}


_ERRORS: Mapping[Fault, tuple[int, str, str]] = {
    Fault.RATE_LIMITED: (429, "rate_limit_error", "Rate limit reached"),
    Fault.QUOTA: (429, "insufficient_quota", "You exceeded your current quota"),
    Fault.SERVER_ERROR: (500, "api_error", "internal error while serving {key}"),
    Fault.UNAVAILABLE: (503, "api_error", "unavailable"),
    Fault.OVERLOADED: (529, "overloaded_error", "Overloaded"),
    Fault.KEY_ECHO: (401, "authentication_error", "Incorrect API key provided: {key}"),
    Fault.ERROR_IN_200: (200, "overloaded_error", "upstream is overloaded"),
}
"""Status, kind and text of the faults that are error objects."""

_BODIES: Mapping[Fault, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    Fault.EMPTY_CHOICES: ({**openai_body(), "choices": []}, {**anthropic_body(), "content": []}),
    Fault.CONTENT_FILTER: (
        openai_body(None, finish="content_filter"),
        anthropic_body(None, stop="content_filter"),
    ),
    Fault.REFUSAL: (
        openai_body(None, refusal="I cannot help with that."),
        anthropic_body("I cannot help with that.", stop="refusal"),
    ),
    Fault.LENGTH: (
        openai_body("Dear Kyle, I", finish="length"),
        anthropic_body("Dear Kyle, I", stop="max_tokens"),
    ),
    Fault.BAD_TOOL_CALL: (
        openai_body(None, calls=(("send_email", '{"to": "kyle'),)),
        anthropic_body(None, calls=(("send_email", '{"to": "kyle'),)),
    ),
}
"""Replies that are whole as HTTP and no answer, in both formats."""


def faulty(fault: Fault, seen: Seen, retry_after: float) -> Answer:
    """The answer that a fault gives; `RESET` and `HANG` have none."""
    if fault in _BODIES:
        openai, anthropic = _BODIES[fault]
        return Answer(body=openai if seen.is_openai else anthropic)
    if fault in _ERRORS:
        key = seen.headers.get("authorization", "") or seen.headers.get("x-api-key", "")
        status, kind, text = _ERRORS[fault]
        wait = {"retry-after": f"{retry_after:g}"} if fault is Fault.RATE_LIMITED else {}
        body = error_body(seen, kind, text.format(key=key))
        return Answer(status=status, body=body, headers=wait)
    whole = json.dumps(openai_body() if seen.is_openai else anthropic_body()).encode()
    page = b"<html><body>Service temporarily unavailable</body></html>"
    return {
        Fault.CUT: Answer(body=whole, cut_at=len(whole) // 2),
        Fault.SLOW_DRIP: Answer(body=whole, drip_s=0.02),
        Fault.TRUNCATED_JSON: Answer(body=whole[: len(whole) // 2]),
        Fault.WRONG_TYPE: Answer(body=page, headers={"content-type": "text/html"}),
        Fault.REDIRECT: Answer(status=307, body=b"", headers={"location": "http://127.0.0.1:9/v1"}),
    }[fault]


class FakeProvider:
    """The server. Enter it as an async context; `openai_url` and `anthropic_url` are its doors."""

    def __init__(
        self,
        *,
        faults: Mapping[Fault, float] | None = None,
        seed: int = 0,
        script: Script | None = None,
        latency_s: float = 0.0,
        retry_after_s: float = 0.01,
        requests_per_s: float | None = None,
        burst: float = 1.0,
        switch_after: int | None = None,
        record: bool = True,
        arrived: Callable[[Seen, int], None] | None = None,
        batches: Any = None,
    ) -> None:
        self.faults = dict(faults or {})
        self.seed, self.script, self.latency_s = seed, script, latency_s
        self.retry_after_s = retry_after_s
        self.requests_per_s, self.burst = requests_per_s, burst
        self.switch_after, self.record = switch_after, record
        self.on_arrival, self.batches = arrived, batches
        self.requests: list[Seen] = []
        self.count = 0
        self.statuses: Counter[int] = Counter()
        self.struck: Counter[Fault] = Counter()
        self.in_flight = 0
        self.peak = 0
        self.arrived = asyncio.Event()
        self._times: Counter[bytes] = Counter()
        self._tokens, self._filled = burst, time.monotonic()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    @property
    def openai_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def anthropic_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=2**24)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        gone = (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError)
        with contextlib.suppress(*gone):
            while await self._serve(reader, writer):
                pass
        writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path = head[0].split(" ")[:2]
        headers = {
            name.lower(): value
            for name, _, value in (line.partition(": ") for line in head[1:] if line)
        }
        raw = await reader.readexactly(int(headers.get("content-length", "0")))
        self.count += 1
        self.arrived.set()
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            if self.batches is not None:
                answer = self.batches.handle(method, path, headers, raw)
                if answer is not None:
                    return await self._write(answer, writer)
            return await self._answer(path, headers, raw, writer)
        finally:
            self.in_flight -= 1

    async def _answer(
        self, path: str, headers: Mapping[str, str], raw: bytes, writer: asyncio.StreamWriter
    ) -> bool:
        number = self.count
        fault = self._draw(raw)
        seen = Seen(path=path, headers=headers, body=json.loads(raw or b"{}"), fault=fault)
        if self.record:
            self.requests.append(seen)
        if fault is not None:
            self.struck[fault] += 1
        if self.on_arrival is not None:
            self.on_arrival(seen, number)
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        if fault is Fault.RESET:
            writer.transport.abort()
            return False
        if fault is Fault.HANG:
            await asyncio.sleep(3600)
        answer = self._choose(seen, fault, number)
        self.statuses[answer.status] += 1
        return await self._write(answer, writer)

    async def _write(self, answer: Answer, writer: asyncio.StreamWriter) -> bool:
        head, body = answer.encode()
        if answer.drip_s:
            writer.write(head)
            for byte in body:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(answer.drip_s)
            return True
        writer.write(head + body[: answer.cut_at])
        await writer.drain()
        return answer.cut_at is None

    def _draw(self, raw: bytes) -> Fault | None:
        digest = hashlib.sha256(raw).digest()
        self._times[digest] += 1
        if not self.faults:
            return None
        draw = random.Random(f"{self.seed}:{digest.hex()}:{self._times[digest]}").random()
        for fault, rate in self.faults.items():
            if draw < rate:
                return fault
            draw -= rate
        return None

    def _choose(self, seen: Seen, fault: Fault | None, number: int) -> Answer:
        if not self._admit():
            return faulty(Fault.RATE_LIMITED, seen, self.retry_after_s)
        if fault is not None:
            return faulty(fault, seen, self.retry_after_s)
        if self.script is not None:
            answer = self.script(seen, number)
            return answer if isinstance(answer, Answer) else Answer(body=answer)
        switched = self.switch_after is not None and number > self.switch_after
        model = "served-model-2" if switched else "served-model-1"
        make = openai_body if seen.is_openai else anthropic_body
        return Answer(body=make(model=model))

    def _admit(self) -> bool:
        """The provider's own token bucket."""
        if self.requests_per_s is None:
            return True
        now = time.monotonic()
        self._tokens = min(self.burst, self._tokens + (now - self._filled) * self.requests_per_s)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
