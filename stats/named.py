"""Named quantities: a flat mapping in which a number that does not exist says why.

The contract of `mitigations analyze --json` and of the reference cases: each name holds a finite or
infinite number, a pair of limits, or None; every None has its sentence under `reasons`.
"""

import math
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

Quantities = dict[str, Any]
"""Quantity name to float, pair of floats or None, and `reasons`: name to sentence."""


class Undefined(ValueError):
    """Raised inside a formula whose value does not exist; the message is the printed reason."""


def collect(formulas: Mapping[str, Callable[[], Any]]) -> Quantities:
    """Evaluate each formula on its own, so that one undefined number never hides another.

    >>> collect({"one": lambda: 1.0, "none": lambda: ratio(1, 0, "nothing was counted")})
    {'one': 1.0, 'none': None, 'reasons': {'none': 'nothing was counted'}}
    """
    found: Quantities = {}
    reasons: dict[str, str] = {}
    for name, formula in formulas.items():
        try:
            found[name] = _no_nan(formula())
        except Undefined as exc:
            found[name] = None
            reasons[name] = str(exc)
    found["reasons"] = reasons
    return found


def ratio(numerator: float, denominator: float, reason: str) -> float:
    """Divide, or raise `Undefined` with the reason when the denominator is zero."""
    if denominator == 0:
        raise Undefined(reason)
    return numerator / denominator


def count(value: Any, name: str) -> int:
    """Check that a count is a whole number of at least zero; `Undefined` names the offender."""
    whole = type(value) is not bool and isinstance(value, Real) and math.isfinite(value)
    if not whole or value < 0 or value != int(value):
        raise Undefined(f"{name} must be a whole number of at least 0, not {value!r}")
    return int(value)


def _no_nan(value: Any) -> Any:
    parts = value if isinstance(value, tuple) else (value,)
    if any(isinstance(part, float) and math.isnan(part) for part in parts):
        raise Undefined("the formula has no value for these numbers")
    return value
