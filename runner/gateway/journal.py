"""What is told of each HTTP request, before it is sent and when it is over."""

from dataclasses import dataclass, replace
from typing import Literal

from mitigations.model import Reply
from runner.gateway.faults import Fault
from runner.redact import Redactor


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One HTTP request, told twice: before it is sent and when it is over."""

    key: str
    """The request's content id."""
    model: str
    number: int
    phase: Literal["sent", "done"]
    status: str = ""
    """Of a done attempt: the reply's status, the fault's kind, or `cancelled`."""
    http_status: int | None = None
    detail: str = ""
    latency_s: float = 0.0
    retry_after_s: float | None = None
    """What the provider asked to wait."""
    reserved_usd: float = 0.0
    cost_usd: float | None = None
    """None while unknown; an attempt that may have been charged unseen stays None."""
    may_be_paid: bool = False
    """Over, not answered whole, and perhaps charged: counted at its worst case."""


def finished(
    record: Attempt, result: Reply | Fault | None, *, latency_s: float, redactor: Redactor
) -> Attempt:
    """The second telling of `record`: a reply, a fault, or None for a call that was cancelled."""
    done = replace(record, phase="done", latency_s=latency_s)
    if isinstance(result, Reply):
        return replace(done, status=str(result.status), http_status=200, cost_usd=result.cost_usd)
    if isinstance(result, Fault):
        return replace(
            done,
            status=str(result.kind),
            http_status=result.http_status,
            detail=redactor.detail(result.detail),
            retry_after_s=result.retry_after_s,
            may_be_paid=result.may_be_paid,
            cost_usd=None if result.may_be_paid else 0.0,
        )
    return replace(done, status="cancelled", may_be_paid=True)
