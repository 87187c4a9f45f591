"""Calls by batch: collected until every trial waits, sent whole, answered when the batch is done.

A trial asks for a reply as it always does and waits. When all trials in play wait, their calls are
cut into batches, one model each, at the borders of epochs. The judge's calls gather the same way
once the replies are in, and so does each further turn. What is intended and what was submitted is
written down before anything is waited for, so that a kill at any point resumes the same batch.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from itertools import groupby
from typing import Self

from mitigations.errors import OverBudget
from mitigations.model import ModelSpec, Reply, ReplyStatus, Request
from runner.batch_nouns import Around, Batch, Call
from runner.batch_serving import Serving
from runner.budget import Reservation, worst_case_of
from runner.gateway import custom_id
from runner.gateway.batch_line import Result
from runner.gateway.faults import Fault, FaultKind

QUIET_S = 0.05


class Batched:
    """`complete` by batch. Enter it as an async context: the batches are served by its tasks."""

    def __init__(self, around: Around) -> None:
        self._around = around
        self._waiting: dict[str, Call] = {}
        self._open: list[Batch] = []
        self._serving = Serving(around)
        self._tasks: set[asyncio.Task[None]] = set()
        self._collector: asyncio.Task[None] | None = None

    async def complete(self, request: Request) -> Reply:
        """The reply out of a batch. Raises what stops the run: no budget, no model, Ctrl-C."""
        call = Call(request, asyncio.get_running_loop().create_future())
        self._waiting[request.key] = call
        return await call.future

    async def __aenter__(self) -> Self:
        self._collector = asyncio.create_task(self._collect())
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = [*self._tasks, *([self._collector] if self._collector else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ---- collecting

    async def _collect(self) -> None:
        seen = -1
        while True:
            await asyncio.sleep(QUIET_S)
            reason = self._around.stopped()
            if reason is not None:
                self._fail(self._waiting, reason)
            quiet = bool(self._waiting) and self._is_quiet()
            if quiet and len(self._waiting) == seen:
                try:
                    self._flush()
                except Exception as error:  # noqa: BLE001 - whoever waits is told; nobody hangs
                    self._fail(self._waiting, error)
            seen = len(self._waiting) if quiet else -1

    def _is_quiet(self) -> bool:
        """Every trial in play waits here or in a batch."""
        asked = {key.partition("/")[0] for key in self._waiting}
        asked.update(key.partition("/")[0] for batch in self._open for key in batch.calls)
        return asked.issuperset(self._around.playing())

    def _flush(self) -> None:
        """Cut what waits into batches: calls of batches that exist already first."""
        kept: dict[str, Batch] = {}
        fresh: dict[ModelSpec, list[Call]] = defaultdict(list)
        for key, call in self._waiting.items():
            held = self._around.book.held(key)
            if held is None:
                fresh[call.request.model].append(call)
            else:
                batch = kept.setdefault(held.token, Batch(call.request.model, {}, held))
                batch.calls[key] = call
                with suppress(OverBudget):  # spent already: no budget could keep it from being so
                    call.reservation = self._reserve(call.request)
        made, refused = list(kept.values()), None
        for spec, calls in fresh.items():
            batches, refusal = self._cut(spec, sorted(calls, key=self._order))
            made += batches
            refused = refused or refusal
        for batch in made:
            for key in batch.calls:
                del self._waiting[key]
            self._open.append(batch)
            task = asyncio.create_task(self._serve(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if refused is not None and not self._open:
            self._fail(self._waiting, refused)

    def _order(self, call: Call) -> tuple[int, int, str]:
        return (*self._around.place(call.request.key.partition("/")[0]), call.request.key)

    def _cut(self, spec: ModelSpec, calls: Sequence[Call]) -> tuple[list[Batch], OverBudget | None]:
        """Batches of whole epochs within the provider's limits and the budget, in plan order."""
        line = self._around.line_of(spec)
        batches: list[Batch] = []
        current: dict[str, Call] = {}
        size = 0
        for _, group in groupby(calls, key=lambda call: self._order(call)[0]):
            epoch = list(group)
            try:
                self._reserve_all(epoch)
            except OverBudget as refusal:
                _close(batches, spec, current)
                return batches, refusal
            for call in epoch:
                call.item = line.item(call.request)
            more = sum(len(call.item) + 1 for call in epoch)
            if len(current) + len(epoch) > line.most_requests or size + more > line.most_bytes:
                current, size = _close(batches, spec, current), 0
            for call in epoch:  # an epoch that is too large by itself is cut inside
                full = len(current) == line.most_requests
                if full or size + len(call.item) + 1 > line.most_bytes:
                    current, size = _close(batches, spec, current), 0
                current[call.request.key] = call
                size += len(call.item) + 1
        _close(batches, spec, current)
        return batches, None

    def _reserve(self, request: Request) -> Reservation | None:
        worst = worst_case_of(request)
        return self._around.budget.reserve(worst) if worst > 0 else None

    def _reserve_all(self, calls: Sequence[Call]) -> None:
        """The worst case of all of them, or of none: raises `OverBudget`."""
        for done, call in enumerate(calls):
            try:
                call.reservation = self._reserve(call.request)
            except OverBudget:
                for earlier in calls[:done]:
                    self._settle(earlier, None, charged=False)
                raise

    # ---- serving

    async def _serve(self, batch: Batch) -> None:
        try:
            results, name = await self._serving.answered(batch)
        except Exception as error:  # noqa: BLE001 - whoever waits is told; nobody hangs
            self._fail(batch.calls, error)
        else:
            self._hand_out(batch, results, name)
        self._open.remove(batch)

    def _hand_out(self, batch: Batch, results: dict[str, Result], name: str) -> None:
        line = self._around.line_of(batch.spec)
        missing = Fault(kind=FaultKind.BATCH_ITEM, detail="missing among the batch's results")
        for key, call in batch.calls.items():
            result = results.get(custom_id(key), missing)
            reply = line.reply(call.request, result, name, self._around.redactor())
            self._settle(call, reply, charged=reply.status is not ReplyStatus.ERROR)
            if not call.future.done():
                call.future.set_result(reply)

    def _settle(self, call: Call, reply: Reply | None, *, charged: bool) -> None:
        if call.reservation is None:
            return
        if charged:
            self._around.budget.settle(call.reservation, reply.cost_usd if reply else None)
        else:
            self._around.budget.release(call.reservation)
        call.reservation = None

    def _fail(self, calls: dict[str, Call], error: Exception) -> None:
        """Tell everybody who waits; what may have been charged stays reserved."""
        for call in calls.values():
            if not call.future.done():
                call.future.set_exception(error)
        if calls is self._waiting:
            calls.clear()


def _close(batches: list[Batch], spec: ModelSpec, current: dict[str, Call]) -> dict[str, Call]:
    """Make a batch of what was gathered, and begin anew."""
    if current:
        batches.append(Batch(spec, current))
    return {}
