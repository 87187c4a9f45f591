"""Prices from LiteLLM's map, and what a call costs by them."""

import importlib.metadata
from dataclasses import replace

import pytest

from mitigations.model import ModelSpec, Price, Usage
from runner.prices import cache_minimum, cost_usd, lookup, price_in, price_map, supports_schema

MAP = {
    "gpt-x": {
        "litellm_provider": "openai",
        "input_cost_per_token": 2.5e-06,
        "output_cost_per_token": 1e-05,
        "cache_read_input_token_cost": 1.25e-06,
        "cache_creation_input_token_cost": 3.125e-06,
        "input_cost_per_token_batches": 1.25e-06,
        "output_cost_per_token_batches": 5e-06,
    },
    "groq/llama": {
        "litellm_provider": "groq",
        "input_cost_per_token": 5e-08,
        "output_cost_per_token": 8e-08,
    },
    "gemini/pro": {
        "litellm_provider": "gemini",
        "input_cost_per_token": 1e-06,
        "output_cost_per_token": 2e-06,
        "input_cost_per_token_above_200k_tokens": 2e-06,
    },
    "gemini/preview": {
        "litellm_provider": "gemini",
        "input_cost_per_token": 0.0,
        "output_cost_per_token": 0.0,
    },
    "half": {"litellm_provider": "openai", "input_cost_per_token": 1e-06},
    "broken": {
        "litellm_provider": "openai",
        "input_cost_per_token": "free",
        "output_cost_per_token": -1,
    },
}


def test_a_bare_name_counts_for_its_own_provider_only():
    price = price_in(MAP, "openai/gpt-x", source="s")
    assert price == Price(
        input_per_mtok=2.5,
        output_per_mtok=10.0,
        cached_input_per_mtok=1.25,
        cache_write_per_mtok=3.125,
        batch=Price(input_per_mtok=1.25, output_per_mtok=5.0, source="s"),
        source="s",
    )
    assert price_in(MAP, "azure/gpt-x", source="s") is None
    assert price_in(MAP, "groq/gpt-x", source="s") is None


def test_a_route_is_looked_up_as_it_is_written():
    price = price_in(MAP, "groq/llama", source="s")
    assert price is not None
    assert (price.input_per_mtok, price.output_per_mtok) == (0.05, 0.08)
    assert price.cached_input_per_mtok is None


@pytest.mark.parametrize(
    "route", ["gemini/preview", "openai/half", "openai/broken", "openai/none", "gpt-x", ""]
)
def test_what_is_not_known_has_no_price(route):
    """Zero for a model behind a key is unknown too: a budget over it would hold nothing."""
    assert price_in(MAP, route, source="s") is None


def test_a_price_that_rises_with_the_prompt_says_so():
    price = price_in(MAP, "gemini/pro", source="litellm 1")
    assert price is not None
    assert price.source == "litellm 1, prompts up to 200k tokens"


def test_the_installed_map_is_found_and_named_with_its_version():
    """Two long-lived models as published by their providers, in dollars per million tokens."""
    mini = lookup("openai/gpt-4o-mini")
    assert mini is not None
    assert (mini.input_per_mtok, mini.output_per_mtok) == (0.15, 0.60)
    assert mini.source == f"litellm {importlib.metadata.version('litellm')}"
    sonnet = lookup("anthropic/claude-sonnet-4-5")
    assert sonnet is not None
    assert (sonnet.input_per_mtok, sonnet.output_per_mtok) == (3.0, 15.0)
    assert lookup("openai/no-such-model") is None
    assert len(price_map()) > 1000


def test_only_models_that_take_a_schema_themselves_are_said_to():
    assert supports_schema("anthropic/claude-opus-4-8")
    assert not supports_schema("anthropic/claude-of-old")


def test_the_least_a_cache_takes_is_the_models_own_where_it_is_known():
    """Anthropic publishes it by model, OpenAI 1,024 for all; nobody else's is assumed."""
    assert cache_minimum("anthropic/claude-haiku-4-5-20251001") == 4096
    assert cache_minimum("anthropic/claude-sonnet-4-5-20250929") == 1024
    assert cache_minimum("openai/gpt-5-mini-2025-08-07") == 1024
    assert cache_minimum("openai/no-such-model") is None
    assert cache_minimum("openai/gpt-4") is None  # caches nothing


def test_half_price_by_batch_is_in_the_installed_map():
    price = lookup("anthropic/claude-haiku-4-5-20251001")
    assert price is not None
    assert price.batch is not None
    assert price.batch.input_per_mtok == price.input_per_mtok / 2
    assert price.batch.output_per_mtok == price.output_per_mtok / 2


# --- the cost of a call

PAID = ModelSpec(
    route="openai/m",
    price=Price(input_per_mtok=2.0, output_per_mtok=8.0, cached_input_per_mtok=0.5),
)


def test_cost_is_tokens_times_price_with_the_cache_at_its_own():
    """900 x 2 + 100 x 0.5 + 50 x 8 dollars per million."""
    usage = Usage(input_tokens=1000, output_tokens=50, cached_tokens=100)
    assert cost_usd(PAID, usage) == pytest.approx(0.00225)


def test_input_written_to_the_cache_is_charged_at_its_own_price():
    """700 x 2 + 200 x 2.5 + 100 x 0.5 + 50 x 8 dollars per million."""
    spec = replace(PAID, price=replace(PAID.price, cache_write_per_mtok=2.5))
    usage = Usage(input_tokens=1000, output_tokens=50, cached_tokens=100, cache_write_tokens=200)
    assert cost_usd(spec, usage) == pytest.approx(0.00235)


def test_a_price_without_a_cache_charges_cached_tokens_in_full():
    spec = ModelSpec(route="openai/m", price=Price(input_per_mtok=2.0, output_per_mtok=8.0))
    usage = Usage(input_tokens=1000, output_tokens=50, cached_tokens=100)
    assert cost_usd(spec, usage) == pytest.approx(0.0024)


@pytest.mark.parametrize(
    "usage", [Usage(), Usage(input_tokens=10), Usage(output_tokens=10, cached_tokens=1)]
)
def test_an_unknown_cost_is_none_and_never_zero(usage):
    assert cost_usd(PAID, usage) is None
    assert cost_usd(ModelSpec(route="openai/m"), Usage(input_tokens=1, output_tokens=1)) is None


def test_only_models_of_this_machine_are_free():
    assert cost_usd(ModelSpec(route="local/smollm2"), Usage()) == 0.0
    assert cost_usd(ModelSpec(route="simulated/x"), Usage()) == 0.0


def test_more_cached_than_read_is_charged_as_all_cached():
    usage = Usage(input_tokens=10, output_tokens=0, cached_tokens=99)
    assert cost_usd(PAID, usage) == pytest.approx(10 * 0.5e-6)
