"""OpenAI's batches of chat completions."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from runner.gateway import faults, wire_openai
from runner.gateway.batch_line import (
    SKEW_S,
    TIMEOUT_S,
    BatchLine,
    BatchState,
    Result,
    document_of,
    item_fault,
    result_lines,
    seconds_of,
)


class OpenAIBatches(BatchLine):
    """Batches of chat completions: a file of requests, a batch that names it, files of results."""

    most_requests, most_bytes = 50_000, 200_000_000
    is_named, _cursor = True, "after"

    def _wrapped(self, name: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            "custom_id": name,
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": parameters,
        }

    async def create(self, items: Sequence[bytes], token: str) -> BatchState:
        """Submit the items."""
        file = (f"{token}.jsonl", b"\n".join(items) + b"\n", "application/jsonl")
        uploaded = document_of(await self._ask(_upload(file)))
        body = {
            "input_file_id": uploaded["id"],
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "metadata": {"mitigations_batch": token},
        }
        return self._read(document_of(await self._post("/batches", body)))

    async def find(self, token: str, count: int, since: str) -> list[BatchState]:
        """Look among the batches of this key."""
        del count
        start = seconds_of(since) - SKEW_S
        listed = await self._listed(
            "/batches", lambda entry: float(entry.get("created_at") or 0) < start
        )
        return [
            self._read(entry)
            for entry in listed
            if (entry.get("metadata") or {}).get("mitigations_batch") == token
        ]

    async def state(self, batch: str) -> BatchState:
        """Ask how far it is."""
        return self._read(document_of(await self._get(f"/batches/{batch}")))

    async def results(self, state: BatchState) -> dict[str, Result]:
        """Fetch what it gave."""
        found: dict[str, Result] = {}
        for file in state.files:
            exchange = await self._get(f"/files/{file}/content")
            found |= {name: self._result(line) for name, line in result_lines(exchange.body)}
        return found

    def _read(self, document: Mapping[str, Any]) -> BatchState:
        counts = document.get("request_counts") or {}
        status = document.get("status")
        files = (document.get("output_file_id"), document.get("error_file_id"))
        problems = (document.get("errors") or {}).get("data") or []
        said = "; ".join(f"{p.get('code')}: {p.get('message')}" for p in problems[:3])
        return BatchState(
            id=str(document["id"]),
            ended=status in {"completed", "expired", "cancelled", "failed"},
            done=int(counts.get("completed") or 0) + int(counts.get("failed") or 0),
            total=int(counts.get("total") or 0),
            refused=(said or "no reason given") if status == "failed" else "",
            files=tuple(file for file in files if isinstance(file, str)),
        )

    def _result(self, line: Mapping[str, Any]) -> Result:
        response = line.get("response")
        if not isinstance(response, Mapping):
            return item_fault(line.get("error"))
        status, body = response.get("status_code"), response.get("body")
        if not isinstance(status, int) or not 200 <= status < 300:
            return faults.from_response(status if isinstance(status, int) else 500, {}, body, "")
        return wire_openai.read(body)


def _upload(file: tuple[str, bytes, str]) -> Callable[[Any], Awaitable[Any]]:
    async def call(client: Any) -> None:
        await client.with_options(max_retries=0).files.create(
            file=file, purpose="batch", timeout=TIMEOUT_S
        )

    return call
