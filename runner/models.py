"""Which models a route can name, without importing a provider library."""

from collections.abc import Collection

from runner.judge import JUDGES
from runner.local import MODELS
from runner.prices import price_map
from runner.profiles import profiles

_OWN = {
    "local": tuple(f"local/{name}" for name in MODELS),
    "simulated": tuple(f"simulated/{name}" for name in profiles()),
}


def known_models(provider: str, *, judge: bool = False) -> Collection[str]:
    """Routes known for a provider; empty where neither we nor LiteLLM's map know the provider."""
    if judge and provider == "simulated":
        return JUDGES
    if provider in _OWN:
        return _OWN[provider]
    entries = price_map().items()
    return {
        name if "/" in name else f"{provider}/{name}"
        for name, entry in entries
        if isinstance(entry, dict) and entry.get("litellm_provider") == provider
    }


def known_providers() -> Collection[str]:
    """Every provider that some route could name."""
    found = {entry.get("litellm_provider") for entry in price_map().values()}
    return {*_OWN, *(name for name in found if isinstance(name, str))}
