"""Money: the worst case is reserved before a call and replaced by the true cost after it.

Reserved and settled together never pass the limit, whatever the order of calls. Amounts are held in
whole nanodollars, so that a million small sums add up exactly.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mitigations.errors import MitigationsError, OverBudget
from mitigations.model import ModelSpec, Price, Request

_NANO = 1_000_000_000
_CALL_OVERHEAD = 600
"""Tokens a provider may add to a request by itself (its own tool instructions are up to ~530)."""
_TURN_OVERHEAD = 16
"""Tokens of the template around one turn or tool."""


class UnpricedModel(MitigationsError):
    """A paid model without a price: no budget could hold, so nothing starts."""

    def __init__(self, routes: Iterable[str]) -> None:
        named = sorted(set(routes))
        provider, _, name = named[0].partition("/")
        price = "{price: {input_per_mtok: N, output_per_mtok: N, source: WHERE}}"
        entry = f"{{models: {{{name}: {price}}}}}" if len(named) == 1 else price
        super().__init__(
            f"no price is known for {', '.join(named)}\n"
            "  set it in providers.yaml, N in US dollars per million tokens:\n"
            f"  providers: {{{provider}: {entry}}}"
        )


@dataclass(frozen=True, slots=True)
class Reservation:
    """Money set aside for one HTTP request."""

    number: int
    nano: int

    @property
    def usd(self) -> float:
        """The amount in US dollars."""
        return self.nano / _NANO


class Budget:
    """The ledger of one run, for one event loop.

    Args:
        limit_usd: the most the run may cost, or None for no limit (spending is still counted).
        spent_usd: what earlier parts of the same run have cost.
    """

    def __init__(self, limit_usd: float | None, *, spent_usd: float = 0.0) -> None:
        if limit_usd is not None and not (math.isfinite(limit_usd) and limit_usd >= 0):
            raise ValueError(f"a budget is a finite amount of at least 0, not {limit_usd}")
        self._limit = None if limit_usd is None else math.floor(limit_usd * _NANO)
        self._settled = _up(spent_usd)
        self._open: dict[int, int] = {}
        self._reserved = 0
        self._next = 0
        self._overrun = 0

    @property
    def limit_usd(self) -> float | None:
        """The limit in US dollars."""
        return None if self._limit is None else self._limit / _NANO

    @property
    def settled_usd(self) -> float:
        """What finished calls have cost, without any overrun."""
        return self._settled / _NANO

    @property
    def reserved_usd(self) -> float:
        """What is set aside for calls under way."""
        return self._reserved / _NANO

    @property
    def overrun_usd(self) -> float:
        """What providers charged beyond the worst case we had reserved; closes the budget."""
        return self._overrun / _NANO

    @property
    def spent_usd(self) -> float:
        """Everything charged so far."""
        return (self._settled + self._overrun) / _NANO

    def reserve(self, worst_usd: float) -> Reservation:
        """Set aside the worst case of a call; raises `OverBudget` when it does not fit."""
        nano = _up(worst_usd)
        taken = self._settled + self._reserved
        if self._limit is not None and (self._overrun or taken + nano > self._limit):
            raise OverBudget(
                f"the next call could cost ${worst_usd:.4f}; ${self.spent_usd:.4f} of"
                f" ${self.limit_usd:.2f} is spent and ${self.reserved_usd:.4f} reserved\n"
                "  give the same command a larger --budget to go on"
            )
        self._next += 1
        self._open[self._next] = nano
        self._reserved += nano
        return Reservation(self._next, nano)

    def settle(self, reservation: Reservation, cost_usd: float | None) -> None:
        """Replace a reservation by the true cost; None (unknown) counts as the worst case.

        A second settlement of the same reservation is a bug and raises `ValueError`.
        """
        nano = self._close(reservation)
        self._settled += min(nano, cost := nano if cost_usd is None else _up(cost_usd))
        excess = cost - min(nano, cost)
        room = excess if self._limit is None else self._limit - self._settled - self._reserved
        self._settled += min(excess, room)
        self._overrun += excess - min(excess, room)

    def release(self, reservation: Reservation) -> None:
        """Give a reservation back: the call was not charged."""
        self._close(reservation)

    def _close(self, reservation: Reservation) -> int:
        nano = self._open.pop(reservation.number, None)
        if nano is None:
            raise ValueError(f"reservation {reservation.number} is not open")
        self._reserved -= nano
        return nano


def worst_case(request: Request, price: Price) -> float:
    """The most one HTTP request can cost, in US dollars.

    Every tokeniser in use maps a token to at least one byte, so the bytes of the prompt bound its
    tokens; templates and tool instructions are added. The output is bounded by `max_tokens`.
    """
    cache = (price.cached_input_per_mtok or 0.0, price.cache_write_per_mtok or 0.0)
    dearest = max(price.input_per_mtok, *cache)
    output = request.model.max_tokens * price.output_per_mtok
    return (input_bound(request) * dearest + output) / 1_000_000


def input_bound(request: Request) -> int:
    """An upper bound of the input tokens of a request."""
    schema = _schema_size(request.response_schema) if request.response_schema else 0
    texts = [request.system, *(message.content for message in request.messages)]
    size = sum(_size(text) for text in texts) + schema
    for message in request.messages:
        for action in message.actions:
            size += _size(action.tool) + _TURN_OVERHEAD
            size += sum(_size(k) + _size(v) + 8 for k, v in action.arguments.items())
    for tool in request.tools:
        size += _size(tool.name) + _size(tool.description) + 4 * _TURN_OVERHEAD
        size += sum(_size(k) + _size(v) + 40 for k, v in tool.parameters.items())
    return size + _CALL_OVERHEAD + _TURN_OVERHEAD * (len(request.messages) + 1)


def _schema_size(schema: Mapping[str, Any]) -> int:
    """Bytes of a schema; remembered for the few that a run uses over and over."""
    known = _SCHEMAS.get(id(schema))
    if known is None or known[0] is not schema:
        if len(_SCHEMAS) >= 64:
            _SCHEMAS.clear()
        known = _SCHEMAS[id(schema)] = (schema, _size(str(schema)))
    return known[1]


_SCHEMAS: dict[int, tuple[Mapping[str, Any], int]] = {}
"""By identity, and holding the schema, so that no other can take its place."""


def worst_case_of(request: Request) -> float:
    """The same by the price in the request's spec: 0 for free models, `UnpricedModel` without."""
    spec = request.model
    if spec.is_free:
        return 0.0
    if spec.price is None:
        raise UnpricedModel([spec.route])
    return worst_case(request, spec.price)


def require_prices(specs: Iterable[ModelSpec]) -> None:
    """Refuse to start when a paid model has no usable price."""
    unpriced = [spec.route for spec in specs if not spec.is_free and not _usable(spec.price)]
    if unpriced:
        raise UnpricedModel(unpriced)


def _usable(price: Price | None) -> bool:
    if price is None:
        return False
    amounts = (price.input_per_mtok, price.output_per_mtok)
    return all(math.isfinite(amount) and amount >= 0 for amount in amounts)


def _size(text: str) -> int:
    # A flag of the string, so that nothing is encoded to be counted in the usual case.
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _up(usd: float) -> int:
    """Nanodollars, rounded up: a sum of roundings never understates."""
    if not math.isfinite(usd) or usd < 0:
        raise ValueError(f"an amount is finite and at least 0, not {usd}")
    return math.ceil(usd * _NANO)
