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

    def change_rate(self, per_second: float, *, burst: float | None = None) -> None:
        """From now on it fills at this rate, and holds this much where that is given."""
        self._fill()
        self._rate = per_second
        if burst is not None:
            self._burst = burst
            self._level = min(self._level, burst)

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
        if not 0 < rate < math.inf:
            return  # no such limit exists: numbers made to break who reads them
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

    def change_most(self, most: int) -> None:
        """From now on so many at most."""
        self._most = float(most)
        self._limit = min(self._limit, self._most)

    def grow(self) -> None:
        """One request was served."""
        near = self._limit >= 0.9 * self._ceiling
        self._limit = min(self._most, self._limit + (1 / self._limit if near else 0.5))

    def cut(self, in_flight: int) -> None:
        """One request met congestion with `in_flight` under way, itself included."""
        self._ceiling = float(max(1, min(in_flight, self.limit)))
        self._limit = max(1.0, self._ceiling * self.CUT)


@dataclass(slots=True)
class _Epoch:
    """The requests sent between two falls of a rate."""

    peak: float | None = None
    """The rate it ended with; None: it was not paced."""
    served: int = 0
    refused: int = 0
    busy_s: float = 0.0
    """Time in which requests were due: what idle callers leave out is not counted."""
    is_early: bool = False
    """It ended before the rate was back at the estimate: that was too high."""
    rested_s: float = 0.0
    """Time after it in which nobody was served: until the allowance was there again."""

    @property
    def count(self) -> int:
        """Requests that were answered, either way."""
        return self.served + self.refused

    def estimate(self, prior: float) -> float | None:
        """The provider's rate; None while nothing says anything of it.

        From one refusal to the next its allowance went from empty to empty, so what was served over
        the time is its rate, unless it was full in between: then that is less, and the last rate,
        which was too much, is the better measure. Many refusals say that it never was full.

        Args:
            prior: so many requests more are thought served at the last rate; few are chance.
        """
        if self.peak is None:
            sure = self.served > 1 and self.busy_s > 0
            return self.served / self.busy_s if sure else None
        spent_s = self.busy_s + self.rested_s + prior / self.peak
        seen = min(self.peak, (self.served + prior) / spent_s)
        if self.is_early or self.rested_s or self.refused - 1 > DENSE * self.count:
            return seen
        return max(seen, LEAST * self.peak)


DENSE = 0.05
"""A larger share of refusals says that the provider had no request left in between."""
LEAST = 0.95
"""What is left of a rate after few refusals."""


class Pace:
    """A request rate learnt from refusals: just below what was served, then slowly up again.

    Requests are spread evenly. A refusal ends an epoch; refusals of requests sent before belong to
    the same event, however many. The rate then falls a little below the estimate, so that the
    provider's allowance recovers, comes back to it, stays about there, and rises faster and faster
    beyond. This goes by requests, not by time, so that refusals are a small share of them at any
    rate; what cost many refusals is tried again later.
    """

    CUT = 0.95
    """What is left of a rate that was only guessed."""
    BELOW = 0.02
    """How far the rate falls below the estimate."""
    UNIT = 120
    """Requests until the rate is back at the estimate."""
    PER_REFUSAL = 60
    """The same for each refusal of the event before, where there were more."""
    PER_FLIGHT = 4
    """The same for each request in flight: of what is too much, so many are sent unawares."""
    LEAST_UNIT = 20
    """The same where the estimate is of few requests."""
    UNSURE_S = 14.0
    """Seconds of the same, for callers that send few."""
    LONGEST_S = 90.0
    """A unit of a slow provider is not longer than this."""
    REST = 3.0
    """Requests left out after an event, so that chance in the arrivals meets no empty allowance."""
    DOUBLE_S = 2.0
    """A rate that was only guessed, as nothing was served before the first refusal, doubles in this
    time until the next one."""
    WINDOW_S = 60.0
    """Before the first refusal, what was served longer ago says nothing."""
    LONG_REST_S = 5.0
    """A shorter one may have been asked for although the allowance came back at once."""
    LATE_S = 0.05
    """Lateness of up to this is made up for, not more."""
    FLOOR = 1 / 60

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._base: float | None = None
        self._cut_at = self._next = clock()
        self._first: float | None = None
        self._lately: deque[float] = deque()
        """When requests were served, until the first refusal."""
        self._epoch, self._before = _Epoch(), _Epoch()
        self._known = 0.0
        self._is_guess = self._is_held = False
        self._in_flight, self._units, self._windows = 0, 0.0, 0.0

    @property
    def rate(self) -> float | None:
        """Requests per second, or None while nothing was ever refused."""
        if self._base is None:
            return None
        calm = self._clock() - self._cut_at
        if self._is_guess:
            return self._base * 2 ** min(calm / self.DOUBLE_S, 30)
        units = self._units
        if self._known < self.UNIT:
            units = max(units, min(calm / self.UNSURE_S, 1000.0))
        return self._base * (1 + self.BELOW * (units - 1) ** 3)

    def wait(self) -> float:
        """Seconds until the next request is due."""
        wait = 0.0 if self._base is None else max(0.0, self._next - self._clock())
        self._is_held = self._is_held or wait > 0
        return wait

    def take(self) -> None:
        """A request goes out now."""
        now, rate = self._clock(), self.rate
        if rate is None:
            self._first = now if self._first is None else self._first
            return
        gap = 1 / rate
        if self._is_held:
            # It was this rate that held the callers back: only then it is tried higher.
            self._is_held = False
            self._units += max(1 / self._unit(), gap / self.LONGEST_S)
        self._epoch.busy_s += gap
        self._next = max(self._next, now - self.LATE_S) + gap

    def served(self, sent_at: float = math.inf) -> None:
        """A request was served."""
        now = self._clock()
        if self._base is None:
            self._first = now if self._first is None else self._first
            self._lately.append(now)
            while self._lately[0] < now - self.WINDOW_S:
                self._lately.popleft()
        if sent_at > self._cut_at or self._base is None:
            self._epoch.served += 1
        else:
            self._before.served += 1
            self._settle()

    def refused(self, sent_at: float, *, in_flight: int = 0) -> None:
        """A request was refused for its rate."""
        if self._base is None or (sent_at > self._cut_at and self._epoch.served):
            self.cut(in_flight=in_flight, latency_s=self._clock() - sent_at)
        else:
            self._before.refused += 1
            self._settle()

    def rested(self, seconds: float) -> None:
        """After the last event the provider served nobody for so long; now it does."""
        if seconds > self.LONG_REST_S:
            self._before.rested_s += seconds
            self._settle()
        self._windows = max(self._windows, self._before.count / 2)

    def cut(self, *, in_flight: int = 0, latency_s: float = math.inf) -> None:
        """The first refusal of an event, with so many requests under way."""
        now, rate, epoch = self._clock(), self.rate, self._epoch
        epoch.refused += 1
        epoch.peak, epoch.is_early = rate, self._units < 1
        if rate is None and self._first is not None:
            # Callers start slowly: how many were served lately says more than all.
            epoch.busy_s = min(now - self._first, max(1.0, 2 * latency_s), self.WINDOW_S)
            epoch.served = sum(at >= now - epoch.busy_s for at in self._lately)
        self._known = min(self._known, 2.0 * self.UNIT) / 2 + self._before.count
        self._before, self._epoch = epoch, _Epoch()
        self._in_flight, self._cut_at, self._units = in_flight, now, 0.0
        self._windows *= 0.8
        if self._is_guess and rate is not None:
            # What was served on the way up says less than where it ended.
            self._is_guess, self._base = False, rate * self.CUT / (1 - self.BELOW)
            self._before = _Epoch(peak=self._base)
        elif rate is None and epoch.estimate(0.0) is None:
            self._is_guess, self._base = True, self.CUT
        else:
            self._settle()
        self._next = max(self._next, now) + self.REST / max(self.rate or 1.0, self.FLOOR)

    def _settle(self) -> None:
        """The estimate, as far as what was sent before the last fall has been answered."""
        prior = min(40.0, 5.0 + self._known / 4)
        found = self._before.estimate(prior)
        if found is not None and not self._is_guess:
            self._base = max(self.FLOOR, found)

    def _unit(self) -> float:
        before = self._before
        cost = max(self.PER_REFUSAL * before.refused, self.PER_FLIGHT * self._in_flight)
        whole = max(self.UNIT, self._windows, cost)
        known = max(self.LEAST_UNIT, self._known + before.count, self._in_flight)
        return min(whole, known)


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
