"""Mitigations: A/B tests for the prompts and policies that keep language models from coercing."""

__version__ = "0.1.0"
