"""What the batch interfaces of two providers have in common: submit, find, ask how far, fetch.

Both SDKs carry the requests; what comes back is read from the bytes, by the same code that reads
live replies. Nothing here retries, waits or spends: that is `runner.batching`.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar

from mitigations.model import Reply, Request
from runner.gateway import exceptions, faults
from runner.gateway.attempt import Line, fault_reply, render, sent_parameters, to_reply
from runner.gateway.classify import Parts, parse_json
from runner.gateway.clients import Lines, response_type
from runner.gateway.faults import Fault, FaultKind
from runner.gateway.transport import TAP, Exchange, Tap
from runner.redact import Redactor

BATCH_BODY_LIMIT = 512_000_000
"""Bytes of one result file: the largest batch with replies as long as its prompts."""
TIMEOUT_S = 600.0
SKEW_S = 3600.0
"""Our clock may be so far ahead of the provider's when a batch is looked for by its time."""
_PAGES = 20


class BatchTrouble(Exception):
    """A request about a batch that got no usable answer."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        super().__init__(f"{fault.kind}: {fault.detail}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchState:
    """How far a batch is."""

    id: str
    ended: bool
    done: int
    total: int
    refused: str = ""
    """Why the provider took none of it; empty otherwise."""
    files: tuple[str, ...] = ()
    """Where results are, where the provider keeps them in files."""


Result = Parts | Fault


class BatchLine(ABC):
    """Batches of one model. Ids of items are made from call keys by `custom_id`."""

    most_requests: ClassVar[int]
    most_bytes: ClassVar[int]

    def __init__(self, line: Line, lines: Lines) -> None:
        self._line, self._lines = line, lines

    def item(self, request: Request) -> bytes:
        """The JSON of one request as it stands in the batch."""
        parameters = render(request, self._line.route)
        return json.dumps(self._wrapped(custom_id(request.key), parameters)).encode()

    def reply(self, request: Request, result: Result, batch: str, redactor: Redactor) -> Reply:
        """The typed reply of an item."""
        if isinstance(result, Fault):
            return fault_reply(result, request, redactor=redactor)
        parameters = render(request, self._line.route)
        sent = sent_parameters(Tap(), parameters, request, self._line.route)
        return to_reply(result, request, redactor=redactor, sent=sent | {"batch": batch})

    @abstractmethod
    async def create(self, items: Sequence[bytes], token: str) -> BatchState:
        """Submit a batch; `token` is ours and names it."""

    @abstractmethod
    async def find(self, token: str, count: int, since: str) -> list[BatchState]:
        """Batches that may be the one submitted under `token` at or after `since`, likeliest first.

        Where the provider keeps no token, the ids in the results decide: see `is_named`.
        """

    is_named: ClassVar[bool]
    """Whether `find` knows a batch by its token."""

    @abstractmethod
    async def state(self, batch: str) -> BatchState:
        """How far it is."""

    @abstractmethod
    async def results(self, state: BatchState) -> dict[str, Result]:
        """By custom id. A line that is cut or damaged is left out."""

    @abstractmethod
    def _wrapped(self, name: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]: ...

    async def _ask(self, call: Callable[[Any], Awaitable[Any]]) -> Exchange:
        """One HTTP request; raises `BatchTrouble` for whatever a provider or the line can do."""
        await self._lines.open(self._line.route, self._line.key)
        tap, error = Tap(), None
        token = TAP.set(tap)
        try:
            await call(self._lines.client(self._line.route, self._line.key))
        except Exception as caught:  # noqa: BLE001 - sorted below by a closed table
            error = caught
        finally:
            TAP.reset(token)
        if tap.fault is None and tap.exchanges:
            last = tap.exchanges[-1]
            if 200 <= last.status < 300:
                return last
            raise BatchTrouble(_refusal(last))
        fault = tap.fault or (exceptions.from_exception(error) if error else None)
        if fault is None:
            raise error or AssertionError("no exchange and no error")
        raise BatchTrouble(fault)

    async def _get(self, path: str) -> Exchange:
        options: Any = {"max_retries": 0, "timeout": TIMEOUT_S}
        kind = response_type(self._line.route.wire)
        return await self._ask(lambda client: client.get(path, cast_to=kind, options=options))

    async def _post(self, path: str, body: Any) -> Exchange:
        options: Any = {"max_retries": 0, "timeout": TIMEOUT_S}
        kind = response_type(self._line.route.wire)
        return await self._ask(
            lambda client: client.post(path, body=body, cast_to=kind, options=options)
        )

    async def _listed(self, path: str, is_old: Callable[[Any], bool]) -> list[Mapping[str, Any]]:
        """Batches from the newest on, until one is older than what is looked for."""
        found: list[Mapping[str, Any]] = []
        after = ""
        for _ in range(_PAGES):
            page = document_of(await self._get(f"{path}?limit=100{after}"))
            data = page.get("data") or []
            found += [entry for entry in data if not is_old(entry)]
            if not page.get("has_more") or not data or is_old(data[-1]):
                break
            after = f"&{self._cursor}={data[-1]['id']}"
        return found

    _cursor: ClassVar[str]


def custom_id(key: str) -> str:
    """A call's key in the letters that both providers allow, at most 64 of them."""
    return key.replace("/", "_")


def _refusal(exchange: Exchange) -> Fault:
    document: Any = None
    try:
        document = parse_json(exchange.body)
    except ValueError:
        document = None
    text = exchange.body[: faults.TEXT_LIMIT].decode("utf-8", "replace")
    return faults.from_response(exchange.status, exchange.headers, document, text)


def item_fault(error: Any) -> Fault:
    """The fault of one item: an error object, in an envelope or not."""
    inner = error.get("error") if isinstance(error, Mapping) else None
    plain = inner if isinstance(inner, Mapping) else error
    status = faults.hidden_error({"error": plain}) or 500
    fault = faults.from_response(status, {}, {"error": plain}, "")
    code = str(plain.get("code") or "") if isinstance(plain, Mapping) else ""
    if code.startswith("batch_"):
        detail = f"the batch item was {code.removeprefix('batch_')}"
        return Fault(kind=FaultKind.BATCH_ITEM, detail=detail)
    return fault


def document_of(exchange: Exchange) -> Mapping[str, Any]:
    """The object a batch endpoint answered with; raises `BatchTrouble` for anything else."""
    try:
        document = parse_json(exchange.body)
    except ValueError as problem:
        document = str(problem)
    if not isinstance(document, Mapping) or not ("id" in document or "data" in document):
        detail = f"HTTP {exchange.status} with a body that is no batch"
        raise BatchTrouble(Fault(kind=FaultKind.BAD_BODY, detail=detail, may_be_paid=True))
    return document


def result_lines(body: bytes) -> list[tuple[str, Mapping[str, Any]]]:
    """The whole lines of a result file with the ids of their items."""
    found = []
    for raw in body.split(b"\n"):
        try:
            line = parse_json(raw) if raw.strip() else None
        except ValueError:
            continue
        if isinstance(line, Mapping) and isinstance(line.get("custom_id"), str):
            found.append((line["custom_id"], line))
    return found


def seconds_of(at: Any) -> float:
    """Seconds since 1970 of a time in ISO 8601, whole seconds, so that clocks may round."""
    try:
        return datetime.fromisoformat(str(at)).astimezone(UTC).timestamp() // 1
    except ValueError:
        return 0.0
