"""How fast one model may be called: slots, rates, pauses and a circuit breaker.

Each provider and model has a `Limiter` of its own. Clock and sleep are arguments, so every rule
here is tested without waiting. Nothing here knows a provider.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]


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


class TokenBucket:
    """A rate with a bounded burst. Takes may overdraw; what is owed delays the next take."""

    def __init__(self, per_second: float, burst: float, clock: Clock) -> None:
        if not per_second > 0 or not burst > 0:
            raise ValueError("a rate and its burst are positive")
        self._rate, self._burst, self._clock = per_second, burst, clock
        self._level, self._at = burst, clock()

    def wait(self, amount: float) -> float:
        """Seconds until `amount` may be taken; an amount beyond the burst needs a full bucket."""
        self._fill()
        short = min(amount, self._burst) - self._level
        # A rounding error of the clock must not turn into a second, empty sleep.
        return short / self._rate if short > 1e-9 else 0.0

    def take(self, amount: float) -> None:
        """Take now; negative amounts give back what was taken in excess."""
        self._fill()
        self._level = min(self._burst, self._level - amount)

    def _fill(self) -> None:
        now = self._clock()
        self._level = min(self._burst, self._level + max(0.0, now - self._at) * self._rate)
        self._at = now


class Slots:
    """Requests in flight: additive increase, multiplicative decrease.

    Doubles per round trip until the first congestion; then fast up to nine tenths of the level
    that last was too much, and by one per round trip beyond it.
    """

    CUT = 0.7

    def __init__(self, start: int, most: int) -> None:
        self._limit, self._most = float(min(start, most)), float(most)
        self._ceiling = math.inf

    @property
    def limit(self) -> int:
        """How many may be in flight now; at least 1."""
        return max(1, math.floor(self._limit))

    def grow(self) -> None:
        """One request was served."""
        near = self._limit >= 0.9 * self._ceiling
        self._limit = min(self._most, self._limit + (1 / self._limit if near else 0.5))

    def cut(self, in_flight: int) -> None:
        """One request met congestion with `in_flight` under way, itself included."""
        self._ceiling = float(max(1, min(in_flight, self.limit)))
        self._limit = max(1.0, self._ceiling * self.CUT)


class Pace:
    """A request rate learnt from refusals: cut below what was served, then slowly up again.

    A refusal says that the provider's allowance is used up. Between two refusals it went from empty
    to empty, so what was served in between, over the time, is the provider's own rate.
    """

    CUT = 0.95
    GROWTH = 0.0025
    """Share of the rate regained per second."""
    FIRST_GROWTH = 0.02
    """The same after the first cut, which had little to measure the rate by."""
    SURGE_S = 60.0
    """After so many seconds without a refusal the rate has about doubled, and then grows as the
    cube of the time: a rate learnt in a bad moment is not kept for long."""
    WINDOW_S = 60.0
    FLOOR = 1 / 60

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rate: float | None = None
        self._cut_at = self._next = self._first = clock()
        self._cuts = 0
        self._served: deque[float] = deque()

    @property
    def rate(self) -> float | None:
        """Requests per second, or None while nothing was ever refused."""
        if self._rate is None:
            return None
        calm = self._clock() - self._cut_at
        growth = self.FIRST_GROWTH if self._cuts == 1 else self.GROWTH
        return self._rate * (1 + growth * calm + (calm / self.SURGE_S) ** 3)

    def wait(self) -> float:
        """Seconds until the next request is due."""
        return 0.0 if self._rate is None else max(0.0, self._next - self._clock())

    def take(self) -> None:
        """A request goes out now. Lateness of up to 50 ms is made up for, not more."""
        rate = self.rate
        if rate is not None:
            self._next = max(self._next, self._clock() - 0.05) + 1 / rate

    def served(self) -> None:
        """A request was served."""
        now = self._clock()
        if self._cuts == 0 and not self._served:
            self._first = now  # the time before the first answer says nothing of the rate
        self._served.append(now)
        while self._served and self._served[0] < now - self.WINDOW_S:
            self._served.popleft()

    def cut(self) -> None:
        """A request was refused for its rate."""
        now, rate = self._clock(), self.rate
        since = max(now - self.WINDOW_S, self._first if rate is None else self._cut_at)
        served = sum(1 for at in self._served if at >= since)
        seen = served / (now - since) if now > since and served > 1 else None
        if rate is None:
            rate = seen or 1.0
        # A window shorter than a second measures chance, not the provider.
        elif seen is not None and now - since >= 1:
            rate = min(rate, seen / self.CUT)
        self._cuts += 1
        self._rate, self._cut_at = max(self.FLOOR, rate * self.CUT), now


class Breaker:
    """Opens after many outages in a row; lets one probe through after each rest."""

    LONGEST_S = 120.0

    def __init__(self, after: int, cool_s: float, clock: Clock) -> None:
        self._after, self._first_s, self._clock = after, cool_s, clock
        self._failures, self._cool_s = 0, cool_s
        self._until: float | None = None

    @property
    def is_open(self) -> bool:
        """True from opening until a probe is served: at most one request at a time."""
        return self._until is not None

    def wait(self) -> float:
        """Seconds until a probe may go."""
        return 0.0 if self._until is None else max(0.0, self._until - self._clock())

    def served(self) -> None:
        """The provider answered."""
        self._failures, self._until, self._cool_s = 0, None, self._first_s

    def failed(self, *, sent_at: float) -> None:
        """A request sent at `sent_at` met an outage.

        Requests that were out when the circuit opened say nothing new.
        """
        self._failures += 1
        now = self._clock()
        if self._until is None:
            if self._failures >= self._after:
                self._until = now + self._cool_s
        elif sent_at >= self._until:
            self._cool_s = min(self.LONGEST_S, self._cool_s * 2)
            self._until = now + self._cool_s


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

    def __init__(self, limits: RateLimits, timer: Timer) -> None:
        clock, self._sleep = timer.clock, timer.sleep
        self._clock = clock
        self.slots = Slots(limits.start_concurrency, limits.max_concurrency)
        self.pace = Pace(clock)
        self.breaker = Breaker(limits.breaker_after, limits.breaker_cool_s, clock)
        self._requests = _bucket(limits.requests_per_minute, 1.0, clock)
        self._tokens = _bucket(limits.tokens_per_minute, 10.0, clock)
        self._gate = asyncio.Lock()
        self._freed = asyncio.Event()
        self._pause_until = -math.inf
        self._cut_at = -math.inf
        self._served_since_cut = True
        self.in_flight = 0

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
            self.pace.served()
            self.slots.grow()
        self.release()

    def release(self) -> None:
        """A request ended without telling anything, for instance by cancellation."""
        self.in_flight -= 1
        self._freed.set()

    def _congested(self, ticket: Ticket, signal: Signal, retry_after_s: float | None) -> None:
        now = self._clock()
        # One cut per congestion: requests sent before the last cut were sent under the old limit.
        fresh = ticket.sent_at > self._cut_at
        repeated = fresh and not self._served_since_cut
        if fresh:
            self._cut_at, self._served_since_cut = now, False
            # A refused rate is answered by pace. Slots give way too at first, when how many are in
            # flight is chance, and when nothing was served since the last refusal.
            if signal is Signal.OVERLOADED or self.pace.rate is None or repeated:
                self.slots.cut(self.in_flight)
            if signal is Signal.RATE_LIMITED:
                self.pace.cut()
        if retry_after_s is None:
            return
        # A short Retry-After after a served request is this caller's alone: the others keep the
        # learnt pace. A long one, or a second with nothing served between, is for all.
        if retry_after_s > self.LONG_PAUSE_S or repeated:
            self._pause_until = max(self._pause_until, now + retry_after_s)

    def _wait(self, tokens: float, max_wait_s: float) -> float:
        asked = self._pause_until - self._clock()
        rest = self.breaker.wait()
        if asked > max_wait_s:
            raise WaitTooLong(asked, "the provider asked for a pause")
        if rest > max_wait_s:
            raise WaitTooLong(rest, "the provider is down, its circuit is open")
        due = [0.0, asked, rest, self.pace.wait()]
        if self._requests is not None:
            due.append(self._requests.wait(1.0))
        if self._tokens is not None:
            due.append(self._tokens.wait(tokens))
        return max(due)

    def _is_full(self) -> bool:
        return self.in_flight >= (1 if self.breaker.is_open else self.slots.limit)


def _bucket(per_minute: float | None, burst_s: float, clock: Clock) -> TokenBucket | None:
    if per_minute is None:
        return None
    per_second = per_minute / 60
    return TokenBucket(per_second, max(1.0, per_second * burst_s), clock)
