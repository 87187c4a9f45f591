"""The door: a block in, an SVG out."""

from functools import lru_cache

from reports.blocks import Forest, Path, Shares
from reports.figures.forest import forest
from reports.figures.path import path
from reports.figures.shares import shares
from reports.figures.theme import Spec, to_svg


# A served page asks for the same figures again and again; blocks are frozen, so they are keys.
@lru_cache(maxsize=128)
def draw(figure: Forest | Path | Shares, *, narrow: bool = False) -> str:
    """An SVG element for the figure; `narrow` is the drawing for a phone."""
    return to_svg(specification(figure, narrow=narrow))


def specification(figure: Forest | Path | Shares, *, narrow: bool = False) -> Spec:
    """The Vega-Lite specification behind the drawing."""
    if isinstance(figure, Forest):
        return forest(figure, narrow=narrow)
    if isinstance(figure, Shares):
        return shares(figure, narrow=narrow)
    return path(figure, narrow=narrow)
