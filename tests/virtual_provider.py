"""Providers that limit a rate, each in its own way, in virtual time; and a storm of callers."""

import asyncio
import math
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from runner.gateway.faults import Fault, FaultKind
from runner.gateway.retry import RetryPolicy
from runner.limits import Limiter, RateLimits, Signal
from runner.throttle import Allowance
from tests.virtual_time import World

USUAL_JITTER = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How a provider limits requests."""

    kind: Literal["bucket", "window", "sliding"]
    rate: float
    """Requests a second, in the long run."""
    room: float
    """Of a bucket its size in requests, of a window its length in seconds."""
    latency_s: float
    retry_after: Literal["none", "exact", "ceil", "floor"] = "ceil"
    headers: bool = False
    """Says limit, remaining and reset in every response, resets rounded up to whole seconds."""
    callers: int = 64
    jitter: float = USUAL_JITTER
    """A latency is up to so much more or less, as a share."""
    random_refusals: float = 0.0

    @property
    def name(self) -> str:
        size = f"{self.room:g}" + ("" if self.kind == "bucket" else " s")
        told = ", told" if self.headers else ""
        spread = (
            "" if self.jitter == USUAL_JITTER else f" +- {self.jitter * 1000 * self.latency_s:g} ms"
        )
        return (
            f"{self.kind} {size}, {self.rate:g}/s, {self.latency_s:g} s{spread}, "
            f"Retry-After {self.retry_after}{told}"
        )


SHAPES = (
    Shape(kind="bucket", rate=50, room=5, latency_s=0.05),
    Shape(kind="bucket", rate=50, room=50, latency_s=0.05),
    Shape(kind="bucket", rate=10, room=1, latency_s=0.2, jitter=0.01),
    Shape(kind="bucket", rate=50, room=50, latency_s=0.5),
    Shape(kind="bucket", rate=50, room=5, latency_s=0.5, retry_after="exact"),
    Shape(kind="bucket", rate=10, room=10, latency_s=2.0),
    Shape(kind="bucket", rate=10, room=2, latency_s=0.2),
    Shape(kind="bucket", rate=100, room=100, latency_s=0.2, retry_after="none"),
    Shape(kind="bucket", rate=100, room=6000, latency_s=1.0, callers=200),
    Shape(kind="bucket", rate=200, room=20, latency_s=1.0, callers=400),
    Shape(kind="bucket", rate=2, room=2, latency_s=3.0),
    Shape(kind="window", rate=10, room=60, latency_s=1.0),
    Shape(kind="window", rate=10, room=60, latency_s=1.0, retry_after="none"),
    Shape(kind="window", rate=20, room=60, latency_s=0.3, retry_after="floor"),
    Shape(kind="window", rate=50, room=1, latency_s=0.2),
    Shape(kind="sliding", rate=10, room=60, latency_s=1.0),
    Shape(kind="sliding", rate=30, room=10, latency_s=0.5, retry_after="exact"),
    Shape(kind="bucket", rate=50, room=50, latency_s=0.5, headers=True),
    Shape(kind="bucket", rate=10, room=600, latency_s=1.0, headers=True),
    Shape(kind="window", rate=10, room=60, latency_s=1.0, headers=True),
    Shape(kind="window", rate=50, room=10, latency_s=0.3, headers=True),
)
"""From the smallest bucket to a window of a minute."""


class Provider:
    """Decides each request at the moment it arrives."""

    def __init__(self, shape: Shape, clock: Callable[[], float], rng: random.Random) -> None:
        self.shape, self.clock, self.rng = shape, clock, rng
        self.level, self.at = shape.room, 0.0
        # A window begins when it begins, not when we do.
        self.phase = rng.random() * shape.room
        self.window, self.used = -1, 0
        self.times: deque[float] = deque()
        self.served = self.refused = 0

    def arrive(self) -> float | None:
        """None for a request that is served; else seconds until one would be."""
        if self.rng.random() < self.shape.random_refusals:
            wait: float | None = 0.0
        else:
            wait = getattr(self, f"_{self.shape.kind}")()
        self.served += wait is None
        self.refused += wait is not None
        return wait

    def told(self) -> tuple[Allowance, ...]:
        """What the headers of this response say."""
        shape = self.shape
        if not shape.headers:
            return ()
        if shape.kind == "bucket":
            limit, left = shape.room, self.level
            reset = (limit - left) / shape.rate
        else:
            limit = shape.rate * shape.room
            left = limit - self.used
            reset = self._window_end() - self.clock()
        return (
            Allowance(
                counted="requests",
                limit=limit,
                left=float(math.floor(left)),
                reset_s=float(math.ceil(reset)),
            ),
        )

    def _bucket(self) -> float | None:
        now, shape = self.clock(), self.shape
        self.level = min(shape.room, self.level + (now - self.at) * shape.rate)
        self.at = now
        if self.level < 1 - 1e-9:
            return (1 - self.level) / shape.rate
        self.level -= 1
        return None

    def _window_end(self) -> float:
        room = self.shape.room
        return (math.floor((self.clock() + self.phase) / room) + 1) * room - self.phase

    def _window(self) -> float | None:
        number = math.floor((self.clock() + self.phase) / self.shape.room)
        if number != self.window:
            self.window, self.used = number, 0
        if self.used >= self.shape.rate * self.shape.room:
            return self._window_end() - self.clock()
        self.used += 1
        return None

    def _sliding(self) -> float | None:
        now, room = self.clock(), self.shape.room
        while self.times and self.times[0] <= now - room:
            self.times.popleft()
        if len(self.times) >= self.shape.rate * room:
            return self.times[0] + room - now
        self.times.append(now)
        return None


_ROUND: Mapping[str, Callable[[float], float]] = {
    "exact": lambda wait: wait,
    "ceil": math.ceil,
    "floor": math.floor,
}


class Result(NamedTuple):
    """A storm after its first seconds."""

    used: float
    """Share of the allowed rate that was served."""
    refused: float
    """Share of the requests that were refused."""


def storm(
    shape: Shape, *, seed: int, learn_s: float, seconds: float, limits: RateLimits | None = None
) -> Result:
    """As many callers as the shape has, each with one request after another for so long."""
    world, rng = World(), random.Random(seed)
    provider = Provider(shape, world.clock, rng)
    limiter = Limiter(limits or RateLimits(), world.timer)
    policy = RetryPolicy()
    marks: list[tuple[float, int, int]] = []

    async def request(number: int) -> bool:
        ticket = await limiter.admit(1, max_wait_s=600)
        way = shape.latency_s * rng.uniform(1 - shape.jitter, 1 + shape.jitter)
        await world.sleep(way / 2)
        wait, told = provider.arrive(), provider.told()
        await world.sleep(way / 2)
        limiter.hear(told, ticket)
        if wait is None:
            limiter.finish(ticket, Signal.FINE)
            return True
        asked = None if shape.retry_after == "none" else float(_ROUND[shape.retry_after](wait))
        limiter.finish(ticket, Signal.RATE_LIMITED, retry_after_s=asked)
        fault = Fault(kind=FaultKind.RATE_LIMITED, detail="", retry_after_s=asked)
        await world.sleep(policy.pause(fault, number, rng))
        return False

    async def caller() -> None:
        number = 0
        while world.now < learn_s + seconds:
            number = 0 if await request(number + 1) else number + 1

    async def watch() -> None:
        for pause in (learn_s, seconds):
            await world.sleep(pause)
            marks.append((world.now, provider.served, provider.refused))

    async def main() -> None:
        await asyncio.gather(watch(), *(caller() for _ in range(shape.callers)))

    world.run(main())
    (begun, served, refused), (ended, served_then, refused_then) = marks
    served, refused = served_then - served, refused_then - refused
    return Result(served / (shape.rate * (ended - begun)), refused / max(1, served + refused))
