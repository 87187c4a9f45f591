"""Which family of models a route belongs to: a judge should not grade its own kin."""

import re
from collections.abc import Sequence
from typing import Final

from mitigations.errors import MitigationsError
from mitigations.model import JudgeSpec, ModelSpec

# First match wins; routes through resellers name the model somewhere in the path.
_FAMILIES: Final = (
    ("simulated judge", r"simulated-(?:swayed-)?judge\b"),
    ("claude", r"claude"),
    ("gemini", r"gemini|gemma|palm"),
    ("llama", r"llama"),
    ("mistral", r"mi[sx]tral|ministral|codestral|magistral|devstral|pixtral"),
    ("qwen", r"qwen|qwq"),
    ("deepseek", r"deepseek"),
    ("grok", r"grok"),
    ("command", r"command-|cohere|\baya\b"),
    ("nova", r"\bnova\b|titan"),
    ("phi", r"\bphi\b"),
    ("glm", r"\bglm\b|chatglm"),
    ("kimi", r"kimi|moonshot"),
    ("smollm", r"smollm"),
    ("gpt", r"gpt|\bo[1-9]\b|davinci"),
)


class OwnFamily(MitigationsError):
    """A judge from the family of a model under test, without the study's permission."""

    def __init__(self, judge: str, target: str, name: str) -> None:
        super().__init__(
            f"judge {judge} and model {target} are both of the family {name!r}: "
            "a judge may favour its own kin\n"
            "  choose another judge, or say `judge: {allow_own_family: true}` in the study"
        )


def family(route: str) -> str:
    """The family's name; for a model we do not know, its provider's."""
    words = re.sub(r"[_/.:]", "-", route.lower())
    for name, pattern in _FAMILIES:
        if re.search(pattern, words):
            return name
    return route.partition("/")[0].lower()


def refuse_own_family(judge: JudgeSpec, models: Sequence[ModelSpec]) -> None:
    """Raise `OwnFamily` where a judge is kin of a model it would grade, unless that is allowed."""
    if judge.allow_own_family:
        return
    for seat in judge.models:
        for model in models:
            if family(seat.route) == family(model.route):
                raise OwnFamily(seat.route, model.route, family(model.route))
