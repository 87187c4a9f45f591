"""The door: a block in, an SVG out."""

from reports.blocks import Forest, Path
from reports.figures.forest import forest
from reports.figures.path import path
from reports.figures.theme import to_svg


def draw(figure: Forest | Path, *, narrow: bool = False) -> str:
    """An SVG element for the figure; `narrow` is the drawing for a phone."""
    if isinstance(figure, Forest):
        return to_svg(forest(figure, narrow=narrow))
    return to_svg(path(figure, narrow=narrow))
