"""One batch from its intention to its results: submitted once, found again, waited for, fetched."""

from dataclasses import replace

from mitigations.errors import Interrupted, ModelUnavailable
from runner.batch_nouns import Around, Batch, BatchNote, Held
from runner.gateway import BatchLine, BatchState, BatchTrouble, custom_id
from runner.gateway.batch_line import Result
from runner.gateway.faults import BLOCKING, Fault, FaultKind

FIRST_POLL_S = 2.0
LAST_POLL_S = 60.0
GROWTH = 1.5
ATTEMPTS = 6
"""Requests to submit a batch, or to fetch its results, before the run stops (resumably)."""


class Serving:
    """Serves batches of one run, one call of `answered` each."""

    def __init__(self, around: Around) -> None:
        self._around = around
        self._foreign: set[str] = set()

    async def answered(self, batch: Batch) -> tuple[dict[str, Result], str]:
        """Results by custom id, and the batch's id at the provider; raises what stops the run."""
        line, book = self._around.line_of(batch.spec), self._around.book
        names = {custom_id(key) for key in batch.calls}
        again = batch.held is not None
        while True:
            held = batch.held or await book.intend(batch.spec.route, list(batch.calls))
            if held.id is None:
                held = await self._submit(line, batch, held, look_first=again)
            batch.held = held
            state = await self._ended(line, batch, held)
            results = {} if state.refused else await self._results(line, state, names)
            if batch.unsure and results and not names & results.keys():
                self._foreign.add(state.id)
                await book.dropped(held.token, "another's batch")
                batch.held, batch.unsure = None, False
                continue
            if state.refused:
                await book.dropped(held.token, state.refused)
                raise ModelUnavailable(
                    f"{batch.spec.route}: the provider refused the batch: "
                    f"{self._around.redactor().detail(state.refused)}\n"
                    "  nothing of it was charged; the same command submits it again"
                )
            return results, state.id

    async def _submit(self, line: BatchLine, batch: Batch, held: Held, *, look_first: bool) -> Held:
        """Submit once: after a request whose fate is unknown, look whether it arrived."""
        trouble: BatchTrouble | None = None
        for attempt in range(ATTEMPTS):
            try:
                state = await self._arrived(line, held) if look_first else None
                batch.unsure = state is not None and not line.is_named
                if state is None:
                    if held.keys != tuple(batch.calls):
                        # Not all of what an earlier start meant to send is still asked for.
                        await self._around.book.dropped(held.token, "never submitted")
                        held = await self._around.book.intend(batch.spec.route, list(batch.calls))
                    items = [call.item or line.item(call.request) for call in batch.calls.values()]
                    state = await line.create(items, held.token)
            except BatchTrouble as caught:
                trouble = caught
                if not caught.fault.retryable:
                    await self._around.book.dropped(held.token, str(caught.fault.kind))
                    break
                look_first = True
                await self._pause(_backoff(attempt, caught.fault))
            else:
                await self._around.book.submitted(held.token, state.id)
                return replace(held, id=state.id)
        raise self._unavailable(batch, "takes no batch", trouble)

    async def _arrived(self, line: BatchLine, held: Held) -> BatchState | None:
        """The batch of an intention whose answer we never had."""
        known = self._around.book.ids() | self._foreign
        found = await line.find(held.token, len(held.keys), held.at)
        return next((state for state in found if state.id not in known), None)

    async def _ended(self, line: BatchLine, batch: Batch, held: Held) -> BatchState:
        """Wait, asking less and less often; raises `Interrupted` after `max_wait_s`."""
        assert held.id is not None
        started, pause = self._around.timer.clock(), FIRST_POLL_S
        while True:
            try:
                state = await line.state(held.id)
            except BatchTrouble as trouble:
                if trouble.fault.kind is FaultKind.NOT_FOUND:
                    await self._around.book.dropped(held.token, "gone")
                if trouble.fault.kind in BLOCKING:
                    raise self._unavailable(batch, f"has no batch {held.id}", trouble) from None
            else:
                note = BatchNote(
                    model=batch.spec.route, batch=state.id, done=state.done, total=state.total
                )
                self._around.watch(note)
                if state.ended:
                    return state
            limit = self._around.max_wait_s
            if limit is not None and self._around.timer.clock() - started + pause > limit:
                raise Interrupted(
                    f"batch {held.id} of {batch.spec.route} is not done after {limit:.0f} s\n"
                    "  it goes on at the provider; the same command waits for it again"
                )
            await self._pause(pause)
            pause = min(LAST_POLL_S, pause * GROWTH)

    async def _results(
        self, line: BatchLine, state: BatchState, names: set[str]
    ) -> dict[str, Result]:
        """What the batch gave; asked for again while lines are missing or the line is bad."""
        found: dict[str, Result] = {}
        for attempt in range(ATTEMPTS):
            fault: Fault | None = None
            try:
                found |= await line.results(state)
            except BatchTrouble as trouble:
                fault = trouble.fault
                if attempt == ATTEMPTS - 1:
                    raise ModelUnavailable(
                        f"the results of batch {state.id} cannot be fetched: "
                        f"{self._around.redactor().detail(str(trouble))}\n"
                        "  they stay at the provider; the same command asks again"
                    ) from None
            if names <= found.keys() or (found and not names & found.keys()):
                break
            await self._pause(_backoff(attempt, fault))
        return found

    def _unavailable(
        self, batch: Batch, what: str, trouble: BatchTrouble | None
    ) -> ModelUnavailable:
        reason = self._around.redactor().detail(str(trouble))
        return ModelUnavailable(
            f"{batch.spec.route} {what}: {reason}\n  the same command goes on from here"
        )

    async def _pause(self, seconds: float) -> None:
        """Sleep, but no longer than until somebody asks for a stop."""
        end = self._around.timer.clock() + seconds
        while (left := end - self._around.timer.clock()) > 0:
            reason = self._around.stopped()
            if reason is not None:
                raise reason
            await self._around.timer.sleep(min(0.25, left))


def _backoff(attempt: int, fault: Fault | None) -> float:
    asked = fault.retry_after_s if fault else None
    return asked if asked is not None else min(LAST_POLL_S, FIRST_POLL_S * 2**attempt)
