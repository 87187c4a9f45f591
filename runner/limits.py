"""How fast one model may be called: slots, rates, pauses and a circuit breaker.

Each provider and model has a `Limiter` of its own. Clock and sleep are arguments, so every rule
here is tested without waiting. Nothing here knows a provider.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from runner.throttle import Allowance, Breaker, Clock, Pace, Slots, TokenBucket, Told

Sleep = Callable[[float], Awaitable[None]]
REQUESTS_BURST_S, TOKENS_BURST_S = 1.0, 10.0
"""So much of a rate may go out at once after a rest."""


class Signal(StrEnum):
    """What a finished request says about the provider's load."""

    FINE = "fine"
    """Served, whatever the reply was worth, or refused for a reason of ours."""
    RATE_LIMITED = "rate-limited"
    OVERLOADED = "overloaded"
    OUTAGE = "outage"


class WaitTooLong(Exception):
    """The provider, or the open circuit, asks for a longer wait than is allowed."""

    def __init__(self, wait_s: float, why: str) -> None:
        self.wait_s, self.why = wait_s, why
        super().__init__(f"{why}: {wait_s:.0f} s to wait")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """The clock (monotonic seconds) and the sleep that go with it."""

    clock: Clock = time.monotonic
    sleep: Sleep = asyncio.sleep


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """What an operator may set for one model; None: found out by being told to slow down."""

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    start_concurrency: int = 16
    max_concurrency: int = 512
    breaker_after: int = 12
    """Outages in a row that open the circuit."""
    breaker_cool_s: float = 5.0
    """First rest of an open circuit; doubles with each failed probe, to 120 s."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """Leave to send one request."""

    sent_at: float
    tokens: float


class Limiter:
    """The gate in front of one model. First come, first served.

    Args:
        limits: what the operator set.
        timer: clock and sleep.
    """

    LONG_PAUSE_S = 5.0
    """A provider that asks for more than this means everybody."""
    DRY = 4
    """So many refusals with nothing served between: it will serve nothing for a while."""
    FIRST_REST_S, LONGEST_REST_S = 0.5, 30.0
    """How long that is where the provider does not say; doubles each time."""

    def __init__(self, limits: RateLimits, timer: Timer) -> None:
        clock, self._sleep = timer.clock, timer.sleep
        self._clock = clock
        self.slots = Slots(limits.start_concurrency, limits.max_concurrency)
        self.pace = Pace(clock)
        self.breaker = Breaker(limits.breaker_after, limits.breaker_cool_s, clock)
        self._requests = _bucket(limits.requests_per_minute, REQUESTS_BURST_S, clock)
        self._tokens = _bucket(limits.tokens_per_minute, TOKENS_BURST_S, clock)
        self.told = {"requests": Told(clock), "tokens": Told(clock)}
        """What the provider says of its limits, by what it counts."""
        self._gate = asyncio.Lock()
        self._freed = asyncio.Event()
        self._pause_until = -math.inf
        self._cut_at = -math.inf
        self._served_since_cut = True
        self._in_a_row = 0
        self._is_dry, self._dry_times = False, 0
        self._dry_at = self._dry_since = -math.inf
        self.in_flight = 0

    def retune(self, limits: RateLimits) -> None:
        """From now on these limits hold; what was learnt from the provider stays."""
        self.slots.change_most(limits.max_concurrency)
        for bucket, rate, burst_s in (
            (self._requests, limits.requests_per_minute, REQUESTS_BURST_S),
            (self._tokens, limits.tokens_per_minute, TOKENS_BURST_S),
        ):
            if bucket is not None and rate is not None:
                bucket.change_rate(rate / 60, burst=max(1.0, rate / 60 * burst_s))

    async def admit(self, tokens: float, *, max_wait_s: float) -> Ticket:
        """Wait for leave to send a request of about `tokens` tokens; raises `WaitTooLong`."""
        async with self._gate:
            while (wait := self._wait(tokens, max_wait_s)) > 0 or self._is_full():
                if wait > 0:
                    await self._sleep(wait)
                else:
                    self._freed.clear()
                    await self._freed.wait()
            self.pace.take()
            for bucket, amount in ((self._requests, 1.0), (self._tokens, tokens)):
                if bucket is not None:
                    bucket.take(amount)
            self.told["requests"].take(1.0)
            self.told["tokens"].take(tokens)
            self.in_flight += 1
            return Ticket(self._clock(), tokens)

    def finish(
        self,
        ticket: Ticket,
        signal: Signal,
        *,
        retry_after_s: float | None = None,
        tokens: float | None = None,
    ) -> None:
        """A request ended. `tokens`: what it really used, where known."""
        if tokens is not None and self._tokens is not None:
            self._tokens.take(tokens - ticket.tokens)
        if signal in {Signal.RATE_LIMITED, Signal.OVERLOADED}:
            self._congested(ticket, signal, retry_after_s)
        if signal in {Signal.OUTAGE, Signal.OVERLOADED}:
            self.breaker.failed(sent_at=ticket.sent_at)
        elif signal is Signal.FINE:
            self._served_since_cut |= ticket.sent_at > self._cut_at
            self.breaker.served()
            self.pace.served(ticket.sent_at)
            self._flowing()
            self.slots.grow()
        self.release()

    def hear(self, allowances: Iterable[Allowance], ticket: Ticket) -> None:
        """What the response to the ticket's request said of the provider's limits."""
        for allowance in allowances:
            each = 1.0 if allowance.counted == "requests" else ticket.tokens
            self.told[allowance.counted].hear(
                allowance, sent_at=ticket.sent_at, in_flight=each * self.in_flight
            )

    def release(self) -> None:
        """A request ended without telling anything, for instance by cancellation."""
        self.in_flight -= 1
        self._freed.set()

    def _congested(self, ticket: Ticket, signal: Signal, retry_after_s: float | None) -> None:
        now = self._clock()
        # One cut per congestion: requests sent before the last cut were sent under the old limit.
        fresh = ticket.sent_at > self._cut_at
        repeated = fresh and not self._served_since_cut
        self._in_a_row += 1
        if signal is Signal.RATE_LIMITED:
            # A refused rate is answered by pace. Slots give way too at first, when how many are in
            # flight is chance.
            if self.pace.rate is None:
                self.slots.cut(self.in_flight)
            if not self._is_dry or ticket.sent_at < self._dry_at:
                self.pace.refused(ticket.sent_at, in_flight=self.in_flight)
            self._rest(ticket, retry_after_s)
        elif fresh:
            self.slots.cut(self.in_flight)
            if retry_after_s is not None and (retry_after_s > self.LONG_PAUSE_S or repeated):
                self._pause_until = max(self._pause_until, now + retry_after_s)
        if fresh:
            self._cut_at, self._served_since_cut = now, False

    def _flowing(self) -> None:
        """A request was served: whatever the provider ran out of is there."""
        if self._is_dry:
            self.pace.rested(self._clock() - self._dry_since)
        self._in_a_row, self._is_dry = 0, False

    def _rest(self, ticket: Ticket, retry_after_s: float | None) -> None:
        """Stop sending where a refusal says that nothing will be served for a while.

        A short Retry-After between requests that are served is this caller's alone: the others keep
        the learnt pace. A long one, or several refusals with nothing served between, is for all;
        then one request goes ahead of the others.
        """
        now, asked = self._clock(), retry_after_s
        long = asked is not None and asked > self.LONG_PAUSE_S
        if not long and self._in_a_row < self.DRY:
            return
        news = not self._is_dry or ticket.sent_at >= self._dry_at
        if news:
            if not self._is_dry:
                self._dry_times, self._dry_since = -1, now
            self._dry_times += 1
            self._is_dry, self._dry_at = True, now
            if asked is None:
                asked = min(self.LONGEST_REST_S, self.FIRST_REST_S * 2**self._dry_times)
        if asked is not None:
            self._pause_until = max(self._pause_until, now + asked)

    def _wait(self, tokens: float, max_wait_s: float) -> float:
        asked = self._pause_until - self._clock()
        rest = self.breaker.wait()
        if asked > max_wait_s:
            raise WaitTooLong(asked, "the provider asked for a pause")
        if rest > max_wait_s:
            raise WaitTooLong(rest, "the provider is down, its circuit is open")
        told = (self.told["requests"].wait(1.0), self.told["tokens"].wait(tokens))
        if max(told) > max_wait_s:
            raise WaitTooLong(max(told), "the provider's own limit is used up")
        due = [0.0, asked, rest, self.pace.wait(), *told]
        if self._requests is not None:
            due.append(self._requests.wait(1.0))
        if self._tokens is not None:
            due.append(self._tokens.wait(tokens))
        return max(due)

    def _is_full(self) -> bool:
        return self.in_flight >= (1 if self.breaker.is_open or self._is_dry else self.slots.limit)


def _bucket(per_minute: float | None, burst_s: float, clock: Clock) -> TokenBucket | None:
    if per_minute is None:
        return None
    per_second = per_minute / 60
    return TokenBucket(per_second, max(1.0, per_second * burst_s), clock)
