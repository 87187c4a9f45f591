"""Two JSON values, field by field: what one says and the other does not."""

import math
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

RELATIVE = 1e-9
"""Another processor or another build of a numerical library may differ in the last digits."""
_ABSOLUTE = 1e-12
_SHOWN = 60


def differences(said: Any, found: Any, where: str = "") -> Iterator[str]:
    """One line for each field in which `said` (the report) departs from `found` (recomputed)."""
    if isinstance(said, dict) and isinstance(found, dict):
        for name in sorted(said.keys() | found.keys(), key=str):
            place = f"{where}.{name}" if where else str(name)
            if name not in found:
                yield f"{place}: report says {_short(said[name])}, recomputed has no such field"
            elif name not in said:
                yield f"{place}: report says nothing, recomputed {_short(found[name])}"
            else:
                yield from differences(said[name], found[name], place)
    elif isinstance(said, list) and isinstance(found, list):
        if len(said) != len(found):
            yield f"{where}: report has {len(said)} entries, recomputed {len(found)}"
        for index, (one, other) in enumerate(zip(said, found, strict=False)):
            yield from differences(one, other, f"{where}[{index}]")
    elif not _same(said, found):
        yield f"{where}: report says {_short(said)}, recomputed {_short(found)}"


def _same(said: Any, found: Any) -> bool:
    numbers = isinstance(said, int | float) and isinstance(found, int | float)
    if not numbers or isinstance(said, bool) or isinstance(found, bool):
        return type(said) is type(found) and bool(said == found)
    if isinstance(said, int) and isinstance(found, int):
        return said == found
    return math.isclose(said, found, rel_tol=RELATIVE, abs_tol=_ABSOLUTE)


def _short(value: Any) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


class _Said(HTMLParser):
    """What a page says, shows and draws, piece by piece."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.pieces.append(f"<{tag} {attrs}>")

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.pieces.append(data.strip())

    def handle_comment(self, data: str) -> None:
        self.pieces.append(f"<!--{data}-->")


def page_difference(said: str, found: str) -> str | None:
    """The first place where a page departs from the one its data give; None when nowhere."""
    if said == found:
        return None
    pieces, others = _Said(said).pieces, _Said(found).pieces
    for one, other in zip(pieces, others, strict=False):
        if one != other:
            return f"page says {_short(one)}, its data give {_short(other)}"
    if len(pieces) != len(others):
        longer = (pieces if len(pieces) > len(others) else others)[min(len(pieces), len(others))]
        return f"page and data part at {_short(longer)}"
    return "its bytes are not the ones its data give"
