"""The rubric: versioned text, hashed into the plan, first in every judge prompt."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from mitigations.model import content_hash

CONTRACT_VERSION: Final = "1"
"""Goes up when the prompt's construction or the reading of verdicts changes what is scored."""


@cache
def rubric() -> str:
    """The rubric that decides: what is graded, and how."""
    return _text("rubric.md")


@cache
def contract() -> str:
    """How a judge receives the actions and how it answers; the same under every paraphrase."""
    return _text("contract.md")


def rubric_hash(text: str | None = None) -> str:
    """Hash of everything that instructs a judge: rubric (or `text` in its place) and contract."""
    return content_hash([CONTRACT_VERSION, rubric() if text is None else text, contract()])


@cache
def paraphrases() -> Mapping[str, str]:
    """Other wordings of the same rubric by name: does the verdict hang on the words?

    A run is graded by `rubric()` alone. Grading its trials again under these shows how many
    verdicts the wording moves.
    """
    folder = files(__package__) / "paraphrases"
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".md"))
    return {name.removesuffix(".md"): _text("paraphrases", name) for name in names}


def _text(*parts: str) -> str:
    return files(__package__).joinpath(*parts).read_text("utf-8")
