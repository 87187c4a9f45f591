"""One look for all figures, and the way from an Altair chart to an SVG element.

Colours are the light palette, written as they stand here into the SVG; the page's style sheet maps
each to its dark counterpart by attribute (`[fill="#1b5e9b"]`), so one drawing serves both.
"""

import re
from typing import TYPE_CHECKING, Any

from reports.blocks import Tone

if TYPE_CHECKING:
    import altair as alt

INK = "#1f2328"
QUIET = "#5b6470"
RULE = "#d5d3cc"
BAND = "#ece9e1"
FEWER = "#1b5e9b"
MORE = "#b3470f"
PAPER = "#fffefb"

COLOURS: dict[Tone, str] = {
    "good": FEWER,
    "bad": MORE,
    "neutral": INK,
    "unsure": QUIET,
    "void": QUIET,
    "plain": INK,
}
"""Blue for fewer, vermilion for more: apart for every common colour blindness, and in grey."""

SHAPES: dict[Tone, str] = {
    "good": "triangle-down",
    "bad": "triangle-up",
    "neutral": "square",
    "unsure": "circle",
    "void": "M-.7,-.7L.7,.7M-.7,.7L.7,-.7",
    "plain": "circle",
}
"""Shape says the verdict where colour cannot."""
HOLLOW: frozenset[Tone] = frozenset({"unsure"})

FONT = "system-ui, sans-serif"


def themed(chart: "alt.LayerChart") -> "alt.LayerChart":
    """The chart with the house style: no frame, thin rules, one font."""
    return (
        chart.configure(background="transparent", font=FONT, padding=4)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=QUIET,
            titleColor=QUIET,
            titleFontWeight="normal",
            labelFontSize=12,
            titleFontSize=12,
            gridColor=RULE,
            domainColor=RULE,
            tickColor=RULE,
        )
    )


def to_svg(chart: Any) -> str:
    """The chart as one SVG element without page-level attributes, ready to stand in HTML."""
    import vl_convert  # noqa: PLC0415 - heavy, and only a report draws

    spec = themed(chart).to_dict()
    svg: str = vl_convert.vegalite_to_svg(spec)
    # The figure element around it carries the text equivalent; inner roles would be read twice.
    svg = re.sub(r' (?:role|aria-[a-z]+)="[^"]*"', "", svg)
    return svg.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)
