"""The gateway: one request in, one typed reply out, and every provider fault a reply too."""

import asyncio
import math
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from mitigations.model import ModelSpec, Reply, Request
from runner.budget import Budget, Reservation, input_bound, require_prices, worst_case_of
from runner.gateway.allowance import allowances
from runner.gateway.attempt import Line, fault_reply, one_request
from runner.gateway.batch_line import BATCH_BODY_LIMIT, BatchLine
from runner.gateway.batches import batch_line
from runner.gateway.clients import Lines
from runner.gateway.faults import BLOCKING, OUTAGE, Fault, FaultKind
from runner.gateway.hosts import Hosts
from runner.gateway.journal import Attempt, finished
from runner.gateway.retry import RetryPolicy
from runner.gateway.routes import bindings, key_of, route_of
from runner.limits import Limiter, RateLimits, Signal, Ticket, Timer, WaitTooLong
from runner.redact import Redactor

BLOCK_AFTER = 3
"""Refusals in a row (key, quota, unknown model) after which a model is called no more."""
_BYTES_PER_TOKEN = 3
"""For pacing only; money is bounded by bytes."""


Limiters = MutableMapping[tuple[str, str | None], Limiter]
"""By route and endpoint."""


@dataclass(slots=True)
class _Model:
    """What the gateway keeps of one model."""

    spec_route: str
    line: Line
    limiter: Limiter
    refused_in_a_row: int = 0


class Gateway:
    """Calls models. Retries, limits, money and redaction are in here; errors come out as replies.

    Args:
        environ: where keys are looked up; the process's environment by default.
        budget: reserved before each HTTP request and settled after it.
        on_attempt: called before and after each HTTP request, for the journal.
        kept: returns once all that was told is on disk; awaited before a call is tried again, so
            that no request of unknown cost is forgotten for the next one.
        policy: how long and how often a call is tried.
        limits: by route (`provider/name`), or by provider; a default for the rest.
        allowed_hosts: private hosts the operator allows (see `hosts`).
        timer: clock and sleep.
        limiters: gates that outlive this gateway, for a worker that makes one a lease.
    """

    def __init__(  # noqa: PLR0913 - what a composition root may set, each with a default
        self,
        *,
        environ: Mapping[str, str] | None = None,
        budget: Budget | None = None,
        on_attempt: Callable[[Attempt], None] | None = None,
        kept: Callable[[], Awaitable[None]] | None = None,
        policy: RetryPolicy | None = None,
        limits: Mapping[str, RateLimits] | None = None,
        allowed_hosts: Iterable[str] = (),
        timer: Timer | None = None,
        limiters: Limiters | None = None,
    ) -> None:
        self._limiters = limiters
        self._environ = os.environ if environ is None else environ
        self._budget = budget
        self._on_attempt = on_attempt or (lambda _: None)
        self._kept = kept
        self._policy = policy or RetryPolicy()
        self._limits = dict(limits or {})
        self._hosts = Hosts(frozenset(allowed_hosts))
        self._timer = timer or Timer()
        self._clock = self._timer.clock
        self._lines = Lines(self._hosts)
        self._batch_lines = Lines(self._hosts, limit=BATCH_BODY_LIMIT)
        self._bindings = bindings()
        self._models: dict[ModelSpec, _Model] = {}
        self._key_names: set[str] = set()
        self._redactor = Redactor.from_environment(self._environ)
        self.blocked: dict[str, str] = {}
        """Route to reason: models that refuse every call until a person acts (key, quota, name)."""
        self.attempts: Counter[str] = Counter()
        """HTTP requests so far by how they ended."""

    def check(self, specs: Iterable[ModelSpec], *, priced: bool = False) -> None:
        """Refuse before any call what could not work.

        Raises `MissingKey`, `UnsafeAddress`, `NoRoute` and, with `priced`, `UnpricedModel`. Makes
        no connection and imports no SDK.
        """
        listed = [spec for spec in specs if spec.provider != "simulated"]
        for spec in listed:
            self._model(spec)
        if priced:
            require_prices(listed)

    async def complete(self, request: Request) -> Reply:
        """Call the model. Raises `MissingKey`, `OverBudget` and bugs; never a provider's fault."""
        model = self._model(request.model)
        route = request.model.route
        rng = random.Random(request.key or route)  # noqa: S311 - spreads retries, guards nothing
        started: float | None = None
        number = 0
        doubt_usd = 0.0
        """What requests that failed may have cost all the same."""
        while True:
            if route in self.blocked:
                return self._give_up(_blocked(self.blocked[route]), request, number, doubt_usd)
            number += 1
            ticket = await self._admit(model, request, started)
            if isinstance(ticket, Fault):
                return self._give_up(ticket, request, number - 1, doubt_usd)
            started = ticket.sent_at if started is None else started
            left = self._policy.deadline_s - (ticket.sent_at - started)
            limit = min(self._policy.request_timeout_s, left)
            result = await self._attempt(model, request, ticket, number, timeout_s=limit)
            if isinstance(result, Reply):
                return replace(result, attempts=number, unconfirmed_usd=doubt_usd)
            if result.may_be_paid:
                doubt_usd += _priced(request)
            pause = self._policy.pause(result, number, rng)
            end = self._policy.verdict(result, number, pause, self._clock() - started)
            if end is not None:
                return self._give_up(end, request, number, doubt_usd)
            if self._kept is not None:
                await self._kept()
            await self._timer.sleep(pause)

    def batches(self, spec: ModelSpec) -> BatchLine:
        """The batch interface of a model's provider; raises `NoRoute` where it has none for us."""
        return batch_line(spec, self._model(spec).line, self._batch_lines)

    async def close(self) -> None:
        """Close every connection."""
        await self._lines.close()
        await self._batch_lines.close()

    def limiter(self, spec: ModelSpec) -> Limiter:
        """The gate in front of a model: for progress displays and tests."""
        return self._model(spec).limiter

    def redactor(self) -> Redactor:
        """The mask this gateway uses, for whoever else writes what providers say."""
        return self._redactor

    def _model(self, spec: ModelSpec) -> _Model:
        known = self._models.get(spec)
        if known is not None:
            return known
        route = route_of(spec, self._hosts)
        key = key_of(route, self._environ, where=spec.route)
        if route.key_variable is not None:
            self._bindings.bind(route.key_variable, route.host, where=spec.route)
            if route.key_variable not in self._key_names:
                self._key_names.add(route.key_variable)
                self._redactor = Redactor.from_environment(self._environ, names=self._key_names)
        # Specs that differ only in settings share one gate: the provider counts them together.
        same = (
            model.limiter
            for other, model in self._models.items()
            if (other.route, other.base_url) == (spec.route, spec.base_url)
        )
        limiter = next(same, None) or self._limiter(spec)
        made = _Model(spec_route=spec.route, line=Line(route=route, key=key), limiter=limiter)
        self._models[spec] = made
        return made

    def _limiter(self, spec: ModelSpec) -> Limiter:
        made = Limiter(self._limits_of(spec), self._timer)
        if self._limiters is None:
            return made
        return self._limiters.setdefault((spec.route, spec.base_url), made)

    def _limits_of(self, spec: ModelSpec) -> RateLimits:
        for name in (spec.route, spec.provider):
            if name in self._limits:
                return self._limits[name]
        if spec.provider == "local":
            # The server on this machine has few slots; what waits there runs into our time limit.
            return RateLimits(start_concurrency=2, max_concurrency=4)
        return RateLimits()

    async def _admit(
        self, model: _Model, request: Request, started: float | None
    ) -> Ticket | Fault:
        """Leave to send, or why it does not come in time; `started`: the call's first request."""
        estimate = input_bound(request) / _BYTES_PER_TOKEN + request.model.max_tokens
        allowed = self._policy.max_wait_s
        end = math.inf if started is None else started + self._policy.deadline_s
        try:
            most = min(allowed, end - self._clock())
            ticket = await model.limiter.admit(estimate, max_wait_s=most)
        except WaitTooLong as wait:
            late = wait.wait_s <= allowed
            kind = FaultKind.DEADLINE if late else FaultKind.WAIT_TOO_LONG
            return Fault(kind=kind, detail=str(wait))
        if ticket.sent_at < end:
            return ticket
        model.limiter.release()
        detail = f"no turn within {self._policy.deadline_s:.0f} s"
        return Fault(kind=FaultKind.DEADLINE, detail=detail)

    async def _attempt(
        self, model: _Model, request: Request, ticket: Ticket, number: int, *, timeout_s: float
    ) -> Reply | Fault:
        """One HTTP request with its money, its journal lines and its lesson for the limiter."""
        record = Attempt(key=request.key, model=request.model.route, number=number, phase="sent")
        reservation: Reservation | None = None
        result: Reply | Fault | None = None
        told = False
        try:
            reservation = self._reserve(request)
            record = replace(record, reserved_usd=reservation.usd if reservation else 0.0)
            self._on_attempt(record)
            told = True
            await self._lines.open(model.line.route, model.line.key)
            sent_at = self._clock()
            result = await self._send(model, request, ticket, timeout_s)
            if isinstance(result, Reply):
                result = replace(result, latency_s=self._clock() - sent_at)
            return result
        finally:
            # Also on cancellation: the request may be under way, so its worst case counts.
            self._settle(reservation, result)
            self._learn(model, ticket, result)
            if told:
                self._tell(record, result, self._clock() - ticket.sent_at)

    async def _send(
        self, model: _Model, request: Request, ticket: Ticket, limit: float
    ) -> Reply | Fault:
        def heard(headers: Mapping[str, str]) -> None:
            model.limiter.hear(allowances(headers, now=datetime.now(UTC)), ticket)

        try:
            async with asyncio.timeout(limit):
                return await one_request(
                    request,
                    model.line,
                    self._lines,
                    redactor=self._redactor,
                    timeout_s=limit,
                    heard=heard,
                )
        except TimeoutError:
            detail = f"no whole answer within {limit:g} s"
            return Fault(kind=FaultKind.TIMEOUT, detail=detail, may_be_paid=True)

    def _reserve(self, request: Request) -> Reservation | None:
        if self._budget is None:
            return None
        worst = worst_case_of(request)
        return self._budget.reserve(worst) if worst > 0 else None

    def _settle(self, reservation: Reservation | None, result: Reply | Fault | None) -> None:
        if reservation is None or self._budget is None:
            return
        if isinstance(result, Fault) and not result.may_be_paid:
            self._budget.release(reservation)
        else:
            cost = result.cost_usd if isinstance(result, Reply) else None
            self._budget.settle(reservation, cost)

    def _learn(self, model: _Model, ticket: Ticket, result: Reply | Fault | None) -> None:
        """Tell the limiter, and count refusals that only a person can lift."""
        if result is None:
            model.limiter.release()
            return
        if isinstance(result, Reply):
            model.refused_in_a_row = 0
            used = result.usage
            known = used.input_tokens is not None and used.output_tokens is not None
            tokens = (used.input_tokens or 0) + (used.output_tokens or 0) if known else None
            model.limiter.finish(ticket, Signal.FINE, tokens=tokens)
            return
        model.limiter.finish(
            ticket, _signal(result), retry_after_s=result.retry_after_s, tokens=None
        )
        if result.kind not in BLOCKING:
            return
        model.refused_in_a_row += 1
        if model.refused_in_a_row >= BLOCK_AFTER:
            route = model.line.route
            reason = self._redactor.detail(f"{result.kind}: {result.detail}")
            self.blocked[model.spec_route] = f"{reason} ({route.host})"

    def _tell(self, record: Attempt, result: Reply | Fault | None, latency_s: float) -> None:
        done = finished(record, result, latency_s=latency_s, redactor=self._redactor)
        self.attempts[done.status] += 1
        self._on_attempt(done)

    def _give_up(self, fault: Fault, request: Request, number: int, doubt_usd: float) -> Reply:
        reply = fault_reply(fault, request, redactor=self._redactor)
        cost = None if doubt_usd else reply.cost_usd
        return replace(reply, attempts=number, cost_usd=cost, unconfirmed_usd=doubt_usd)


def _priced(request: Request) -> float:
    """Worst case of one request; nothing where no price is known, as no budget then holds."""
    return worst_case_of(request) if request.model.is_free or request.model.price else 0.0


def _blocked(reason: str) -> Fault:
    return Fault(kind=FaultKind.BLOCKED, detail=f"no longer called after {reason}")


def _signal(fault: Fault) -> Signal:
    if fault.kind is FaultKind.RATE_LIMITED:
        return Signal.RATE_LIMITED
    if fault.kind is FaultKind.OVERLOADED:
        return Signal.OVERLOADED
    return Signal.OUTAGE if fault.kind in OUTAGE else Signal.FINE
