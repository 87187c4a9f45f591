"""What a model costs: a snapshot from LiteLLM's price map, read without importing LiteLLM."""

import importlib.metadata
import importlib.util
import json
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from mitigations.model import ModelSpec, Price, Usage

_MAP = "model_prices_and_context_window_backup.json"
_PER_MTOK = 1_000_000
_CACHE_MINIMUM: Mapping[str, int] = {"openai": 1024}
"""Where the map states none for a model that caches: by the provider's own documentation."""


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
    live = _priced(entry, "", source + _tier(entry))
    return live and replace(live, batch=_priced(entry, "_batches", live.source))


def _priced(entry: Mapping[str, Any], kind: str, source: str) -> Price | None:
    """The price under the keys that end in `kind`; None where the map has no usable one."""
    inwards, outwards, cached, written = (
        _number(entry.get(f"{name}{kind}"))
        for name in (
            "input_cost_per_token",
            "output_cost_per_token",
            "cache_read_input_token_cost",
            "cache_creation_input_token_cost",
        )
    )
    if inwards is None or outwards is None or inwards + outwards == 0:
        return None
    return Price(
        input_per_mtok=_scaled(inwards),
        output_per_mtok=_scaled(outwards),
        cached_input_per_mtok=None if cached is None else min(_scaled(cached), _scaled(inwards)),
        cache_write_per_mtok=None if written is None else _scaled(written),
        source=source,
    )


def cost_usd(spec: ModelSpec, usage: Usage) -> float | None:
    """What a call cost by the spec's price and the tokens reported; None when either is unknown.

    Free models cost 0.0. Input read from or written to the cache is charged at its own price where
    the price names one.
    """
    if spec.is_free:
        return 0.0
    price = spec.price
    if price is None or usage.input_tokens is None or usage.output_tokens is None:
        return None
    cached = min(usage.cached_tokens or 0, usage.input_tokens)
    written = min(usage.cache_write_tokens or 0, usage.input_tokens - cached)
    total = (usage.input_tokens - cached - written) * price.input_per_mtok
    total += cached * _or(price.cached_input_per_mtok, price.input_per_mtok)
    total += written * _or(price.cache_write_per_mtok, price.input_per_mtok)
    return (total + usage.output_tokens * price.output_per_mtok) / _PER_MTOK


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


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


def cache_minimum(route: str) -> int | None:
    """Fewest tokens of a prefix that the provider caches for this model; None: not known."""
    entry = _entry(price_map(), route)
    if entry is None or _number(entry.get("cache_read_input_token_cost")) is None:
        return None
    stated = _number(entry.get("prompt_cache_min_tokens"))
    return int(stated) if stated else _CACHE_MINIMUM.get(route.partition("/")[0])


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
