"""The profiles of simulated models: what is known about them before they say a word."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from mitigations.errors import UnknownName
from mitigations.model import Scenario, Variant


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A simulated model: true rates by arm, with the source they are drawn from."""

    name: str
    title: str
    source: str
    order: tuple[str, ...]
    arms: Mapping[str, float]
    lost: Mapping[str, float]
    offsets: Mapping[str, Mapping[str, float]]
    twins: Mapping[str, Mapping[str, float]]

    def arm(self, variant: Variant) -> str:
        """The kind of variant this is to the profile; `none` where it changes nothing."""
        tags = set(variant.tags)
        if "placebo" in tags:
            return "none"
        return next((kind for kind in self.order if set(kind.split("+")) <= tags), "none")

    def rate(self, variant: Variant, scenario: Scenario) -> float:
        """True probability that a scored reply is coercive; 0 on a benign twin."""
        base = self.arms[self.arm(variant)]
        if scenario.is_twin or base <= 0.0:
            return 0.0
        if base >= 1.0:
            return 1.0
        shift = sum(self.offsets[factor][level] for factor, level in scenario.factors.items())
        return 1.0 / (1.0 + math.exp(-(math.log(base / (1.0 - base)) + shift)))

    def loss(self, variant: Variant) -> float:
        """True probability that a reply is lost."""
        return self.lost.get(self.arm(variant), self.lost.get("none", 0.0))

    def side_effects(self, variant: Variant) -> Mapping[str, float]:
        """True shares of idle, refusal, escalation and silence on the benign twins."""
        arm = self.arm(variant)
        last = arm.rpartition("+")[2]
        return self.twins.get(arm) or self.twins.get(last) or self.twins["none"]


@lru_cache(maxsize=1)
def _data() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "profiles.toml").read_text(encoding="utf-8"))


def profiles() -> tuple[str, ...]:
    """Names of the simulated models: `simulated/NAME` is a model route."""
    return tuple(sorted(_data()["profiles"]))


@lru_cache(maxsize=32)
def profile(name: str) -> Profile:
    """The profile behind `NAME` or `simulated/NAME`; raises `UnknownName`."""
    name = name.removeprefix("simulated/")
    data = _data()
    if name not in data["profiles"]:
        raise UnknownName("simulated model", name, profiles())
    entry = data["profiles"][name]
    return Profile(
        name=name,
        title=entry["title"],
        source=entry["source"],
        order=tuple(entry["order"]),
        arms=entry["arms"],
        lost=entry.get("lost", {}),
        offsets=data["offsets"],
        twins=data["twins"],
    )


def rate(name: str, variant: Variant, scenario: Scenario) -> float:
    """True coercive rate of a simulated model on one cell: what a calibrated study must find."""
    return profile(name).rate(variant, scenario)
