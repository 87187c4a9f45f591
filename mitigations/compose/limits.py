"""What a person may set about calls, and what is kept of each HTTP request."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from mitigations.providers import Providers
from runner.gateway import Attempt, RetryPolicy
from runner.limits import RateLimits


class Witness(Protocol):
    """Who keeps what became of each HTTP request: a journal, or the lines of a worker."""

    def attempted(self, key: str, model: str, told: Mapping[str, Any]) -> None:
        """Of the call `key` one request is over."""

    async def kept(self) -> None:
        """Return once everything told so far is on disk."""


def policy(max_wait_s: float | None) -> RetryPolicy:
    """How long a call is tried; who allows longer waits allows the call as a whole longer too."""
    usual = RetryPolicy()
    if max_wait_s is None:
        return usual
    return replace(usual, max_wait_s=max_wait_s, deadline_s=max(usual.deadline_s, 3 * max_wait_s))


def limits_of(providers: Providers, *, share: float = 1.0) -> dict[str, RateLimits]:
    """The operator's limits by provider and by route; of several workers, each has its share."""
    found: dict[str, RateLimits] = {}
    for provider, entry in providers.items():
        named = {f"{provider}/{name}": model.limits for name, model in entry.models.items()}
        for route, limits in ({provider: entry.limits} | named).items():
            if limits is not None:
                usual = RateLimits()
                most = limits.max_concurrency or usual.max_concurrency
                most = max(1, math.floor(most * share))
                found[route] = RateLimits(
                    requests_per_minute=_part(limits.requests_per_minute, share),
                    tokens_per_minute=_part(limits.tokens_per_minute, share),
                    start_concurrency=min(usual.start_concurrency, most),
                    max_concurrency=most,
                )
    return found


def _part(amount: float | None, share: float) -> float | None:
    return None if amount is None else amount * share


def told_to(witness: Witness) -> Callable[[Attempt], None]:
    """What the gateway tells of each HTTP request, as a journal line once it is over."""

    def tell(attempt: Attempt) -> None:
        if attempt.phase == "done":
            told = {name: getattr(attempt, name) for name in _TOLD}
            witness.attempted(attempt.key, attempt.model, told)

    return tell


_TOLD = (
    "number",
    "status",
    "http_status",
    "detail",
    "latency_s",
    "retry_after_s",
    "may_be_paid",
    "reserved_usd",
    "cost_usd",
)
