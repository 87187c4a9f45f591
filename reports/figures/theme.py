"""One look for all figures, and the way from a Vega-Lite specification to an SVG element.

Colours are the light palette, written as they stand here into the SVG; the page's style sheet maps
each to its dark counterpart by attribute (`[fill="#1b5e9b"]`), so one drawing serves both.
"""

import re
from collections.abc import Mapping
from typing import Any

from reports.blocks import Tone
from reports.textual import clean

INK = "#1f2328"
QUIET = "#5b6470"
RULE = "#d5d3cc"
BAND = "#ece9e1"
FEWER = "#1b5e9b"
MORE = "#b3470f"
PAPER = "#fffefb"
PALETTE = (INK, QUIET, RULE, BAND, FEWER, MORE, PAPER)

COLOURS: Mapping[Tone, str] = {
    "good": FEWER,
    "bad": MORE,
    "neutral": INK,
    "unsure": QUIET,
    "void": QUIET,
    "plain": INK,
}
"""Blue for fewer, vermilion for more: apart for every common colour blindness, and in grey."""

SHAPES: Mapping[Tone, str] = {
    "good": "triangle-down",
    "bad": "triangle-up",
    "neutral": "square",
    "unsure": "circle",
    "void": "M-.7,-.7L.7,.7M-.7,.7L.7,-.7",
    "plain": "circle",
}
"""Shape says the verdict where colour cannot."""
HOLLOW: frozenset[Tone] = frozenset({"unsure"})

Spec = dict[str, Any]
"""A Vega-Lite specification, or a part of one."""

CONFIG: Spec = {
    "background": "transparent",
    "font": "sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": QUIET,
        "titleColor": QUIET,
        "titleFontWeight": "normal",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "gridColor": RULE,
        "domainColor": RULE,
        "tickColor": RULE,
    },
}


def chart(layers: list[Spec], *, width: int, height: int, padding: Mapping[str, int]) -> Spec:
    """A layered chart in the house style, of exactly this size: nothing depends on a font."""
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "config": CONFIG,
        "autosize": {"type": "none"},
        "padding": dict(padding),
        "width": width,
        "height": height,
        "layer": layers,
    }


def to_svg(spec: Spec) -> str:
    """One SVG element without page-level attributes, ready to stand in HTML."""
    import vl_convert  # noqa: PLC0415 - heavy, and only a report draws

    # A character that XML cannot hold does not raise in vl-convert: it ends the process.
    svg: str = vl_convert.vegalite_to_svg(_printable(spec))
    # The figure element around it carries the text equivalent; inner roles would be read twice.
    svg = re.sub(r' (?:role|aria-[a-z]+)="[^"]*"', "", svg)
    return svg.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)


def _printable(value: Any) -> Any:
    """The spec with every text in it clean."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {key: _printable(one) for key, one in value.items()}
    return [_printable(one) for one in value] if isinstance(value, list | tuple) else value
