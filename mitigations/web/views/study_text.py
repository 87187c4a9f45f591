"""A study from the lists of a form to the file a team would write."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from runner.local import MODELS as LOCAL
from runner.profiles import profile, profiles

MODELS_SHOWN: tuple[tuple[str, str], ...] = (
    *(
        (f"simulated/{name}", f"{profile(name).title}; simulated, seconds, free")
        for name in profiles()
    ),
    *((f"local/{name}", "a small model on this machine; minutes, free") for name in LOCAL),
)
"""Models that need no key; others are given by their route."""
RULES = "rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What stands in the form, as text: nothing is believed before the study reader has read it."""

    study: str = ""
    baseline: str = "no-mitigation"
    variants: tuple[str, ...] = ()
    scenarios: str = "builtin/coercion-v1"
    models: tuple[str, ...] = ()
    repeats: str = "10"
    judge: str = RULES
    smallest_change: str = "0.05"
    guardrails: Mapping[str, str] = field(
        default_factory=lambda: {"task_completion": "0.05", "needless_refusal": "0.05"}
    )
    design: str = "fixed"
    looks: str = "5"
    budget_usd: str = ""

    @property
    def other_models(self) -> str:
        """The routes that have no box of their own, one a line."""
        shown = {route for route, _ in MODELS_SHOWN}
        return "\n".join(route for route in self.models if route not in shown)


def draft_text(draft: Draft) -> str:
    """The study as YAML. Every value is a quoted scalar or a list: none of it is syntax."""
    document: dict[str, Any] = {
        "study": draft.study,
        "baseline": draft.baseline,
        "variants": list(draft.variants),
        "scenarios": draft.scenarios,
        "models": list(draft.models),
        "repeats": draft.repeats,
        "smallest_change_that_matters": draft.smallest_change,
        "design": draft.design,
    }
    if draft.judge and draft.judge != RULES:
        document["judge"] = {"model": draft.judge}
    margins = {name: margin for name, margin in draft.guardrails.items() if margin}
    if margins:
        document["guardrails"] = margins
    if draft.design == "group-sequential":
        document["looks"] = draft.looks
    if draft.budget_usd:
        document["budget_usd"] = draft.budget_usd
    return yaml.safe_dump(_plain(document), sort_keys=False, allow_unicode=True, width=10_000)


def _plain(value: Any) -> Any:
    """Numbers as numbers, so that the file reads as a person would have written it."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    for kind in (int, float):
        try:
            number = kind(value)
        except ValueError:
            continue
        if str(number) == value:
            return number
    return value
