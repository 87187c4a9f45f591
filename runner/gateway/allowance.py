"""What a provider says of its own limits in the headers of every response."""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from runner.throttle import Allowance

_SPELLINGS = (
    # what is counted, its limit, what is left of it, when it is whole again
    ("requests", "x-ratelimit-{}-requests"),
    ("tokens", "x-ratelimit-{}-tokens"),
    ("requests", "anthropic-ratelimit-requests-{}"),
    ("tokens", "anthropic-ratelimit-tokens-{}"),
)
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def allowances(headers: Mapping[str, str], *, now: datetime) -> tuple[Allowance, ...]:
    """Requests and tokens left, as OpenAI and Anthropic say it; nothing where they do not."""
    return tuple(_read(headers, now))


def _read(headers: Mapping[str, str], now: datetime) -> Iterator[Allowance]:
    for counted, name in _SPELLINGS:
        limit = _number(headers.get(name.format("limit")))
        left = _number(headers.get(name.format("remaining")))
        reset = _duration(headers.get(name.format("reset"), ""), now)
        if limit and left is not None and reset is not None and left <= limit:
            yield Allowance(counted=counted, limit=limit, left=left, reset_s=reset)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _duration(text: str, now: datetime) -> float | None:
    """Seconds: `6m0s`, `120ms`, `1.5` or a date."""
    plain = _number(text)
    if plain is not None:
        return plain
    parts = _PART.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return _number(str(sum(float(number) * _SECONDS[unit] for number, unit in parts)))
    try:
        due = datetime.fromisoformat(text)
    except ValueError:
        return None
    due = due if due.tzinfo else due.replace(tzinfo=UTC)
    return max(0.0, (due - now).total_seconds())
