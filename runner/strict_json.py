"""One whole JSON object or nothing: how text from a model becomes data."""

import json
import re
from typing import Any


def unfenced(text: str) -> str:
    """The text without one Markdown code fence around the whole of it."""
    match = re.fullmatch(r"```(?:json)?[ \t]*\n(.*?)\n?```", text.strip(), re.DOTALL)
    return match[1] if match else text


def whole_object(text: str) -> dict[str, Any]:
    """The object that is the whole text; never one found inside other text.

    Raises:
        ValueError: no JSON, text around it, another value than an object, a key given twice
            (two readers could see different things), NaN or infinity, or nesting without end.
    """
    try:
        parsed = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError as exc:
        raise ValueError("it is nested too deeply") from exc
    if not isinstance(parsed, dict):
        raise ValueError("it is no object")  # noqa: TRY004 - one error for all unreadable text
    return parsed


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")
