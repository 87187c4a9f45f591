"""The batch endpoints of both providers, for `FakeProvider(batches=FakeBatches(...))`.

A batch is done after it was asked about `polls` times. Shares of its items expire, err, are
canceled or go missing, by the seed and the item's id; results come in another order than requests;
a fetch of results can be cut short, and a poll can meet a 500.
"""

import json
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.fake_provider import Answer, Seen, anthropic_body, openai_body


@dataclass(slots=True)
class Kept:
    """One batch at the provider."""

    id: str
    openai: bool
    items: dict[str, Mapping[str, Any]]
    created: float
    metadata: Mapping[str, str] = field(default_factory=dict)
    asked: int = 0
    refused: str = ""


@dataclass(slots=True)
class FakeBatches:
    """Shares are of items; `cut`, `poll_errors` and `create_errors` count requests that fail."""

    polls: int = 2
    expired: float = 0.0
    errored: float = 0.0
    canceled: float = 0.0
    missing: float = 0.0
    cut: int = 0
    poll_errors: int = 0
    create_errors: int = 0
    lost_answers: int = 0
    """Batches that are created although the answer says 500."""
    refuse: int = 0
    clock_s: float = 0.0
    """What the provider's clock says beside ours."""
    seed: int = 0
    script: Callable[[Seen, int], Mapping[str, Any]] | None = None
    kept: dict[str, Kept] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def submissions(self) -> list[str]:
        """Custom ids of every item of every batch: one that stands twice was submitted twice."""
        return [name for batch in self.kept.values() if not batch.refused for name in batch.items]

    def handle(
        self, method: str, path: str, headers: Mapping[str, str], raw: bytes
    ) -> Answer | None:
        """The answer of a batch endpoint; None for any other path."""
        where = path.partition("?")[0]
        posts = {
            "/v1/messages/batches": self._messages,
            "/v1/files": self._upload,
            "/v1/batches": self._chats,
        }
        if method == "POST" and where in posts:
            self.asked.append(f"{method} {where}")
            return posts[where](headers, raw)
        found = re.fullmatch(r"/v1/(?:messages/)?batches(?:/(\w+))?(/results)?", where)
        file = re.fullmatch(r"/v1/files/(\w+)-(output|error)/content", where)
        if file is not None:
            return self._file(self.kept[file[1]], file[2])
        if found is None:
            return None
        self.asked.append(f"{method} {where}")
        return self._get(found[1], results=bool(found[2]), openai="messages" not in where)

    def _messages(self, _: Mapping[str, str], raw: bytes) -> Answer:
        requests = json.loads(raw)["requests"]
        return self._create({r["custom_id"]: r["params"] for r in requests}, openai=False)

    def _upload(self, headers: Mapping[str, str], raw: bytes) -> Answer:
        name = f"file-{len(self.files)}"
        self.files[name] = _uploaded(headers, raw)
        return Answer(body={"id": name, "object": "file", "purpose": "batch"})

    def _chats(self, _: Mapping[str, str], raw: bytes) -> Answer:
        body = json.loads(raw)
        lines = [json.loads(line) for line in self.files[body["input_file_id"]].splitlines()]
        items = {line["custom_id"]: line["body"] for line in lines}
        return self._create(items, openai=True, metadata=body.get("metadata") or {})

    def _get(self, name: str | None, *, results: bool, openai: bool) -> Answer:
        if name is None:
            newest = sorted(self.kept.values(), key=lambda batch: -batch.created)
            same = [self._shown(batch) for batch in newest if batch.openai == openai]
            return Answer(body={"data": same, "has_more": False})
        batch = self.kept.get(name)
        if batch is None:
            return Answer(status=404, body={"error": {"type": "not_found_error", "message": "?"}})
        if results:
            return self._lines([_anthropic(n, self._result(batch, n)) for n in self._order(batch)])
        if self.poll_errors:
            self.poll_errors -= 1
            return Answer(status=500, body={"error": {"type": "api_error", "message": "oops"}})
        batch.asked += 1
        return Answer(body=self._shown(batch))

    def _create(
        self, items: dict[str, Mapping[str, Any]], *, openai: bool, metadata: Any = None
    ) -> Answer:
        failure = Answer(status=500, body={"error": {"type": "api_error", "message": "oops"}})
        if self.create_errors:
            self.create_errors -= 1
            return failure
        name = f"batch{len(self.kept)}"
        batch = Kept(name, openai, items, time.time() + self.clock_s, metadata or {})
        if self.refuse and openai:
            self.refuse -= 1
            batch.refused = "token_limit_exceeded"
        self.kept[name] = batch
        if self.lost_answers:
            self.lost_answers -= 1
            return failure
        return Answer(body=self._shown(batch))

    def _shown(self, batch: Kept) -> dict[str, Any]:
        done = batch.asked >= self.polls
        count = len(batch.items)
        if batch.openai:
            status = "failed" if batch.refused else "completed" if done else "in_progress"
            return {
                "id": batch.id,
                "object": "batch",
                "status": status,
                "created_at": int(batch.created),
                "metadata": dict(batch.metadata),
                "request_counts": {"total": count, "completed": count if done else 0, "failed": 0},
                "errors": {"data": [{"code": batch.refused, "message": "Enqueued token limit"}]}
                if batch.refused
                else None,
                "output_file_id": f"{batch.id}-output" if done and not batch.refused else None,
                "error_file_id": f"{batch.id}-error" if done and not batch.refused else None,
            }
        counts = dict.fromkeys(("succeeded", "errored", "canceled", "expired"), 0)
        counts |= {"processing": 0 if done else count, "succeeded": count if done else 0}
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": "ended" if done else "in_progress",
            "created_at": datetime.fromtimestamp(batch.created, UTC).isoformat(),
            "request_counts": counts,
            "results_url": f"http://elsewhere.invalid/{batch.id}",
        }

    def _order(self, batch: Kept) -> list[str]:
        names = list(batch.items)
        random.Random(f"{self.seed}:{batch.id}").shuffle(names)
        return names

    def _result(self, batch: Kept, name: str) -> tuple[str, Mapping[str, Any]]:
        """What became of an item: a kind, and its body where it succeeded."""
        draw = random.Random(f"{self.seed}:{name}").random()
        for kind in ("expired", "errored", "canceled", "missing"):
            share = getattr(self, kind)
            if draw < share:
                return kind, {}
            draw -= share
        path = "/v1/chat/completions" if batch.openai else "/v1/messages"
        seen = Seen(path=path, headers={}, body=batch.items[name], fault=None)
        if self.script is not None:
            return "succeeded", self.script(seen, 0)
        return "succeeded", openai_body() if batch.openai else anthropic_body()

    def _lines(self, lines: list[dict[str, Any] | None]) -> Answer:
        whole = b"".join(json.dumps(line).encode() + b"\n" for line in lines if line is not None)
        if self.cut:
            self.cut -= 1
            whole = whole[: len(whole) * 2 // 3]
        return Answer(body=whole, headers={"content-type": "application/x-jsonl"})

    def _file(self, batch: Kept, which: str) -> Answer:
        lines: list[dict[str, Any] | None] = []
        for name in self._order(batch):
            kind, body = self._result(batch, name)
            good = kind == "succeeded"
            if kind != "missing" and good == (which == "output"):
                lines.append(_openai(name, kind, body))
        return self._lines(lines)


def _anthropic(name: str, result: tuple[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    kind, body = result
    if kind == "missing":
        return None
    more: dict[str, Any] = {}
    if kind == "succeeded":
        more = {"message": body}
    if kind == "errored":
        error = {"type": "invalid_request_error", "message": "max_tokens: too large"}
        more = {"error": {"type": "error", "error": error}}
    return {"custom_id": name, "result": {"type": kind, **more}}


def _openai(name: str, kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    line: dict[str, Any] = {"id": f"r-{name}", "custom_id": name, "response": None, "error": None}
    if kind == "succeeded":
        line["response"] = {"status_code": 200, "request_id": "x", "body": body}
    elif kind == "errored":
        error = {"message": "max_tokens: too large", "type": "invalid_request_error"}
        line["response"] = {"status_code": 400, "request_id": "x", "body": {"error": error}}
    else:
        line["error"] = {"code": f"batch_{kind}", "message": "This request could not be executed"}
    return line


def _uploaded(headers: Mapping[str, str], raw: bytes) -> bytes:
    """The file part of a multipart body."""
    boundary = headers["content-type"].partition("boundary=")[2].strip('"').encode()
    for part in raw.split(b"--" + boundary):
        head, _, body = part.partition(b"\r\n\r\n")
        if b'name="file"' in head:
            return body.removesuffix(b"\r\n")
    raise AssertionError("no file in the upload")
