"""What a model costs: a snapshot from LiteLLM's price map, read without importing LiteLLM."""

import importlib.metadata
import importlib.util
import json
import math
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mitigations.model import ModelSpec, Price, Usage

_MAP = "model_prices_and_context_window_backup.json"
_PER_MTOK = 1_000_000


def lookup(route: str) -> Price | None:
    """The price of `provider/name` with its source, or None when it is unknown.

    Where long prompts cost more, this is the price of the shorter ones and the source says so. An
    entry of 0 for a model behind a key is read as unknown: a budget must not trust it.
    """
    return price_in(price_map(), route, source=f"litellm {_version()}")


def price_in(prices: Mapping[str, Any], route: str, *, source: str) -> Price | None:
    """The price of a route in a map of LiteLLM's form."""
    entry = _entry(prices, route)
    if entry is None:
        return None
    inwards, outwards = (
        _number(entry.get(name)) for name in ("input_cost_per_token", "output_cost_per_token")
    )
    if inwards is None or outwards is None or inwards + outwards == 0:
        return None
    cached = _number(entry.get("cache_read_input_token_cost"))
    return Price(
        input_per_mtok=_scaled(inwards),
        output_per_mtok=_scaled(outwards),
        cached_input_per_mtok=None if cached is None else min(_scaled(cached), _scaled(inwards)),
        source=source + _tier(entry),
    )


def cost_usd(spec: ModelSpec, usage: Usage) -> float | None:
    """What a call cost by the spec's price and the tokens reported; None when either is unknown.

    Free models cost 0.0. Cached input is charged at its own price where the price names one.
    """
    if spec.is_free:
        return 0.0
    price = spec.price
    if price is None or usage.input_tokens is None or usage.output_tokens is None:
        return None
    cached = min(usage.cached_tokens or 0, usage.input_tokens)
    cached_price = price.cached_input_per_mtok
    if cached_price is None:
        cached_price = price.input_per_mtok
    fresh = (usage.input_tokens - cached) * price.input_per_mtok
    return (fresh + cached * cached_price + usage.output_tokens * price.output_per_mtok) / _PER_MTOK


@cache
def price_map() -> Mapping[str, Any]:
    """LiteLLM's own map as installed; empty when LiteLLM is not."""
    spec = importlib.util.find_spec("litellm")
    if spec is None or not spec.submodule_search_locations:
        return {}
    path = Path(next(iter(spec.submodule_search_locations))) / _MAP
    if not path.is_file():
        return {}
    loaded = json.loads(path.read_text(encoding="utf-8"))
    return loaded if isinstance(loaded, dict) else {}


def supports_schema(route: str) -> bool:
    """Whether the map says that the provider itself takes a JSON schema for the output."""
    entry = _entry(price_map(), route)
    return bool(entry and entry.get("supports_native_structured_output"))


def _entry(prices: Mapping[str, Any], route: str) -> Mapping[str, Any] | None:
    """The route as written, else the bare name where the map says it is this provider's."""
    provider, _, name = route.partition("/")
    exact = prices.get(route)
    if isinstance(exact, Mapping) and name:
        return exact
    bare = prices.get(name)
    if isinstance(bare, Mapping) and bare.get("litellm_provider") == provider:
        return bare
    return None


def _tier(entry: Mapping[str, Any]) -> str:
    """Up to which prompt length the base price holds, where longer ones cost more."""
    found = (re.fullmatch(r"input_cost_per_token_above_(\d+k)_tokens", name) for name in entry)
    limits = sorted((match[1] for match in found if match), key=lambda text: int(text[:-1]))
    return f", prompts up to {limits[0]} tokens" if limits else ""


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None


def _scaled(per_token: float) -> float:
    return round(per_token * _PER_MTOK, 9)


def _version() -> str:
    try:
        return importlib.metadata.version("litellm")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"
