"""What a worker says of a lease: journal lines, durable in PostgreSQL before it goes on."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mitigations.codec import plain
from mitigations.errors import Interrupted
from mitigations.model import Outcome, Reply, Request
from mitigations.store import Grouped, call_line
from runner.budget import worst_case_of
from runner.engine import Board, LeaseState
from runner.execute import Stop


class Wire:
    """The lines of one lease, on the board before `append` returns.

    Raises `LeaseLost` when the owner has taken the lease back, for that line and all that follow.
    """

    def __init__(self, board: Board, lease: str, stop: Stop) -> None:
        self._board, self._lease, self._stop = board, lease, stop
        self._seq = 0
        lines: Grouped[dict[str, Any]] = Grouped(self._write)
        self.append, self.post, self.kept = lines.append, lines.post, lines.kept

    def _write(self, records: Sequence[dict[str, Any]]) -> None:
        # ASCII only: PostgreSQL stores neither NUL nor half a surrogate pair as text.
        body = json.dumps(records, separators=(",", ":"))
        state = self._board.write(self._lease, self._seq, body)
        self._seq += 1
        if state is LeaseState.STOPPING:
            self._stop.because(Interrupted("the owner of the run stops it"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """What the journal of one machine is told, told to the wire."""

    wire: Wire
    reruns: Mapping[str, int]
    now: Callable[[], str]

    async def sent(self, request: Request) -> None:
        """Durable before the call goes out."""
        worst = {"worst_usd": worst_case_of(request)}
        await self.wire.append(self._call("sent", request.key, request.model.route) | worst)

    async def replied(self, request: Request, reply: Reply) -> None:
        """Durable before anything is made of the reply."""
        record = self._call("reply", request.key, request.model.route)
        await self.wire.append(record | {"reply": plain(Reply, reply)})

    async def withdrawn(self, request: Request) -> None:
        """The call ended without a reply and nothing of it is on the line."""
        await self.wire.append(self._call("withdrawn", request.key, request.model.route))

    def attempted(self, key: str, model: str, told: Mapping[str, Any]) -> None:
        """One HTTP request of a call is over."""
        self.wire.post(self._call("attempt", key, model) | dict(told))

    async def kept(self) -> None:
        """Return once what was told by `attempted` is durable."""
        await self.wire.kept()

    async def record(self, outcome: Outcome) -> None:
        """Durable when this returns."""
        record = self._rerun({"t": "outcome", "trial": outcome.trial.id})
        await self.wire.append(record | {"outcome": plain(Outcome, outcome)})

    def _call(self, kind: str, key: str, model: str) -> dict[str, Any]:
        return self._rerun(call_line(kind, key, model)) | {"at": self.now()}

    def _rerun(self, record: dict[str, Any]) -> dict[str, Any]:
        rerun = self.reruns.get(record["trial"])
        return record if rerun is None else record | {"rerun": rerun}
