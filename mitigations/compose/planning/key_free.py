"""A lock, a database and a report go to others: no text that they hold may be a key of ours."""

import json
import os
from collections.abc import Iterator, Mapping

from mitigations.codec import plain
from mitigations.errors import MitigationsError
from mitigations.model import Plan, Scenario, Variant
from mitigations.providers import Providers
from runner.redact import Redactor, secrets

_SHORTEST = 12
"""Shorter values, and those without a digit, may be ordinary words."""


class HoldsAKey(MitigationsError):
    """A variant, a scenario or a rubric in which somebody has left a key."""


def refuse_keys(plan: Plan, providers: Providers, environ: Mapping[str, str] | None = None) -> None:
    """Raise `HoldsAKey` where a text of the plan holds a key of this machine's environment."""
    named = {entry.key_env for entry in providers.values() if entry.key_env}
    found = secrets(os.environ if environ is None else environ, names=named)
    keys = {
        name: Redactor([value])
        for name, value in found.items()
        if len(value) >= _SHORTEST and any(sign.isdigit() for sign in value)
    }
    for what, text in _texts(plan) if keys else ():
        held = next((name for name, mask in keys.items() if mask.keys(text) != text), None)
        if held is not None:
            raise HoldsAKey(
                f"{what} holds the value of {held}: it would be in the lock and in every report\n"
                "  Take it out, and have the key replaced if anybody else has seen the file."
            )


def _texts(plan: Plan) -> Iterator[tuple[str, str]]:
    for variant in plan.variants:
        yield f"variant {variant.id}", json.dumps(plain(Variant, variant), ensure_ascii=False)
    for scenario in plan.scenarios:
        yield f"scenario {scenario.id}", json.dumps(plain(Scenario, scenario), ensure_ascii=False)
    yield "the rubric", plan.judge.rubric or ""
