"""Anthropic's Message Batches."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from runner.gateway import wire_anthropic
from runner.gateway.batch_line import (
    SKEW_S,
    BatchLine,
    BatchState,
    Result,
    document_of,
    item_fault,
    result_lines,
    seconds_of,
)
from runner.gateway.faults import Fault, FaultKind


class AnthropicBatches(BatchLine):
    """Message Batches. They carry no name of ours: the ids in the results tell whose they are."""

    most_requests, most_bytes = 100_000, 256_000_000
    is_named, _cursor = False, "after_id"

    def _wrapped(self, name: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"custom_id": name, "params": parameters}

    async def create(self, items: Sequence[bytes], token: str) -> BatchState:
        """Submit the items."""
        del token
        body = {"requests": [json.loads(item) for item in items]}
        return self._read(document_of(await self._post("/v1/messages/batches", body)))

    async def find(self, token: str, count: int, since: str) -> list[BatchState]:
        """Look among the batches of this key."""
        del token
        start = seconds_of(since) - SKEW_S
        listed = await self._listed(
            "/v1/messages/batches", lambda entry: seconds_of(entry.get("created_at")) < start
        )
        return [s for s in map(self._read, listed) if s.total == count]

    async def state(self, batch: str) -> BatchState:
        """Ask how far it is."""
        return self._read(document_of(await self._get(f"/v1/messages/batches/{batch}")))

    async def results(self, state: BatchState) -> dict[str, Result]:
        """Fetch what it gave."""
        exchange = await self._get(f"/v1/messages/batches/{state.id}/results")
        return {
            name: self._result(line.get("result")) for name, line in result_lines(exchange.body)
        }

    def _read(self, document: Mapping[str, Any]) -> BatchState:
        counts = document.get("request_counts")
        counts = counts if isinstance(counts, Mapping) else {}
        numbers = {name: int(count) for name, count in counts.items() if isinstance(count, int)}
        total = sum(numbers.values())
        return BatchState(
            id=str(document["id"]),
            ended=document.get("processing_status") == "ended",
            done=total - numbers.get("processing", 0),
            total=total,
        )

    def _result(self, result: Any) -> Result:
        kind = result.get("type") if isinstance(result, Mapping) else None
        if kind == "succeeded":
            return wire_anthropic.read(result.get("message"))
        if kind == "errored":
            return item_fault(result.get("error"))
        return Fault(kind=FaultKind.BATCH_ITEM, detail=f"the batch item was {kind!s}")
