"""The one owner of retries. Everything below is told to make exactly one request."""

import random
from dataclasses import dataclass

from runner.gateway.faults import Fault, FaultKind


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How long and how often one call is tried. Times in seconds."""

    attempts: int = 6
    """HTTP requests for one call, the first included."""
    base_s: float = 0.5
    cap_s: float = 60.0
    """Longest pause of our own choosing."""
    request_timeout_s: float = 300.0
    """Total time of one HTTP request, however slowly it drips."""
    deadline_s: float = 1800.0
    """Total time of one call from its first request to its end: pauses and turns included."""
    max_wait_s: float = 600.0
    """Longest wait a provider may ask for; a longer one ends the call (`--max-wait`)."""

    def pause(self, fault: Fault, number: int, rng: random.Random) -> float:
        """Seconds to wait after request `number`: what the provider asked for, and never less.

        Without its word, exponential with full jitter, so that many callers do not return at once.
        """
        backoff = min(self.cap_s, self.base_s * 2 ** min(number - 1, 30))
        if fault.retry_after_s is not None:
            return fault.retry_after_s + rng.uniform(0, min(self.base_s, 0.1 * fault.retry_after_s))
        return rng.uniform(backoff / 4, backoff)

    def verdict(self, fault: Fault, number: int, pause_s: float, elapsed_s: float) -> Fault | None:
        """Why the call ends with this fault, or None when it is to be tried again."""
        if not fault.retryable or number >= self.attempts:
            return fault
        if pause_s > self.max_wait_s:
            return Fault(
                kind=FaultKind.WAIT_TOO_LONG,
                detail=f"asked to wait {pause_s:.0f} s, {self.max_wait_s:.0f} s is allowed"
                f" ({fault.kind}: {fault.detail})",
                http_status=fault.http_status,
                retry_after_s=fault.retry_after_s,
            )
        if elapsed_s + pause_s > self.deadline_s:
            return Fault(
                kind=FaultKind.DEADLINE,
                detail=f"no answer within {self.deadline_s:.0f} s ({fault.kind}: {fault.detail})",
                http_status=fault.http_status,
            )
        return None
