"""Static SVG figures: Vega-Lite specifications rendered by vl-convert (ADR 0004).

`draw(figure, narrow=...)` takes a block (data) and gives an SVG element that is safe inside HTML.
"""

from reports.figures.draw import draw, specification

__all__ = ["draw", "specification"]
