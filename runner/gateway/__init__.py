"""The provider gateway: `Gateway(...).complete(request) -> Reply`.

Anthropic, OpenAI and OpenAI-compatible endpoints go through their own SDK, everything else through
LiteLLM; names follow LiteLLM. The same bytes give equal replies on both routes, except `sent` (what
each library made of the parameters) and `latency_s`.
"""

from runner.gateway.batch_line import BatchLine, BatchState, BatchTrouble, custom_id
from runner.gateway.exceptions import Disposition
from runner.gateway.faults import FaultKind
from runner.gateway.gateway import Gateway
from runner.gateway.hosts import UnsafeAddress
from runner.gateway.journal import Attempt
from runner.gateway.retry import RetryPolicy
from runner.gateway.routes import NoRoute

__all__ = [
    "Attempt",
    "BatchLine",
    "BatchState",
    "BatchTrouble",
    "Disposition",
    "FaultKind",
    "Gateway",
    "NoRoute",
    "RetryPolicy",
    "UnsafeAddress",
    "custom_id",
]
