"""The rules a `Limiter` is made of: buckets, slots, a learnt pace and a circuit breaker.

None of them waits or knows a provider; each says how long to wait by the clock it was given.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

Clock = Callable[[], float]
"""Monotonic seconds."""


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

    def keep_within(self, least: float, most: float) -> None:
        """So much is there now at least, and at most, whoever took the rest."""
        self._fill()
        self._level = min(max(self._level, least), most)

    def change_rate(self, per_second: float) -> None:
        """From now on it fills at this rate."""
        self._fill()
        self._rate = per_second

    def _fill(self) -> None:
        now = self._clock()
        self._level = min(self._burst, self._level + max(0.0, now - self._at) * self._rate)
        self._at = now


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What a response said of one limit of its provider."""

    counted: str
    """`requests` or `tokens`."""
    limit: float
    left: float
    reset_s: float
    """Seconds until all of it is there again."""


class Told:
    """The provider's own bucket, as its responses describe it.

    What is missing comes back within the reset time, so the rate is (limit - left) / reset: right
    for any unit, a minute or a day. Answers are late: an amount left counts with what has come back
    since its request was sent.
    """

    SHORTEST_S = 0.05
    """A shorter reset says that nothing is missing, and nothing of the rate."""
    SURE_S = 5.0
    """Resets are rounded to seconds by some: a longer one gives the rate well enough."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._bucket: TokenBucket | None = None
        self._limit = self._rate = 0.0

    @property
    def rate(self) -> float | None:
        """Per second, or None while nothing was told."""
        return self._rate if self._bucket is not None else None

    def hear(self, told: Allowance, *, sent_at: float, in_flight: float = 0.0) -> None:
        """What the response to a request sent at `sent_at` said; `in_flight`: not counted yet."""
        missing = told.limit - told.left
        if told.reset_s < self.SHORTEST_S or missing <= 0:
            return
        rate = missing / told.reset_s
        if self._bucket is None or told.limit != self._limit:
            self._limit, self._rate = told.limit, rate
            self._bucket = TokenBucket(rate, told.limit, self._clock)
        elif told.reset_s >= self.SURE_S or not 0.5 <= rate / self._rate <= 2.0:
            self._rate = rate
            self._bucket.change_rate(rate)
        since = self._clock() - sent_at
        self._bucket.keep_within(told.left - in_flight, told.left + self._rate * since)

    def wait(self, amount: float) -> float:
        """Seconds until the provider will have so much."""
        return 0.0 if self._bucket is None else self._bucket.wait(amount)

    def take(self, amount: float) -> None:
        """A request of this amount goes out now."""
        if self._bucket is not None:
            self._bucket.take(amount)


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
    DOUBLE_S = 2.0
    """A rate that was only guessed, as nothing was served before the first refusal, doubles in this
    time until the next one."""
    SURE_S = 5.0
    """A shorter time between two refusals says too little of the provider's rate."""
    WINDOW_S = 60.0
    FLOOR = 1 / 60

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rate: float | None = None
        self._cut_at = self._next = self._first = clock()
        self._cuts = 0
        self._is_guess = False
        self._served: deque[float] = deque()

    @property
    def rate(self) -> float | None:
        """Requests per second, or None while nothing was ever refused."""
        if self._rate is None:
            return None
        calm = self._clock() - self._cut_at
        if self._is_guess:
            return self._rate * 2 ** min(calm / self.DOUBLE_S, 30)
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
            self._is_guess = seen is None
        elif self._is_guess:
            self._is_guess = False  # what was served on the way up says less than where it ended
        # A short window measures chance, and the pause that a refusal asked of every caller.
        elif seen is not None and now - since >= self.SURE_S:
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
