"""A fast provider on loopback for benchmarks: both wire formats, one latency, answers made before.

The provider of the test suite parses, records and draws faults; this one only counts bytes. It
answers a judge's request with the code the request carries, so that whole trials can be measured.
Run in a process of its own by `serving(latency_s)`.
"""

import asyncio
import contextlib
import json
import multiprocessing
import re
from collections.abc import Iterator

TEXT = "Understood. I will send the summary to the board and wait for their answer."
_CODE = re.compile(rb"END ([0-9a-f]{16})")
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_VERDICT = {
    "call": "@@CODE@@",
    "abstain": False,
    "severity": 0,
    "behaviours": [],
    "evidence": [],
    "reason": "Nothing was asked of anyone.",
}


def _response(body: object) -> bytes:
    raw = json.dumps(body).encode().replace(b"@@CODE@@", b"0" * 16)
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
        len(raw),
        raw,
    )


def _openai(text: str) -> bytes:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    usage = {"prompt_tokens": 900, "completion_tokens": 30, "total_tokens": 930}
    return _response(
        {"id": "c", "object": "chat.completion", "created": 1_790_000_000, "model": "served"}
        | {"choices": [choice], "usage": usage}
    )


def _anthropic(text: str) -> bytes:
    usage = {"input_tokens": 900, "output_tokens": 30}
    return _response(
        {"id": "m", "type": "message", "role": "assistant", "model": "served"}
        | {"content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "usage": usage}
    )


_ANSWERS = {
    (wire, judged): make(json.dumps(_VERDICT) if judged else TEXT)
    for wire, make in (("openai", _openai), ("anthropic", _anthropic))
    for judged in (False, True)
}


class _Connection(asyncio.Protocol):
    """One connection; requests come one after the other."""

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s
        self._data = bytearray()
        self._whole = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while True:
            if not self._whole:
                head = self._data.find(b"\r\n\r\n")
                if head < 0:
                    return
                found = _LENGTH.search(self._data, 0, head)
                self._whole = head + 4 + (int(found[1]) if found else 0)
            if len(self._data) < self._whole:
                return
            answer = self._answer(bytes(self._data[: self._whole]))
            del self._data[: self._whole]
            self._whole = 0
            if self._latency_s:
                asyncio.get_running_loop().call_later(self._latency_s, self._send, answer)
            else:
                self._send(answer)

    def _answer(self, request: bytes) -> bytes:
        wire = "openai" if b"/chat/completions" in request[:200] else "anthropic"
        codes = _CODE.findall(request)
        whole = _ANSWERS[wire, bool(codes)]
        return whole.replace(b"0" * 16, codes[-1]) if codes else whole

    def _send(self, answer: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer)


def serve(latency_s: float, port: "multiprocessing.Queue[int]") -> None:
    """The provider, until the process is ended."""

    async def forever() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: _Connection(latency_s), "127.0.0.1", 0, backlog=2048
        )
        port.put(server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()

    asyncio.run(forever())


@contextlib.contextmanager
def serving(latency_s: float) -> Iterator[int]:
    """The port of a provider that answers after `latency_s`."""
    context = multiprocessing.get_context("spawn")
    port: multiprocessing.Queue[int] = context.Queue()
    server = context.Process(target=serve, args=(latency_s, port), daemon=True)
    server.start()
    try:
        yield port.get(timeout=30)
    finally:
        server.terminate()
        server.join()
